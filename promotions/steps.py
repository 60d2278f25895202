"""Pricing steps: automatic promotions, the coupon, and what both say of themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils import timezone

from storefront.contracts import ProductPromotions, Sku
from storefront.errors import DomainError
from storefront.money import ZERO
from storefront.plugs import has, plug
from storefront.pricing import COUPON, PROMOTION, Line, Quote

from . import baskets, claims, eligibility, errors, rulebook, shown, sql, wording
from .codes import code_key
from .eligibility import Caller
from .engine.basket import Basket, Effect
from .engine.effects import effect
from .engine.missing import missing
from .engine.sequence import Candidate, choose
from .models import AppliesTo, Kind, OfferType, State
from .plugs import ShownPromotions
from .rulebook import Book, LiveOffer
from .wording import Names

PRODUCT_PROMOTIONS = "PRODUCT_PROMOTIONS"


class Shown(NamedTuple):
    """What the catalogue shows a promotion of: by this app's rules, or by another app's word."""

    book: Book | None = None
    group_id: str | None = None
    now: datetime | None = None
    theirs: Collection[Sku] = ()

    def of(self, line: Line) -> bool:
        if line.sku in self.theirs:
            return True
        if self.book is None or self.now is None or line.sellable is None or line.unit_price <= 0:
            return False
        categories = line.sellable.category_ids
        best = shown.best(self.book, line.sku, line.unit_price, categories, group_id=self.group_id, now=self.now)
        return best is not None


class PromotionFacts(NamedTuple):
    basket: Basket
    offers: Mapping[str, LiveOffer]  # those that the shopper may have and that may fit
    beside: Shown = Shown()  # beside prices in the catalogue


class Promotions:
    """Automatic promotions, in sequence (D-34). What they leave is `promotions` in the quote's facts.

    Lines that one takes something off are on promotion, and so are those that the catalogue shows one beside: the cart
    may need more units for it, or another may save more.

    With a `trial` (see `trying`) one more promotion is live, for these quotes alone.
    """

    def __init__(self, trial: LiveOffer | None = None) -> None:
        self.trial = trial

    def trying(self, offer: LiveOffer) -> Promotions:
        """The same step with this offer in the place of what is live of it; nothing is written."""
        return type(self)(trial=offer)

    def gather(self, quote: Quote) -> PromotionFacts | None:
        """One query; a second one when a promotion that may fit has a limit or names its customers. What the catalogue
        shows costs none, unless another app's `PRODUCT_PROMOTIONS` must be asked."""
        now = quote.now or timezone.now()
        book = rulebook.book(quote.store_id, Kind.PROMOTION, rulebook.version(quote.store_id))
        if self.trial is not None and self.trial.kind == Kind.PROMOTION:
            book = book.with_trial(self.trial)
        beside = _shown_by_the_catalogue(quote, book, now)
        if not book.offers and not beside.theirs:
            return None
        basket = baskets.of_quote(quote)
        found = [offer for offer in book.candidates(basket, now) if offer.minimum <= basket.total]
        if not found:
            return PromotionFacts(basket, {}, beside)
        caller = Caller.of_quote(quote, now)
        known = eligibility.standing(caller, found)
        return PromotionFacts(
            basket,
            {offer.id: offer for offer in found if eligibility.refusal(offer, caller, known) is None},
            beside,
        )

    def apply(self, quote: Quote, facts: PromotionFacts | None) -> Quote:
        if facts is None:
            return quote
        chosen = choose(map(candidate, facts.offers.values()), facts.basket, currency=quote.currency)
        for applied in chosen:
            quote = baskets.add(quote, applied.effect, facts.basket, facts.offers[applied.id].source)
        quote = quote._replace(
            lines=tuple(
                line._replace(on_promotion=True) if line.saving_from(PROMOTION) or facts.beside.of(line) else line
                for line in quote.lines
            )
        )
        if not chosen:
            return quote
        offers = [facts.offers[applied.id] for applied in chosen]
        return quote.noted(
            promotions=[
                {"id": offer.id, "type": offer.type, "scope": scope(offer), "sequence": number}
                for number, offer in enumerate(offers, 1)
            ]
        )


