"""Rules as the API writes them, read with care: JSON in, frozen rules and tidy JSON out, or errors by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

from .engine import rules
from .engine.rules import EVERYTHING, Part, Rule, Target
from .models import AppliesTo, OfferType

MAX_ENTRIES = 500  # products, categories or slabs in a rule
MAX_QUANTITY = 1_000_000
MAX_AMOUNT = Decimal(10) ** 10
MAX_DECIMALS = 3
ID_LENGTH = 64
APPLIES_TO: Mapping[str, tuple[str, ...]] = {
    OfferType.DISCOUNT: (AppliesTo.ALL, AppliesTo.PRODUCT, AppliesTo.CATEGORY),
    OfferType.ACCELERATED_REWARDS: (AppliesTo.PRODUCT, AppliesTo.CATEGORY),
    OfferType.FREE_SHIPPING: (AppliesTo.ALL,),
    OfferType.FREE_GOODS: (AppliesTo.PRODUCT,),
    OfferType.FIXED_PRICE: (AppliesTo.PRODUCT,),
    OfferType.BUY_X_GET_Y: (AppliesTo.PRODUCT,),
    OfferType.VOLUME_BASED: (AppliesTo.PRODUCT,),
}
QUANTITY, AMOUNT = "minimum-quantity", "minimum-purchase-amount"


class RuleError(ValueError):
    """What is wrong with a rule: messages by field, `details.products.0.slab.buy_quantity`."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        self.errors = dict(errors)
        super().__init__(str(self.errors))


@dataclass(frozen=True, slots=True)
class Parsed:
    rule: Rule
    details: dict[str, Any]  # the same in the contract's words: every member there, nothing else


def parse(*, type: str, applies_to: str, details: Any) -> Parsed:  # noqa: A002  the contract's word
    """Raises RuleError, which names every field at fault."""
    reader = _Reader()
    root = _Node(reader, "details", details)
    if type not in APPLIES_TO:
        raise RuleError({"type": [_("There is no such type.")]})
    if applies_to not in APPLIES_TO[type]:
        choices = ", ".join(APPLIES_TO[type])
        raise RuleError({"applies_to": [_("An offer of this type applies to: %(choices)s.") % {"choices": choices}]})
    if not isinstance(details, Mapping):
        raise RuleError({"details": [_("This must be an object.")]})
    parsed = _PARSERS[type](root, applies_to)
    if reader.errors:
        raise RuleError(reader.errors)
    return parsed


class _Reader:
    def __init__(self) -> None:
        self.errors: dict[str, list[str]] = {}

    def fail(self, path: str, message: str) -> None:
        self.errors.setdefault(path, []).append(message)


