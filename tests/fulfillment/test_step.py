"""What delivery does to a quote: cost, tax, free shipping, shipments, and why a cart is not ready."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from carts import rules as cart_rules
from carts.tax import TaxShare, summary
from fulfillment import selectors
from fulfillment.models import ZoneRate
from fulfillment.steps import Shipping
from storefront import selectors as kernel
from storefront.claims import of_quote
from storefront.contracts import CourierOffer, Sku
from storefront.errors import Unavailable
from storefront.models import StockLocation
from storefront.pricing import THRESHOLD, Line, Quote
from tests.contract import assert_component
from tests.fulfillment.conftest import BENGALURU, DELHI, MUMBAI, World, address
from tests.fulfillment.fakes import Couriers, Warehouses

pytestmark = pytest.mark.django_db


def codes(quote: Quote) -> list[str]:
    """What keeps the cart from being paid, less the billing address, which these tests leave out."""
    return [problem.code for problem in cart_rules.readiness(quote) if problem.code != "address_missing"]


def test_a_chosen_method_costs_what_its_zone_says_with_tax(world: World) -> None:
    world.rate(amount="50", days=2, days_to=4)
    quote = world.delivered({world.put("TEA"): 2})
    assert quote.shipping_cost == 50
    assert (quote.shipping_tax, quote.shipping_tax_rate) == (Decimal("9.00"), 18)
    assert (quote.shipping_discount, quote.shipping_discount_source) == (0, "")
    totals = quote.totals()
    assert totals.grand_total == Decimal("295.00")  # 236 + 50 + 9
    assert totals.total_tax == Decimal("45.00")
    assert quote.facts["estimated_delivery_days"] == 4
    assert not quote.problems and not quote.refusals
    (shipment,) = quote.facts["shipments"]
    assert_component("CartShipment", shipment)
    assert shipment["shipping_amount_including_tax"] == 59.0
    assert shipment["shipping_provider_name"] == "Standard" and shipment["courier_company_id"] is None
    assert_component("FulfillmentPreference", quote.fulfillment)


def test_the_rate_of_the_method_wins_over_that_of_the_settings(world: World) -> None:
    world.settings(shipping_tax_rate=Decimal(5))
    tea = world.put("TEA")
    first = world.rate(method=world.method("Plain"))
    assert world.delivered({tea: 1}).shipping_tax == Decimal("2.50")
    special = world.method("Special", tax_rate=Decimal(12), sort_order=-1)
    world.rate(first.zone, special)
    assert world.delivered({tea: 1}, special.pk).shipping_tax == Decimal("6.00")


def test_tax_is_rounded_once_for_each_shipment(world: World) -> None:
    world.rate(amount="33.33")
    assert world.delivered({world.put("TEA"): 1}).shipping_tax == Decimal("6.00")  # 5.9994


def test_nothing_is_known_before_a_way_is_chosen(world: World) -> None:
    world.rate()
    world.settings(free_shipping_threshold=Decimal(5000))
    quote = world.quote({world.put("TEA"): 1}, shipping_address=address())
    assert quote.shipping_cost is None and quote.shipping_tax == 0
    assert "shipments" not in quote.facts and "allocations" not in quote.facts
    assert quote.facts["free_shipping_threshold"] == 5000.0
    assert not quote.problems


# --- free shipping (D-24) -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("threshold", "free"), [("236.00", True), ("235.99", True), ("236.01", False)])
def test_the_threshold_counts_the_items_with_tax_to_the_last_paisa(world: World, threshold: str, free: bool) -> None:
    world.settings(free_shipping_threshold=Decimal(threshold))
    world.rate(amount="50")
    quote = world.delivered({world.put("TEA"): 2})
    assert quote.shipping_cost == 50
    assert quote.shipping_discount == (50 if free else 0)
    assert quote.shipping_discount_source == (THRESHOLD if free else "")
    assert quote.shipping_tax == (0 if free else 9)
    assert quote.facts["shipments"][0]["shipping_amount"] == (0 if free else 50)


def test_the_threshold_counts_what_is_left_after_discounts(world: World) -> None:
    world.settings(free_shipping_threshold=Decimal(236))
    world.rate()
    quote = world.delivered({world.put("TEA"): 2})
    step = Shipping()
    line = quote.lines[0]._replace(net=Decimal("199.99"))
    cheaper = quote._replace(lines=(line,), shipping_discount=Decimal(0), shipping_discount_source="")
    assert step.apply(cheaper, step.gather(cheaper)).shipping_discount == 0


def test_tax_on_top_counts_towards_the_threshold(world: World) -> None:
    world.settings(free_shipping_threshold=Decimal(118))
    world.rate()
    tea = world.put("TEA", price="100", price_including_tax=False)
    assert world.delivered({tea: 1}).shipping_discount_source == THRESHOLD


def test_a_source_of_promotions_or_coupon_comes_before_the_threshold(world: World) -> None:
    world.settings(free_shipping_threshold=Decimal(1))
    world.rate()
    quote = world.delivered({world.put("TEA"): 1}, free_shipping=("promotion:P1", "coupon:C1"))
    assert quote.shipping_discount == 50 and quote.shipping_discount_source == "promotion:P1"
    assert quote.totals().promotion_savings == 50


def test_a_method_that_cannot_be_free_costs_all_the_same(world: World) -> None:
    world.settings(free_shipping_threshold=Decimal(1))
    world.rate(method=world.method("Express", can_be_free=False))
    quote = world.delivered({world.put("TEA"): 1})
    assert (quote.shipping_discount, quote.shipping_discount_source, quote.shipping_tax) == (0, "", 9)


# --- several shipments ----------------------------------------------------------------------------------------------
@pytest.fixture
def two_places(world: World) -> tuple[Sku, Sku]:
    """Tea lies in the default location, cups in Mumbai."""
    west = world.location("West", MUMBAI)
    world.rate(amount="50")
    return world.put("TEA", {world.main: 5}), world.put("CUP", {west: 5})


def test_each_location_sends_its_own_shipment_and_they_add_up(world: World, two_places: tuple[Sku, Sku]) -> None:
    quote = world.delivered(dict.fromkeys(two_places, 2))
    shipments = quote.facts["shipments"]
    assert len(shipments) == 2 and len({row["id"] for row in shipments}) == 2
    assert quote.shipping_cost == 100 and quote.shipping_tax == 18
    assert sum(row["shipping_amount_including_tax"] for row in shipments) == 118
    assert sorted(row["shipment_items"][0]["product_id"] for row in shipments) == ["CUP", "TEA"]
    for row in shipments:
        assert_component("CartShipment", row)
    west = Warehouses.lies[two_places[1]]
    assert quote.facts["allocations"] == {world.main.pk: {two_places[0]: 2}, next(iter(west)): {two_places[1]: 2}}


def test_an_order_claims_the_stock_of_the_locations_that_send(world: World, two_places: tuple[Sku, Sku]) -> None:
    quote = world.delivered(dict.fromkeys(two_places, 2))
    keys = {claim.key: claim.amount for claim in of_quote(quote, owner="order")}
    west = next(iter(Warehouses.lies[two_places[1]]))
    assert keys == {f"TEA||{world.main.pk}": 2, f"CUP||{west}": 2}


def test_methods_with_different_tax_show_the_rate_of_all_together(world: World, two_places: tuple[Sku, Sku]) -> None:
    cheap = world.method("Cheap", tax_rate=Decimal(0))
    world.rate(method=cheap, amount="50")
    units = dict.fromkeys(two_places, 1)
    option = world.plug.options(world.quote(units), pincode=BENGALURU, kind=None)["deliver"]
    names = {row["name"]: row["id"] for row in option["shipments"][0]["shipping_methods"]}
    rows = [
        {"id": shipment["id"], "shipping_provider_id": method}
        for shipment, method in zip(option["shipments"], (names["Cheap"], names["Standard"]), strict=True)
    ]
    wish = {"fulfillment_type": "delivery", "shipments": rows}
    quote = world.quote(units, shipping_address=address(), fulfillment=wish)
    assert (quote.shipping_tax, quote.shipping_tax_rate) == (9, Decimal("9.00"))
    quote = quote._replace(facts={**quote.facts, "tax_parts": (), "handling_tax_parts": ()})
    assert summary(quote) == [TaxShare("IGST", Decimal(18), Decimal("9.00"))]  # at no rate but those of the methods


@pytest.mark.parametrize(
    ("state", "parts"), [("Karnataka", {"CGST", "SGST"}), ("Maharashtra", {"IGST"}), ("Tamil Nadu", {"IGST"})]
)
def test_what_is_collected_is_taxed_in_the_state_of_the_shop(world: World, state: str, parts: set[str]) -> None:
    StockLocation.objects.filter(store=world.store, is_default=True).update(state="Karnataka", pincode=BENGALURU)
    shop = world.location("Fort shop", MUMBAI, state="Maharashtra", can_collect=True)
    world.rate()
    tea = world.put("TEA", {world.main: 5, shop: 5})
    home = address(state=state)
    assert {share.name for share in summary(world.quote({tea: 2}, shipping_address=home))} == parts
    wish = {"fulfillment_type": "collect-in-store", "pickup_location_id": shop.pk}
    quote = world.quote({tea: 2}, shipping_address=home, billing_address=home, fulfillment=wish)
    assert [(share.name, share.amount) for share in summary(quote)] == [("CGST", 18), ("SGST", 18)]
    gone = world.quote({tea: 2}, shipping_address=home, fulfillment=wish | {"pickup_location_id": "GONE"})
    assert {share.name for share in summary(gone)} == parts


def test_a_line_that_two_places_send_is_divided(world: World) -> None:
    west = world.location("West", MUMBAI)
    world.rate()
    tea = world.put("TEA", {world.main: 2, west: 3})
    lines = [Line(tea, 4), Line(tea, 1, is_free_item=True, free_quantity=1)]
    option = world.plug.options(world.quote(lines), pincode=BENGALURU, kind="delivery")["deliver"]
    items = [item for row in option["shipments"] for item in row["items"]]
    assert sorted((item["quantity"], item["free_quantity"], item["is_free_item"]) for item in items) == [
        (1, 0, False),
        (1, 1, True),  # the gift goes with what the second place sends
        (3, 0, False),
    ]


# --- stable ids (D-45) ----------------------------------------------------------------------------------------------
def ids(world: World, units: dict[Sku, int], pincode: str = BENGALURU, cart_id: str = "CART") -> list[str]:
    quote = world.quote(units, cart_id=cart_id)
    option = world.plug.options(quote, pincode=pincode, kind="delivery")["deliver"]
    return [row["id"] for row in option["shipments"]]


def test_shipment_ids_stay_until_the_lines_change(world: World, two_places: tuple[Sku, Sku]) -> None:
    tea, cup = two_places
    before = ids(world, {tea: 1, cup: 1})
    assert all(len(pk) == 26 for pk in before)
    assert ids(world, {cup: 1, tea: 1}) == before
    after = ids(world, {tea: 2, cup: 1})
    assert len(set(before) & set(after)) == 1  # the cups' shipment is what it was
    assert not set(ids(world, {tea: 1, cup: 1}, cart_id="OTHER")) & set(before)


def test_a_preference_of_other_lines_counts_no_more_and_says_so(world: World) -> None:
    world.rate()
    tea = world.put("TEA")
    kept = world.delivered({tea: 1}).fulfillment
    quote = world.quote({tea: 2}, shipping_address=address(), fulfillment=kept)
    assert quote.shipping_cost is None
    assert quote.refusals["fulfillment"].code == "shipments_changed"
    assert codes(quote) == ["shipments_changed"]
    assert "choose the delivery again" in cart_rules.problem_text(cart_rules.readiness(quote)[-1])
    assert quote.fulfillment == kept  # still shown


def test_a_method_that_the_new_address_has_too_goes_on_at_its_price_there(world: World) -> None:
    method = world.method()
    world.rate(world.zone("South", "56*", priority=1), method, "50")
    world.rate(world.zone("Rest"), method, "90")
    tea = world.put("TEA")
    kept = world.delivered({tea: 1}).fulfillment
    quote = world.quote({tea: 1}, shipping_address=address(DELHI, "Delhi"), fulfillment=kept)
    assert quote.shipping_cost == 90 and not quote.problems


def test_a_zone_that_is_gone_makes_the_cart_wait(world: World) -> None:
    rate = world.rate()
    tea = world.put("TEA")
    kept = world.delivered({tea: 1}).fulfillment
    rate.zone.delete()
    quote = world.quote({tea: 1}, shipping_address=address(), fulfillment=kept)
    assert codes(quote) == ["not_deliverable"] and quote.shipping_cost is None


def test_a_method_that_is_switched_off_makes_the_cart_wait(world: World) -> None:
    rate = world.rate(method=world.method("Old"))
    world.rate(rate.zone, world.method("New"))
    tea = world.put("TEA")
    kept = world.delivered({tea: 1}, rate.method_id).fulfillment
    rate.method.active = False
    rate.method.save()
    quote = world.quote({tea: 1}, shipping_address=address(), fulfillment=kept)
    assert codes(quote) == ["shipping_method_unavailable"]


def test_stock_that_no_sender_has_is_named(world: World) -> None:
    shop = world.location("Shop", MUMBAI, can_deliver=False, can_collect=True)
    world.rate()
    tea = world.put("TEA", {world.main: 1, shop: 9})
    kept = world.delivered({tea: 1}).fulfillment
    quote = world.quote({tea: 2}, shipping_address=address(), fulfillment=kept)
    assert codes(quote) == ["not_deliverable"]
    assert "Product TEA" in str(quote.refusals["fulfillment"].message)


def test_delivery_without_an_address_is_neither_priced_nor_refused(world: World) -> None:
    world.rate()
    tea = world.put("TEA")
    kept = world.delivered({tea: 1}).fulfillment
    quote = world.quote({tea: 1}, fulfillment=kept)
    assert quote.shipping_cost is None and not quote.problems and not quote.refusals


@pytest.mark.parametrize("kept", [{}, {"fulfillment_type": "pigeon"}, {"fulfillment_type": "delivery", "shipments": 7}])
def test_a_wish_that_cannot_be_read_is_refused_not_raised(world: World, kept: dict[str, Any]) -> None:
    world.rate()
    quote = world.quote({world.put("TEA"): 1}, shipping_address=address(), fulfillment=kept)
    assert codes(quote) == ["validation_error"]


# --- collecting -----------------------------------------------------------------------------------------------------
def test_collecting_costs_nothing_and_that_is_known(world: World) -> None:
    shop = world.location("Shop", MUMBAI, can_collect=True)
    tea = world.put("TEA", {shop: 3, world.main: 9})
    wish = {"fulfillment_type": "collect-in-store", "pickup_location_id": shop.pk}
    quote = world.quote({tea: 2}, fulfillment=wish)
    assert (quote.shipping_cost, quote.shipping_tax, quote.shipping_discount) == (0, 0, 0)
    assert quote.facts["shipments"] == []
    assert quote.facts["allocations"] == {shop.pk: {tea: 2}}
    assert quote.fulfillment is not None and quote.fulfillment["pickup_location_name"] == "Shop"
    assert_component("FulfillmentPreference", quote.fulfillment)
    later = world.quote({tea: 4}, fulfillment=quote.fulfillment)
    assert codes(later) == ["pickup_out_of_stock"] and later.shipping_cost is None


def test_a_shop_that_closed_makes_the_cart_wait(world: World) -> None:
    shop = world.location("Shop", MUMBAI, can_collect=True)
    tea = world.put("TEA", {shop: 3, world.main: 3})
    wish = {"fulfillment_type": "collect-in-store", "pickup_location_id": shop.pk}
    shop.can_collect = False
    shop.save()
    assert codes(world.quote({tea: 1}, fulfillment=wish)) == ["pickup_unavailable"]


# --- digital goods (D-46) -------------------------------------------------------------------------------------------
def test_digital_goods_are_not_sent(world: World) -> None:
    world.rate()
    book = world.put("BOOK", product_type="digital")
    alone = world.quote({book: 1}, shipping_address=address())
    assert alone.shipping_cost is None and not alone.problems
    assert cart_rules.readiness(alone) == ()
    both = world.delivered({book: 1, world.put("TEA"): 1})
    assert [item["product_id"] for row in both.facts["shipments"] for item in row["shipment_items"]] == ["TEA"]
    assert all(book not in units for units in both.facts["allocations"].values())


# --- chosen for the shopper -----------------------------------------------------------------------------------------
def test_the_cheapest_then_the_fastest_is_chosen_where_staff_want_it(world: World) -> None:
    world.settings(auto_preference=True)
    zone = world.zone()
    for name, amount, days in (("Slow", "40", 6), ("Quick", "40", 2), ("Dear", "90", 1)):
        world.rate(zone, world.method(name), amount, days=days)
    quote = world.quote({world.put("TEA"): 1}, shipping_address=address())
    assert quote.fulfillment is not None
    assert quote.fulfillment["preference_type"] == "auto"
    assert quote.fulfillment["shipments"][0]["shipping_provider_name"] == "Quick"
    assert quote.shipping_cost == 40 and not quote.problems
    assert_component("FulfillmentPreference", quote.fulfillment)


def test_nothing_is_chosen_without_an_address_or_the_setting(world: World) -> None:
    world.rate()
    tea = world.put("TEA")
    assert world.quote({tea: 1}, shipping_address=address()).fulfillment is None
    world.settings(auto_preference=True)
    assert world.quote({tea: 1}).fulfillment is None
    assert world.quote({tea: 1}, shipping_address=address()).fulfillment is not None


def test_what_the_shopper_chose_stays_while_it_can(world: World) -> None:
    world.settings(auto_preference=True)
    world.rate(method=world.method("Cheap"), amount="10")
    dear = world.method("Dear")
    world.rate(method=dear, amount="90")
    tea = world.put("TEA")
    quote = world.delivered({tea: 1}, dear.pk)
    assert quote.fulfillment is not None
    assert quote.shipping_cost == 90 and quote.fulfillment["preference_type"] == "user"
    changed = world.quote({tea: 2}, shipping_address=address(), fulfillment=quote.fulfillment)
    assert changed.fulfillment is not None
    assert changed.shipping_cost == 10 and changed.fulfillment["preference_type"] == "auto"
    assert not changed.problems and not changed.refusals


# --- when rates cannot be had ---------------------------------------------------------------------------------------
OFFERS = [CourierOffer("c1", "Courier 1", Decimal(60), 2), CourierOffer("c2", "Courier 2", Decimal(45), 4)]


@pytest.mark.parametrize("trouble", [Unavailable(), TimeoutError(), ValueError("odd")])
def test_a_cart_can_be_read_while_its_carrier_is_silent(world: World, trouble: Exception) -> None:
    world.rate(method=world.method("Carrier", "carrier", carrier="fake"), amount="0")
    Couriers.answer = OFFERS
    tea = world.put("TEA")
    kept = world.delivered({tea: 1}).fulfillment
    assert kept is not None and kept["shipments"][0]["courier_company_id"] == "c2"  # the cheapest
    Couriers.answer = trouble
    kernel.forget()
    quote = world.quote({tea: 1}, shipping_address=address(), fulfillment=kept)
    assert quote.shipping_cost is None and quote.shipping_tax == 0
    assert codes(quote) == ["shipping_unavailable"]
    assert "cannot tell what delivery costs" in cart_rules.problem_text(quote.problems[0])
    assert quote.fulfillment is not None and not quote.refusals


def test_a_defect_in_a_rates_plug_does_not_break_the_cart(world: World, configure: Any) -> None:
    world.rate()
    tea = world.put("TEA")
    kept = world.delivered({tea: 1}).fulfillment
    configure(SHIPPING_RATES="tests.fulfillment.fakes.BrokenRates")
    quote = world.quote({tea: 1}, shipping_address=address(), fulfillment=kept)
    assert codes(quote) == ["shipping_unavailable"] and quote.shipping_cost is None


def test_amounts_of_another_rates_plug_are_rounded_like_money(world: World, configure: Any) -> None:
    configure(SHIPPING_RATES="tests.fulfillment.fakes.OddRates")
    assert world.delivered({world.put("TEA"): 1}).shipping_cost == Decimal("10.01")


# --- statements -----------------------------------------------------------------------------------------------------
def statements(quote: Quote) -> int:
    """What the step alone asks the database, the catalogue's stock aside."""
    Warehouses.asked_for_stock.clear()
    step = Shipping()
    with CaptureQueriesContext(connection) as captured:
        step.apply(quote, step.gather(quote))
    return len(captured)


