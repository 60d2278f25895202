"""Writes of wishlists. Each may be repeated."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from storefront.conf import conf
from storefront.contracts import Sellable, Shopper, Sku
from storefront.models import Store
from storefront.plugs import plug

from .. import sql
from ..errors import ProductNotFound, VariantRequired, WishlistFull
from ..models import WishlistItem
from . import selectors


def add(*, store: Store, shopper: Shopper, user_id: str, sku: Sku, now: datetime) -> None:
    """Remembers a sku; one that is remembered already stays where it is.

    A product that varies may be wished for without a variant where the catalogue can show it so. A visitor's whole list
    lives VISITOR_WISHLIST_DAYS from now on. Calls for one shopper take turns, so that no list grows beyond its end. Five
    statements and the catalogue's. Raises NotFound, ProductNotFound, VariantRequired, WishlistFull.
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
    expires_at = None
    if shopper.is_anonymous and not shopper.is_logged_in:
        expires_at = now + timedelta(days=conf().VISITOR_WISHLIST_DAYS)
    item = WishlistItem(store=store, user_id=user_id, **sku._asdict(), created_at=now, expires_at=expires_at)
    with transaction.atomic():
        sql.take_turns("wishlist", store.pk, user_id)
        mine = selectors.wishlist(store=store, user_id=user_id)
        if mine.count() >= selectors.MAX_ITEMS and not mine.filter(**sku._asdict()).exists():
            raise WishlistFull(field="product_id")
        WishlistItem.objects.bulk_create([item], ignore_conflicts=True)
        if expires_at is None:
            mine.filter(expires_at__isnull=False).update(expires_at=None)
        else:  # once a day is enough
            mine.filter(expires_at__lt=expires_at - timedelta(days=1)).update(expires_at=expires_at)


def remove(*, store: Store, shopper: Shopper, user_id: str, sku: Sku) -> None:
    """Forgets a sku, whether it is still sold or not; one that was not there stays away. Raises NotFound."""
    selectors.check_owner(shopper=shopper, user_id=user_id)
    selectors.wishlist(store=store, user_id=user_id).filter(**sku._asdict()).delete()


def merge(*, store: Store, from_user_id: str, to_user_id: str, **_: Any) -> None:
    """A visitor logged in to an account: the account's list gets what the visitor's has (D-21), as far as there is room
    for it, the newest first.

    Runs in the login's transaction; repeating it changes nothing, and parallel ones lose nothing. Five statements.
    """
    if from_user_id == to_user_id:
        return
    with transaction.atomic():
        for user_id in sorted((from_user_id, to_user_id)):
            sql.take_turns("wishlist", store.pk, user_id)
        theirs = selectors.wishlist(store=store, user_id=to_user_id)
        known = {item.sku for item in theirs}
        visitors = selectors.wishlist(store=store, user_id=from_user_id)
        more = [item for item in visitors if item.sku not in known][: max(0, selectors.MAX_ITEMS - len(known))]
        WishlistItem.objects.bulk_create(
            [
                WishlistItem(store=store, user_id=to_user_id, **item.sku._asdict(), created_at=item.created_at)
                for item in more
            ],
            ignore_conflicts=True,
        )
        visitors.delete()


def keep(*, store: Store, user_id: str, **_: Any) -> None:
    """A visitor registered under the same id: what they wished for stays for good."""
    selectors.wishlist(store=store, user_id=user_id).filter(expires_at__isnull=False).update(expires_at=None)


def purge_expired(*, now: datetime, batch: int, **_: Any) -> None:
    """Forgets up to `batch` items of visitors who did not come back. Safe to repeat and to run twice at once."""
    due = WishlistItem.objects.filter(expires_at__lte=now)
    ids = list(due.order_by("expires_at").values_list("pk", flat=True)[:batch])
    if ids:
        due.filter(pk__in=ids).delete()


def erase(*, store: Store, user_id: str, **_: Any) -> None:
    """A shopper's personal data must go (D-14)."""
    selectors.wishlist(store=store, user_id=user_id).delete()
