"""Products, categories and customers by name: what the editor and the simulator let staff choose from.

Products come from the CATALOG and SEARCH plugs, so a plugged-in catalogue serves too; categories and people are there
where their apps are installed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from django.apps import apps
from django.db.models import Q
from django.utils.translation import gettext as _

from storefront.admin_base import masked
from storefront.contracts import SearchQuery, Sku
from storefront.errors import DomainError
from storefront.plugs import has, plug

from .. import wording
from ..engine.rules import EVERYTHING, Target

PRODUCT, CATEGORY, CUSTOMER = "product", "category", "customer"
SELLABLE = "sellable"  # what can lie in a cart: of a product that varies its variants, not the whole
FOUND = 12  # in a list to choose from


class Choice(NamedTuple):
    key: str
    name: str
    detail: str = ""


# --- keys -----------------------------------------------------------------------------------------------------------
def key_of(target: Target) -> str:
    """How a form holds a target; "" for none."""
    parts = {"product": target.product_id, "variant": target.variant_id, "category": target.category_id}
    return urlencode({name: value for name, value in parts.items() if value})


def target_of(key: str) -> Target:
    parts = dict(parse_qsl(key[:600]))
    return Target(
        product_id=parts.get("product", ""), variant_id=parts.get("variant", ""), category_id=parts.get("category", "")
    )


# --- names ----------------------------------------------------------------------------------------------------------
def names(store_id: str, wanted: Iterable[Target]) -> dict[Target, str]:
    """Names of products, variants and categories: two calls of the catalogue at most, and a query for categories that
    shoppers cannot see."""
    targets = {target for target in wanted if target != EVERYTHING}
    known = wording.look_up(store_id, [target for target in targets if not _is_lone(target)], wording.NO_NAMES)
    hidden = {target.category_id for target in targets if target.category_id} - known.categories.keys()
    known = known._replace(categories={**known.categories, **_category_names(store_id, hidden)})
    found = {target: known.of(target) for target in targets}
    return {target: name for target, name in found.items() if name}


def _is_lone(target: Target) -> bool:
    """A variant without its product: nobody can be asked for it."""
    return bool(target.variant_id) and not target.product_id


def _categories() -> Any:
    return apps.get_model("storefront_catalog", "Category") if apps.is_installed("catalog") else None


def _category_names(store_id: str, ids: Collection[str]) -> Mapping[str, str]:
    model = _categories()
    if model is None or not ids:
        return {}
    return dict(model._default_manager.filter(store=store_id, pk__in=ids).values_list("pk", "name"))


def customer_names(store_id: str, ids: Collection[str]) -> dict[str, str]:
    """One query; people without a name go by their masked contact."""
    if not ids or not apps.is_installed("accounts"):
        return {}
    users = apps.get_model("storefront_accounts", "User")._default_manager
    rows = users.filter(store=store_id, customer_id__in=list(ids)[:2_000], deleted_at=None)
    return {user.customer_id: _person(user) for user in rows.order_by("is_primary", "pk")}


def _person(user: Any) -> str:
    name = f"{user.first_name} {user.last_name}".strip()
    return name or masked(user.email or user.phone)


# --- search ---------------------------------------------------------------------------------------------------------
def search(store_id: str, text: str, kinds: Collection[str]) -> list[Choice]:
    """What fits a text, the likeliest first; nothing for no text."""
    text = text.replace("\x00", "").strip()[:100]
    if not text:
        return []
    found: list[Choice] = []
    if CATEGORY in kinds:
        found += _find_categories(store_id, text)
    if PRODUCT in kinds or SELLABLE in kinds:
        found += _find_products(store_id, text, whole_too=PRODUCT in kinds)
    if CUSTOMER in kinds:
        found += _find_customers(store_id, text)
    return found[: 2 * FOUND]


def _find_products(store_id: str, text: str, *, whole_too: bool) -> list[Choice]:
    """Each product as a whole, then those of its variants that were found. Without a search, what has that id.

    Without `whole_too`, a product of which variants were found stands there by these alone.
    """
    skus: list[Sku] = []
    if has("SEARCH"):
        try:
            skus = list(plug("SEARCH").find(store_id, SearchQuery(text=text, limit=FOUND)).skus)
        except DomainError:
            skus = []
    if not skus:
        skus = [Sku(text[:64])]
    items = plug("CATALOG").items(store_id, skus)
    missing = [sku for sku in skus if sku not in items]
    others = plug("CATALOG").sellables(store_id, missing) if missing else {}
    whole: dict[str, Choice] = {}
    variants: dict[str, list[Choice]] = {}
    for sku in skus:
        if sku in items:
            item = items[sku]
            name, variant, code = item.get("product_name") or "", item.get("variant_name") or "", item.get("sku") or ""
        elif sku in others:
            sellable = others[sku]
            name, variant, code = sellable.product_name, sellable.variant_name or "", sellable.code or ""
        else:
            continue
        detail = _("all variants") if sku.variant_id else code
        whole.setdefault(sku.product_id, Choice(key_of(Target(product_id=sku.product_id)), name, detail))
        if sku.variant_id:
            target = Target(product_id=sku.product_id, variant_id=sku.variant_id)
            variants.setdefault(sku.product_id, []).append(Choice(key_of(target), f"{name} ({variant})", code))
    if whole_too:
        return [choice for pk, one in whole.items() for choice in (one, *variants.get(pk, ()))]
    return [choice for pk, one in whole.items() for choice in variants.get(pk, [one])]


def _find_categories(store_id: str, text: str) -> list[Choice]:
    model = _categories()
    if model is None:
        return []
    rows = model._default_manager.filter(store=store_id, name__icontains=text).order_by("name")
    return [
        Choice(key_of(Target(category_id=pk)), name, _("category"))
        for pk, name in rows.values_list("pk", "name")[:FOUND]
    ]


def _find_customers(store_id: str, text: str) -> list[Choice]:
    if not apps.is_installed("accounts"):
        return [Choice(text[:64], text[:64])]
    users = apps.get_model("storefront_accounts", "User")._default_manager.filter(store=store_id, deleted_at=None)
    first, _blank, rest = text.partition(" ")
    wanted = Q(email=text.lower()) | Q(phone=text) | Q(customer_id=text)
    wanted |= Q(first_name__istartswith=first, last_name__istartswith=rest.strip())
    rows = users.filter(wanted, customer_id__isnull=False).order_by("first_name", "pk")[:FOUND]
    return [Choice(user.customer_id, _person(user), masked(user.email or user.phone)) for user in rows]
