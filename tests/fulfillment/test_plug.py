"""The plug: what can be delivered or collected, how, and how a wish becomes a preference."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from carts import rules as cart_rules
from fulfillment import wishes
from storefront import selectors as kernel
from storefront.contracts import Component, CourierOffer, Sku
from storefront.errors import DomainError, Invalid, Unavailable
from storefront.models import StockLocation
from storefront.pricing import Line
from tests.contract import assert_component, problems
from tests.fulfillment.conftest import BENGALURU, DELHI, MUMBAI, World, address
from tests.fulfillment.fakes import Couriers, Warehouses

pytestmark = pytest.mark.django_db


def assert_answers(operation: str, content: Any) -> None:
    assert not problems(operation, {"message": "m", "success": True, "content": content})


def refused(world: World, units: dict[Sku, int], wish: Any, **facts: Any) -> DomainError:
    facts.setdefault("shipping_address", address())
    with pytest.raises(DomainError) as caught:
        world.plug.preference(world.quote(units, **facts), wish)
    return caught.value


def check(world: World, wanted: dict[Sku, int], pincode: str | None = BENGALURU, kind: str | None = None) -> Any:
    found = world.plug.serviceability(world.store.pk, wanted, pincode=pincode, kind=kind, group_id=None)
    assert_answers("check-fulfillment", found)
    for item in found["unserviceable_items"]:
        assert_component("UnserviceableItem", item)
    assert found["is_serviceable"] == (not found["unserviceable_items"])
    return found


def short(found: Any) -> dict[str, tuple[int, int]]:
    rows = found["unserviceable_items"]
    return {row["product_id"]: (row["unserviceable_quantity"], row["max_available_quantity"]) for row in rows}


@pytest.fixture
def shop(world: World) -> StockLocation:
    """A shop in Mumbai that hands goods out and sends none."""
    facts = {"address_line1": "7 Road", "city": "Mumbai", "state": "Maharashtra"}
    return world.location("Fort", MUMBAI, can_deliver=False, can_collect=True, **facts)


# --- serviceability -------------------------------------------------------------------------------------------------
def test_what_a_zone_and_the_stock_allow_is_serviceable(world: World) -> None:
    world.rate(world.zone("South", "56*"))
    tea = world.put("TEA")
    assert check(world, {tea: 2})["is_serviceable"]
    assert short(check(world, {tea: 2}, DELHI)) == {"TEA": (2, 0)}


def test_what_is_short_is_named_with_how_many_there_are(world: World) -> None:
    world.rate()
    tea, cup = world.put("TEA", {world.main: 3}), world.put("CUP")
    assert short(check(world, {tea: 5, cup: 1})) == {"TEA": (2, 3)}


def test_what_nobody_knows_is_unserviceable_and_no_error(world: World) -> None:
    world.rate()
    tea = world.put("TEA", active=False)
    assert short(check(world, {Sku("NO-SUCH", "THING"): 2, tea: 1})) == {"NO-SUCH": (2, 0), "TEA": (1, 0)}


def test_a_parcel_too_heavy_for_every_method_is_unserviceable(world: World) -> None:
    world.rate(maximum_weight=1000)
    tea = world.put("TEA", weight=400)
    assert check(world, {tea: 2})["is_serviceable"]
    assert short(check(world, {tea: 3})) == {"TEA": (3, 0)}


def test_one_shipment_that_cannot_go_does_not_spoil_the_other(world: World) -> None:
    west = world.location("West", MUMBAI)
    world.rate(maximum_weight=1000)
    tea, pot = world.put("TEA", {world.main: 5}, weight=100), world.put("POT", {west: 5}, weight=3000)
    assert short(check(world, {tea: 2, pot: 1})) == {"POT": (1, 0)}


def test_without_a_code_collecting_is_meant(world: World, shop: StockLocation) -> None:
    tea, cup = world.put("TEA", {shop: 3}), world.put("CUP")
    assert check(world, {tea: 2}, None)["is_serviceable"]
    assert short(check(world, {tea: 5, cup: 1}, None)) == {"TEA": (2, 3), "CUP": (1, 0)}
    assert short(check(world, {tea: 1}, BENGALURU)) == {"TEA": (1, 0)}  # nothing is delivered
    assert check(world, {tea: 1}, BENGALURU, "collect-in-store")["is_serviceable"]


def test_shops_too_far_away_do_not_count(world: World, shop: StockLocation) -> None:
    tea = world.put("TEA", {shop: 3})
    world.settings(maximum_collect_kilometres=50)
    assert not check(world, {tea: 1}, BENGALURU, "collect-in-store")["is_serviceable"]
    assert check(world, {tea: 1}, MUMBAI, "collect-in-store")["is_serviceable"]
    assert check(world, {tea: 1}, None)["is_serviceable"]


def test_digital_goods_are_serviceable_everywhere(world: World) -> None:
    book = world.put("BOOK", product_type="digital")
    assert check(world, {book: 1}, DELHI)["is_serviceable"]
    assert check(world, {book: 1}, None)["is_serviceable"]


@pytest.mark.parametrize("pincode", ["12", "abcdef", "060001", "5600011", "५६०००१"])
def test_what_is_no_postal_code_is_refused_by_name(world: World, pincode: str) -> None:
    tea = world.put("TEA")
    for ask in (
        lambda: check(world, {tea: 1}, pincode),
        lambda: world.plug.options(world.quote({tea: 1}), pincode=pincode, kind=None),
        lambda: world.plug.older_options(world.quote({tea: 1}), pincode=pincode),
    ):
        with pytest.raises(Invalid) as caught:
            ask()
        assert set(caught.value.errors) == {"delivery_pincode"}


def test_delivery_needs_a_code(world: World) -> None:
    with pytest.raises(Invalid) as caught:
        check(world, {world.put("TEA"): 1}, None, "delivery")
    assert set(caught.value.errors) == {"delivery_pincode"}


@pytest.mark.parametrize("count", [1, 60])
def test_a_check_asks_the_catalogue_twice_at_most(world: World, shop: StockLocation, count: int) -> None:
    world.rate()
    wanted = {world.put(f"P{number}"): 1 for number in range(count)}
    check(world, wanted)
    Warehouses.asked.clear()
    Warehouses.asked_for_stock.clear()
    with CaptureQueriesContext(connection) as captured:
        check(world, wanted)
    assert len(captured) == 0
    assert (len(Warehouses.asked), len(Warehouses.asked_for_stock)) == (1, 1)


# --- options --------------------------------------------------------------------------------------------------------
def options(world: World, units: dict[Sku, int], pincode: str | None = BENGALURU, kind: str | None = None) -> Any:
    found = world.plug.options(world.quote(units), pincode=pincode, kind=kind)
    assert_answers("get-fulfillment-options", found)
    return found


def test_options_tell_both_ways(world: World, shop: StockLocation) -> None:
    world.settings(free_shipping_threshold=Decimal(5000))
    world.rate(days=2, days_to=4)
    tea = world.put("TEA", {world.main: 5, shop: 5})
    found = options(world, {tea: 2})
    assert found["summary"]["collect_available"] and found["summary"]["deliver_available"]
    assert found["summary"]["recommended_fulfillment_type"] == "delivery"
    (store,) = found["collect"]
    assert_component("CollectInStore", store)
    assert store == found["summary"]["recommended_store"]
    assert store["is_recommended"] and store["collect_eta_minutes"] == 120 and 800 < store["distance_km"] < 900
    assert store["address"]["country"] == "India" and store["address"]["country_code"] == "+91"
    deliver = found["deliver"]
    assert_component("DeliveryOption", deliver)
    assert deliver["is_serviceable"] and deliver["free_shipping_threshold"] == 5000
    (shipment,) = deliver["shipments"]
    (item,) = shipment["items"]
    assert_component("ShipmentItem", item)
    assert (item["product_id"], item["variant_id"], item["quantity"]) == ("TEA", "", 2)
    (method,) = shipment["shipping_methods"]
    assert method["shipping_type"] == "manual" and method["courier_companies"] == []
    assert (method["shipping_amount"], method["estimated_delivery_days"]) == ("50.00", "2-4")


def test_a_kind_leaves_the_other_part_out(world: World, shop: StockLocation) -> None:
    world.rate()
    tea = world.put("TEA", {world.main: 5, shop: 5})
    assert set(options(world, {tea: 1}, kind="delivery")) == {"summary", "deliver"}
    assert set(options(world, {tea: 1}, kind="collect-in-store")) == {"summary", "collect"}


def test_without_a_place_only_collecting_is_possible(world: World, shop: StockLocation) -> None:
    world.rate()
    tea = world.put("TEA", {world.main: 5, shop: 5})
    found = options(world, {tea: 1}, None)
    assert not found["summary"]["deliver_available"] and found["summary"]["collect_available"]
    assert found["summary"]["recommended_fulfillment_type"] == "collect-in-store"
    assert "distance_km" not in found["collect"][0]
    assert not found["deliver"]["is_serviceable"] and found["deliver"]["shipments"] == []


def test_the_nearest_shop_that_has_everything_is_recommended(world: World, shop: StockLocation) -> None:
    near = world.location("Near", BENGALURU, can_collect=True)
    other = world.location("Other", DELHI, can_collect=True)
    tea = world.put("TEA", {shop: 5, other: 5, near: 1})
    rows = options(world, {tea: 2})["collect"]
    assert [row["name"] for row in rows] == ["Fort", "Other"]  # the near one has only one
    assert [row["is_recommended"] for row in rows] == [True, False]
    assert options(world, {tea: 1})["collect"][0]["name"] == "Near"


def test_no_shop_and_no_way(world: World) -> None:
    found = options(world, {world.put("TEA"): 1})
    assert found["summary"] == {
        "collect_available": False,
        "deliver_available": False,
        "recommended_fulfillment_type": "delivery",
    }
    assert found["collect"] == [] and not found["deliver"]["is_serviceable"]


def test_couriers_are_shown_below_their_method(world: World) -> None:
    Couriers.answer = [
        CourierOffer("c1", "Courier 1", Decimal(60), 2, "air", False, 4.5),
        CourierOffer("c2", "Courier 2", Decimal(45), 4),
        CourierOffer("c3", "Courier 3", Decimal(45), 3),
    ]
    world.rate(None, world.method("Courier", "carrier", carrier="fake"), "0")
    found = options(world, {world.put("TEA"): 1})
    (method,) = found["deliver"]["shipments"][0]["shipping_methods"]
    assert method["shipping_type"] == "auto"
    assert (method["shipping_amount"], method["estimated_delivery_days"]) == ("45.00-60.00", "2-4")
    couriers = {row["id"]: row for row in method["courier_companies"]}
    assert [pk for pk, row in couriers.items() if row["is_recommended"]] == ["c3"]  # the cheapest, then the fastest
    assert couriers["c1"]["mode"] == "air" and couriers["c1"]["shipping_amount"] == 60


def test_a_cart_that_ships_free_is_shown_free(world: World) -> None:
    world.settings(free_shipping_threshold=Decimal(100))
    world.rate(method=world.method("Standard"))
    world.rate(method=world.method("Express", can_be_free=False))
    methods = options(world, {world.put("TEA"): 1})["deliver"]["shipments"][0]["shipping_methods"]
    assert {row["name"]: row["shipping_amount"] for row in methods} == {"Standard": "0.00", "Express": "50.00"}


def test_silent_carriers_are_left_out_while_there_is_another_way(world: World, shop: StockLocation) -> None:
    Couriers.answer = Unavailable()
    world.rate(None, world.method("Courier", "carrier", carrier="fake"))
    tea = world.put("TEA", {world.main: 5, shop: 5})
    for ask in (
        lambda: options(world, {tea: 1}),
        lambda: options(world, {tea: 1}, kind="delivery"),
        lambda: world.plug.older_options(world.quote({tea: 1}), pincode=BENGALURU),
    ):
        with pytest.raises(Unavailable):
            ask()
    assert options(world, {tea: 1}, kind="collect-in-store")["summary"]["collect_available"]
    world.rate(None, world.method("Flat"))
    methods = options(world, {tea: 1})["deliver"]["shipments"][0]["shipping_methods"]
    assert [row["name"] for row in methods] == ["Flat"]


def test_goods_are_not_split_where_staff_do_not_want_it(world: World) -> None:
    west = world.location("West", MUMBAI)
    world.rate()
    tea, cup = world.put("TEA", {world.main: 5}), world.put("CUP", {west: 5})
    assert len(options(world, {tea: 1, cup: 1})["deliver"]["shipments"]) == 2
    world.settings(split_shipments=False)
    assert not options(world, {tea: 1, cup: 1})["deliver"]["is_serviceable"]
    assert options(world, {cup: 1})["deliver"]["is_serviceable"]


def test_the_nearest_of_equal_places_sends_and_staff_s_order_comes_first(world: World) -> None:
    west, north = world.location("West", MUMBAI), world.location("North", DELHI)
    world.rate()
    tea = world.put("TEA", {west: 5, north: 5})

    def sender(pincode: str) -> Any:
        return next(iter(world.delivered({tea: 1}, shipping_address=address(pincode, "Delhi")).facts["allocations"]))

    assert (sender(DELHI), sender("400050")) == (north.pk, west.pk)
    north.sort_order = 5
    north.save()
    kernel.forget()
    assert sender(DELHI) == west.pk


def test_the_older_shape_has_one_list_of_methods_for_all_shipments(world: World, shop: StockLocation) -> None:
    west = world.location("West", MUMBAI)
    zone = world.zone()
    world.rate(zone, world.method("Both"), days=2, days_to=4)
    world.rate(zone, world.method("Light only"), maximum_weight=500)
    tea = world.put("TEA", {world.main: 5, shop: 9}, weight=100)
    pot = world.put("POT", {west: 5, shop: 9}, weight=900)
    found = world.plug.older_options(world.quote({tea: 1, pot: 1}), pincode=BENGALURU)
    assert_answers("get-shipping-fulfillment-options", found)
    (method,) = found["deliver"]["shipping_methods"]
    assert (method["name"], method["shipping_amount"], method["estimated_delivery_days"]) == ("Both", "100.00", "2-4")
    assert "address" not in found["collect"][0] and "address" not in found["summary"]["recommended_store"]


# --- preference -----------------------------------------------------------------------------------------------------
def wish_for(world: World, units: dict[Sku, int], **way: Any) -> dict[str, Any]:
    option = world.plug.options(world.quote(units), pincode=BENGALURU, kind="delivery")["deliver"]
    rows = [{"id": row["id"], **way} for row in option["shipments"]]
    return {"fulfillment_type": "delivery", "shipments": rows}


def test_a_wish_is_kept_with_names_and_nothing_that_the_client_made_up(world: World) -> None:
    rate = world.rate()
    tea = world.put("TEA")
    wish = wish_for(world, {tea: 1}, shipping_provider_id=rate.method_id, shipping_provider_name="Mine", price=0)
    kept = world.plug.preference(
        world.quote({tea: 1}, shipping_address=address()), {**wish, "preference_type": "auto", "free": True}
    )
    assert kept == {
        "fulfillment_type": "delivery",
        "preference_type": "user",
        "shipments": [
            {
                "id": wish["shipments"][0]["id"],
                "shipping_provider_id": rate.method_id,
                "shipping_provider_name": "Standard",
                "courier_company_id": None,
                "courier_company_name": None,
            }
        ],
    }


def test_a_courier_is_taken_or_the_best_one_chosen(world: World) -> None:
    Couriers.answer = [CourierOffer("c1", "One", Decimal(60), 2), CourierOffer("7", "Seven", Decimal(45), 4)]
    rate = world.rate(None, world.method("Courier", "carrier", carrier="fake"), "0")
    tea = world.put("TEA")
    quote = world.quote({tea: 1}, shipping_address=address())

    def chosen(courier: Any) -> Any:
        wish = wish_for(world, {tea: 1}, shipping_provider_id=rate.method_id, courier_company_id=courier)
        return world.plug.preference(quote, wish)["shipments"][0]["courier_company_name"]

    assert [chosen("c1"), chosen(None), chosen(""), chosen(7)] == ["One", "Seven", "Seven", "Seven"]
    wish = wish_for(world, {tea: 1}, shipping_provider_id=rate.method_id, courier_company_id="c9")
    error = refused(world, {tea: 1}, wish)
    assert (error.code, set(error.errors)) == ("courier_unavailable", {"shipments.0.courier_company_id"})
    Couriers.answer = Unavailable()
    kernel.forget()
    with pytest.raises(Unavailable):
        world.plug.preference(quote, wish)


def test_a_wish_that_cannot_be_granted_names_what_is_wrong(world: World, shop: StockLocation) -> None:
    rate = world.rate()
    tea = world.put("TEA", {world.main: 5, shop: 1})
    wish = wish_for(world, {tea: 2}, shipping_provider_id=rate.method_id)
    one = wish["shipments"][0]
    for changed, code, field in (
        (
            {"shipments": [{**one, "shipping_provider_id": "nobody"}]},
            "shipping_method_unavailable",
            "shipments.0.shipping_provider_id",
        ),
        ({"shipments": [{**one, "id": "unknown"}]}, "shipments_changed", "shipments"),
        ({"shipments": [one, {**one, "id": "second"}]}, "shipments_changed", "shipments"),
        ({"shipments": [one, one]}, "validation_error", "shipments.1.id"),
        ({"shipments": []}, "validation_error", "shipments"),
        ({"shipments": [{"id": one["id"]}]}, "validation_error", "shipments.0.shipping_provider_id"),
    ):
        error = refused(world, {tea: 2}, {**wish, **changed})
        assert (error.code, list(error.errors)) == (code, [field])
    assert refused(world, {tea: 2}, wish, shipping_address=None).code == "shipping_address_missing"
    far = world.quote({tea: 2}, shipping_address=address("990001", "Delhi") | {"country": "United Arab Emirates"})
    assert far.shipping_cost is None
    collect = {"fulfillment_type": "collect-in-store", "pickup_location_id": shop.pk}
    error = refused(world, {tea: 2}, collect)
    assert (error.code, set(error.errors)) == ("pickup_out_of_stock", {"pickup_location_id"})
    error = refused(world, {tea: 1}, {**collect, "pickup_location_id": world.main.pk})
    assert (error.code, set(error.errors)) == ("pickup_unavailable", {"pickup_location_id"})
    book = world.put("BOOK", product_type="digital")
    assert refused(world, {book: 1}, collect).code == "nothing_to_deliver"


def test_a_shop_of_another_store_is_as_unknown_as_any(world: World, other_store: Any) -> None:
    foreign = World(other_store).location("Foreign", MUMBAI, can_collect=True)
    tea = world.put("TEA")
    wish = {"fulfillment_type": "collect-in-store", "pickup_location_id": foreign.pk}
    unknown = {**wish, "pickup_location_id": "unknown"}
    one, other = refused(world, {tea: 1}, wish), refused(world, {tea: 1}, unknown)
    assert (one.code, str(one.message)) == (other.code, str(other.message)) == ("pickup_unavailable", str(one.message))


# --- part collected, part delivered ---------------------------------------------------------------------------------
def partial(shop: StockLocation, method_id: str, collect: dict[Sku, int], deliver: dict[Sku, int]) -> dict[str, Any]:
    def rows(units: dict[Sku, int]) -> list[dict[str, Any]]:
        return [{"product_id": sku.product_id, "variant_id": None, "quantity": count} for sku, count in units.items()]

    return {
        "fulfillment_type": "partial-collect-and-delivery",
        "collect-in-store": {"pickup_location_id": shop.pk, "items": rows(collect)},
        "delivery": {"shipping_provider_id": method_id, "items": rows(deliver)},
    }


def test_part_is_collected_and_the_rest_delivered(world: World, shop: StockLocation) -> None:
    rate = world.rate()
    tea, cup = world.put("TEA", {world.main: 5, shop: 1}), world.put("CUP", {world.main: 5})
    units = {tea: 2, cup: 1}
    wish = partial(shop, rate.method_id, {tea: 1}, {tea: 1, cup: 1})
    kept = world.plug.preference(world.quote(units, shipping_address=address()), wish)
    assert_component("FulfillmentPreference", kept)
    assert kept["collect-in-store"]["pickup_location_name"] == "Fort"
    assert kept["delivery"]["shipping_provider_name"] == "Standard"
    assert [row["product_name"] for row in kept["delivery"]["items"]] == ["Product TEA", "Product CUP"]
    quote = world.quote(units, shipping_address=address(), fulfillment=kept)
    assert quote.shipping_cost == 50 and not quote.refusals
    (shipment,) = quote.facts["shipments"]
    assert [(row["product_id"], row["quantity"]) for row in shipment["shipment_items"]] == [("TEA", 1), ("CUP", 1)]
    assert quote.facts["allocations"] == {shop.pk: {tea: 1}, world.main.pk: {tea: 1, cup: 1}}
    later = world.quote({tea: 3, cup: 1}, shipping_address=address(), fulfillment=kept)
    assert later.refusals["fulfillment"].code == "fulfillment_items_differ"
    assert later.shipping_cost is None


def test_what_is_collected_is_not_sent_from_the_same_shelf(world: World) -> None:
    both = world.location("Both", MUMBAI, can_collect=True)
    rate = world.rate()
    tea = world.put("TEA", {both: 2})
    kept = world.plug.preference(
        world.quote({tea: 2}, shipping_address=address()), partial(both, rate.method_id, {tea: 1}, {tea: 1})
    )
    quote = world.quote({tea: 2}, shipping_address=address(), fulfillment=kept)
    assert quote.facts["allocations"] == {both.pk: {tea: 2}}
    error = refused(world, {tea: 3}, partial(both, rate.method_id, {tea: 2}, {tea: 1}))
    assert error.code == "not_deliverable"


def test_a_shelf_gives_no_unit_both_alone_and_in_a_bundle(world: World) -> None:
    one, two = (world.location(name, MUMBAI, can_collect=True) for name in ("One", "Two"))
    rate = world.rate()
    cup = world.put("CUP", {one: 2, two: 2})
    pair = world.put("PAIR", {one: 1, two: 1}, product_type="bundle", components=(Component(cup, 2, 4),))
    units = {cup: 2, pair: 1}
    assert options(world, units)["collect"] == [], "either has enough for one of the two"
    assert check(world, units, None)["unserviceable_items"][0]["unserviceable_quantity"] == 2
    error = refused(world, units, {"fulfillment_type": "collect-in-store", "pickup_location_id": one.pk})
    assert error.code == "pickup_out_of_stock"
    sent = world.delivered(units)
    assert sent.facts["allocations"] == {one.pk: {pair: 1}, two.pk: {cup: 2}}
    kept = world.plug.preference(
        world.quote(units, shipping_address=address()), partial(one, rate.method_id, {pair: 1}, {cup: 2})
    )
    both = world.quote(units, shipping_address=address(), fulfillment=kept)
    assert both.facts["allocations"] == {one.pk: {pair: 1}, two.pk: {cup: 2}}
    error = refused(world, {cup: 3, pair: 1}, partial(one, rate.method_id, {pair: 1}, {cup: 3}))
    assert error.code == "not_deliverable"
    assert {cup, pair} <= set(Warehouses.asked_for_stock[-1])


@pytest.mark.parametrize(("collect", "deliver"), [(1, 2), (2, 2), (1, 1)])
def test_the_parts_must_add_up(world: World, shop: StockLocation, collect: int, deliver: int) -> None:
    rate = world.rate()
    tea = world.put("TEA", {world.main: 9, shop: 9})
    wish = partial(shop, rate.method_id, {tea: collect}, {tea: deliver})
    if collect + deliver == 3:
        assert world.plug.preference(world.quote({tea: 3}, shipping_address=address()), wish)
    else:
        assert refused(world, {tea: 3}, wish).code == "fulfillment_items_differ"


def test_gifts_move_too(world: World, shop: StockLocation) -> None:
    tea = world.put("TEA", {shop: 2})
    wish = {"fulfillment_type": "collect-in-store", "pickup_location_id": shop.pk}
    gift = Line(tea, 1, is_free_item=True, free_quantity=1)
    lines = [Line(tea, 2), gift]
    with pytest.raises(DomainError) as caught:
        world.plug.preference(world.quote(lines), wish)
    assert caught.value.code == "pickup_out_of_stock"
    assert world.plug.preference(world.quote([Line(tea, 1), gift]), wish)


# --- anything at all ------------------------------------------------------------------------------------------------
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
JSON = LEAF | st.lists(LEAF, max_size=2) | st.dictionaries(st.text(max_size=4), LEAF, max_size=2)
KIND = st.sampled_from(["delivery", "collect-in-store", "partial-collect-and-delivery"])
NAMES = st.sampled_from(["id", "shipping_provider_id", "courier_company_id", "items", "product_id", "quantity"])
ROW = st.dictionaries(NAMES, JSON, max_size=5)
PART = st.dictionaries(NAMES, JSON | st.lists(ROW, max_size=2), max_size=5)


@given(value=JSON)
def test_no_json_value_is_more_than_a_refusal(value: Any) -> None:
    with pytest.raises(Invalid):
        wishes.read(value)


@given(kind=KIND, shipments=JSON | st.lists(ROW, max_size=2), pickup=JSON, collect=JSON | PART, deliver=JSON | PART)
def test_no_wish_is_more_than_a_refusal(kind: str, shipments: Any, pickup: Any, collect: Any, deliver: Any) -> None:
    data = {
        "fulfillment_type": kind,
        "shipments": shipments,
        "pickup_location_id": pickup,
        "collect-in-store": collect,
        "delivery": deliver,
    }
    try:
        assert wishes.read(data).kind == kind
    except Invalid as error:
        assert len(error.errors) == 1


def test_a_quote_that_is_not_ready_says_so_once(world: World) -> None:
    world.rate()
    tea = world.put("TEA")
    kept = world.delivered({tea: 1}).fulfillment
    quote = world.quote({tea: 2}, shipping_address=address(), billing_address=address(), fulfillment=kept)
    assert [problem.code for problem in cart_rules.readiness(quote)] == ["shipments_changed"]