class _Node:
    """One object of the rule. Its readers note what is wrong and answer something of the right type."""

    def __init__(self, reader: _Reader, path: str, value: Any) -> None:
        self.reader = reader
        self.path = path
        self.values: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
        if not isinstance(value, Mapping):
            reader.fail(path, _("This must be an object."))

    def fail(self, name: str, message: str) -> None:
        self.reader.fail(f"{self.path}.{name}" if name else self.path, message)

    def child(self, name: str) -> _Node:
        return _Node(self.reader, f"{self.path}.{name}", self.values.get(name))

    def nodes(self, name: str) -> list[_Node]:
        found = self.values.get(name)
        if not isinstance(found, list) or not found:
            self.fail(name, _("Name at least one."))
            return []
        if len(found) > MAX_ENTRIES:
            self.fail(name, _("At most %(count)d are possible.") % {"count": MAX_ENTRIES})
            return []
        return [_Node(self.reader, f"{self.path}.{name}.{index}", value) for index, value in enumerate(found)]

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.values.get(name)
        if value not in allowed:
            self.fail(name, _("Use one of: %(choices)s.") % {"choices": ", ".join(allowed)})
            return allowed[0]
        return str(value)

    def number(self, name: str, *, minimum: Decimal, maximum: Decimal, decimals: int) -> Decimal:
        found = self.optional_number(name, minimum=minimum, maximum=maximum, decimals=decimals)
        if found is None:
            if self.values.get(name) is None:
                self.fail(name, _("This is needed."))
            return max(minimum, Decimal(1))
        return found

    def optional_number(self, name: str, *, minimum: Decimal, maximum: Decimal, decimals: int) -> Decimal | None:
        value = self.values.get(name)
        if value is None:
            return None
        number = _decimal(value)
        if number is None:
            self.fail(name, _("Enter a number."))
            return None
        if not minimum <= number <= maximum:
            self.fail(
                name,
                _("Enter a number between %(minimum)s and %(maximum)s.")
                % {"minimum": _plain(minimum), "maximum": _plain(maximum)},
            )
            return None
        if number != round(number, decimals):
            self.fail(
                name,
                _("Enter a whole number.") if not decimals else _("At most %(count)d decimals.") % {"count": decimals},
            )
            return None
        return number

    def quantity(self, name: str, *, minimum: int = 1) -> int:
        return int(self.number(name, minimum=Decimal(minimum), maximum=Decimal(MAX_QUANTITY), decimals=0))

    def optional_quantity(self, name: str, *, minimum: int = 1) -> int | None:
        found = self.optional_number(name, minimum=Decimal(minimum), maximum=Decimal(MAX_QUANTITY), decimals=0)
        return None if found is None else int(found)

    def amount(self, name: str, *, above_zero: bool = True) -> Decimal:
        lowest = Decimal("0.001") if above_zero else Decimal(0)
        return self.number(name, minimum=lowest, maximum=MAX_AMOUNT, decimals=MAX_DECIMALS)

    def optional_amount(self, name: str, *, above_zero: bool = True) -> Decimal | None:
        lowest = Decimal("0.001") if above_zero else Decimal(0)
        return self.optional_number(name, minimum=lowest, maximum=MAX_AMOUNT, decimals=MAX_DECIMALS)

    def percent(self, name: str) -> Decimal:
        return self.number(name, minimum=Decimal("0.01"), maximum=Decimal(100), decimals=2)

    def id(self, name: str) -> str:
        value = self.values.get(name)
        if value is None or value == "":
            return ""
        return _id(value, lambda message: self.fail(name, message))

    def target(self, prefix: str = "", *, category: str = "") -> Target:
        """A product, a variant of it, or where there is such a field a category; exactly one of these is named."""
        product_id, variant_id = self.id(f"{prefix}product_id"), self.id(f"{prefix}variant_id")
        category_id = self.id(category) if category else ""
        if not (product_id or variant_id or category_id):
            self.fail(f"{prefix}product_id", _("Say which product is meant."))
        elif category_id and (product_id or variant_id):
            self.fail(category, _("Name a product or a category, not both."))
        return Target(product_id=product_id, variant_id=variant_id, category_id=category_id)

    def ordered(self, low: Any, high: Any, name: str) -> None:
        if low is not None and high is not None and high < low:
            self.fail(name, _("This must not be less than the minimum."))


def _id(value: Any, fail: Callable[[str], None]) -> str:
    if isinstance(value, str) and 0 < len(value) <= ID_LENGTH and value.isprintable() and value == value.strip():
        return value
    fail(_("This is not an id."))
    return "?"


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) <= MAX_AMOUNT * 10 else None


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def json_number(value: Decimal | int | None) -> int | float | None:
    """As JSON has it: whole numbers without a point."""
    if value is None:
        return None
    return int(value) if value == int(value) else float(value)


def _named(target: Target, prefix: str = "") -> dict[str, Any]:
    return {f"{prefix}product_id": target.product_id or None, f"{prefix}variant_id": target.variant_id or None}