@pytest.mark.parametrize("count", [1, 50, 250])
def test_delivery_adds_the_same_few_queries_however_many_lines(world: World, count: int) -> None:
    west = world.location("West", MUMBAI)
    world.rate()
    skus = [world.put(f"P{number}", {world.main: 5, west: 5}) for number in range(count)]
    quote = world.delivered(dict.fromkeys(skus, 1))
    assert quote.shipping_cost == 50
    assert statements(quote) == 0
    assert len(Warehouses.asked_for_stock) == 1
    selectors._believed.drop()
    assert statements(quote) == 1  # the version of the rules, every few seconds


def test_where_all_stock_lies_in_one_place_nobody_is_asked_for_it(world: World) -> None:
    world.rate()
    quote = world.delivered({world.put("TEA"): 1})
    assert statements(quote) == 0
    assert not Warehouses.asked_for_stock


def test_a_plain_cart_costs_a_look_at_the_rules_every_few_seconds(world: World) -> None:
    world.settings(free_shipping_threshold=Decimal(10))
    world.location("West", MUMBAI)
    quote = world.quote({world.put("TEA"): 1})
    assert quote.facts["free_shipping_threshold"] == 10
    assert statements(quote) == 0
    selectors._believed.drop()
    assert statements(quote) == 1
    assert not Warehouses.asked_for_stock


def test_rules_are_believed_a_while_and_read_anew_once_somebody_says_that_they_changed(world: World) -> None:
    rate = world.rate()
    tea = world.put("TEA")
    kept = world.delivered({tea: 1}).fulfillment
    ZoneRate.objects.filter(pk=rate.pk).update(amount=70)  # past the signals: nobody was told
    assert world.quote({tea: 1}, shipping_address=address(), fulfillment=kept).shipping_cost == 50
    rate.refresh_from_db()
    rate.save()
    assert world.quote({tea: 1}, shipping_address=address(), fulfillment=kept).shipping_cost == 70
