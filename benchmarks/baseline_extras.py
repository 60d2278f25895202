"""What the yardstick knows of promotions, a coupon, delivery, points and credit: no more than the measured carts need.

The rules are hard-wired: a promotion takes percent off one product and goes together with all others, a coupon takes
percent off the cart, one location sends everything, a way costs the same everywhere, a programme has one tier. All
promotions of a store are loaded with one query when their version changes, and a cart loops over those of its products.
Gifts, limits, audiences, minimums, gift cards, thresholds, zones, weights and couriers it does not know.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from benchmarks.baseline import Cart, Database, Held, Row

MEMORY_SECONDS = 5.0  # how long stores, keys, categories and rules are remembered
ZERO, HUNDRED = Decimal(0), Decimal(100)
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

OFFERS_VERSION = "SELECT version FROM storefront_promotions_rulebook WHERE store_id = %s"
PROMOTIONS = """
    SELECT id, priority, details FROM storefront_promotions_offer
    WHERE store_id = %s AND kind = 'promotion' AND state = 'live'"""
COUPON = """
    SELECT o.id, o.type, o.details FROM storefront_promotions_code c
    JOIN storefront_promotions_offer o ON o.id = c.offer_id
    WHERE c.store_id = %s AND c.key = %s AND o.state = 'live'"""
WALLETS = """
    SELECT a.kind, a.balance, a.held,
        (SELECT COALESCE(SUM(e.remaining), 0) FROM storefront_wallets_entry e
         WHERE e.account_id = a.id AND e.remaining > 0 AND e.expires_at <= %s)
    FROM storefront_wallets_account a
    WHERE a.store_id = %s AND a.customer_id = %s AND a.kind IN ('points', 'credit')"""
PROGRAMME = """
    SELECT points_per_unit, point_value, minimum_points, maximum_points, maximum_percent
    FROM storefront_wallets_programme WHERE store_id = %s AND active"""
WAYS = """
    SELECT m.id, m.name, r.amount, COALESCE(m.tax_rate, s.shipping_tax_rate), r.days, r.days_to
    FROM storefront_fulfillment_zonerate r
    JOIN storefront_fulfillment_shippingmethod m ON m.id = r.method_id
    JOIN storefront_fulfillment_deliverysettings s ON s.store_id = r.store_id
    WHERE r.store_id = %s AND r.active AND m.active ORDER BY r.amount"""
LOCATION = "SELECT id FROM storefront_stocklocation WHERE store_id = %s AND is_default"


# --- money ------------------------------------------------------------------------------------------------------------
def rounded(amount: Decimal, unit: Decimal) -> Decimal:
    return amount.quantize(unit, ROUND_HALF_UP)


def tax_inside(amount: Decimal, rate: Decimal, unit: Decimal) -> Decimal:
    return rounded(amount * rate / (HUNDRED + rate), unit)


def tax_on(amount: Decimal, rate: Decimal, unit: Decimal) -> Decimal:
    return rounded(amount * rate / HUNDRED, unit)


def percent_of(part: Decimal, whole: Decimal) -> float:
    return float((part * HUNDRED / whole).quantize(Decimal("0.01"), ROUND_HALF_UP)) if whole and part else 0.0


def shared(total: Decimal, weights: Sequence[Decimal], unit: Decimal) -> list[Decimal]:
    """Shares of `total` in proportion, by largest remainder; all in whole units."""
    units, parts = int(total / unit), [int(weight / unit) for weight in weights]
    whole = sum(parts)
    if not whole:
        return [ZERO] * len(parts)
    found = [divmod(units * part, whole) for part in parts]
    shares = [share for share, _remainder in found]
    order = sorted(range(len(parts)), key=lambda index: (-found[index][1], index))
    for index in order[: units - sum(shares)]:
        shares[index] += 1
    return [share * unit for share in shares]


# --- shapes -----------------------------------------------------------------------------------------------------------
class Wishes(NamedTuple):
    """What a cart holds beside its lines."""

    coupon_code: str = ""
    points_asked: int = 0
    credit_asked: Decimal = ZERO
    gift_card_last4: str = ""
    fulfillment: Mapping[str, Any] | None = None


NO_WISHES = Wishes()


class Reduced(NamedTuple):
    """What promotions and the coupon take off each line, and what the cart says of it."""

    by_promotions: Sequence[Decimal] = ()
    by_coupon: Sequence[Decimal] = ()
    promoted: Decimal = ZERO
    coupon: Decimal = ZERO
    coupon_code: str | None = None
    promotion_rows: Sequence[dict[str, Any]] = ()
    coupon_rows: Sequence[dict[str, Any]] = ()

    def of_line(self, index: int) -> tuple[Decimal, Decimal]:
        promoted = self.by_promotions[index] if self.by_promotions else ZERO
        return promoted, self.by_coupon[index] if self.by_coupon else ZERO


class Way(NamedTuple):
    """A way of delivery and what it costs; `preference` is the contract's `FulfillmentPreference`."""

    amount: Decimal
    tax: Decimal
    tax_rate: Decimal
    days: int | None
    shipment: dict[str, Any]
    preference: dict[str, Any]


