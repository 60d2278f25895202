"""Taking and giving back what is scarce: stock, uses of coupons, points, credit, gift cards.

An order calls `hold` in the transaction that makes it, `confirm` when it is paid, `release` when it fails or expires
unpaid, and `give_back` when it is cancelled, paid or not, or goods of it come back. The plugs of `CLAIMS` keep the
resources, each its own. Whoever calls, rows are locked in one order, plug by plug and within a plug by key, so that two
orders never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from django.db import transaction

from storefront.contracts import Claim, Sku
from storefront.plugs import plug_list
from storefront.pricing import Quote

STOCK = "stock"


def stock_key(sku: Sku, location_id: str = "") -> str:
    """The key of a claim on stock; without a location the catalogue chooses one."""
    return f"{sku.product_id}|{sku.variant_id}|{location_id}"


def read_stock_key(key: str) -> tuple[Sku, str]:
    product_id, variant_id, location_id = key.split("|")
    return Sku(product_id, variant_id), location_id


def of_quote(quote: Quote, *, owner: str) -> list[Claim]:
    """All that an order of this quote takes: the units of its lines, from the locations of its shipments where these
    are known (`facts["allocations"]`: location id to units by sku), and what the steps claim."""
    wanted: dict[str, int] = {}
    left: dict[Sku, int] = {}
    for line in quote.lines:
        left[line.sku] = left.get(line.sku, 0) + line.quantity
    allocations: Mapping[str, Mapping[Sku, int]] = quote.facts.get("allocations", {})
    for location_id, units in allocations.items():
        for sku, quantity in units.items():
            taken = min(quantity, left.get(sku, 0))
            if taken:
                left[sku] -= taken
                wanted[stock_key(sku, location_id)] = taken
    wanted |= {stock_key(sku): quantity for sku, quantity in left.items() if quantity}
    stock = [Claim(resource=STOCK, key=key, amount=Decimal(units), owner=owner) for key, units in wanted.items()]
    return [*stock, *(replace(claim, owner=owner) for claim in quote.claims)]


def hold(*, store_id: str, claims: Iterable[Claim]) -> None:
    """Takes all of them or none: raises the DomainError of the first that is short. Call it in a transaction, which
    its caller then rolls back. Repeating a claim is harmless. What no plug keeps (a shop's own stock) is left alone."""
    assert transaction.get_connection().in_atomic_block, "claims are part of what they are made for"
    found = list(claims)
    for keeper in plug_list("CLAIMS"):
        kept = keeper.resources()
        wanted = sorted(
            (claim for claim in found if claim.resource in kept), key=lambda claim: (claim.resource, claim.key)
        )
        if wanted:
            keeper.hold(store_id, wanted)


def confirm(*, store_id: str, owner: str) -> None:
    """Spends all that `owner` holds. Safe to repeat."""
    with transaction.atomic():
        for keeper in plug_list("CLAIMS"):
            keeper.confirm(store_id, owner)


def release(*, store_id: str, owner: str) -> None:
    """Gives back all that `owner` holds and has not spent. Safe to repeat."""
    with transaction.atomic():
        for keeper in plug_list("CLAIMS"):
            keeper.release(store_id, owner)


def give_back(*, store_id: str, owner: str, parts: Iterable[Claim] | None = None) -> None:
    """Gives back what `owner` took, also what it spent: units return to where they were sold from, a coupon can be used
    once more, points, credit and gift card value are there again.

    Without `parts` all of it, held or spent: for an order that is cancelled (D-51), whether or not its payment came
    first. With `parts` some of what it spent: the claims that were made, each with the amount of it that is back in
    all, earlier returns included. So a repeat gives nothing more, nor does a lower amount, and never more comes back
    than was spent. What is not named stays spent: goods that are returned (D-52) give back their stock, not the coupon.

    Whoever spent and gave back is done: the same owner's `hold` and `confirm` change nothing any more.
    """
    found = None if parts is None else sorted(parts, key=lambda claim: (claim.resource, claim.key))
    with transaction.atomic():
        for keeper in plug_list("CLAIMS"):
            if found is None:
                keeper.give_back(store_id, owner, None)
                continue
            kept = keeper.resources()
            wanted = [claim for claim in found if claim.resource in kept]
            if wanted:
                keeper.give_back(store_id, owner, wanted)
