"""`OFFERS` over this app's coupons and promotions, and what the catalogue shows of promotions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from storefront import contracts
from storefront.contracts import Sku
from storefront.errors import DomainError
from storefront.money import ZERO, rounded
from storefront.pricing import Quote

from . import baskets, eligibility, errors, rulebook, selectors, shown, wording
from .eligibility import Caller, Standing
from .engine.basket import Basket, Effect
from .engine.effects import effect
from .engine.missing import Missing, missing
from .models import Kind
from .rulebook import LiveOffer
from .wording import Names

MAX_LOOKED_UP = 200  # products that are named in suggestions though the cart has none of them


@dataclass(frozen=True, kw_only=True, slots=True)
class _Verdict:
    """Of one offer: what it does, or why it does nothing and what would help."""

    offer: LiveOffer
    effect: Effect | None = None
    saving: Decimal = ZERO
    reason: object = ""
    lacking: Missing | None = None
    short: Decimal = ZERO  # of the minimum


class StoreOffers:
    """See `storefront.contracts.Offers`. Sees what is listed for the shopper (D-30); a limit or a login that is lacking
    is a reason, not being of the right customers is none of the shopper's business."""

    def judge(self, quote: Quote, offer: LiveOffer) -> contracts.Offer:
        """The verdict on one offer, live or not, listed for the shopper or not: for staff who try it out."""
        caller = Caller.of_quote(quote, quote.now or timezone.now())
        known = eligibility.standing(caller, [offer])
        if offer.kind == Kind.COUPON:
            verdicts = _coupons(baskets.without_coupon(quote), quote, [offer], caller, known)
        else:
            verdicts = _promotions(quote, [offer], caller, known)
        return _offer(verdicts[0], [], baskets.of_quote(quote), _names(quote, verdicts), quote)

    def evaluate(self, quote: Quote, *, kind: str) -> list[contracts.Offer]:
        """One query for the version, one for codes, one for uses; one for segments and a call of PURCHASES and of
        CATALOG where offers ask for them."""
        now = quote.now or timezone.now()
        book = rulebook.book(quote.store_id, Kind(kind), rulebook.version(quote.store_id))
        offers = [offer for offer in book.running(now) if offer.public]
        if not offers:
            return []
        caller = Caller.of_quote(quote, now)
        known = eligibility.standing(caller, offers)
        visible = [offer for offer in offers if eligibility.may_see(offer, caller, known)]
        codes: Mapping[str, list[str]] = {}
        if kind == Kind.COUPON:
            codes = selectors.listed_codes(store_id=quote.store_id, offer_ids=[offer.id for offer in visible])
            visible = [offer for offer in visible if offer.id in codes]
            verdicts = _coupons(baskets.without_coupon(quote), quote, visible, caller, known)
        else:
            verdicts = _promotions(quote, visible, caller, known)
        names = _names(quote, verdicts)
        basket = baskets.of_quote(quote)
        return [_offer(verdict, codes.get(verdict.offer.id, []), basket, names, quote) for verdict in verdicts]


def _coupons(bare: Quote, quote: Quote, offers: Iterable[LiveOffer], caller: Caller, known: Standing) -> list[_Verdict]:
    basket, left = baskets.with_left(bare)
    paid = sum(left, ZERO)
    found = []
    for offer in offers:
        refusal: type[DomainError] | None = eligibility.refusal(offer, caller, known)
        if refusal is None and not offer.combinable and quote.facts.get("promotions"):
            refusal = errors.CouponNotCombinable
        found.append(_verdict(offer, basket, left, paid, refusal, quote))
    return found


def _promotions(quote: Quote, offers: Iterable[LiveOffer], caller: Caller, known: Standing) -> list[_Verdict]:
    basket = baskets.of_quote(quote)
    left = list(basket.amounts)
    applied = {noted["id"] for noted in quote.facts.get("promotions", ())}
    found = []
    for offer in offers:
        verdict = _verdict(offer, basket, left, basket.total, eligibility.refusal(offer, caller, known), quote)
        if verdict.effect is not None and offer.id in applied:
            saving = sum((line.saving_from(offer.source) for line in quote.lines), ZERO)
            if quote.shipping_discount_source == offer.source:
                saving += quote.shipping_discount
            verdict = _Verdict(offer=offer, effect=verdict.effect, saving=saving)
        elif verdict.effect is not None:
            verdict = _Verdict(offer=offer, reason=_("Other offers in your cart save you more."))
        found.append(verdict)
    return found


