"""Reads of wishlists. A wishlist is found only by its owner; everyone else gets the same NotFound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from storefront.contracts import Shopper, Sku
from storefront.errors import NotFound
from storefront.models import Store
from storefront.plugs import plug

from ..models import WishlistItem

MAX_ITEMS = 250


def wishlist(*, store: Store, user_id: str) -> QuerySet[WishlistItem]:
    """Newest first."""
    return WishlistItem.objects.filter(store=store, user_id=user_id).order_by("-created_at", "-pk")


def check_owner(*, shopper: Shopper, user_id: str) -> None:
    """Raises NotFound for anybody's list but the shopper's own."""
    if user_id != shopper.user_id:
        raise NotFound


def products(*, store: Store, shopper: Shopper, user_id: str, seller_id: str | None = None) -> list[dict[str, Any]]:
    """The wishlist in the API's shape, newest first, at the prices of the shopper's own group.

    What the catalogue no longer knows or sells is left out, but not forgotten: it comes back when it is sold again.
    One query and the catalogue's, `seller_id` asks it twice. Raises NotFound.
    """
    check_owner(shopper=shopper, user_id=user_id)
    found = wishlist(store=store, user_id=user_id).values_list("product_id", "variant_id")[: 2 * MAX_ITEMS]
    skus: Sequence[Sku] = [Sku(*ids) for ids in found]
    catalog = plug("CATALOG")
    if seller_id is not None and skus:
        known = catalog.sellables(store.pk, skus, group_id=shopper.group_id)
        skus = [sku for sku in skus if sku in known and known[sku].details.get("seller_id") == seller_id]
    items = catalog.items(store.pk, skus, group_id=shopper.group_id) if skus else {}
    return [items[sku] for sku in skus if sku in items and items[sku].get("active", True)]


def exported(*, store: Store, user_id: str, **_: Any) -> list[dict[str, Any]]:
    """The list as it is kept, for a shopper's own copy of their data: one query."""
    found = wishlist(store=store, user_id=user_id).values("product_id", "variant_id", "created_at")
    return [dict(item) for item in found]