class Paid(NamedTuple):
    points: int = 0
    points_value: Decimal = ZERO
    earned: int = 0
    credit: Decimal = ZERO


class Promotion(NamedTuple):
    id: str
    priority: int
    percent: Decimal


class Memory:
    """Values that are believed for a few seconds."""

    def __init__(self, load: Callable[..., Any]) -> None:
        self._load = load
        self._values: dict[Any, tuple[float, Any]] = {}

    def get(self, *key: str) -> Any:
        found = self._values.get(key)
        if found is None or found[0] < time.monotonic():
            if len(self._values) > 4096:
                self._values.clear()
            found = self._values[key] = (time.monotonic() + MEMORY_SECONDS, self._load(*key))
        return found[1]


# --- the work ---------------------------------------------------------------------------------------------------------
class Extras:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._promotions: dict[str, tuple[str, dict[str, list[Promotion]]]] = {}
        self._ways = Memory(self._load_ways)
        self._programmes = Memory(self._load_programme)

    # --- promotions and coupon
    def reduced(
        self,
        store_id: str,
        wishes: Wishes,
        lines: Sequence[Held],
        rows: Sequence[Row],
        amounts: Sequence[Decimal],
        unit: Decimal,
    ) -> Reduced:
        """One query, two where there is a coupon."""
        by_product = self._rules(store_id)
        if not by_product and not wishes.coupon_code:
            return Reduced([], [])
        left = list(amounts)
        shown = self._promote(by_product, lines, rows, left, unit)
        by_promotions = [amount - rest for amount, rest in zip(amounts, left, strict=True)]
        promoted = sum(by_promotions, ZERO)
        if not wishes.coupon_code:
            return Reduced(by_promotions, [], promoted, promotion_rows=shown)
        found = self._database.rows(COUPON, [store_id, wishes.coupon_code.casefold()])
        if not found:
            return Reduced(by_promotions, [], promoted, promotion_rows=shown)
        pk, kind, details = found[0]
        percent = Decimal(str(self._database.read_json(details)["discount_percent"]))
        total = rounded(sum(left, ZERO) * percent / HUNDRED, unit)
        # Ties of the remainder go to the earlier sku.
        order = sorted(range(len(lines)), key=lambda index: lines[index][1:3])
        shares = dict(zip(order, shared(total, [left[index] for index in order], unit), strict=True))
        coupon_row = {"coupon_id": pk, "coupon_type": kind, **_saving(total)}
        by_coupon = [shares[index] for index in range(len(lines))]
        return Reduced(by_promotions, by_coupon, promoted, total, wishes.coupon_code, shown, [coupon_row])

    def _promote(
        self,
        by_product: Mapping[str, Sequence[Promotion]],
        lines: Sequence[Held],
        rows: Sequence[Row],
        left: list[Decimal],
        unit: Decimal,
    ) -> list[dict[str, Any]]:
        """Takes off `left` what promotions give, by priority, then the larger saving, then the id."""
        wanted = []
        for index, line in enumerate(lines):
            for promotion in by_product.get(line.product_id, ()):
                saving = rounded(left[index] * promotion.percent / HUNDRED, unit)
                if saving:
                    wanted.append((promotion.priority, -saving, promotion.id, index, promotion.percent))
        wanted.sort()
        shown = []
        for _priority, _saving_alone, pk, index, percent in wanted:
            saving = rounded(left[index] * percent / HUNDRED, unit)
            if saving:
                left[index] -= saving
                shown.append(
                    {
                        "promotion_id": pk,
                        "promotion_type": "discount",
                        **_saving(saving, lines[index], rows[index]),
                        "applied_sequence": len(shown) + 1,
                        "scope": "product",
                    }
                )
        return shown

    def _rules(self, store_id: str) -> Mapping[str, Sequence[Promotion]]:
        found = self._database.rows(OFFERS_VERSION, [store_id])
        version = found[0][0] if found else ""
        known = self._promotions.get(store_id)
        if known is None or known[0] != version:
            by_product: dict[str, list[Promotion]] = {}
            for pk, priority, details in self._database.rows(PROMOTIONS, [store_id]) if version else ():
                rule = self._database.read_json(details)
                promotion = Promotion(pk, priority, Decimal(str(rule["discount_percent"])))
                by_product.setdefault(rule["products"][0]["product_id"], []).append(promotion)
            known = self._promotions[store_id] = (version, by_product)
        return known[1]

    # --- delivery
    def delivery(
        self, store_id: str, cart: Cart, lines: Sequence[Held], rows: Sequence[Row], unit: Decimal
    ) -> Way | None:
        """The way that the cart names, or the cheapest where it sends something else by now. No query."""
        location_id, ways = self._ways.get(store_id)
        moved = [(line, row) for line, row in zip(lines, rows, strict=True) if row[4]["product_type"] != "digital"]
        if not ways or not moved:
            return None
        shipment_id = _shipment_id(cart.id, location_id, [line for line, _row in moved])
        wish = cart.wishes.fulfillment
        named = wish["shipments"][0] if wish and wish["fulfillment_type"] == "delivery" else {}
        kept = named.get("id") == shipment_id
        method_id, name, amount, tax_rate, days, days_to = next(
            (way for way in ways if kept and way[0] == named["shipping_provider_id"]), ways[0]
        )
        exact = self._database.exact
        amount, tax_rate = rounded(exact(amount), unit), exact(tax_rate)
        tax = tax_on(amount, tax_rate, unit)
        way = {
            "id": shipment_id,
            "shipping_provider_id": method_id,
            "shipping_provider_name": name,
            "courier_company_id": None,
            "courier_company_name": None,
        }
        items = [_shipped(line, row) for line, row in moved]
        shipment = {
            **way,
            "shipment_items_count": len(items),
            "shipment_items": items,
            "shipping_amount": float(amount),
            "shipping_tax_amount": float(tax),
            "shipping_amount_including_tax": float(amount + tax),
        }
        preference = {
            "fulfillment_type": "delivery",
            "preference_type": "user" if kept else "auto",
            "shipments": [way],
        }
        return Way(amount, tax, tax_rate, days if days_to is None else days_to, shipment, preference)

    def _load_ways(self, store_id: str) -> tuple[str, list[Row]]:
        location_id = self._database.rows(LOCATION, [store_id])[0][0]
        return location_id, self._database.rows(WAYS, [store_id])

    # --- what pays
    def paid(
        self,
        store_id: str,
        claims: Mapping[str, Any],
        wishes: Wishes,
        grand_total: Decimal,
        items_net: Decimal,
        unit: Decimal,
    ) -> Paid:
        """One query for a shopper who is logged in, none for a visitor."""
        if not claims["is_logged_in"]:
            return Paid()
        programme = self._programmes.get(store_id)
        if programme is None:
            return Paid()
        now = self._database.moment(datetime.now(UTC))
        available = {"points": ZERO, "credit": ZERO}
        for kind, balance, held, past in self._database.rows(WALLETS, [now, store_id, claims["customer_id"]]):
            available[kind] = Decimal(balance - held - max(int(past) - held, 0)).scaleb(-4)
        per_unit, value, minimum, maximum, most_percent = programme
        limit = int(max(grand_total * most_percent / HUNDRED, ZERO) // value)
        limit = limit if maximum is None else min(limit, maximum)
        points = min(wishes.points_asked, int(available["points"]), limit)
        points = points if points >= minimum else 0
        worth = rounded(points * value, unit)
        credit = max(min(rounded(wishes.credit_asked, unit), available["credit"], grand_total - worth), ZERO)
        return Paid(points, worth, int(max(items_net - worth, ZERO) * per_unit), credit)

    def _load_programme(self, store_id: str) -> tuple[Decimal, Decimal, int, int | None, Decimal] | None:
        for per_unit, value, minimum, maximum, percent in self._database.rows(PROGRAMME, [store_id]):
            exact = self._database.exact
            return exact(per_unit), exact(value), minimum, maximum, exact(percent)
        return None


def _saving(saving: Decimal, line: Held | None = None, row: Row | None = None) -> dict[str, Any]:
    return {
        "savings": float(saving),
        "product_id": line.product_id if line else None,
        "variant_id": (line.variant_id or None) if line else None,
        "product_name": row[4]["product_name"] if row else None,
        "variant_name": row[4]["variant_name"] if row else None,
    }


def _shipped(line: Held, row: Row) -> dict[str, Any]:
    return {
        "product_id": line.product_id,
        "product_name": row[4]["product_name"],
        "product_image_url": row[4]["image_url"] or None,
        "variant_id": line.variant_id,
        "variant_name": row[4]["variant_name"] or "",
        "sku": row[3] or "",
        "quantity": line.quantity,
        "free_quantity": 0,
        "is_free_item": False,
    }


def _shipment_id(cart_id: str, location_id: str, lines: Sequence[Held]) -> str:
    rows = [
        f"{line.product_id}\x1f{line.variant_id}\x1f{line.quantity}"
        for line in sorted(lines, key=lambda line: line[1:])
    ]
    digest = hashlib.sha256("\x1e".join((cart_id, location_id, *rows)).encode()).digest()
    number = int.from_bytes(digest[:17], "big") >> 6
    return "".join(_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))
