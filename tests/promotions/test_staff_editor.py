"""Staff make and change rules by plain questions: whatever a rule says comes back as it was, and errors find their row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.models import Category
from promotions import services
from promotions.models import Coupon, Offer, Promotion
from storefront.models import CustomerGroup, Store
from tests.admin.test_pages import _as_sent
from tests.catalog.factories import make_product

pytestmark = pytest.mark.django_db

QUANTITY = {"spending_criteria_type": "minimum-quantity"}


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", "anna@example.com", "x"))
    return client


@pytest.fixture
def goods(store: Store) -> dict[str, str]:
    """Ids of two products and a category."""
    tea, pot = (make_product(store, name=name, slug=name.lower()) for name in ("Tea", "Pot"))
    ware = Category.objects.create(store=store, name="Ware", slug="ware")
    return {"tea": tea.pk, "pot": pot.pk, "ware": ware.pk}


def _rules(goods: dict[str, str]) -> list[tuple[str, str, dict[str, Any]]]:
    tea, pot = ({"product_id": goods[name], "variant_id": None} for name in ("tea", "pot"))
    limits = {"minimum_quantity": 2, "maximum_quantity": 5, "minimum_value": None, "maximum_value": 999.5}
    percent = {"discount_type": "percentage", "discount_percent": 12.5, "maximum_discount_amount": 500}
    exchange = {
        "minimum_quantity": 2,
        "buy_product_id": goods["tea"],
        "get_from_category_id": goods["ware"],
        "get_quantity": 1,
        "get_offer_type": "discount",
        "get_discount_percent": 50,
    }
    gift = {"minimum_purchase_amount": 300, "get_quantity": 1}
    return [
        ("discount", "all", percent),
        ("discount", "product", {**percent, "products": [{**tea, **limits}, {**pot, "minimum_quantity": 1}]}),
        (
            "discount",
            "category",
            {"discount_type": "fixed-amount", "fixed_discount_amount": 15, "category_id": [goods["ware"]]},
        ),
        ("fixed-price", "product", {**QUANTITY, "products": [{**tea, "minimum_quantity": 2, "offer_price": 79}]}),
        (
            "free-goods",
            "product",
            {**QUANTITY, "products": [{**tea, "auto_scale": True, "slab": {"buy_quantity": 2, "get_quantity": 1}}]},
        ),
        (
            "free-goods",
            "product",
            {
                "spending_criteria_type": "minimum-purchase-amount",
                "products": [
                    {**tea, "slabs": [gift, {"minimum_purchase_amount": 900, "get_quantity": 4}]},
                    {**pot, "slabs": [gift]},
                ],
            },
        ),
        ("buy-x-get-y", "product", {**QUANTITY, "maximum_discount_amount": 120, "products": [exchange]}),
        (
            "volume-based",
            "product",
            {
                "products": [
                    {
                        **tea,
                        "slabs": [
                            {"quantity": 5, "condition": "less-or-equal", "discount_percent": 5},
                            {"quantity": 5, "condition": "greater", "discount_percent": 15},
                        ],
                    }
                ]
            },
        ),
        ("accelerated-rewards", "product", {"products": [{**tea, "minimum_quantity": 2}], "bonus_loyalty_point": 50}),
        ("accelerated-rewards", "category", {"category_id": [goods["ware"]], "bonus_loyalty_point": 50}),
        ("free-shipping", "all", {}),
    ]


def _change(offer: Offer) -> str:
    return reverse(f"admin:storefront_promotions_{offer.kind}_change", args=[offer.pk])


def _sent(page: Any) -> dict[str, Any]:
    """What a browser would send: the form with its rows."""
    page.context["inline_admin_formsets"] or None
    form = page.context["adminform"].form
    sent = _as_sent(page)
    for rows in filter(None, (form.rule, form.customers)):
        for part in (rows.management_form, *rows.forms):
            for bound in part:
                _cell(sent, bound)
    return sent


def _cell(sent: dict[str, Any], bound: Any) -> None:
    value, widget = bound.value(), bound.field.widget
    if type(widget).__name__ == "PickWidget":
        context = widget.get_context(bound.html_name, value, {})["widget"]
        sent[f"{bound.html_name}-chosen"], sent[bound.html_name] = context["chosen"], context["picked"].text
    elif getattr(widget, "input_type", "") == "checkbox":
        sent |= {bound.html_name: "on"} if value else {}
    elif value is not None:
        sent[bound.html_name] = value


def test_any_rule_opened_and_saved_stays_as_it_is(staff, store, goods):
    for number, (type_, applies_to, details) in enumerate(_rules(goods)):
        made = services.create_offer(
            store=store, kind="coupon", type=type_, applies_to=applies_to, details=details, name=f"Offer {number}"
        )
        page = staff.get(_change(made))
        answer = staff.post(_change(made), _sent(page))
        assert Offer.objects.get(pk=made.pk).revision == made.revision, type_
        answer = staff.post(_change(made), _sent(page) | {"name": f"Named {number}"})
        assert answer.status_code == 302, (type_, answer.context["adminform"].form.errors)
        after = Offer.objects.get(pk=made.pk)
        assert after.details == made.details, type_
        assert (after.applies_to, after.name) == (applies_to, f"Named {number}")
        assert after.revision == made.revision + 1


def test_the_page_shows_products_by_name_and_says_what_the_rule_gives(staff, store, goods):
    details = {**QUANTITY, "products": [{"product_id": goods["tea"], "minimum_quantity": 2, "offer_price": 79}]}
    made = services.create_offer(
        store=store, kind="promotion", type="fixed-price", applies_to="product", details=details, name="Two teas"
    )
    text = staff.get(_change(made)).content.decode()
    assert 'value="Tea"' in text
    assert "Tea (from 2 units on) for ₹79.00 each" in text


def test_a_new_offer_asks_for_its_type_and_then_for_its_rule(staff, store, goods):
    address = reverse("admin:storefront_promotions_promotion_add")
    cards = staff.get(address).content.decode()
    assert "type=buy-x-get-y" in cards
    assert "accelerated-rewards" not in cards  # of coupons only
    page = staff.get(f"{address}?type=free-goods")
    sent = _sent(page) | {
        "name": "Tea on top",
        "rule-0-target": "Tea",  # typed without a script: looked up by its name
        "rule-0-low": "2",
        "rule-0-gift": "1",
        "rule-0-repeats": "on",
    }
    answer = staff.post(f"{address}?type=free-goods", sent)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    made = Promotion.objects.get(store=store)
    assert made.state == "draft"
    assert made.details["products"][0]["product_id"] == goods["tea"]
    assert made.details["products"][0]["slab"]["buy_quantity"] == 2


def test_a_coupon_is_made_with_its_codes(staff, store):
    address = f"{reverse('admin:storefront_promotions_coupon_add')}?type=discount"
    sent = _sent(staff.get(address)) | {
        "name": "Ten off",
        "discount_type": "percentage",
        "value": "10",
        "applies_to": "all",
        "new_codes": "TEN\nZEHN",
    }
    assert staff.post(address, sent).status_code == 302
    assert sorted(Coupon.objects.get(store=store).codes.values_list("text", flat=True)) == ["TEN", "ZEHN"]
    again = staff.post(address, sent | {"name": "Another"})
    assert "in use already" in str(again.context["adminform"].form.errors["new_codes"])
    assert Coupon.objects.count() == 1


def test_errors_stand_at_their_row_and_field_and_nothing_is_written(staff, store, goods):
    rule = [{"product_id": goods["tea"], "auto_scale": True, "slab": {"buy_quantity": 2, "get_quantity": 1}}]
    made = services.create_offer(
        store=store,
        kind="promotion",
        type="free-goods",
        applies_to="product",
        details={**QUANTITY, "products": rule},
        name="Tea",
    )
    sent = _sent(staff.get(_change(made)))
    sent |= {"rule-0-low": "two", "rule-2-target": "Pot", "rule-2-low": "1", "rule-2-gift": "", "total_limit": "0"}
    page = staff.post(_change(made), sent)
    assert page.status_code == 200
    form = page.context["adminform"].form
    assert "total_limit" in form.errors
    page = staff.post(_change(made), sent | {"total_limit": ""})
    form = page.context["adminform"].form
    assert list(form.rule.forms[0].errors) == ["low"]
    assert list(form.rule.forms[2].errors) == ["gift"]
    assert 'value="two"' in page.content.decode()
    assert Offer.objects.get(pk=made.pk).revision == made.revision


def test_the_other_fields_of_the_form_are_told_by_services_too(staff, offer):
    made = offer(live=False)
    sent = _sent(staff.get(_change(made))) | {"value": "120", "eligibility": "group"}
    form = staff.post(_change(made), sent).context["adminform"].form
    assert set(form.errors) >= {"value", "groups"}


@pytest.mark.parametrize("typed", ["", "Nothing of the kind", "\x00", "x" * 5000])
def test_a_name_that_is_not_found_is_an_error_of_its_cell(staff, store, goods, typed):
    address = f"{reverse('admin:storefront_promotions_promotion_add')}?type=volume-based"
    sent = _sent(staff.get(address)) | {
        "name": "V",
        "rule-0-target": typed,
        "rule-0-quantity": "3",
        "rule-0-percent": "5",
    }
    page = staff.post(address, sent)
    assert page.status_code == 200
    assert "target" in page.context["adminform"].form.rule.forms[0].errors
    assert not Offer.objects.exists()


def test_a_name_that_several_have_asks_which(staff, store, goods):
    make_product(store, name="Tea", slug="tea-2")
    address = f"{reverse('admin:storefront_promotions_promotion_add')}?type=volume-based"
    sent = _sent(staff.get(address)) | {
        "name": "V",
        "rule-0-target": "Tea",
        "rule-0-quantity": "3",
        "rule-0-percent": "5",
    }
    page = staff.post(address, sent)
    assert "Several fit" in str(page.context["adminform"].form.rule.forms[0].errors)


def test_a_row_that_is_emptied_goes(staff, store, goods):
    products = [{"product_id": goods[name]} for name in ("tea", "pot")]
    details = {"discount_type": "percentage", "discount_percent": 10, "products": products}
    made = services.create_offer(
        store=store, kind="promotion", type="discount", applies_to="product", details=details, name="Both"
    )
    sent = _sent(staff.get(_change(made))) | {"rule-0-target": "", "rule-0-target-chosen": ""}
    assert staff.post(_change(made), sent).status_code == 302
    assert [row["product_id"] for row in Offer.objects.get(pk=made.pk).details["products"]] == [goods["pot"]]


def test_a_live_offer_changes_only_when_that_is_confirmed(staff, offer):
    made = offer()
    sent = _sent(staff.get(_change(made))) | {"value": "20"}
    sent.pop("confirm", None)
    page = staff.post(_change(made), sent)
    assert "confirm" in page.context["adminform"].form.errors
    assert Offer.objects.get(pk=made.pk).details["discount_percent"] == 10
    assert staff.post(_change(made), sent | {"confirm": "on"}).status_code == 302
    assert Offer.objects.get(pk=made.pk).details["discount_percent"] == 20


def test_who_comes_second_is_told_kindly_and_loses_nothing(staff, store, offer):
    made = offer(live=False)
    sent = _sent(staff.get(_change(made))) | {"name": "Mine"}
    services.update_offer(store=store, offer_id=made.pk, revision=made.revision, name="Theirs")
    page = staff.post(_change(made), sent)
    text = page.content.decode()
    assert "Somebody else has changed this meanwhile" in text
    assert 'value="Mine"' in text
    assert Offer.objects.get(pk=made.pk).name == "Theirs"


def test_customers_groups_and_segments_are_chosen_by_name(staff, store, offer):
    from accounts.models import User
    from customers.models import Customer, Segment
    from storefront.ids import new_ulid

    pk = new_ulid()
    customer = Customer.objects.create(pk=pk, store=store)
    User.objects.create(
        pk=pk, store=store, customer=customer, first_name="Asha", last_name="Rao", email="asha@example.com"
    )
    made = offer(live=False)
    sent = _sent(staff.get(_change(made)))
    named = sent | {"eligibility": "customer", "audience-0-target": "asha@example.com"}
    assert staff.post(_change(made), named).status_code == 302
    assert list(made.audience.values_list("target_id", flat=True)) == [pk]
    page = staff.get(_change(made))
    assert 'value="Asha Rao"' in page.content.decode()
    segment = Segment.objects.create(store=store, name="Tea lovers")
    assert (
        staff.post(_change(made), _sent(page) | {"eligibility": "segment", "segments": [segment.pk]}).status_code == 302
    )
    assert list(made.audience.values_list("target_id", flat=True)) == [segment.pk]
    group = CustomerGroup.objects.get(store=store)
    sent = _sent(staff.get(_change(made))) | {"eligibility": "group", "groups": [group.pk]}
    assert staff.post(_change(made), sent).status_code == 302
    assert list(made.audience.values_list("target_id", flat=True)) == [group.pk]


def test_the_search_names_products_categories_and_people_of_that_store_only(staff, store, other_store, goods):
    make_product(other_store, name="Tea of others")
    address = reverse("admin:promotions-search")
    found = staff.get(address, {"store": store.pk, "kinds": "product,category", "q": "tea"}).json()["results"]
    assert [entry["name"] for entry in found] == ["Tea"]
    found = staff.get(address, {"store": store.pk, "kinds": "product,category", "q": "war"}).json()["results"]
    assert found[0]["key"] == f"category={goods['ware']}"
    for asked in ({}, {"store": "none", "q": "tea"}, {"store": "%", "kinds": "?", "q": "%"}):
        assert staff.get(address, asked).json() == {"results": []}


def test_a_cart_to_try_is_offered_variants_and_no_whole_that_cannot_lie_in_it(staff, store, goods):
    make_product(store, name="Kurta", slug="kurta", sku="K", variants=("S", "M"))
    address = reverse("admin:promotions-search")

    def found(kinds: str, text: str) -> list[tuple[str, bool]]:
        entries = staff.get(address, {"store": store.pk, "kinds": kinds, "q": text}).json()["results"]
        return [(entry["name"], "variant=" in entry["key"]) for entry in entries]

    assert found("product", "kurta")[0] == ("Kurta", False)
    assert sorted(found("sellable", "kurta")) == [("Kurta (M)", True), ("Kurta (S)", True)]
    assert found("sellable", "tea") == [("Tea", False)]
    sent = {"store": store.pk, "lines-TOTAL_FORMS": "1", "lines-INITIAL_FORMS": "0", "lines-0-product": "kurta"}
    told = staff.get(reverse("admin:promotions-simulator"), sent).content.decode()
    assert "Several fit" in told
    assert "Item unavailable" not in told


def _with_rights(*names: str) -> Client:
    helper = get_user_model().objects.create_user("hugo", password="x", is_staff=True)
    helper.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(helper)
    return client


def test_who_may_only_look_cannot_change(store, offer):
    made = offer(live=False)
    looker = _with_rights("view_coupon")
    page = looker.get(_change(made))
    assert page.status_code == 200
    assert "10% off everything" in page.content.decode()
    before = Offer.objects.filter(pk=made.pk).values().get()
    assert looker.post(_change(made), {"name": "Mine"}).status_code == 403
    publish = reverse("admin:storefront_promotions_coupon_publish", args=[made.pk])
    assert looker.post(publish).status_code in (302, 403)
    listed = reverse("admin:storefront_promotions_coupon_changelist")
    for name in ("publish_many", "stop_many", "duplicate_many", "delete_unused"):
        looker.post(listed, {"action": name, "_selected_action": [made.pk], "confirmed": "1"})
    assert Offer.objects.filter(pk=made.pk).values().get() == before
    assert Offer.objects.count() == 1
    assert looker.get(reverse("admin:storefront_promotions_promotion_changelist")).status_code == 403


def test_who_has_no_right_finds_no_product_and_no_simulator(store, goods):
    nobody = _with_rights("view_store")
    assert nobody.get(reverse("admin:promotions-search"), {"store": store.pk, "q": "tea"}).status_code == 403
    assert nobody.get(reverse("admin:promotions-simulator")).status_code == 403


def test_lists_publish_stop_duplicate_and_delete_through_services(staff, store, offer):
    draft, live = offer(live=False, codes=["ONE"]), offer(codes=["TWO"])
    codeless = services.create_offer(store=store, kind="coupon", type="free-shipping", name="No code", details={})
    listed = reverse("admin:storefront_promotions_coupon_changelist")

    def act(name: str, *offers: Offer) -> str:
        sent = {"action": name, "_selected_action": [found.pk for found in offers], "confirmed": "1"}
        return staff.post(listed, sent, follow=True).content.decode()

    text = act("publish_many", draft, codeless)
    assert "A coupon needs a code." in text
    states = dict(Offer.objects.values_list("pk", "state"))
    assert (states[draft.pk], states[codeless.pk]) == ("live", "draft")
    act("stop_many", live)
    assert Offer.objects.get(pk=live.pk).state == "stopped"
    act("duplicate_many", draft)
    assert Offer.objects.count() == 4
    act("delete_unused", codeless)
    assert not Offer.objects.filter(pk=codeless.pk).exists()


def test_a_used_offer_is_not_deleted(staff, store, offer):
    made = offer()
    _use(store, made)
    delete = reverse("admin:storefront_promotions_coupon_delete", args=[made.pk])
    assert "has been used" in staff.get(delete).content.decode()
    staff.post(delete, {"post": "yes"})
    listed = reverse("admin:storefront_promotions_coupon_changelist")
    staff.post(listed, {"action": "delete_unused", "_selected_action": [made.pk], "confirmed": "1"})
    assert Offer.objects.filter(pk=made.pk).exists()


def _use(store: Store, offer: Offer, owner: str = "order", **facts: Any) -> Any:
    from promotions.models import OfferUse

    values = {"state": "confirmed", "saving": "12.5", "revenue": "500", "held_at": timezone.now()} | facts
    return OfferUse.objects.create(store=store, offer=offer, owner=owner, **values)


def test_lists_show_uses_sums_and_codes_and_find_codes(staff, store, offer):
    made = offer(codes=["SAVE", "SPARE"], total_limit=50)
    services.generate_codes(store=store, offer_id=made.pk, count=1200, name="Mail")
    _use(store, made, "a")
    _use(store, made, "b", state="held")
    _use(store, made, "c", state="released")
    listed = reverse("admin:storefront_promotions_coupon_changelist")
    text = staff.get(listed).content.decode()
    for shown in ("10% off everything", "SAVE, SPARE + 1,200 generated", "2 of 50", "₹12.50", "₹500.00"):
        assert shown in text, shown
    assert made.name in staff.get(listed, {"q": " save "}).content.decode()
    assert str(made.pk) not in staff.get(listed, {"q": "SAV"}).content.decode()


# --- time -----------------------------------------------------------------------------------------------------------
def test_moments_are_those_of_the_store_s_clocks(staff, store):
    """Ten in the morning is ten in the store's morning, however often the page is saved."""
    address = f"{reverse('admin:storefront_promotions_promotion_add')}?type=discount"
    page = staff.get(address)
    assert "Times are those of Asia/Kolkata." in page.content.decode()
    sent = _sent(page) | {"name": "Morning", "discount_type": "percentage", "value": "10", "applies_to": "all"}
    sent |= {"starts_at_0": "2031-01-10", "starts_at_1": "10:00:00"}
    sent |= {"expires_at_0": "2031-02-01", "expires_at_1": "00:00:00"}
    assert staff.post(address, sent).status_code == 302
    made = Promotion.objects.get()
    moments = (datetime(2031, 1, 10, 4, 30, tzinfo=UTC), datetime(2031, 1, 31, 18, 30, tzinfo=UTC))
    assert (made.starts_at, made.expires_at) == moments
    page = staff.get(_change(made))
    assert 'value="10:00:00"' in page.content.decode()
    assert staff.post(_change(made), _sent(page)).status_code == 302
    made.refresh_from_db()
    assert (made.starts_at, made.expires_at, made.revision) == (*moments, 1)
    services.update_offer(store=store, offer_id=made.pk, revision=1, starts_at=datetime(2031, 1, 9, 20, tzinfo=UTC))
    listed = staff.get(reverse("admin:storefront_promotions_promotion_changelist")).content.decode()
    assert "10 Jan 2031 – 1 Feb 2031" in listed


def test_a_moment_that_the_store_s_clocks_never_have_is_refused(staff, store):
    Store.objects.update(time_zone="Europe/Berlin")
    address = f"{reverse('admin:storefront_promotions_promotion_add')}?type=discount"
    sent = _sent(staff.get(address)) | {"name": "Night", "value": "10", "starts_at_0": "2031-03-30"}
    page = staff.post(address, sent | {"starts_at_1": "02:30:00"})
    assert page.status_code == 200 and "starts_at" in page.context["adminform"].form.errors
    assert not Promotion.objects.exists()
