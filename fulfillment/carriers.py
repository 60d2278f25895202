"""Carriers: services that know many couriers. One for trying things out is here; real ones come by settings."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from decimal import ROUND_UP, Decimal
from functools import cache
from time import monotonic

from django.utils.module_loading import import_string

from storefront.conf import conf
from storefront.contracts import Carrier, CourierOffer, Parcel, Place
from storefront.errors import Unavailable
from storefront.selectors import ShortMemory

from . import geography

logger = logging.getLogger(__name__)

BUILT_IN = {"sandbox": "fulfillment.carriers.SandboxCarrier"}
REMEMBERED_SECONDS = 300  # an answer, so that reading a cart does not ask again and a price does not flicker
SLOW_SECONDS = 1.0  # a failure that took longer than this …
SILENT_SECONDS = 5  # … leaves the carrier alone so long, so that it does not slow every cart; a quick one harms nobody

_answers: ShortMemory[list[CourierOffer]] = ShortMemory(size=4096, seconds=lambda: REMEMBERED_SECONDS)
_silent: ShortMemory[bool] = ShortMemory(size=64, seconds=lambda: SILENT_SECONDS)


def codes() -> list[str]:
    """The carriers that a method can name."""
    return sorted(BUILT_IN | conf().SHIPPING_CARRIERS)


def offers(*, code: str, store_id: str, parcels: Sequence[Parcel], to: Place) -> list[list[CourierOffer]]:
    """The carrier's couriers for each parcel; one call for all that are not remembered.

    Raises Unavailable for whatever the carrier does wrong, and for a code that nobody configured.
    """
    keys = [_key(code, store_id, parcel, to) for parcel in parcels]
    found = {key: answer for key in keys if (answer := _answers.get(key)) is not None}
    missing = [(key, parcel) for key, parcel in zip(keys, parcels, strict=True) if key not in found]
    if missing:
        if _silent.get(code):
            raise Unavailable
        begun = monotonic()
        try:
            answers = _carrier(code).offers(store_id, [parcel for _key, parcel in missing], to=to)
            for (key, _parcel), answer in zip(missing, answers, strict=True):
                usable = [offer for offer in answer if offer.amount.is_finite() and offer.amount >= 0]
                found[key] = _answers.put(key, usable)
        except Exception as error:
            if monotonic() - begun > SLOW_SECONDS:
                _silent.put(code, True)
            logger.warning("carrier_failed", extra={"carrier": code, "reason": type(error).__name__})
            raise Unavailable from error
    return [found[key] for key in keys]


def _key(code: str, store_id: str, parcel: Parcel, to: Place) -> str:
    pincode = parcel.origin.pincode if parcel.origin else ""
    parts = (code, store_id, parcel.location_id, pincode, parcel.weight, parcel.value, to.country, to.state, to.pincode)
    return "|".join(map(str, parts))


def _carrier(code: str) -> Carrier:
    return _made((BUILT_IN | conf().SHIPPING_CARRIERS)[code])


@cache
def _made(path: str) -> Carrier:
    found: Carrier = import_string(path)()
    return found


class SandboxCarrier:
    """Makes prices up from weight and distance, always the same ones. Four couriers, one for nearby places only.

    A parcel to a code that ends in 99 finds no courier, and one that ends in 98 gets no answer, so that clients can try
    what they do then.
    """

    # code, name, mode, base, per half kilogram, per 500 km, speed in km a day, rating, takes cash
    couriers = (
        ("sandbox-surface", "Bluebell Surface", "surface", 38, 14, 6, 350, 4.1, True),
        ("sandbox-air", "Kestrel Air", "air", 62, 34, 10, 1200, 4.5, True),
        ("sandbox-prime", "Monsoon Prime", "air", 88, 40, 8, 1600, 4.8, False),
    )
    nearby = ("sandbox-hyperlocal", "Rickshaw Now", 59, 12, 4.3)  # code, name, base, per half kilogram, rating
    NEAR = 40  # kilometres

    def offers(self, store_id: str, parcels: Sequence[Parcel], *, to: Place) -> list[list[CourierOffer]]:
        if to.pincode.endswith("98"):
            raise Unavailable
        return [[] if to.pincode.endswith("99") else self._offers(parcel, to) for parcel in parcels]

    def _offers(self, parcel: Parcel, to: Place) -> list[CourierOffer]:
        distance = self._distance(parcel, to)
        halves = max(1, int((Decimal(parcel.weight) / 500).to_integral_value(ROUND_UP)))
        found = []
        if distance <= self.NEAR:
            code, name, base, per_half, rating = self.nearby
            amount = Decimal(base + per_half * (halves - 1))
            found.append(CourierOffer(code, name, amount, 0, hyperlocal=True, rating=rating))
        for code, name, mode, base, per_half, per_far, speed, rating, cash in self.couriers:
            amount = Decimal(base + per_half * (halves - 1) + per_far * (distance // 500))
            found.append(CourierOffer(code, name, amount, 1 + distance // speed, mode, False, rating, cash))
        return found

    def _distance(self, parcel: Parcel, to: Place) -> int:
        """Whole kilometres; 1000 where either end is unknown."""
        start = geography.point_of(parcel.origin.country, parcel.origin.pincode) if parcel.origin else None
        end = geography.point_of(to.country, to.pincode)
        return 1000 if start is None or end is None else int(geography.kilometres(start, end))
