"""From a quote to a basket and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_DOWN, Decimal

from storefront.contracts import Sku
from storefront.money import ZERO, rounded
from storefront.pricing import COUPON, Discount, Line, Quote

from .engine.basket import Basket, Effect, Item

_KNOWN = "promotions_basket"  # a fact: the basket of these very lines


def of_quote(quote: Quote) -> Basket:
    """The lines that are paid. Their positions are those in the quote."""
    known: tuple[Sequence[Line], Basket] | None = quote.facts.get(_KNOWN)
    if known is not None and known[0] is quote.lines:
        return known[1]
    held: dict[Sku, int] = {}
    for line in quote.lines:
        held[line.sku] = held.get(line.sku, 0) + line.quantity
    return Basket(
        [
            Item(
                line.sku,
                line.quantity,
                line.unit_price,
                line.amount,
                line.sellable.category_ids,
                None
                if line.sellable.available is None or line.sellable.backorder
                else line.sellable.available - held[line.sku],
                position,
            )
            for position, line in enumerate(quote.lines)
            if line.amount > 0 and line.sellable is not None and not line.is_free_item
        ]
    )


def keeping(quote: Quote, basket: Basket) -> Quote:
    """The quote with its basket, for who asks for it next; forgotten by itself as soon as lines change."""
    return quote.noted(**{_KNOWN: (quote.lines, basket)})


def with_left(quote: Quote) -> tuple[Basket, list[Decimal]]:
    """The same, with what discounts so far left of each item, in whole units of the currency whoever made them."""
    basket = of_quote(quote)
    unit = quote.currency.unit
    return basket, [
        max(line.discounted.quantize(unit, ROUND_DOWN), ZERO) if line.discounts else line.amount
        for line in [quote.lines[item.position] for item in basket.items]
    ]


def add(quote: Quote, effects: Iterable[tuple[str, Effect]], basket: Basket) -> Quote:
    """The quote with what offers do, by the source of each: discounts on its lines, gifts on lines of their own at the
    end. Each line is copied once, however many offers touch it."""
    lines = list(quote.lines)
    discounts: dict[int, list[Discount]] = {}
    free_shipping = list(quote.free_shipping)
    points = quote.bonus_points
    for source, effect in effects:
        for index, share in effect.discounts.items():
            discounts.setdefault(basket.items[index].position, []).append(Discount(source, share))
        for index, units in effect.gifts.items():
            item = basket.items[index]
            lines.append(
                Line(
                    item.sku,
                    units,
                    sellable=lines[item.position].sellable,
                    free_quantity=units,
                    is_free_item=True,
                    free_source=source,
                    free_value=rounded(item.unit_price * units, quote.currency),
                    unit_price=item.unit_price,
                )
            )
        if effect.free_shipping:
            free_shipping.append(source)
        points += effect.points
    for position, found in discounts.items():
        line = lines[position]
        lines[position] = line._replace(discounts=(*line.discounts, *found))
    return quote._replace(lines=tuple(lines), free_shipping=tuple(free_shipping), bonus_points=points)


def without_coupon(quote: Quote) -> Quote:
    """The quote as promotions left it."""
    lines = [
        line._replace(discounts=tuple(found for found in line.discounts if not found.source.startswith(COUPON)))
        for line in quote.lines
        if not line.free_source.startswith(COUPON)
    ]
    return quote._replace(lines=tuple(lines))
