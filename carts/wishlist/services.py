"""Writes of wishlists. Each may be repeated."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection

from storefront.contracts import Sellable, Shopper, Sku
from storefront.models import Store
from storefront.plugs import plug

from ..errors import ProductNotFound, VariantRequired, WishlistFull
from ..models import WishlistItem
from . import selectors

TABLE = WishlistItem._meta.db_table


def add(*, store: Store, shopper: Shopper, user_id: str, sku: Sku, now: datetime) -> None:
    """Remembers a sku; one that is remembered already stays where it is.

    A product that varies may be wished for without a variant where the catalogue can show it so. Two statements and the
    catalogue's. Raises NotFound, ProductNotFound, VariantRequired, WishlistFull.
    """
    selectors.check_owner(shopper=shopper, user_id=user_id)
    catalog = plug("CATALOG")
    found: Sellable | None = catalog.sellables(store.pk, [sku], group_id=shopper.group_id).get(sku)
    if found is None:
        raise ProductNotFound
    if found.needs_variant:  # nothing else of such a sellable counts
        if sku not in catalog.items(store.pk, [sku], group_id=shopper.group_id):
            raise VariantRequired(field="variant_id")
    elif not found.active:
        raise ProductNotFound
    mine = selectors.wishlist(store=store, user_id=user_id)
    if mine.count() >= selectors.MAX_ITEMS and not mine.filter(**sku._asdict()).exists():
        raise WishlistFull(field="product_id")
    WishlistItem.objects.bulk_create(
        [WishlistItem(store=store, user_id=user_id, **sku._asdict(), created_at=now)], ignore_conflicts=True
    )


def remove(*, store: Store, shopper: Shopper, user_id: str, sku: Sku) -> None:
    """Forgets a sku, whether it is still sold or not; one that was not there stays away. Raises NotFound."""
    selectors.check_owner(shopper=shopper, user_id=user_id)
    selectors.wishlist(store=store, user_id=user_id).filter(**sku._asdict()).delete()


def merge(*, store: Store, from_user_id: str, to_user_id: str, **_: Any) -> None:
    """A visitor logged in to an account: the account's list gets what the visitor's has (D-21).

    Runs in the login's transaction; repeating it changes nothing, and parallel ones lose nothing. Two statements.
    """
    if from_user_id == to_user_id:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {TABLE} (store_id, user_id, product_id, variant_id, created_at)"  # noqa: S608 -- a table's name
            f" SELECT store_id, %s, product_id, variant_id, created_at FROM {TABLE}"
            " WHERE store_id = %s AND user_id = %s ORDER BY product_id, variant_id ON CONFLICT DO NOTHING",
            [to_user_id, store.pk, from_user_id],
        )
    selectors.wishlist(store=store, user_id=from_user_id).delete()


def erase(*, store: Store, user_id: str, **_: Any) -> None:
    """A shopper's personal data must go (D-14)."""
    selectors.wishlist(store=store, user_id=user_id).delete()
