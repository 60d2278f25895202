"""The default `CATALOG`: carts and wishlists sell from this app's own tables. It knows where its stock lies."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from storefront import selectors as kernel
from storefront.contracts import Component, Sellable, Sku

from . import promotions, selectors, serializers


class DefaultCatalog:
    """See `storefront.contracts.Catalog`. A sku's key is its variant's id, or the product's own where nothing varies."""

    def sellables(self, store_id: str, skus: Collection[Sku], *, group_id: str | None = None) -> dict[Sku, Sellable]:
        """One query, beside the store's categories when they are not in memory; another one when a bundle is among them,
        and one when a product that varies is asked for without a variant, or is unknown."""
        if not skus:
            return {}
        store = kernel.store(store_id)
        group_ids = kernel.price_group_ids(store=store, asked=group_id)
        ids = list({sku.variant_id or sku.product_id for sku in skus})
        rows = {row[0]: row for row in selectors.line_rows(store_id=store_id, variant_ids=ids, group_ids=group_ids)}
        currency, tree = store.currency, selectors.tree(store=store)
        found: dict[Sku, Sellable] = {}
        for sku in skus:
            row = rows.get(sku.variant_id or sku.product_id)
            if row is not None and row[1] == sku.product_id != sku.variant_id:
                found[sku] = serializers.sellable(sku, row, currency, tree)
        found |= self._bundles(store_id, [sellable for sellable in found.values() if sellable.product_type == "bundle"])
        return found | self._varying(store_id, [sku for sku in skus if not sku.variant_id and sku not in found])

    def _bundles(self, store_id: str, sellables: Collection[Sellable]) -> dict[Sku, Sellable]:
        """The same with their components."""
        held: dict[str, list[Component]] = {}
        for bundle_id, product_id, variant_id, units, left in selectors.component_stock(
            store_id=store_id, bundle_ids=list({sellable.sku.product_id for sellable in sellables})
        ):
            sku = Sku(product_id, "" if variant_id == product_id else variant_id)
            held.setdefault(bundle_id, []).append(Component(sku, units, left))
        return {
            sellable.sku: sellable._replace(components=tuple(held.get(sellable.sku.product_id, ())))
            for sellable in sellables
        }

    def _varying(self, store_id: str, skus: Collection[Sku]) -> dict[Sku, Sellable]:
        of_product = {sku.product_id: sku for sku in skus}
        return {
            of_product[pk]: serializers.needs_variant(of_product[pk], name=name, slug=slug, product_type=kind)
            for pk, name, slug, kind in selectors.product_names(store_id=store_id, product_ids=list(of_product))
        }

    def items(self, store_id: str, skus: Collection[Sku], *, group_id: str | None = None) -> dict[Sku, dict[str, Any]]:
        """One query, beside the store's categories when they are not in memory. Two more when a product that varies is
        asked for without a variant: one of its variants stands for it, without its id and name."""
        if not skus:
            return {}
        found = self._items(store_id, {sku.variant_id or sku.product_id for sku in skus}, group_id)
        varying = [sku.product_id for sku in skus if not sku.variant_id and sku not in found]
        shown = selectors.shown_variants(store_id=store_id, product_ids=varying)
        if shown:
            for sku, item in self._items(store_id, set(shown.values()), group_id).items():
                found[Sku(sku.product_id)] = {**item, "variant_id": None, "variant_name": None}
        return {sku: found[sku] for sku in skus if sku in found}

    def _items(self, store_id: str, variant_ids: Collection[str], group_id: str | None) -> dict[Sku, dict[str, Any]]:
        store = kernel.store(store_id)
        group_ids = kernel.price_group_ids(store=store, asked=group_id)
        writer = serializers.Writer(currency=store.currency, tree=selectors.tree(store=store))
        rows = selectors.item_rows(store_id=store_id, variant_ids=list(variant_ids), group_ids=group_ids)
        writer.promotions = promotions.shown(store=store, group_ids=group_ids, priced=promotions.of_items(rows))
        found: dict[Sku, dict[str, Any]] = {}
        for row in rows:
            values = writer.item_values(row)
            if values:
                found[Sku(values["product_id"], values["variant_id"] or "")] = values
        return found

    def category_names(self, store_id: str, category_ids: Collection[str]) -> dict[str, str]:
        """One query when the store's categories are not in memory."""
        if not category_ids:
            return {}
        branches = selectors.tree(store=kernel.store(store_id)).by_id
        return {pk: branches[pk].name for pk in category_ids if pk in branches}

    def stock_by_location(self, store_id: str, skus: Collection[Sku]) -> dict[Sku, dict[str, int | None]]:
        """See `storefront.contracts.StockByLocation`. What never runs out can be sold from every active location; what is
        on backorder beyond its units from the default one. Where nothing is left is not named."""
        if not skus:
            return {}
        active = list(kernel.locations(store=kernel.store(store_id)))
        ids = list({sku.variant_id or sku.product_id for sku in skus})
        parts: dict[tuple[str, str], dict[str, _Part]] = {}
        for pk, product_id, part_id, quantity, endless, backorder, location_id, left in selectors.place_rows(
            store_id=store_id, variant_ids=ids
        ):
            part = parts.setdefault((pk, product_id), {}).setdefault(
                part_id, _Part(quantity, bool(endless), active[0] if backorder else "")
            )
            if location_id is not None:
                part.left[location_id] = left
        found: dict[Sku, dict[str, int | None]] = {}
        for sku in skus:
            here = parts.get((sku.variant_id or sku.product_id, sku.product_id))
            if here is not None and sku.variant_id != sku.product_id:
                found[sku] = _by_location(active, here.values())
        return found


@dataclass(slots=True)
class _Part:
    """What a sku is made of: itself, or a component of a bundle."""

    quantity: int  # of it in one sku
    endless: bool
    beyond: str  # the location that promises more than lies there, or ""
    left: dict[str, int] = field(default_factory=dict)  # by location

    def enough_for(self, location_id: str) -> int | None:
        if self.endless or location_id == self.beyond:
            return None
        return max(0, self.left.get(location_id, 0)) // self.quantity


def _by_location(active: Iterable[str], parts: Collection[_Part]) -> dict[str, int | None]:
    """How many can be made at each location: as many as its scarcest part allows."""
    found: dict[str, int | None] = {}
    for location_id in dict.fromkeys([*active, *(pk for part in parts for pk in part.left)]):
        limits = [limit for limit in (part.enough_for(location_id) for part in parts) if limit is not None]
        if not limits:
            found[location_id] = None
        elif min(limits) > 0:
            found[location_id] = min(limits)
    return found
