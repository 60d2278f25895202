"""Staff's pages of delivery."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from fulfillment.models import DeliverySettings, RateSlab, ShippingZone, ZoneRate
from storefront import selectors as kernel
from storefront.contracts import CourierOffer, Place
from storefront.errors import Unavailable
from storefront.models import StockLocation
from tests.fulfillment.conftest import BENGALURU, DELHI, World
from tests.fulfillment.fakes import Couriers

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(admin_client: Any, configure: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A signed-in superuser whose second step is done."""
    monkeypatch.setattr("storefront.staff.access.second_factor_done", lambda request: True)
    return admin_client


def tried(staff: Any, **asked: Any) -> str:
    asked = {"store": "demo", "pincode": BENGALURU, "weight": "1.2", "value": "900"} | asked
    response = staff.get(reverse("admin:delivery-tester"), asked)
    assert response.status_code == 200
    return str(response.content.decode())


# --- the tester -----------------------------------------------------------------------------------------------------
def test_the_tester_tells_zone_and_price(staff: Any, world: World) -> None:
    zone = world.zone("South", "56*")
    world.rate(zone, world.method("By weight", "weight"), "0", {"1000": "69", "1500": "99"}, days=2, days_to=4)
    world.rate(zone, world.method("Light only"), maximum_weight=500)
    text = tried(staff)
    assert "Zone: South" in text
    for part in ("By weight", "₹99.00", "₹17.82", "₹116.82", "2 – 4"):
        assert part in text
    assert "Not offered: Light only" in text
    assert "No active zone holds this PIN code" in tried(staff, pincode=DELHI)


def test_the_tester_shows_couriers_and_who_is_silent(staff: Any, world: World) -> None:
    Couriers.answer = [CourierOffer("c1", "Courier 1", Decimal(60), 2)]
    world.rate(None, world.method("Courier", "carrier", carrier="fake"), "0")
    assert "Courier 1" in tried(staff)
    Couriers.answer = Unavailable()
    kernel.forget()
    assert "the carrier does not answer right now" in tried(staff)


def test_the_tester_strikes_out_what_ships_free(staff: Any, world: World) -> None:
    world.settings(free_shipping_threshold=Decimal(900))
    world.rate()
    assert "<s>₹59.00</s> free" in tried(staff)
    assert "<s>" not in tried(staff, value="899.99")


@pytest.mark.parametrize(
    "wrong",
    [{"pincode": "12"}, {"pincode": "<b>"}, {"weight": "-1"}, {"weight": "NaN"}, {"value": "x"}, {"store": "nobody"}],
)
def test_the_tester_takes_anything(staff: Any, world: World, wrong: dict[str, str]) -> None:
    world.rate()
    assert "Zone:" not in tried(staff, **wrong)


# --- zones and rates ------------------------------------------------------------------------------------------------
def zone_form(**facts: Any) -> dict[str, Any]:
    empty = {f"rates-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")}
    return {"name": "South", "priority": "10", "active": "on", "country": "IN", "pincodes": "", **empty, **facts}


def test_a_zone_is_made_with_its_rates(staff: Any, world: World) -> None:
    method = world.method()
    rate = {"rates-TOTAL_FORMS": "1", "rates-0-method": method.pk, "rates-0-active": "on", "rates-0-amount": "49"}
    sent = zone_form(states=["29", "33"], pincodes="110001\n400*", **rate)
    response = staff.post(reverse("admin:storefront_fulfillment_shippingzone_add"), sent)
    assert response.status_code == 302, response.context["errors"]
    zone = ShippingZone.objects.get()
    assert (zone.store_id, zone.states) == ("demo", ["29", "33"])
    assert ZoneRate.objects.get().amount == 49
    from fulfillment.rates import ZoneRates
    from tests.fulfillment.test_rates import parcel

    (found,) = ZoneRates().rates("demo", [parcel()], to=Place(country="IN", state="33", pincode="600001"))
    assert found[0].amount == 49


def test_codes_that_cannot_be_read_are_an_error_at_their_field(staff: Any, world: World) -> None:
    response = staff.post(reverse("admin:storefront_fulfillment_shippingzone_add"), zone_form(pincodes="560001, 99"))
    assert response.status_code == 200 and "99 is no PIN code" in response.content.decode()
    assert not ShippingZone.objects.exists()


def test_slabs_are_rows(staff: Any, world: World) -> None:
    rate = world.rate(None, world.method(kind="weight"), "0")
    sent = {
        "method": rate.method_id,
        "zone": rate.zone_id,
        "active": "on",
        "amount": "0",
        "slabs-TOTAL_FORMS": "2",
        "slabs-INITIAL_FORMS": "0",
        "slabs-MIN_NUM_FORMS": "0",
        "slabs-MAX_NUM_FORMS": "1000",
        "slabs-0-up_to": "500",
        "slabs-0-amount": "49",
        "slabs-1-up_to": "1000",
        "slabs-1-amount": "69",
    }
    address = reverse("admin:storefront_fulfillment_zonerate_change", args=[rate.pk])
    assert staff.post(address, sent).status_code == 302
    assert list(RateSlab.objects.values_list("up_to", "amount")) == [(500, 49), (1000, 69)]
    text = staff.get(reverse("admin:storefront_fulfillment_zonerate_changelist")).content.decode()
    assert "≤ 500 g: 49.00 · ≤ 1000 g: 69.00" in text
    wrong = {**sent, "further_step": "500", "days": "4", "days_to": "2"}
    response = staff.post(address, wrong)
    assert response.status_code == 200
    assert set(response.context["adminform"].form.errors) == {"further_amount", "days_to"}