# --- discount -------------------------------------------------------------------------------------------------------
def _discount(node: _Node, applies_to: str) -> Parsed:
    kind = node.choice("discount_type", ("percentage", "fixed-amount"))
    if applies_to == AppliesTo.PRODUCT:
        parts = tuple(_ranged(entry) for entry in node.nodes("products"))
    else:
        parts = _categories(node, applies_to)
    details: dict[str, Any] = {"discount_type": kind}
    rule: Rule
    if kind == "percentage":
        percent, maximum = node.percent("discount_percent"), node.optional_amount("maximum_discount_amount")
        rule = rules.PercentageDiscount(percent=percent, maximum=maximum, parts=parts)
        details |= {"discount_percent": json_number(percent), "maximum_discount_amount": json_number(maximum)}
    else:
        amount = node.amount("fixed_discount_amount")
        rule = rules.AmountDiscount(amount=amount, parts=parts or (Part(target=EVERYTHING),))
        details |= {"fixed_discount_amount": json_number(amount)}
    return Parsed(rule, details | _parts(parts, applies_to))


def _ranged(entry: _Node) -> Part:
    part = Part(
        target=entry.target(),
        minimum_quantity=entry.optional_quantity("minimum_quantity", minimum=0) or 0,
        maximum_quantity=entry.optional_quantity("maximum_quantity"),
        minimum_value=entry.optional_amount("minimum_value", above_zero=False),
        maximum_value=entry.optional_amount("maximum_value"),
    )
    entry.ordered(part.minimum_quantity, part.maximum_quantity, "maximum_quantity")
    entry.ordered(part.minimum_value, part.maximum_value, "maximum_value")
    return part


def _categories(node: _Node, applies_to: str) -> tuple[Part, ...]:
    if applies_to != AppliesTo.CATEGORY:
        return (Part(target=EVERYTHING),)
    found = node.values.get("category_id")
    if not isinstance(found, list) or not found:
        node.fail("category_id", _("Name at least one."))
        return ()
    if len(found) > MAX_ENTRIES:
        node.fail("category_id", _("At most %(count)d are possible.") % {"count": MAX_ENTRIES})
        return ()
    ids = [
        _id(value, lambda message, index=index: node.fail(f"category_id.{index}", message))  # type: ignore[misc]
        for index, value in enumerate(found)
    ]
    return tuple(Part(target=Target(category_id=pk)) for pk in dict.fromkeys(ids))


def _parts(parts: tuple[Part, ...], applies_to: str) -> dict[str, Any]:
    products = [
        _named(part.target)
        | {
            "minimum_quantity": part.minimum_quantity or None,
            "maximum_quantity": part.maximum_quantity,
            "minimum_value": json_number(part.minimum_value),
            "maximum_value": json_number(part.maximum_value),
        }
        for part in parts
        if applies_to == AppliesTo.PRODUCT
    ]
    return {"products": products, "category_id": [part.target.category_id for part in parts if part.target.category_id]}


# --- fixed price ----------------------------------------------------------------------------------------------------
def _fixed_price(node: _Node, applies_to: str) -> Parsed:
    by = node.choice("spending_criteria_type", (QUANTITY, AMOUNT))
    prices: list[rules.OfferPrice] = []
    products: list[dict[str, Any]] = []
    for entry in node.nodes("products"):
        target, price = entry.target(), entry.amount("offer_price", above_zero=False)
        if by == QUANTITY:
            low, high = entry.quantity("minimum_quantity"), entry.optional_quantity("maximum_quantity")
            entry.ordered(low, high, "maximum_quantity")
            part = Part(target=target, minimum_quantity=low, maximum_quantity=high)
            bounds: dict[str, Any] = {"minimum_quantity": low, "maximum_quantity": high}
        else:
            least = entry.amount("minimum_purchase_amount", above_zero=False)
            most = entry.optional_amount("maximum_purchase_amount")
            entry.ordered(least, most, "maximum_purchase_amount")
            part = Part(target=target, minimum_value=least, maximum_value=most)
            bounds = {"minimum_purchase_amount": json_number(least), "maximum_purchase_amount": json_number(most)}
        prices.append(rules.OfferPrice(part=part, price=price))
        products.append(_named(target) | bounds | {"offer_price": json_number(price)})
    return Parsed(
        rules.FixedPrice(prices=tuple(prices)),
        {"spending_criteria_type": by, "products": products},
    )


