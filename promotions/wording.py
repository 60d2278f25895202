"""What shoppers read about offers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from storefront.contracts import CategoryNames, Sellable, Sku
from storefront.money import Currency, shown
from storefront.plugs import plug

from .engine.basket import Basket, Effect
from .engine.missing import Missing
from .engine.rules import EVERYTHING, Target


class Names(NamedTuple):
    """Names of products, variants and categories by their ids."""

    products: Mapping[str, str]
    variants: Mapping[str, str]
    categories: Mapping[str, str] = MappingProxyType({})

    def of(self, target: Target) -> str:
        if target.category_id:
            return self.categories.get(target.category_id, "")
        product = self.products.get(target.product_id, "")
        variant = self.variants.get(target.variant_id, "")
        return variant or product


NO_NAMES = Names({}, {})


def names_of(sellables: Mapping[Sku, Sellable | None]) -> Names:
    products: dict[str, str] = {}
    variants: dict[str, str] = {}
    for sku, found in sellables.items():
        if found is None:
            continue
        products[sku.product_id] = found.product_name
        if sku.variant_id:
            variants[sku.variant_id] = (
                f"{found.product_name} ({found.variant_name})" if found.variant_name else found.product_name
            )
    return Names(products, variants)


def look_up(store_id: str, targets: list[Target], known: Names) -> Names:
    """`known`, with the names of what these targets mean: one call of the catalogue for products and one for categories,
    where it names these; none when all are known."""
    catalog = plug("CATALOG")
    category_ids = {target.category_id for target in targets if target.category_id} - known.categories.keys()
    if category_ids and isinstance(catalog, CategoryNames):
        known = known._replace(categories={**known.categories, **catalog.category_names(store_id, category_ids)})
    wanted = {
        Sku(target.product_id, target.variant_id) for target in targets if target.product_id and not known.of(target)
    }
    if not wanted:
        return known
    found = names_of(catalog.sellables(store_id, wanted))
    return Names(
        {**found.products, **known.products},
        {**found.variants, **known.variants},
        {**found.categories, **known.categories},
    )


def money(amount: Decimal, currency: Currency) -> str:
    return shown(amount, currency)


def savings(effect: Effect, saving: Decimal, basket: Basket, names: Names, currency: Currency) -> str:
    """One sentence on what an offer gives."""
    if effect.gifts:
        index, units = next(iter(effect.gifts.items()))
        sku = basket.items[index].sku
        name = names.of(Target(product_id=sku.product_id, variant_id=sku.variant_id))
        if len(effect.gifts) == 1 and name:
            return _("You get %(count)d × %(name)s free.") % {"count": units, "name": name}
        total = sum(effect.gifts.values())
        return ngettext("You get %(count)d unit free.", "You get %(count)d units free.", total) % {"count": total}
    if effect.points:
        return ngettext("You get %(count)d bonus point.", "You get %(count)d bonus points.", effect.points) % {
            "count": effect.points
        }
    if effect.free_shipping:
        return _("Delivery is free.")
    return _("You save %(amount)s.") % {"amount": money(saving, currency)}


def suggestion(lacking: Missing | None, names: Names, currency: Currency) -> str:
    """What to add, or "" when nothing helps."""
    if lacking is None:
        return ""
    name = names.of(lacking.target)
    amount = money(lacking.amount, currency)
    if not lacking.quantity and not lacking.amount:
        return _("There are no more units of it left to give.")
    if name and lacking.target.category_id:
        if lacking.amount:
            return _("Add products from %(name)s for %(amount)s more.") % {"name": name, "amount": amount}
        return ngettext(
            "Add %(count)d product from %(name)s.", "Add %(count)d products from %(name)s.", lacking.quantity
        ) % {"count": lacking.quantity, "name": name}
    if lacking.amount:
        if name:
            return _("Add %(name)s for %(amount)s more.") % {"name": name, "amount": amount}
        return _("Add products of this offer for %(amount)s more.") % {"amount": amount}
    if name:
        return _("Add %(count)d more of %(name)s.") % {"count": lacking.quantity, "name": name}
    if lacking.target == EVERYTHING:
        return _("Add a product to your cart.")
    return ngettext(
        "Add %(count)d product of this offer.", "Add %(count)d products of this offer.", lacking.quantity
    ) % {"count": lacking.quantity}


def spend_more(amount: Decimal, currency: Currency) -> str:
    return _("Spend %(amount)s more.") % {"amount": money(amount, currency)}
