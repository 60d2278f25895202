"""Pricing steps: automatic promotions, the coupon, and what both say of themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
from .engine.basket import NOTHING, Basket, Effect
from .engine.effects import effect
from .engine.missing import missing
from .engine.sequence import choose
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
        asking = [offer for offer in found if not offer.for_everybody]  # all of them run, so the others are granted
        if asking:
            caller = Caller.of_quote(quote, now)
            known = eligibility.standing(caller, asking)
            refused = {offer.id for offer in asking if eligibility.refusal(offer, caller, known) is not None}
            found = [offer for offer in found if offer.id not in refused]
        return PromotionFacts(basket, {offer.id: offer for offer in found}, beside)

    def apply(self, quote: Quote, facts: PromotionFacts | None) -> Quote:
        if facts is None:
            return quote
        before = len(quote.lines)
        chosen = choose([offer.candidate for offer in facts.offers.values()], facts.basket, currency=quote.currency)
        effects = [(facts.offers[applied.id].source, applied.effect) for applied in chosen]
        quote = baskets.add(quote, effects, facts.basket)
        quote = quote._replace(
            lines=tuple(
                [
                    line._replace(on_promotion=True) if line.saving_from(PROMOTION) or facts.beside.of(line) else line
                    for line in quote.lines
                ]
            )
        )
        if len(quote.lines) == before:  # without gifts, which take stock, the coupon works on the same basket
            quote = baskets.keeping(quote, facts.basket)
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
    basket: Basket | None = None
    left: Sequence[Decimal] = ()  # by promotions, of the basket's items
    effect: Effect = NOTHING  # on that, whatever else is asked of the cart
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
            return CouponFacts(refused) if refused else self._tried(quote, CouponFacts(None, self.trial))
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
        return self._tried(quote, CouponFacts(None, offer, found.text, found.code_id))

    def _tried(self, quote: Quote, facts: CouponFacts) -> CouponFacts:
        """The same with what the offer does to the cart, or else the names of what it lacks."""
        offer = facts.offer
        assert offer is not None
        basket, left = baskets.with_left(quote)
        found = effect(offer.rule, basket, left=left, limit=offer.limit, currency=quote.currency)
        facts = facts._replace(basket=basket, left=left, effect=found)
        if found:
            return facts
        lacking = missing(offer.rule, basket, left)
        known = wording.names_of(quote.sellables)
        names = known if lacking is None else wording.look_up(quote.store_id, [lacking.target], known)
        return facts._replace(names=names)

    def apply(self, quote: Quote, facts: CouponFacts | None) -> Quote:
        if facts is None:
            return quote
        offer, basket = facts.offer, facts.basket
        if offer is None or basket is None:
            refusal = facts.refusal or errors.CouponNotFound
            return quote.refused("coupon", refusal.code, refusal.default_message)
        refused = _refused(offer, basket, facts.left, facts.effect, quote=quote, names=facts.names)
        if refused is not None:
            return quote.refused("coupon", refused.code, refused.message)
        quote = baskets.add(quote, [(offer.source, facts.effect)], basket)
        noted = {
            "id": offer.id,
            "type": offer.type,
            "scope": scope(offer),
            "code": facts.code,
            "code_id": facts.code_id,
        }
        return quote.noted(coupon=noted)


def _refused(
    offer: LiveOffer, basket: Basket, left: Sequence[Decimal], found: Effect, *, quote: Quote, names: Names
) -> DomainError | None:
    """Why a coupon that the shopper may have gives nothing of its effect on what promotions left, if so; pure."""
    if not offer.combinable and quote.facts.get("promotions"):
        return errors.CouponNotCombinable()
    paid = sum(left, ZERO)
    if paid < offer.minimum:
        return errors.CouponMinimumNotReached(
            f"{errors.CouponMinimumNotReached.default_message} "
            + wording.spend_more(offer.minimum - paid, quote.currency)
        )
    if found:
        return None
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
            found = _found(quote, PROMOTION, noted, savings)
            if not found:
                continue
            pk, sequence, scope = noted["id"], noted["sequence"], noted["scope"]
            promotion_type = shown.promotion_type(noted["type"])
            rows += [
                {
                    "promotion_id": pk,
                    "promotion_type": promotion_type,
                    **_row(line, saving),
                    "applied_sequence": sequence,
                    "scope": scope,
                }
                for line, saving in found
            ]
            taken.append(claims.of_use(quote, "promotion", noted, saving=_sum(found), revenue=revenue))
        coupon_rows: list[dict[str, Any]] = []
        if coupon:
            found = _found(quote, COUPON, coupon, savings) or [(None, ZERO)]
            says = {"coupon_id": coupon["id"], "coupon_type": coupon["type"]}
            coupon_rows = [says | _row(line, saving) for line, saving in found]
            taken.append(claims.of_use(quote, "coupon", coupon, saving=_sum(found), revenue=revenue))
        quote = quote._replace(claims=tuple(taken))
        return quote.noted(applied_promotions=rows, applied_coupons=coupon_rows)


Saving = tuple[Line | None, Decimal]  # of a line, or of the cart or its delivery
Savings = Mapping[str, list[Saving]]  # by source: the lines that it makes cheaper, in their order


def _savings(quote: Quote) -> Savings:
    """One walk over the lines for all sources: a hundred promotions may touch a cart."""
    found: dict[str, list[Saving]] = {}
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


def _found(quote: Quote, prefix: str, noted: Mapping[str, Any], savings: Savings) -> Sequence[Saving]:
    """One for each line that an offer touches, or one for the cart or its delivery; none when it does nothing."""
    source = prefix + noted["id"]
    if noted["scope"] == "shipping":
        if quote.shipping_discount_source == source:
            return [(None, quote.shipping_discount)]
        return [(None, ZERO)] if quote.shipping_cost is None and source in quote.free_shipping else []
    lines = savings.get(source, [])
    if noted["scope"] == "cart":
        return [(None, _sum(lines))] if lines else []
    return lines


def _row(line: Line | None, saving: Decimal) -> dict[str, Any]:
    product_id = variant_id = product_name = variant_name = None
    if line is not None:
        product_id, variant_id = line.sku.product_id, line.sku.variant_id or None
        if line.sellable is not None:
            product_name, variant_name = line.sellable.product_name, line.sellable.variant_name
    return {
        "savings": float(saving),
        "product_id": product_id,
        "variant_id": variant_id,
        "product_name": product_name,
        "variant_name": variant_name,
    }


def _sum(found: Sequence[Saving]) -> Decimal:
    return sum([saving for _line, saving in found], ZERO)
