"""The default catalogue keeps the contract that every replacement must keep."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from catalog import services
from catalog.models import Category, Product
from catalog.plugs import DefaultCatalog
from storefront.contracts import Sku
from storefront.models import Store
from storefront.testing import CatalogContract, Ware
from tests.catalog.factories import make_category, make_product, variants_of


@pytest.mark.django_db
class TestDefaultCatalog(CatalogContract):
    @pytest.fixture(autouse=True)
    def _stores(self, store: Store, other_store: Store) -> None:
        self.store, self.other = store, other_store

    def catalog(self) -> DefaultCatalog:
        return DefaultCatalog()

    def put(self, ware: Ware) -> Sequence[Sku]:
        return self._put(self.store, ware)

    def put_elsewhere(self, ware: Ware) -> tuple[str, Sequence[Sku]]:
        return self.other.pk, self._put(self.other, ware)

    def _put(self, store: Store, ware: Ware) -> list[Sku]:
        prices: dict[str, Any] = {"listing_price": ware.price + Decimal(10)}
        above = Category.objects.filter(store=store, parent=None).first() or make_category(store, "Everything")
        below = above.children.first() or make_category(store, "Shelf", parent=above)
        product = make_product(
            store, name=ware.name, price=str(ware.price), on_hand=ware.stock, variants=ware.sizes, prices=prices,
            categories=(below,),
        )  # fmt: skip
        if not ware.sizes:
            return [Sku(product.pk)]
        return [Sku(product.pk, variant.pk) for variant in variants_of(product)]

    def withdraw(self, product_id: str) -> None:
        Product.objects.filter(pk=product_id).update(active=False)
        services.publish(store=self.store, product_ids=[product_id])


class TestOfAShopWithoutSizes(TestDefaultCatalog):
    """The contract asks no shop for variants that it does not have."""

    varies = False

    def put(self, ware: Ware) -> Sequence[Sku]:
        assert not ware.sizes
        return super().put(ware)