def _shown_by_the_catalogue(quote: Quote, book: Book, now: datetime) -> Shown:
    """For the shopper's own group (D-22). One call of `PRODUCT_PROMOTIONS`, none where it is this app's own."""
    if not has(PRODUCT_PROMOTIONS):
        return Shown()
    shower: ProductPromotions = plug(PRODUCT_PROMOTIONS)
    if isinstance(shower, ShownPromotions):
        return Shown(book, eligibility.group_of(quote.store_id, quote.group_id), now) if book.offers else Shown()
    prices = {
        line.sku: (line.unit_price, line.sellable.category_ids)
        for line in quote.lines
        if line.sellable is not None and line.unit_price > 0
    }
    found = shower.shown(quote.store_id, prices, group_id=quote.group_id, now=now) if prices else ()
    return Shown(theirs=found)


def candidate(offer: LiveOffer) -> Candidate:
    return Candidate(offer.id, offer.rule, offer.priority, offer.combinable, offer.limit, offer.minimum)


def scope(offer: LiveOffer) -> str:
    """Of what an offer takes something off (D-34)."""
    if offer.type == OfferType.FREE_SHIPPING:
        return "shipping"
    return "cart" if offer.applies_to == AppliesTo.ALL else "product"


class CouponFacts(NamedTuple):
    refusal: type[DomainError] | None = None
    offer: LiveOffer | None = None
    code: str = ""
    code_id: int = 0
    names: Names = wording.NO_NAMES  # of what is missing


class Coupon:
    """The cart's coupon, on what promotions left. What it leaves is `coupon` in the quote's facts, or a refusal.

    With a `trial` (see `trying`) carts without a code have that coupon.
    """

    def __init__(self, trial: LiveOffer | None = None) -> None:
        self.trial = trial

    def trying(self, offer: LiveOffer) -> Coupon:
        """The same step with this offer as if it were live and the cart had a code of it; nothing is written."""
        return type(self)(trial=offer)

    def gather(self, quote: Quote) -> CouponFacts | None:
        """One query, none without a code; more only where the coupon asks for more than who it is for."""
        trial = self.trial is not None and self.trial.kind == Kind.COUPON and not quote.coupon_code
        if not quote.coupon_code and not trial:
            return None
        now = quote.now or timezone.now()
        caller = Caller.of_quote(quote, now)
        if self.trial is not None and trial:
            refused = eligibility.refusal(self.trial, caller, eligibility.standing(caller, [self.trial]))
            return (
                CouponFacts(refused) if refused else CouponFacts(None, self.trial, names=self._names(quote, self.trial))
            )
        key = code_key(quote.coupon_code)
        found = sql.find_code(store_id=quote.store_id, key=key, customer_id=caller.customer_id) if key else None
        if found is None or found.state not in (State.LIVE, State.EXPIRED):
            return CouponFacts(errors.CouponNotFound)
        if found.state == State.EXPIRED:
            return CouponFacts(errors.CouponExpired)
        offer = rulebook.book(quote.store_id, Kind.COUPON, found.version).offers.get(found.offer_id)
        if offer is None:
            return CouponFacts(errors.CouponNotFound)
        known = eligibility.standing(caller, [offer], counts={offer.id: found.counts})
        refusal = eligibility.refusal(offer, caller, known)
        if refusal is None and offer.code_limit is not None and found.uses >= offer.code_limit:
            refusal = errors.CouponLimitReached
        if refusal is not None:
            return CouponFacts(refusal)
        return CouponFacts(None, offer, found.text, found.code_id, self._names(quote, offer))

    def _names(self, quote: Quote, offer: LiveOffer) -> Names:
        basket, left = baskets.with_left(quote)
        if effect(offer.rule, basket, left=left, limit=offer.limit, currency=quote.currency):
            return wording.NO_NAMES
        lacking = missing(offer.rule, basket, left)
        known = wording.names_of(quote.sellables)
        return known if lacking is None else wording.look_up(quote.store_id, [lacking.target], known)

    def apply(self, quote: Quote, facts: CouponFacts | None) -> Quote:
        if facts is None:
            return quote
        offer = facts.offer
        if offer is None:
            refusal = facts.refusal or errors.CouponNotFound
            return quote.refused("coupon", refusal.code, refusal.default_message)
        basket, left = baskets.with_left(quote)
        found = coupon_effect(offer, basket, left, quote=quote, names=facts.names)
        if isinstance(found, DomainError):
            return quote.refused("coupon", found.code, found.message)
        quote = baskets.add(quote, found, basket, offer.source)
        noted = {
            "id": offer.id,
            "type": offer.type,
            "scope": scope(offer),
            "code": facts.code,
            "code_id": facts.code_id,
        }
        return quote.noted(coupon=noted)


