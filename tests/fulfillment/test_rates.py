"""What sending costs: by zone, weight and value, and by couriers."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from fulfillment import carriers, services
from fulfillment.carriers import SandboxCarrier
from fulfillment.models import DeliverySettings, RateSlab, ShippingMethod, ShippingZone, ZoneRate
from fulfillment.rates import ZoneRates
from storefront import selectors as kernel
from storefront.contracts import CourierOffer, Parcel, Place, ShippingRate
from storefront.errors import Unavailable
from storefront.models import Store
from storefront.testing import ShippingRatesContract
from tests.fulfillment.conftest import BENGALURU, DELHI, SRINAGAR, World
from tests.fulfillment.fakes import Couriers

pytestmark = pytest.mark.django_db


def parcel(weight: int = 1000, value: str = "500", pincode: str = BENGALURU) -> Parcel:
    origin = Place(country="IN", pincode=pincode)
    return Parcel(location_id="L", quantities={}, weight=weight, value=Decimal(value), origin=origin)


def offers(world: World, *parcels: Parcel, pincode: str = BENGALURU, state: str = "") -> list[ShippingRate]:
    to = Place(country="IN", state=state, pincode=pincode)
    return ZoneRates().rates(world.store.pk, parcels or [parcel()], to=to)[0]


def amounts(world: World, *parcels: Parcel, **where: str) -> list[Decimal]:
    return [rate.amount for rate in offers(world, *parcels, **where)]


# --- slabs ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("weight", "amount"),
    [(0, "49"), (500, "49"), (501, "69"), (1000, "69"), (1001, "99"), (1500, "99"), (1501, "129"), (2000, "129")],
)
def test_a_weight_pays_the_smallest_slab_that_fits_and_then_by_steps(world: World, weight: int, amount: str) -> None:
    slabs = {"1000": "69", "500": "49"}
    method = world.method(kind="weight")
    world.rate(None, method, "0", slabs, further_step=Decimal(500), further_amount=Decimal(30))
    assert amounts(world, parcel(weight)) == [Decimal(amount)]


def test_a_slab_comes_on_top_of_the_amount(world: World) -> None:
    world.rate(None, world.method(kind="weight"), "10", {"1000": "40"})
    assert amounts(world) == [50]


def test_beyond_the_last_slab_there_is_no_offer_unless_it_goes_on(world: World) -> None:
    world.rate(None, world.method(kind="weight"), "0", {"500": "49"})
    assert amounts(world, parcel(500)) == [49]
    assert amounts(world, parcel(501)) == []


def test_slabs_may_be_missing_altogether(world: World) -> None:
    world.rate(None, world.method("A", "weight"), "5")
    rate = world.rate(None, world.method("B", "weight"), "5", further_step=Decimal(500), further_amount=Decimal(10))
    assert rate.method_id and amounts(world, parcel(900)) == [25]


@pytest.mark.parametrize(("value", "amount"), [("499.99", "60"), ("500", "60"), ("500.01", "20")])
def test_a_value_pays_its_slab(world: World, value: str, amount: str) -> None:
    world.rate(None, world.method(kind="value"), "0", {"500": "60", "100000": "20"})
    assert amounts(world, parcel(value=value)) == [Decimal(amount)]


@pytest.mark.parametrize(("value", "amount"), [("999.99", "50"), ("1000", "0")])
def test_a_rate_is_free_from_a_value_of_all_parcels_together(world: World, value: str, amount: str) -> None:
    world.rate(free_from=Decimal(1000))
    half = Decimal(value) / 2
    assert amounts(world, parcel(value=str(half)), parcel(value=str(Decimal(value) - half))) == [Decimal(amount)]


@pytest.mark.parametrize(
    ("limits", "inside", "outside"),
    [
        ({"maximum_weight": 1000}, parcel(1000), parcel(1001)),
        ({"minimum_weight": 1000}, parcel(1000), parcel(999)),
        ({"maximum_value": Decimal(500)}, parcel(value="500"), parcel(value="500.01")),
        ({"minimum_value": Decimal(500)}, parcel(value="500"), parcel(value="499.99")),
    ],
)
def test_limits_hold_at_their_edges(world: World, limits: dict[str, Any], inside: Parcel, outside: Parcel) -> None:
    world.rate(**limits)
    assert len(offers(world, inside)) == 1
    assert offers(world, outside) == []


def test_amounts_are_money(world: World) -> None:
    world.store.currency_exponent = 0
    world.store.save()
    kernel.forget()
    world.rate(amount="49.50")
    assert amounts(world) == [50]


# --- zones ----------------------------------------------------------------------------------------------------------
def test_the_lowest_priority_number_wins_where_zones_overlap(world: World) -> None:
    method = world.method()
    world.rate(world.zone("Rest", priority=100), method, "90")
    world.rate(world.zone("South", "56*", priority=20), method, "60")
    world.rate(world.zone("City", "560001-560099", priority=10), method, "40")
    assert amounts(world, pincode="560050") == [40]
    assert amounts(world, pincode="560100") == [60]
    assert amounts(world, pincode=DELHI) == [90]


def test_a_zone_of_states_takes_the_address_s_word_before_the_code_s(world: World) -> None:
    world.rate(world.zone("Karnataka", states=["29"]))
    assert len(offers(world, state="29", pincode=BENGALURU)) == 1
    assert len(offers(world, pincode=BENGALURU)) == 1  # most codes like it are Karnataka's
    assert offers(world, state="33", pincode=BENGALURU) == []
    assert offers(world, pincode=DELHI) == []


def test_a_zone_may_have_states_and_codes(world: World) -> None:
    world.rate(world.zone("Both", "110001", states=["29"]))
    assert all(offers(world, pincode=pincode) for pincode in (BENGALURU, DELHI))
    assert offers(world, pincode="110002") == []


def test_another_country_is_another_zone(world: World) -> None:
    world.rate(world.zone("Abroad", country="AE"))
    assert offers(world) == []


def test_an_inactive_zone_method_or_rate_is_not_there(world: World) -> None:
    rate = world.rate()
    for row in (rate, rate.method, rate.zone):
        row.active = False
        row.save()
        assert offers(world) == []
        row.active = True
        row.save()
        assert len(offers(world)) == 1


def test_zones_of_another_store_do_not_count(world: World, other_store: Store) -> None:
    World(other_store).rate(amount="5")
    assert offers(world) == []
    world.rate(amount="50")
    assert amounts(world) == [50]
    assert [rate.amount for rate in offers(World(other_store))] == [5]


def test_codes_that_cannot_be_read_serve_nobody(world: World) -> None:
    rate = world.rate(world.zone("Odd", "560001"))
    ShippingZone.objects.filter(pk=rate.zone_id).update(pincodes="nonsense")
    services.changed(store_id=world.store.pk)
    assert offers(world) == []


def test_methods_come_in_the_order_of_staff(world: World) -> None:
    for name, order in (("Third", 30), ("First", 10), ("Second", 20)):
        world.rate(method=world.method(name, sort_order=order))
    assert [rate.name for rate in offers(world)] == ["First", "Second", "Third"]


# --- carriers -------------------------------------------------------------------------------------------------------
COURIERS = [
    CourierOffer("c1", "Courier 1", Decimal(60), 2, "air", False, 4.5, False),
    CourierOffer("c2", "Courier 2", Decimal(45), 4),
]


def test_a_carrier_s_couriers_are_offered_with_what_the_store_adds(world: World) -> None:
    Couriers.answer = COURIERS
    world.rate(None, world.method("Courier", "carrier", carrier="fake"), "10")
    first, second = offers(world)
    assert (first.courier, first.courier_name, first.amount, first.days, first.mode) == (
        "c1",
        "Courier 1",
        70,
        2,
        "air",
    )
    assert (first.cash_on_delivery, second.cash_on_delivery) == (False, True)
    assert second.amount == 55 and first.method_id == second.method_id


def test_a_carrier_is_asked_once_for_all_parcels_and_remembered(world: World) -> None:
    Couriers.answer = COURIERS
    world.rate(None, world.method("Courier", "carrier", carrier="fake"), "0")
    world.rate(None, world.method("Same courier", "carrier", carrier="fake"), "5")
    pair = (parcel(100), parcel(200))
    assert len(offers(world, *pair)) == 4
    assert [len(asked) for asked in Couriers.asked] == [2]
    offers(world, *pair)
    assert len(Couriers.asked) == 1
    offers(world, parcel(100), parcel(300))
    assert [found.weight for found in Couriers.asked[-1]] == [300]


@pytest.mark.parametrize("trouble", [Unavailable(), TimeoutError(), KeyError("x"), ZeroDivisionError()])
def test_a_silent_carrier_leaves_the_other_methods(world: World, trouble: Exception) -> None:
    Couriers.answer = trouble
    world.rate(None, world.method("Courier", "carrier", carrier="fake"))
    world.rate(None, world.method("Flat", sort_order=1))
    silent, flat = offers(world)
    assert not silent.answered and flat.answered and flat.amount == 50
    Couriers.answer = COURIERS
    assert [rate.courier for rate in offers(world)] == ["c1", "c2", ""]  # asked again: a quick failure harms nobody


def test_a_carrier_that_kept_carts_waiting_is_left_alone_a_while(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = itertools.count(0, 2)  # two seconds go by with each look at the clock
    monkeypatch.setattr(carriers, "monotonic", lambda: next(moments))
    Couriers.answer = TimeoutError()
    world.rate(None, world.method("Courier", "carrier", carrier="fake"))
    for _again in range(3):
        assert [rate.answered for rate in offers(world)] == [False]
    assert len(Couriers.asked) == 1
    kernel.forget()
    Couriers.answer = COURIERS
    assert all(rate.answered for rate in offers(world))


@pytest.mark.parametrize("amount", ["-1", "NaN", "Infinity"])
def test_offers_that_are_no_amounts_are_passed_over(world: World, amount: str) -> None:
    Couriers.answer = [CourierOffer("bad", "Bad", Decimal(amount), 1), *COURIERS]
    world.rate(None, world.method("Courier", "carrier", carrier="fake"), "0")
    assert [rate.courier for rate in offers(world)] == ["c1", "c2"]


def test_answers_that_do_not_match_the_parcels_count_as_silence(world: World) -> None:
    Couriers.answer = None  # not a list at all
    world.rate(None, world.method("Courier", "carrier", carrier="fake"))
    assert [rate.answered for rate in offers(world)] == [False]


def test_a_carrier_that_nobody_configured_counts_as_silent(world: World) -> None:
    world.rate(None, world.method("Gone", "carrier", carrier="gone"))
    assert [rate.answered for rate in offers(world)] == [False]
    assert carriers.codes() == ["fake", "sandbox"]


def test_the_sandbox_says_the_same_every_time_and_nearby_is_special() -> None:
    sandbox, near = SandboxCarrier(), Place(country="IN", pincode="560034")
    first = sandbox.offers("demo", [parcel()], to=near)
    assert first == sandbox.offers("demo", [parcel()], to=near)
    assert [offer.hyperlocal for offer in first[0]] == [True, False, False, False]
    (far,) = sandbox.offers("demo", [parcel()], to=Place(country="IN", pincode=SRINAGAR))
    assert not any(offer.hyperlocal for offer in far)
    assert all(more.amount > less.amount for more, less in zip(far, first[0][1:], strict=True))
    (heavy,) = sandbox.offers("demo", [parcel(5000)], to=near)
    assert all(more.amount > less.amount for more, less in zip(heavy, first[0], strict=True))
    assert sandbox.offers("demo", [parcel()], to=Place(country="IN", pincode="560099")) == [[]]
    with pytest.raises(Unavailable):
        sandbox.offers("demo", [parcel()], to=Place(country="IN", pincode="560098"))


# --- rows -----------------------------------------------------------------------------------------------------------
def test_the_database_refuses_rates_that_make_no_sense(world: World) -> None:
    rate = world.rate()
    for wrong in (
        {"amount": Decimal(-1)},
        {"days": 3, "days_to": 2},
        {"further_step": Decimal(5)},
        {"further_step": Decimal(0), "further_amount": Decimal(5)},
        {"minimum_weight": 3, "maximum_weight": 2},
        {"minimum_value": Decimal(3), "maximum_value": Decimal(2)},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            ZoneRate.objects.filter(pk=rate.pk).update(**wrong)
        with pytest.raises(ValidationError):
            ZoneRate(
                store=world.store, zone=world.zone(f"Z{len(wrong)}{wrong}"[:80]), method=rate.method, **wrong
            ).full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        RateSlab.objects.create(store=world.store, rate=rate, up_to=Decimal(0), amount=Decimal(1))
    with pytest.raises(IntegrityError), transaction.atomic():
        ShippingMethod.objects.create(store=world.store, name="No carrier", kind="carrier")
    with pytest.raises(IntegrityError), transaction.atomic():
        ZoneRate.objects.create(store=world.store, zone=rate.zone, method=rate.method)


def test_codes_are_checked_when_a_zone_is_made_by_hand(world: World) -> None:
    with pytest.raises(ValidationError) as caught:
        ShippingZone(store=world.store, name="Odd", pincodes="560001, 99").full_clean()
    assert "99 is no PIN code" in str(caught.value.message_dict["pincodes"])


def test_a_store_with_rules_can_be_deleted(world: World) -> None:
    world.settings(free_shipping_threshold=Decimal(10))
    world.rate(slabs={"500": "49"}, method=world.method(kind="weight"))
    world.store.delete()
    assert not ShippingZone.objects.exists() and not DeliverySettings.objects.exists()


def test_every_change_gives_the_rules_another_version(world: World) -> None:
    rate = world.rate()
    versions = [DeliverySettings.objects.get(store=world.store).version]
    for write in (
        lambda: world.settings(auto_preference=True),
        lambda: RateSlab.objects.create(store=world.store, rate=rate, up_to=Decimal(5), amount=Decimal(5)),
        lambda: services.switch_zones(ids=[rate.zone_id], active=False),
        rate.delete,
    ):
        write()
        versions.append(DeliverySettings.objects.get(store=world.store).version)
    assert len(set(versions)) == 5


class TestZoneRates(ShippingRatesContract):
    """The default keeps its own contract: flat, by weight, and by a carrier."""

    @pytest.fixture(autouse=True)
    def _rules(self, world: World) -> None:
        Couriers.answer = COURIERS
        zone = world.zone("South", "56*")
        world.rate(zone, world.method("Flat"), days=1, days_to=3)
        world.rate(zone, world.method("Weight", "weight"), "0", {"5000": "70"})
        world.rate(zone, world.method("Courier", "carrier", carrier="fake"), "10")

    def rates(self) -> ZoneRates:
        return ZoneRates()

    def served(self) -> Place:
        return Place(country="IN", state="29", pincode=BENGALURU)

    def unserved(self) -> Place:
        return Place(country="IN", state="07", pincode=DELHI)

    def silence(self) -> None:
        Couriers.answer = TimeoutError()
        kernel.forget()