def test_zones_are_switched_off_together_and_at_once(staff: Any, world: World) -> None:
    world.rate()
    zone = world.zone("Second", priority=200)
    world.rate(zone, world.method("Other"))
    assert "Zone: India" in tried(staff)
    sent = {"action": "switch_off", "_selected_action": list(ShippingZone.objects.values_list("pk", flat=True))}
    staff.post(reverse("admin:storefront_fulfillment_shippingzone_changelist"), sent)
    assert not ShippingZone.objects.filter(active=True).exists()
    assert "No active zone" in tried(staff)


def test_a_method_by_couriers_needs_a_carrier_and_others_have_none(staff: Any, world: World) -> None:
    address = reverse("admin:storefront_fulfillment_shippingmethod_add")
    empty = {f"rates-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")}
    sent = {"name": "Courier", "kind": "carrier", "sort_order": "0", "active": "on", "sac_code": "996812", **empty}
    response = staff.post(address, sent)
    assert response.status_code == 200 and "carrier" in response.context["adminform"].form.errors
    assert staff.post(address, {**sent, "carrier": "sandbox"}).status_code == 302
    assert staff.post(address, {**sent, "name": "Flat", "kind": "flat", "carrier": "sandbox"}).status_code == 302
    from fulfillment.models import ShippingMethod

    assert dict(ShippingMethod.objects.values_list("name", "carrier")) == {"Courier": "sandbox", "Flat": ""}


def test_the_settings_of_a_single_store_open_at_once(staff: Any, world: World) -> None:
    address = reverse("admin:storefront_fulfillment_deliverysettings_changelist")
    assert staff.get(address).url.endswith("/add/")
    assert not DeliverySettings.objects.exists()
    row = world.settings()
    assert staff.get(address).url.endswith(f"/{row.pk}/change/")


# --- locations ------------------------------------------------------------------------------------------------------
def location_form(**facts: Any) -> dict[str, Any]:
    return {
        "name": "Fort",
        "type": "store",
        "active": "on",
        "can_collect": "on",
        "sort_order": "0",
        "collect_minutes": "90",
        "address_line1": "7 Road",
        "city": "Mumbai",
        "state": "maharashtra",
        "pincode": "400 001",
        "country": "IN",
        **facts,
    }


def test_a_shop_to_collect_in_needs_an_address(staff: Any, world: World) -> None:
    address = reverse("admin:storefront_stocklocation_add")
    response = staff.post(address, location_form(address_line1="", pincode="12"))
    assert set(response.context["adminform"].form.errors) == {"address_line1", "pincode"}
    assert staff.post(address, location_form()).status_code == 302
    shop = StockLocation.objects.get(name="Fort")
    assert (shop.pincode, shop.state, shop.store_id) == ("400001", "Maharashtra", "demo")
    assert shop.pk in kernel.locations(store=world.store)


def test_another_location_becomes_the_default_and_there_is_always_one(
    staff: Any, world: World, django_capture_on_commit_callbacks: Any
) -> None:
    first, shop = world.main, world.location("Fort")
    address = reverse("admin:storefront_stocklocation_change", args=[shop.pk]).replace("/change/", "/make-default/")
    assert staff.get(address).status_code == 200
    assert kernel.default_location(store=world.store).pk == first.pk
    for _again in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            assert staff.post(address).status_code == 302
    assert list(StockLocation.objects.filter(is_default=True)) == [shop]
    assert kernel.default_location(store=world.store).pk == shop.pk
    assert (
        staff.post(reverse("admin:storefront_stocklocation_delete", args=[shop.pk]), {"post": "yes"}).status_code == 403
    )
    assert (
        staff.post(reverse("admin:storefront_stocklocation_delete", args=[first.pk]), {"post": "yes"}).status_code
        == 302
    )
    off = staff.post(reverse("admin:storefront_stocklocation_change", args=[shop.pk]), location_form(active=""))
    assert "active" in off.context["adminform"].form.errors
    assert list(StockLocation.objects.values_list("pk", "active")) == [(shop.pk, True)]


def test_an_inactive_location_cannot_be_the_default(staff: Any, world: World) -> None:
    closed = world.location("Closed", active=False)
    address = reverse("admin:storefront_stocklocation_change", args=[closed.pk]).replace("/change/", "/make-default/")
    assert staff.post(address).status_code == 400
    assert not StockLocation.objects.get(pk=closed.pk).is_default