def _verdict(
    offer: LiveOffer,
    basket: Basket,
    left: list[Decimal],
    paid: Decimal,
    refusal: type[DomainError] | None,
    quote: Quote,
) -> _Verdict:
    if refusal is not None:
        return _Verdict(offer=offer, reason=refusal.default_message)
    if paid < offer.minimum:
        return _Verdict(offer=offer, reason=errors.CouponMinimumNotReached.default_message, short=offer.minimum - paid)
    found = effect(offer.rule, basket, left=left, limit=offer.limit, currency=quote.currency)
    if found:
        saving = rounded(found.saving(basket), quote.currency) + _shipping(offer, found, quote)
        return _Verdict(offer=offer, effect=found, saving=saving)
    lacking = missing(offer.rule, basket, left)
    return _Verdict(offer=offer, reason=errors.CouponNotApplicable.default_message, lacking=lacking)


def _shipping(offer: LiveOffer, found: Effect, quote: Quote) -> Decimal:
    """What free shipping would save, as far as the cost is known."""
    if not found.free_shipping or quote.shipping_cost is None:
        return ZERO
    own = quote.shipping_discount_source == offer.source
    return quote.shipping_discount if own else quote.shipping_cost - quote.shipping_discount


def _names(quote: Quote, verdicts: Iterable[_Verdict]) -> Names:
    known = wording.names_of(quote.sellables)
    targets = [verdict.lacking.target for verdict in verdicts if verdict.lacking is not None]
    return wording.look_up(quote.store_id, targets[:MAX_LOOKED_UP], known)


def _offer(verdict: _Verdict, codes: list[str], basket: Basket, names: Names, quote: Quote) -> contracts.Offer:
    """In the contract's own words, under `details`."""
    offer, currency = verdict.offer, quote.currency
    details: dict[str, Any] = {"id": offer.id, "name": offer.name}
    if offer.kind == Kind.COUPON:
        details |= {"coupon_type": offer.type, "coupon_code": codes}
    else:
        details["promotion_type"] = shown.promotion_type(offer.type)
    common: dict[str, Any] = {"kind": offer.kind, "offer_id": offer.id}
    if verdict.effect is not None:
        message = wording.savings(verdict.effect, verdict.saving, basket, names, currency)
        details |= {"estimated_discount": float(verdict.saving), "savings_message": message}
        return contracts.Offer(**common, applicable=True, saving=verdict.saving, details=details)
    if verdict.short:
        suggestion = wording.spend_more(verdict.short, currency)
    else:
        suggestion = wording.suggestion(verdict.lacking, names, currency)
    details |= {"reason": str(verdict.reason), "suggestion": suggestion}
    return contracts.Offer(
        **common, applicable=False, reason=str(verdict.reason), suggestion=suggestion, details=details
    )


class ShownPromotions:
    """See `storefront.contracts.ProductPromotions`."""

    def shown(
        self,
        store_id: str,
        prices: Mapping[Sku, tuple[Decimal, tuple[str, ...]]],
        *,
        group_id: str | None,
        now: datetime,
    ) -> dict[Sku, dict[str, Any]]:
        """One query, for the version; up to three more when the rules have changed since this process last looked."""
        if not prices:
            return {}
        book = rulebook.book(store_id, Kind.PROMOTION, rulebook.version(store_id))
        if not book.offers:
            return {}
        group_id = eligibility.group_of(store_id, group_id)
        found: dict[Sku, dict[str, Any]] = {}
        for sku, (price, category_ids) in prices.items():
            best = shown.best(book, sku, price, category_ids, group_id=group_id, now=now)
            if best is not None:
                offer, details = best
                dates = {"starts_at": offer.starts_at, "expires_at": offer.expires_at}
                found[sku] = {"id": offer.id, **dates, "details": details}
        return found

    def version(self, store_id: str, *, now: datetime) -> str:
        """One query."""
        version = rulebook.version(store_id)
        if not version:
            return ""
        return f"{version}.{rulebook.book(store_id, Kind.PROMOTION, version).boundaries_passed(now)}"
