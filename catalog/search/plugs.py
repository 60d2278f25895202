"""The default `SEARCH`: the shop's own database."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from storefront import selectors as kernel
from storefront.contracts import SearchQuery, SearchResult
from storefront.models import Store

from . import database, index


class DatabaseSearch:
    """See `storefront.contracts.Search`. Never lags: entries are written by the transaction that changes a product.

    Writing needs no more of a store than its id, and goes on for one that is closed.
    """

    def find(self, store_id: str, query: SearchQuery) -> SearchResult:
        return database.find_skus(store=kernel.store(store_id), query=query)

    def index(self, store_id: str, product_ids: Collection[str]) -> None:
        index.refresh(store=Store(pk=store_id), product_ids=product_ids)

    def prepare(self, store_id: str) -> None:
        index.forget(store=Store(pk=store_id))

    def prune(self, store_id: str, before: datetime) -> None:
        """Entries go with their products; only what they no longer use is left to drop."""
        index.prune(store=Store(pk=store_id))
