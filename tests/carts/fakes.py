"""Plugs of a shop that keeps nothing in the database: a catalogue and shoppers in memory."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any, ClassVar

from storefront.contracts import Sellable, Shopper, Sku
from storefront.errors import Unauthenticated


class FakeCatalog:
    """`put` what is for sale; `asked` holds what each call asked for. `groups` has prices by group."""

    shelf: ClassVar[dict[tuple[str, Sku], Sellable]] = {}
    groups: ClassVar[dict[tuple[str, Sku, str], Decimal]] = {}
    asked: ClassVar[list[tuple[Sku, ...]]] = []
    meanwhile: ClassVar[list[Any]] = []  # called, once each, while somebody waits for an answer

    @classmethod
    def clear(cls) -> None:
        for kept in (cls.shelf, cls.groups, cls.asked, cls.meanwhile):
            kept.clear()

    @classmethod
    def put(cls, store_id: str, product_id: str, variant_id: str = "", price: str = "118", **facts: Any) -> Sku:
        sku = Sku(product_id, variant_id)
        cls.shelf[store_id, sku] = Sellable(
            sku=sku,
            code=facts.pop("code", f"SKU-{product_id}-{variant_id}"),
            slug=product_id.lower(),
            product_name=facts.pop("product_name", f"Product {product_id}"),
            variant_name=variant_id or None,
            listing_price=Decimal(price) + 10,
            selling_price=Decimal(price),
            tax_rate=Decimal(facts.pop("tax_rate", "18")),
            **facts,
        )
        return sku

    def sellables(self, store_id: str, skus: Collection[Sku], *, group_id: str | None = None) -> dict[Sku, Sellable]:
        self.asked.append(tuple(skus))
        while self.meanwhile:
            self.meanwhile.pop()()
        return {sku: self._priced(store_id, sku, group_id or "") for sku in skus if (store_id, sku) in self.shelf}

    def _priced(self, store_id: str, sku: Sku, group_id: str) -> Sellable:
        sellable = self.shelf[store_id, sku]
        return sellable._replace(selling_price=self.groups.get((store_id, sku, group_id), sellable.selling_price))

    def items(self, store_id: str, skus: Collection[Sku], *, group_id: str | None = None) -> dict[Sku, dict[str, Any]]:
        return {}


class FakeShoppers:
    """The bearer token is a key of `known`."""

    known: ClassVar[dict[str, Shopper]] = {}

    def identify(self, *, store: Any, request: Any) -> Shopper | None:
        token = request.META.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
        found = self.known.get(token)
        if found is None or found.store_id != store.pk:
            raise Unauthenticated
        return found
