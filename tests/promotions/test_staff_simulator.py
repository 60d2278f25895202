"""The simulator prices a sample cart like a real one, tries drafts, and writes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from fulfillment.models import ShippingMethod, ShippingZone, ZoneRate
from promotions import panels as offer_panels
from promotions import services
from promotions.admin import simulation
from promotions.models import Code, Offer, OfferUse
from storefront import panels
from storefront.contracts import Sku
from storefront.plugs import plug_list
from storefront.pricing import Line, Quote

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", "anna@example.com", "x"))
    return client


def _ask(staff: Client, *products: tuple[str, str], **wishes: str) -> Any:
    sent = {"store": "demo", "lines-TOTAL_FORMS": "3", "lines-INITIAL_FORMS": "0"} | wishes
    for number, (name, quantity) in enumerate(products):
        sent |= {f"lines-{number}-product": name, f"lines-{number}-quantity": quantity}
    return staff.get(reverse("admin:promotions-simulator"), sent)


def test_a_cart_is_priced_as_carts_are_and_each_step_is_shown(staff, shop, offer, till):
    offer("promotion")
    offer("coupon", details={"discount_type": "fixed-amount", "fixed_discount_amount": 5}, combinable=True)
    page = _ask(staff, ("TEA", "2"), ("CUP", ""), coupon="save")
    found = page.context["found"]
    assert found.quote.totals() == till(TEA=2, CUP=1, coupon="SAVE").totals()
    assert len(found.steps) == len(plug_list("PRICING_STEPS"))
    promotions = found.steps[1]
    assert {line.name for line in promotions.lines} == {"Tea", "Cup"}
    assert any(cell.changed for line in promotions.lines for cell in line.cells)
    assert [verdict.applied for verdict, _page in page.context["applied"]] == [True, True]
    assert not OfferUse.objects.exists()
    assert {row.use_count for row in Code.objects.all()} == {0}


def test_a_draft_is_tried_as_if_it_were_live_and_stays_a_draft(staff, store, shop, offer, till):
    made = offer("promotion", live=False)
    before = list(Offer.objects.values())
    page = _ask(staff, ("TEA", "1"), trial=made.pk)
    assert page.context["found"].quote.totals().promotion_discount == 10
    verdict = page.context["applied"][0][0]
    assert (verdict.applied, verdict.on_trial) == (True, True)
    assert list(Offer.objects.values()) == before
    assert till(TEA=1).totals().promotion_discount == 0, "what was tried is live nowhere else"
    assert _ask(staff, ("TEA", "1")).context["found"].quote.totals().promotion_discount == 0


def test_a_draft_coupon_needs_no_code_and_says_why_it_does_not_count(staff, shop, offer):
    made = offer("coupon", live=False, codes=[], minimum_order_total=500)
    page = _ask(staff, ("TEA", "1"), trial=made.pk)
    assert page.context["found"].quote.totals().coupon_discount == 0
    verdict = page.context["applied"][0][0]
    assert not verdict.applied
    assert "Spend ₹400.00 more." in verdict.why
    page = _ask(staff, ("POT", "1"), trial=made.pk)
    assert page.context["found"].quote.totals().coupon_discount == 100


def test_refusals_and_problems_are_told_in_words(staff, store, shop):
    text = _ask(staff, ("TEA", "1"), coupon="NOPE", points="50").content.decode()
    assert "There is no such coupon." in text
    assert "Choose a product first." in _ask(staff).content.decode()


@pytest.mark.parametrize(
    "wishes",
    [
        {"store": "none"},
        {"trial": "none"},
        {"points": "1e400"},
        {"credit": "NaN"},
        {"moment": "yesterday"},
        {"lines-TOTAL_FORMS": "9999999"},
        {"lines-TOTAL_FORMS": "x"},
        {"lines-0-quantity": "-1"},
        {"pincode": "x" * 500},
        {"coupon": "x" * 500},
    ],
)
def test_nonsense_is_no_failure(staff, store, shop, wishes):
    assert _ask(staff, ("TEA", "1"), **wishes).status_code == 200


def test_a_step_on_trial_leaves_the_shop_s_own_step_alone(store, shop, offer):
    made = offer("promotion", live=False)
    from promotions import rulebook

    live = rulebook.compiled(made)
    quote = Quote(store_id=store.pk, currency=store.currency, now=timezone.now(), lines=(Line(Sku("TEA"), 1),))
    assert simulation.simulate(quote, trial=live).quote.totals().discount == 10
    assert simulation.simulate(quote).quote.totals().discount == 0


# --- codes ----------------------------------------------------------------------------------------------------------
def test_codes_are_typed_made_downloaded_and_deleted(staff, store, offer):
    made = offer("coupon", codes=["=SUM(A1)"])
    address = reverse("admin:promotions-codes", args=[made.pk])
    assert staff.post(address, {"do": "type", "texts": "ONE\n TWO \n"}).status_code == 302
    assert "in use already" in staff.post(address, {"do": "type", "texts": "one"}).content.decode()
    sent = {"do": "make", "name": "Mail", "count": "30", "beginning": "DIW-", "length": "8"}
    assert staff.post(address, sent).status_code == 302
    assert Code.objects.filter(text__startswith="DIW-").count() == 30
    assert staff.post(address, sent | {"beginning": "a b"}).status_code == 200
    assert "Mail" in staff.get(address).content.decode()
    answer = staff.get(reverse("admin:promotions-codes-file", args=[made.pk]))
    assert answer.streaming
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert len(lines) == 34
    assert lines[1].startswith("'=SUM(A1)"), "a spreadsheet must not run it"
    used, free = Code.objects.get(text="ONE"), Code.objects.get(text="TWO")
    OfferUse.objects.create(store=store, offer=made, code=used, owner="order", saving=1, revenue=1)
    staff.post(address, {"do": "delete", "code": [used.pk, free.pk]})
    assert set(Code.objects.filter(batch=None).values_list("text", flat=True)) == {"=SUM(A1)", "ONE"}
    staff.post(address, {"do": "delete", "batch": Code.objects.exclude(batch=None)[0].batch_id})
    assert not Code.objects.exclude(batch=None).exists()


def test_codes_of_a_coupon_cost_the_same_however_many(staff, offer):
    made = offer("coupon", codes=["ONE", "TWO"])
    services.generate_codes(store=made.store, offer_id=made.pk, count=2, name="A")
    address = reverse("admin:promotions-codes", args=[made.pk])
    staff.get(address)
    with CaptureQueriesContext(connection) as few:
        staff.get(address)
    services.add_codes(store=made.store, offer_id=made.pk, codes=[f"WORD{number}" for number in range(30)])
    services.generate_codes(store=made.store, offer_id=made.pk, count=200, name="B")
    with CaptureQueriesContext(connection) as many:
        staff.get(address)
    assert len(few) == len(many)


# --- figures --------------------------------------------------------------------------------------------------------
def test_figures_of_the_dashboard_count_what_was_used(store, other_store, offer):
    made, other = offer("coupon"), offer("coupon", store=other_store)
    now = timezone.now()
    for number, (found, state) in enumerate([(made, "confirmed"), (made, "held"), (made, "released"), (other, "held")]):
        OfferUse.objects.create(
            store=found.store, offer=found, owner=str(number), state=state, saving=10, revenue=90, held_at=now
        )
    period = panels.Period(now, (store.pk,))
    assert list(offer_panels.uses_a_day(period).series[0].values)[-1] == 2
    assert list(offer_panels.saved_a_day(period).series[0].values)[-1] == 20
    top = offer_panels.top_coupons(period)
    assert (list(top.labels), list(top.series[0].values)) == (["An offer"], [2])
    facts = dict(offer_panels.usage(None, made).facts)  # type: ignore[arg-type]
    assert facts["Uses in 14 days"] == "2"
    assert facts["Average order"] == "₹90.00"
    assert len(offer_panels.last_uses(None, made).rows) == 3  # type: ignore[arg-type]


def test_a_moment_is_one_of_the_store_s_clocks(staff, store, shop, offer):
    begins = datetime(2031, 1, 10, 4, 30, tzinfo=UTC)  # ten in the morning in Kolkata
    offer("promotion", starts_at=begins, expires_at=begins + timedelta(hours=1))
    for moment, saving in (("2031-01-10T09:59", 0), ("2031-01-10T10:00", 10), ("2031-01-10T11:00", 0)):
        page = _ask(staff, ("TEA", "1"), moment=moment)
        assert page.context["found"].quote.totals().promotion_discount == saving


@pytest.fixture
def zone(store):
    """Delivery to Bengaluru: for 70 by post, for 40 by bicycle."""
    found = ShippingZone.objects.create(store=store, name="Near", pincodes="560*")
    for name, amount in (("Post", 70), ("Bicycle", 40)):
        method = ShippingMethod.objects.create(store=store, name=name, kind="flat", tax_rate=Decimal(18))
        ZoneRate.objects.create(store=store, zone=found, method=method, amount=Decimal(amount))


def test_with_a_pin_code_the_cheapest_delivery_is_priced(staff, store, shop, offer, zone):
    found = _ask(staff, ("TEA", "1"), pincode="560 001").context["found"]
    assert (found.quote.shipping_cost, found.quote.shipping_tax) == (40, Decimal("7.2"))
    (delivery,) = (step for step in found.steps if str(step.title) == "Delivery")
    assert delivery.changed
    offer(type_="free-shipping", codes=["POST"])
    totals = _ask(staff, ("TEA", "1"), pincode="560001", coupon="post").context["found"].quote.totals()
    assert (totals.shipping, totals.coupon_savings, totals.grand_total) == (0, 40, 100)


@pytest.mark.parametrize(("pincode", "told"), [("110001", True), ("", False), ("x", True)])
def test_without_a_way_there_it_says_so(staff, store, shop, zone, pincode, told):
    page = _ask(staff, ("TEA", "1"), pincode=pincode, state="Delhi")
    assert page.context["found"].quote.shipping_cost is None
    assert ("These goods cannot be sent there." in page.content.decode()) == told
