"""What an offer gives, in one plain sentence for staff. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from storefront.money import HUNDRED, Currency

from ..engine.rules import (
    EVERYTHING,
    AcceleratedRewards,
    AmountDiscount,
    BuyXGetY,
    Exchange,
    FixedPrice,
    FreeGoods,
    Gift,
    OfferPrice,
    Part,
    PercentageDiscount,
    Rule,
    Target,
    Volume,
    VolumeBased,
)
from ..rulebook import LiveOffer
from ..wording import money

Entry = TypeVar("Entry")
NAMED = 2  # how many products or categories a sentence names before it counts the rest


def targets_of(rule: Rule) -> list[Target]:
    """What `sentence` names of it, so that no more has to be looked up."""
    match rule:
        case PercentageDiscount() | AmountDiscount() | AcceleratedRewards():
            found = [part.target for part in rule.parts]
        case FixedPrice():
            found = [price.part.target for price in rule.prices]
        case FreeGoods():
            found = [gift.target for gift in rule.gifts]
        case BuyXGetY():
            return [target for exchange in rule.exchanges[:NAMED] for target in (exchange.buy, exchange.get)]
        case VolumeBased():
            found = [volume.target for volume in rule.volumes]
        case _:
            found = []
    return [target for target in found[:NAMED] if target != EVERYTHING]


def sentence(offer: LiveOffer, names: Mapping[Target, str], currency: Currency) -> str:
    """Such as "10% off everything, at most ₹500.00, on orders from ₹999.00"."""
    said = _rule(offer.rule, names, currency)
    if offer.minimum:
        said = _("%(gives)s, on orders from %(amount)s") % {"gives": said, "amount": money(offer.minimum, currency)}
    if offer.limit is not None:
        units = offer.limit.units
        said = ngettext("%(gives)s, for %(count)d unit", "%(gives)s, for at most %(count)d units", units) % {
            "gives": said,
            "count": units,
        }
    return said


def _rule(rule: Rule, names: Mapping[Target, str], currency: Currency) -> str:
    match rule:
        case PercentageDiscount():
            said = _("%(percent)s%% off %(what)s") % {
                "percent": plain(rule.percent),
                "what": _parts(rule.parts, names, currency),
            }
            return _at_most(said, rule.maximum, currency)
        case AmountDiscount():
            amount = money(rule.amount, currency)
            if rule.once:
                return _("%(amount)s off the cart") % {"amount": amount}
            return _("%(amount)s off each unit of %(what)s") % {
                "amount": amount,
                "what": _parts(rule.parts, names, currency),
            }
        case FixedPrice():
            return _some(rule.prices, lambda price: _price(price, names, currency))
        case FreeGoods():
            return _some(rule.gifts, lambda gift: _gift(gift, names, currency))
        case BuyXGetY():
            said = _some(rule.exchanges, lambda exchange: _exchange(exchange, names, currency))
            return _at_most(said, rule.maximum, currency)
        case VolumeBased():
            return _at_most(_some(rule.volumes, lambda volume: _volume(volume, names)), rule.maximum, currency)
        case AcceleratedRewards():
            return ngettext(
                "%(count)d bonus point with %(what)s", "%(count)d bonus points with %(what)s", rule.points
            ) % {"count": rule.points, "what": _parts(rule.parts, names, currency)}
        case _:
            return _("Free delivery")


def _some(entries: Sequence[Entry], say: Callable[[Entry], str]) -> str:
    """The first few, and how many more there are."""
    said = "; ".join(say(entry) for entry in entries[:NAMED])
    more = len(entries) - NAMED
    return _more(said, more)


def _more(said: str, more: int) -> str:
    if more <= 0:
        return said
    return ngettext("%(said)s and %(count)d more", "%(said)s and %(count)d more", more) % {"said": said, "count": more}


def name_of(target: Target, names: Mapping[Target, str]) -> str:
    if target == EVERYTHING:
        return _("everything")
    name = names.get(target, "")
    if target.category_id:
        return _("anything in %(name)s") % {"name": name or target.category_id}
    return name or target.variant_id or target.product_id


def _parts(parts: Sequence[Part], names: Mapping[Target, str], currency: Currency) -> str:
    said = ", ".join(_part(part, names, currency) for part in parts[:NAMED])
    return _more(said, len(parts) - NAMED)


def _part(part: Part, names: Mapping[Target, str], currency: Currency) -> str:
    conditions = []
    if part.minimum_quantity > 1:
        conditions.append(_("from %(count)d units on") % {"count": part.minimum_quantity})
    if part.maximum_quantity is not None:
        conditions.append(_("up to %(count)d units") % {"count": part.maximum_quantity})
    if part.minimum_value:
        conditions.append(_("from %(amount)s on") % {"amount": money(part.minimum_value, currency)})
    if part.maximum_value is not None:
        conditions.append(_("up to %(amount)s") % {"amount": money(part.maximum_value, currency)})
    name = name_of(part.target, names)
    return f"{name} ({', '.join(conditions)})" if conditions else name


def _price(price: OfferPrice, names: Mapping[Target, str], currency: Currency) -> str:
    return _("%(what)s for %(amount)s each") % {
        "what": _part(price.part, names, currency),
        "amount": money(price.price, currency),
    }


def _gift(gift: Gift, names: Mapping[Target, str], currency: Currency) -> str:
    name = name_of(gift.target, names)
    said = []
    for slab in gift.slabs[:NAMED]:
        values = {
            "count": slab.quantity,
            "name": name,
            "gift": slab.gift,
            "amount": "" if slab.quantity else money(slab.amount, currency),
        }
        if slab.quantity:
            said.append(_("Buy %(count)d of %(name)s, get %(gift)d free") % values)
        else:
            said.append(_("Buy %(name)s for %(amount)s, get %(gift)d free") % values)
    text = _more("; ".join(said), len(gift.slabs) - NAMED)
    return _("%(gives)s, again and again") % {"gives": text} if gift.repeats else text


def _exchange(exchange: Exchange, names: Mapping[Target, str], currency: Currency) -> str:
    buy, get = name_of(exchange.buy, names), name_of(exchange.get, names)
    if exchange.buy_quantity:
        when = _("Buy %(count)d of %(name)s") % {"count": exchange.buy_quantity, "name": buy}
    else:
        when = _("Buy %(name)s for %(amount)s") % {"amount": money(exchange.buy_amount, currency), "name": buy}
    values = {"when": when, "count": exchange.get_quantity, "name": get, "percent": plain(exchange.percent)}
    if exchange.get == exchange.buy:
        if exchange.percent == HUNDRED:
            return _("%(when)s, get %(count)d more of it free") % values
        return _("%(when)s, get %(count)d more of it at %(percent)s%% off") % values
    if exchange.percent == HUNDRED:
        return _("%(when)s, get %(count)d of %(name)s free") % values
    return _("%(when)s, get %(count)d of %(name)s at %(percent)s%% off") % values


def _volume(volume: Volume, names: Mapping[Target, str]) -> str:
    steps = []
    for slab in volume.slabs:
        values = {"percent": plain(slab.percent), "count": slab.quantity}
        if slab.above:
            steps.append(_("%(percent)s%% above %(count)d units") % values)
        else:
            steps.append(_("%(percent)s%% up to %(count)d units") % values)
    return _("%(name)s: %(steps)s") % {"name": name_of(volume.target, names), "steps": ", ".join(steps)}


def _at_most(said: str, maximum: Decimal | None, currency: Currency) -> str:
    if maximum is None:
        return said
    return _("%(gives)s, at most %(amount)s") % {"gives": said, "amount": money(maximum, currency)}


def plain(number: Decimal) -> str:
    """Without zeros at the end."""
    return f"{number.normalize():f}"