# --- free goods -----------------------------------------------------------------------------------------------------
def _free_goods(node: _Node, applies_to: str) -> Parsed:
    by = node.choice("spending_criteria_type", (QUANTITY, AMOUNT))
    gifts: list[rules.Gift] = []
    products: list[dict[str, Any]] = []
    for entry in node.nodes("products"):
        target = entry.target()
        if entry.values.get("slabs") is None or entry.values.get("auto_scale") is True:
            if entry.values.get("auto_scale") is not True:
                entry.fail("auto_scale", _("Give a slab with auto_scale true, or a list of slabs."))
            slab, shown = _gift_slab(entry.child("slab"), by)
            gifts.append(rules.Gift(target=target, slabs=(slab,), repeats=True))
            products.append(_named(target) | {"auto_scale": True, "slab": shown})
            continue
        found = sorted(
            (_gift_slab(slab, by) for slab in entry.nodes("slabs")), key=lambda one: (one[0].quantity, one[0].amount)
        )
        slabs = tuple(slab for slab, _shown in found)
        if len({(slab.quantity, slab.amount) for slab in slabs}) < len(slabs):
            entry.fail("slabs", _("Two slabs begin at the same point."))
        gifts.append(rules.Gift(target=target, slabs=slabs, repeats=False))
        products.append(_named(target) | {"slabs": [shown for _slab, shown in found]})
    return Parsed(rules.FreeGoods(gifts=tuple(gifts)), {"spending_criteria_type": by, "products": products})


def _gift_slab(node: _Node, by: str) -> tuple[rules.GiftSlab, dict[str, Any]]:
    if node.values.get("condition") not in (None, "greater-or-equal"):
        node.fail("condition", _("Use one of: %(choices)s.") % {"choices": "greater-or-equal"})
    gift = node.quantity("get_quantity")
    shown: dict[str, Any]
    if by == QUANTITY:
        quantity = node.quantity("buy_quantity")
        slab, shown = rules.GiftSlab(quantity=quantity, gift=gift), {"buy_quantity": quantity}
    else:
        amount = node.amount("minimum_purchase_amount")
        slab, shown = rules.GiftSlab(amount=amount, gift=gift), {"minimum_purchase_amount": json_number(amount)}
    return slab, shown | {"get_quantity": gift, "condition": "greater-or-equal"}


# --- buy x, get y ---------------------------------------------------------------------------------------------------
def _buy_x_get_y(node: _Node, applies_to: str) -> Parsed:
    by = node.choice("spending_criteria_type", (QUANTITY, AMOUNT))
    maximum = node.optional_amount("maximum_discount_amount")
    exchanges: list[rules.Exchange] = []
    products: list[dict[str, Any]] = []
    for entry in node.nodes("products"):
        buy = entry.target("buy_", category="buy_from_category_id")
        get = entry.target("get_", category="get_from_category_id")
        quantity, amount = 0, Decimal(0)
        trigger: dict[str, Any]
        if by == QUANTITY:
            quantity = entry.quantity("minimum_quantity")
            trigger = {"minimum_quantity": quantity}
        else:
            amount = entry.amount("minimum_purchase_amount")
            trigger = {"minimum_purchase_amount": json_number(amount)}
        get_quantity = entry.quantity("get_quantity")
        offer = entry.choice("get_offer_type", ("free", "discount"))
        percent = entry.percent("get_discount_percent") if offer == "discount" else Decimal(100)
        exchanges.append(
            rules.Exchange(
                buy=buy, buy_quantity=quantity, buy_amount=amount, get=get, get_quantity=get_quantity, percent=percent
            )
        )
        products.append(
            trigger
            | _named(buy, "buy_")
            | {"buy_from_category_id": buy.category_id or None}
            | _named(get, "get_")
            | {
                "get_from_category_id": get.category_id or None,
                "get_quantity": get_quantity,
                "get_offer_type": offer,
                "get_discount_percent": json_number(percent) if offer == "discount" else None,
            }
        )
    return Parsed(
        rules.BuyXGetY(exchanges=tuple(exchanges), maximum=maximum),
        {"spending_criteria_type": by, "products": products, "maximum_discount_amount": json_number(maximum)},
    )


