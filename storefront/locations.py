"""Where the stock of skus lies, whoever keeps it."""

from __future__ import annotations

from collections.abc import Collection

from storefront import selectors
from storefront.contracts import Sku, StockByLocation
from storefront.models import Store
from storefront.plugs import plug


def stock(*, store: Store, skus: Collection[Sku], group_id: str | None = None) -> dict[Sku, dict[str, int | None]]:
    """How many of each sku can be sold from each location, by its id; None for unlimited.

    The catalogue's own answer where it has one (`StockByLocation`), else all of it in the default location.
    """
    if not skus:
        return {}
    catalog = plug("CATALOG")
    if isinstance(catalog, StockByLocation):
        return catalog.stock_by_location(store.pk, skus)
    location_id = selectors.default_location(store=store).pk
    found = catalog.sellables(store.pk, skus, group_id=group_id)
    return {sku: {location_id: None if sellable.backorder else sellable.available} for sku, sellable in found.items()}