def coupon_effect(
    offer: LiveOffer, basket: Basket, left: list[Decimal], *, quote: Quote, names: Names
) -> Effect | DomainError:
    """What a coupon that the shopper may have does to what promotions left, or why nothing; pure."""
    if not offer.combinable and quote.facts.get("promotions"):
        return errors.CouponNotCombinable()
    paid = sum(left, ZERO)
    if paid < offer.minimum:
        return errors.CouponMinimumNotReached(
            f"{errors.CouponMinimumNotReached.default_message} "
            + wording.spend_more(offer.minimum - paid, quote.currency)
        )
    found = effect(offer.rule, basket, left=left, limit=offer.limit, currency=quote.currency)
    if found:
        return found
    hint = wording.suggestion(missing(offer.rule, basket, left), names, quote.currency)
    return errors.CouponNotApplicable(" ".join(filter(None, (str(errors.CouponNotApplicable.default_message), hint))))


class Applied:
    """Says what was applied, once shipping is known, and claims the uses. The rows of each kind add up to its savings
    in the totals."""

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: None) -> Quote:
        promotions = quote.facts.get("promotions", ())
        coupon = quote.facts.get("coupon")
        if not promotions and not coupon:
            return quote
        revenue = quote.totals().grand_total
        savings = _savings(quote)
        taken = list(quote.claims)
        rows: list[dict[str, Any]] = []
        for noted in promotions:
            found = _rows(quote, PROMOTION, noted, savings)
            if not found:
                continue
            says = {"promotion_id": noted["id"], "promotion_type": shown.promotion_type(noted["type"])}
            place = {"applied_sequence": noted["sequence"], "scope": noted["scope"]}
            rows += [says | row | place for row in found]
            taken.append(claims.of_use(quote, "promotion", noted, saving=_sum(found), revenue=revenue))
        coupon_rows: list[dict[str, Any]] = []
        if coupon:
            found = _rows(quote, COUPON, coupon, savings) or [_row(ZERO)]
            coupon_rows = [{"coupon_id": coupon["id"], "coupon_type": coupon["type"], **row} for row in found]
            taken.append(claims.of_use(quote, "coupon", coupon, saving=_sum(found), revenue=revenue))
        quote = quote._replace(claims=tuple(taken))
        return quote.noted(applied_promotions=_shown(rows), applied_coupons=_shown(coupon_rows))


Savings = Mapping[str, list[tuple[Line, Decimal]]]  # by source: the lines that it makes cheaper, in their order


def _savings(quote: Quote) -> Savings:
    """One walk over the lines for all sources: a hundred promotions may touch a cart."""
    found: dict[str, list[tuple[Line, Decimal]]] = {}
    for line in quote.lines:
        mine: dict[str, Decimal] = {}
        for discount in line.discounts:
            mine[discount.source] = mine.get(discount.source, ZERO) + discount.amount
        if line.free_source:
            mine[line.free_source] = mine.get(line.free_source, ZERO) + line.free_value
        for source, saving in mine.items():
            if saving:
                found.setdefault(source, []).append((line, saving))
    return found


def _rows(quote: Quote, prefix: str, noted: Mapping[str, Any], savings: Savings) -> list[dict[str, Any]]:
    """One row for each line that an offer touches, or one for the cart or its delivery; none when it does nothing."""
    source = prefix + noted["id"]
    if noted["scope"] == "shipping":
        if quote.shipping_discount_source == source:
            return [_row(quote.shipping_discount)]
        return [_row(ZERO)] if quote.shipping_cost is None and source in quote.free_shipping else []
    lines = savings.get(source, [])
    if noted["scope"] == "cart":
        return [_row(sum((saving for _line, saving in lines), ZERO))] if lines else []
    return [_row(saving, line) for line, saving in lines]


def _row(saving: Decimal, line: Line | None = None) -> dict[str, Any]:
    sellable = line.sellable if line is not None else None
    return {
        "savings": saving,
        "product_id": line.sku.product_id if line is not None else None,
        "variant_id": (line.sku.variant_id or None) if line is not None else None,
        "product_name": sellable.product_name if sellable is not None else None,
        "variant_name": sellable.variant_name if sellable is not None else None,
    }


def _sum(rows: list[dict[str, Any]]) -> Decimal:
    return sum((row["savings"] for row in rows), ZERO)


def _shown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"savings": float(row["savings"])} for row in rows]
