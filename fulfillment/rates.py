"""`SHIPPING_RATES` over this app's zones."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_UP, Decimal

from storefront import selectors as kernel
from storefront.contracts import CourierOffer, Parcel, Place, ShippingRate
from storefront.errors import Unavailable
from storefront.money import ZERO, Currency, rounded

from . import carriers, selectors
from .models import ShippingMethod
from .selectors import Rate

Kind = ShippingMethod.Kind


class ZoneRates:
    """See `storefront.contracts.ShippingRates`. The rates of the first zone that holds the place, in staff's order.

    A carrier that does not answer keeps its method with `answered` False, so that the flat ways beside it can still be
    chosen; this never raises Unavailable.
    """

    def rates(self, store_id: str, parcels: Sequence[Parcel], *, to: Place) -> list[list[ShippingRate]]:
        store = kernel.store(store_id)
        zone = selectors.rules(store=store).zone_of(to)
        if zone is None:
            return [[] for _parcel in parcels]
        order_value = sum((parcel.value for parcel in parcels), ZERO)
        asked: dict[str, list[list[CourierOffer]] | None] = {}
        for rate in zone.rates:
            code = rate.method.carrier
            if code and code not in asked:
                try:
                    asked[code] = carriers.offers(code=code, store_id=store_id, parcels=parcels, to=to)
                except Unavailable:
                    asked[code] = None
        found: list[list[ShippingRate]] = []
        for index, parcel in enumerate(parcels):
            mine: list[ShippingRate] = []
            for rate in zone.rates:
                if not fits(rate, parcel):
                    continue
                free = rate.free_from is not None and order_value >= rate.free_from
                if rate.method.kind == Kind.CARRIER:
                    answers = asked[rate.method.carrier]
                    mine += _of_carrier(rate, None if answers is None else answers[index], free, store.currency)
                else:
                    amount = price(rate, weight=parcel.weight, value=parcel.value)
                    if amount is not None:
                        mine.append(_flat(rate, ZERO if free else rounded(amount, store.currency)))
            found.append(mine)
        return found


def fits(rate: Rate, parcel: Parcel) -> bool:
    """Whether a parcel is within the limits of a rate, which are included."""
    for size, (least, most) in ((parcel.weight, rate.weights), (parcel.value, rate.values)):
        if (least is not None and size < least) or (most is not None and size > most):
            return False
    return True


def price(rate: Rate, *, weight: int, value: Decimal) -> Decimal | None:
    """What a rate without couriers asks for a parcel of that weight in grams and that value; None when it is beyond
    the last slab and the rate does not go further. Not rounded."""
    if rate.method.kind == Kind.FLAT:
        return rate.amount
    size = Decimal(weight) if rate.method.kind == Kind.WEIGHT else value
    for up_to, amount in rate.slabs:
        if size <= up_to:
            return rate.amount + amount
    if rate.further is None:
        return None
    last, amount = rate.slabs[-1] if rate.slabs else (ZERO, ZERO)
    step, each = rate.further
    return rate.amount + amount + each * ((size - last) / step).to_integral_value(ROUND_UP)


def _flat(rate: Rate, amount: Decimal) -> ShippingRate:
    method = rate.method
    return ShippingRate(
        method_id=method.id,
        name=method.name,
        amount=amount,
        tax_rate=method.tax_rate,
        days=rate.days,
        days_to=rate.days_to,
        can_be_free=method.can_be_free,
        cash_on_delivery=method.cash_on_delivery,
    )


def _of_carrier(
    rate: Rate, offers: Sequence[CourierOffer] | None, free: bool, currency: Currency
) -> list[ShippingRate]:
    method = rate.method
    if offers is None:
        return [ShippingRate(method_id=method.id, name=method.name, amount=ZERO, answered=False)]
    return [
        ShippingRate(
            method_id=method.id,
            name=method.name,
            amount=ZERO if free else rounded(rate.amount + offer.amount, currency),
            tax_rate=method.tax_rate,
            courier=offer.courier,
            courier_name=offer.name,
            days=offer.days,
            mode=offer.mode,
            hyperlocal=offer.hyperlocal,
            rating=offer.rating,
            can_be_free=method.can_be_free,
            cash_on_delivery=method.cash_on_delivery and offer.cash_on_delivery,
        )
        for offer in offers
    ]
