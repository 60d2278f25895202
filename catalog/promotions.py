"""The automatic promotions that are shown beside prices, as the plug `PRODUCT_PROMOTIONS` says them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from storefront import wire
from storefront.conf import conf
from storefront.contracts import Sku
from storefront.models import Store
from storefront.plugs import has, plug
from storefront.selectors import ShortMemory

from . import changes, selectors
from .selectors import Row, Tree
from .serializers import exact

PLUG = "PRODUCT_PROMOTIONS"


class Priced(NamedTuple):
    """A sku that is shown, with its selling price as the driver gives it."""

    variant_id: str
    product_id: str
    category_ids: str
    selling_price: object


class _Prices(Mapping[Sku, tuple[Decimal, tuple[str, ...]]]):
    """Made when the plug first looks: most stores run no promotion most of the time."""

    def __init__(self, priced: Sequence[Priced], tree: Tree) -> None:
        self._priced, self._tree = priced, tree
        self._known: dict[Sku, tuple[Decimal, tuple[str, ...]]] | None = None

    def _read(self) -> dict[Sku, tuple[Decimal, tuple[str, ...]]]:
        if self._known is None:
            self._known = {
                Sku(row.product_id, "" if row.variant_id == row.product_id else row.variant_id): (
                    exact(row.selling_price),
                    self._tree.with_above(row.category_ids),
                )
                for row in self._priced
            }
        return self._known

    def __getitem__(self, sku: Sku) -> tuple[Decimal, tuple[str, ...]]:
        return self._read()[sku]

    def __iter__(self) -> Iterator[Sku]:
        return iter(self._read())

    def __bool__(self) -> bool:
        return bool(self._priced)

    def __len__(self) -> int:
        return len(self._read())


def shown(*, store: Store, group_ids: Sequence[str], priced: Iterable[Priced]) -> dict[str, str]:
    """The `ProductPromotion` of each of these skus that has one, as text by the sku's id. One call of the plug, or none
    where nothing has a price."""
    rows = [row for row in priced if row.selling_price is not None] if has(PLUG) else []
    if not rows:
        return {}
    found = plug(PLUG).shown(
        store.pk,
        _Prices(rows, selectors.tree(store=store)),
        group_id=group_ids[0] if group_ids else None,
        now=timezone.now(),
    )
    return {sku.variant_id or sku.product_id: wire.dumps(said).decode() for sku, said in found.items()}


_versions: ShortMemory[str] = ShortMemory(size=1024, seconds=lambda: conf().STORE_CACHE_SECONDS)


def version(*, store: Store) -> str:
    """Part of a cached answer's key: differs when other promotions are to be shown. Asked every few seconds, so what
    begins or ends by the clock is seen that much later."""
    if not has(PLUG):
        return ""
    found = _versions.get(store.pk)
    if found is None:  # "" is a version too
        found = _versions.put(store.pk, str(plug(PLUG).version(store.pk, now=timezone.now())))
    return found


def changed(*, store: Store, **_: Any) -> None:
    """Listens to what happens to offers: caches of the catalogue must ask again."""
    changes.note(store_id=store.pk)
    transaction.on_commit(partial(_versions.drop, store.pk))


def of_items(rows: Iterable[Row]) -> Iterator[Priced]:
    """Of rows as `Writer.item` takes them."""
    return (Priced(row[0], row[1], row[3], row[9]) for row in rows)


def of_components(rows: Iterable[Row]) -> Iterator[Priced]:
    """Of rows of `selectors.component_rows`."""
    return of_items(row[2:] for row in rows)


def of_variants(rows: Iterable[Row], category_ids: Mapping[str, str]) -> Iterator[Priced]:
    """Of rows of `selectors.variant_rows`, with the categories of each product."""
    return (Priced(row[3], row[0], category_ids[row[0]], row[9]) for row in rows)
