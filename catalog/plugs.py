"""The default `CATALOG`: carts and wishlists sell from this app's own tables."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from storefront import selectors as kernel
from storefront.contracts import Sellable, Sku

from . import selectors, serializers


class DefaultCatalog:
    """See `storefront.contracts.Catalog`. A sku's key is its variant's id, or the product's own where nothing varies."""

    def sellables(self, store_id: str, skus: Collection[Sku], *, group_id: str | None = None) -> dict[Sku, Sellable]:
        """One query; a second one when a product that varies is asked for without a variant, or is unknown."""
        if not skus:
            return {}
        store = kernel.store(store_id)
        group_ids = kernel.price_group_ids(store=store, asked=group_id)
        ids = list({sku.variant_id or sku.product_id for sku in skus})
        rows = {row[0]: row for row in selectors.line_rows(store_id=store_id, variant_ids=ids, group_ids=group_ids)}
        currency = store.currency
        found: dict[Sku, Sellable] = {}
        for sku in skus:
            row = rows.get(sku.variant_id or sku.product_id)
            if row is not None and row[1] == sku.product_id != sku.variant_id:
                found[sku] = serializers.sellable(sku, row, currency)
        return found | self._varying(store_id, [sku for sku in skus if not sku.variant_id and sku not in found])

    def _varying(self, store_id: str, skus: Collection[Sku]) -> dict[Sku, Sellable]:
        of_product = {sku.product_id: sku for sku in skus}
        return {
            of_product[pk]: serializers.needs_variant(of_product[pk], name=name, slug=slug, product_type=kind)
            for pk, name, slug, kind in selectors.product_names(store_id=store_id, product_ids=list(of_product))
        }

    def items(self, store_id: str, skus: Collection[Sku], *, group_id: str | None = None) -> dict[Sku, dict[str, Any]]:
        """One query, beside the store's categories when they are not in memory."""
        if not skus:
            return {}
        store = kernel.store(store_id)
        group_ids = kernel.price_group_ids(store=store, asked=group_id)
        writer = serializers.Writer(currency=store.currency, tree=selectors.tree(store=store))
        ids = list({sku.variant_id or sku.product_id for sku in skus})
        found: dict[Sku, dict[str, Any]] = {}
        for row in selectors.item_rows(store_id=store_id, variant_ids=ids, group_ids=group_ids):
            values = writer.item_values(row[1:])
            if values:
                found[Sku(values["product_id"], values["variant_id"] or "")] = values
        return {sku: found[sku] for sku in skus if sku in found}