# --- volume ---------------------------------------------------------------------------------------------------------
def _volume_based(node: _Node, applies_to: str) -> Parsed:
    maximum = node.optional_amount("maximum_discount_amount")
    volumes: list[rules.Volume] = []
    products: list[dict[str, Any]] = []
    for entry in node.nodes("products"):
        target = entry.target()
        slabs = tuple(
            sorted(
                (
                    rules.VolumeSlab(
                        quantity=slab.quantity("quantity"),
                        above=slab.choice("condition", ("less-or-equal", "greater")) == "greater",
                        percent=slab.percent("discount_percent"),
                    )
                    for slab in entry.nodes("slabs")
                ),
                key=lambda slab: (slab.quantity, slab.above),
            )
        )
        if len({(slab.quantity, slab.above) for slab in slabs}) < len(slabs):
            entry.fail("slabs", _("Two slabs begin at the same point."))
        volumes.append(rules.Volume(target=target, slabs=slabs))
        products.append(
            _named(target)
            | {
                "slabs": [
                    {
                        "quantity": slab.quantity,
                        "condition": "greater" if slab.above else "less-or-equal",
                        "discount_percent": json_number(slab.percent),
                    }
                    for slab in slabs
                ]
            }
        )
    return Parsed(
        rules.VolumeBased(volumes=tuple(volumes), maximum=maximum),
        {"products": products, "maximum_discount_amount": json_number(maximum)},
    )


# --- points, shipping -----------------------------------------------------------------------------------------------
def _accelerated_rewards(node: _Node, applies_to: str) -> Parsed:
    points = node.quantity("bonus_loyalty_point")
    products: list[dict[str, Any]] = []
    parts: list[Part] = []
    if applies_to == AppliesTo.PRODUCT:
        for entry in node.nodes("products"):
            part = Part(
                target=entry.target(),
                minimum_quantity=entry.optional_quantity("minimum_quantity", minimum=0) or 0,
                minimum_value=entry.optional_amount("minimum_value", above_zero=False),
            )
            parts.append(part)
            products.append(
                _named(part.target)
                | {
                    "minimum_quantity": part.minimum_quantity or None,
                    "minimum_value": json_number(part.minimum_value),
                }
            )
    else:
        parts += _categories(node, applies_to)
    return Parsed(
        rules.AcceleratedRewards(points=points, parts=tuple(parts)),
        {
            "products": products,
            "category_id": [part.target.category_id for part in parts if part.target.category_id],
            "bonus_loyalty_point": points,
        },
    )


def _free_shipping(node: _Node, applies_to: str) -> Parsed:
    return Parsed(rules.FreeShipping(), {})


_PARSERS: Mapping[str, Callable[[_Node, str], Parsed]] = {
    OfferType.DISCOUNT: _discount,
    OfferType.FIXED_PRICE: _fixed_price,
    OfferType.FREE_GOODS: _free_goods,
    OfferType.BUY_X_GET_Y: _buy_x_get_y,
    OfferType.VOLUME_BASED: _volume_based,
    OfferType.ACCELERATED_REWARDS: _accelerated_rewards,
    OfferType.FREE_SHIPPING: _free_shipping,
}
