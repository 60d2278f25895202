"""Pricing steps: what pays, in the order points, credit, gift card (D-25). All three ask the database once together.

Each pays what its wish asks for, as far as there is enough and something is left to pay. A wish for more than there is
also leaves a refusal, which the carts raise when that wish is being set; a later read goes on with what there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext as _

from storefront.contracts import Claim
from storefront.errors import LoginRequired
from storefront.money import ZERO, rounded
from storefront.pricing import Quote

from . import selectors
from .errors import InsufficientCredit, InsufficientPoints, InvalidGiftCard
from .models import Account
from .rules import Rules, counted
from .selectors import Wallet

FACTS = "wallets"
Kind = Account.Kind


@dataclass(frozen=True, slots=True)
class Wallets:
    """What the three steps know. `rules` is None for a store without a programme and for who has not logged in."""

    rules: Rules | None = None
    found: Mapping[str, Wallet] = field(default_factory=dict)

    def available(self, kind: str) -> Decimal:
        wallet = self.found.get(kind)
        return wallet.available if wallet is not None else ZERO


NOTHING = Wallets()


def load(quote: Quote) -> Wallets:
    """What an earlier step left, else one query; none for visitors without a gift card, and none where a shopper has
    no wish and the store no programme. The programme is kept in the process."""
    known: Wallets | None = quote.facts.get(FACTS)
    if known is not None:
        return known
    customer_id = quote.customer_id or "" if quote.is_logged_in else ""
    rules = selectors.rules(quote.store_id) if customer_id else None
    if rules is None and not quote.credit_asked:
        customer_id = ""
    if not customer_id and not quote.gift_card_id:
        return NOTHING
    found = selectors.wallets(
        store_id=quote.store_id,
        customer_id=customer_id,
        gift_card_id=quote.gift_card_id,
        now=quote.now or timezone.now(),
    )
    return Wallets(rules, found)


class Points:
    """Loyalty points: those that pay, and those that the order will earn."""

    def gather(self, quote: Quote) -> Wallets:
        return load(quote)

    def apply(self, quote: Quote, facts: Wallets) -> Quote:
        if facts is NOTHING and not quote.points_asked and not quote.bonus_points:
            return quote
        quote = quote.noted(**{FACTS: facts})
        if quote.points_asked:
            quote = self._redeem(quote, facts)
        if facts.rules is None:
            return quote
        tier = facts.rules.tier(facts.found[Kind.POINTS].tier_id if Kind.POINTS in facts.found else None)
        basis = counted(quote.totals(), quote.points_value)
        return quote._replace(points_earned=int(basis * tier.points_per_unit) + quote.bonus_points)

    def _redeem(self, quote: Quote, facts: Wallets) -> Quote:
        rules, asked = facts.rules, quote.points_asked
        if rules is None:
            if not quote.is_logged_in or not quote.customer_id:
                return quote.refused("points", LoginRequired.code, LoginRequired.default_message)
            return quote.refused(
                "points", code="points_not_available", message=_("This shop has no loyalty programme.")
            )
        left = quote.totals().to_be_paid
        available = int(facts.available(Kind.POINTS))
        limit = rules.limit(left)
        if asked > available:
            quote = quote.refused("points", InsufficientPoints.code, InsufficientPoints.default_message)
        elif asked < rules.minimum_points:
            text = _("An order uses at least %(count)d points.") % {"count": rules.minimum_points}
            quote = quote.refused("points", code="points_below_minimum", message=text)
        elif asked > limit and limit < rules.points_for(left):
            text = _("This order can use at most %(count)d points.") % {"count": limit}
            quote = quote.refused("points", code="points_above_maximum", message=text)
        if min(asked, available) < rules.minimum_points:
            return quote
        points = min(asked, available, limit)
        if not points:
            return quote
        claim = Claim(resource=Kind.POINTS.value, key=facts.found[Kind.POINTS].account_id, amount=Decimal(points))
        return quote._replace(
            points_redeemed=points, points_value=rules.worth(points, quote.currency), claims=(*quote.claims, claim)
        )


class Credit:
    """Store credit."""

    def gather(self, quote: Quote) -> Wallets:
        return load(quote) if quote.credit_asked else NOTHING

    def apply(self, quote: Quote, facts: Wallets) -> Quote:
        if not quote.credit_asked:
            return quote
        available = facts.available(Kind.CREDIT)
        if quote.credit_asked > available:
            if not quote.is_logged_in or not quote.customer_id:
                return quote.refused("credit", LoginRequired.code, LoginRequired.default_message)
            quote = quote.refused("credit", InsufficientCredit.code, InsufficientCredit.default_message)
        used = min(rounded(quote.credit_asked, quote.currency), available, quote.totals().to_be_paid)
        if used <= 0:
            return quote
        claim = Claim(resource=Kind.CREDIT.value, key=facts.found[Kind.CREDIT].account_id, amount=used)
        return quote._replace(credit_used=used, claims=(*quote.claims, claim))


class GiftCard:
    """The gift card: pays what is left, up to its balance (D-38). Leaves `facts["gift_card"]` with its last four."""

    def gather(self, quote: Quote) -> Wallets:
        return load(quote) if quote.gift_card_id else NOTHING

    def apply(self, quote: Quote, facts: Wallets) -> Quote:
        if not quote.gift_card_id:
            return quote
        card = facts.found.get(Kind.GIFT_CARD)
        if card is None or not card.live or card.available <= 0:
            return quote.refused("gift_card", InvalidGiftCard.code, InvalidGiftCard.default_message)
        quote = quote.noted(gift_card={"last4": card.last4, "available": card.available})
        used = min(card.available, quote.totals().to_be_paid)
        if not used:
            return quote
        claim = Claim(resource=Kind.GIFT_CARD.value, key=card.account_id, amount=used)
        return quote._replace(gift_card_used=used, claims=(*quote.claims, claim))
