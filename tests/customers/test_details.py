"""POST and PUT /customers: a shopper's business and address, a guest's too, and what becomes of the guest."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from customers import selectors, services
from customers.models import Address, Customer
from storefront import selectors as kernel
from storefront import tax_ids
from storefront.models import Store
from tests.api import shoppers
from tests.conftest import Api
from tests.contract import assert_is_error, assert_matches
from tests.customers.conftest import ADDRESS
from tests.threads import in_parallel

pytestmark = pytest.mark.django_db

PAN, OTHER_PAN = "AAPFU0939F", "AAACR5055K"
MAHARASHTRA = "27AAPFU0939F1ZV"
BUSINESS = {"business_type": "firm", "name": "Rao Spices", "pan_number": PAN, "gstin": MAHARASHTRA}
MUMBAI = ADDRESS | {"city": "Mumbai", "state": "Maharashtra", "pincode": "400001"}


def enter(store: Store, api: Api, email: str) -> Api:
    asked = api.post("/auth/login/email", {"email": email, "register_if_not_exists": True}, X_Debug_Mode="true")
    return shoppers.verify(api, asked)


def test_a_shopper_tells_of_their_business_and_address(shopper: Api, addresses: str) -> None:
    body = {"business": BUSINESS, "address": MUMBAI}
    shown = assert_matches("create-customer", shopper.post("/customers", body))["customer_detail"]
    assert shown == {
        "id": shopper.user_id,
        "email": "asha@example.com",
        "is_phone_verified": False,
        "is_email_verified": True,
        "business": BUSINESS,
    }
    assert [row["city"] for row in shopper.get(addresses).json()["content"]["addresses"]] == ["Mumbai"]
    user = shopper.get(f"/auth/user/{shopper.user_id}").json()["content"]["user"]
    assert user["business"] == {"type": "firm", "name": "Rao Spices", "metadata": {}, "registered_address": None}


def test_what_is_shown_is_as_it_is_now_and_not_as_the_token_says(shopper: Api, store: Store) -> None:
    shopper.put(f"/auth/user/{shopper.user_id}", {"first_name": "Asha", "phone": "9876543210"})
    for method, path in (("POST", "/customers"), ("PUT", f"/customers/{shopper.user_id}")):
        shown = shopper.request(method, path, {}).json()["content"]["customer_detail"]
        assert (shown["first_name"], shown["country_code"], shown["phone"]) == ("Asha", "+91", "9876543210")
        assert shown["is_email_verified"] and not shown["is_phone_verified"]


def test_an_address_that_is_named_by_its_id_is_changed_and_not_doubled(
    shopper: Api, stranger: Api, addresses: str
) -> None:
    saved = shopper.post(addresses, ADDRESS | {"nickname": "Home"}).json()["content"]["address"]
    body = {"address": MUMBAI | {"id": saved["id"]}}
    assert_matches("create-customer", shopper.post("/customers", body))
    row = Address.objects.get()
    assert (row.pk, row.city, row.nickname, row.is_default_billing) == (saved["id"], "Mumbai", "Home", True)
    assert_matches("create-customer", stranger.post("/customers", {"address": ADDRESS | {"id": saved["id"]}}))
    row.refresh_from_db()
    assert (row.customer_id, row.city) == (shopper.user_id, "Mumbai")
    assert Address.objects.get(customer_id=stranger.user_id).city == "Bengaluru"


def test_telling_it_again_changes_nothing(shopper: Api) -> None:
    for _ in range(3):
        assert_matches("create-customer", shopper.post("/customers", {"business": BUSINESS, "address": MUMBAI}))
    assert Address.objects.count() == 1
    assert Customer.objects.count() == 1


@pytest.mark.parametrize("body", [{}, {"business": None, "address": None}])
def test_a_visitor_without_details_becomes_a_guest_and_is_not_logged_in(visitor: Api, body: Any) -> None:
    shown = assert_matches("create-customer", visitor.post("/customers", body))["customer_detail"]
    assert shown == {"id": visitor.user_id, "is_phone_verified": False, "is_email_verified": False}
    assert Customer.objects.get().is_guest
    assert_is_error(visitor.get(f"/customers/{visitor.user_id}/addresses"), 401, "login_required")


def test_a_guest_who_registers_keeps_what_they_gave(store: Store, visitor: Api, configure: Any) -> None:
    configure(OTP_DEBUG=True)
    shown = visitor.post("/customers", {"address": ADDRESS, "business": {"name": "Rao"}}).json()["content"]
    assert shown["customer_detail"]["phone"] == ADDRESS["phone"]
    guest_token = visitor.token
    enter(store, visitor, "new@example.com")
    customer = Customer.objects.get()
    assert (customer.pk, customer.is_guest, customer.business["name"]) == (visitor.user_id, False, "Rao")
    listed = visitor.get(f"/customers/{visitor.user_id}/addresses").json()["content"]["addresses"]
    assert [row["city"] for row in listed] == ["Bengaluru"]
    visitor.token = guest_token  # it still names the same id, but opens nothing of the account
    assert_is_error(visitor.post("/customers", {"address": MUMBAI}), 401, "login_required")
    assert Address.objects.count() == 1


def test_a_guest_who_logs_in_brings_their_addresses_along(store: Store, shopper: Api, addresses: str) -> None:
    shopper.post(addresses, ADDRESS | {"nickname": "Home"})
    guest = shoppers.visitor(store)
    for given in (MUMBAI, ADDRESS | {"nickname": "Home"}):
        guest.post("/customers", {"address": given, "business": BUSINESS})
    guest_id = guest.user_id
    enter(store, guest, "asha@example.com")
    assert guest.user_id == shopper.user_id
    listed = guest.get(addresses).json()["content"]["addresses"]
    assert sorted((row["city"], row["is_default_billing"]) for row in listed) == [
        ("Bengaluru", True),
        ("Mumbai", False),
    ]
    left = Customer.objects.get(pk=guest_id)
    assert left.erased_at is not None and left.business is None
    assert Customer.objects.get(pk=shopper.user_id).business["gstin"] == MAHARASHTRA
    services.absorb_guest(store=store, guest_id=guest_id, customer_id=shopper.user_id, now=timezone.now())
    assert Address.objects.count() == 2


def test_a_guest_s_defaults_fill_an_empty_book(store: Store, shopper: Api, addresses: str) -> None:
    guest = shoppers.visitor(store)
    guest.post("/customers", {"address": MUMBAI})
    enter(store, guest, "asha@example.com")
    assert [row["is_default_shipping"] for row in guest.get(addresses).json()["content"]["addresses"]] == [True]


def test_somebody_who_logged_out_writes_into_no_account(shopper: Api) -> None:
    shopper.take(shopper.post("/auth/logout"))
    assert_is_error(shopper.post("/customers", {"address": ADDRESS, "business": BUSINESS}), 401, "login_required")
    assert not Address.objects.exists()
    assert Customer.objects.get().business is None


@pytest.mark.django_db(transaction=True)
def test_a_guest_is_one_customer_however_often_they_press(store: Store) -> None:
    from storefront.contracts import Shopper

    visitor = Shopper(store_id=store.pk, user_id="01ARZ3NDEKTSV4RRFFQ69G5FAV")

    def press(_number: int) -> None:
        services.give_details(
            store=store, shopper=visitor, business_sent=None, address_sent=ADDRESS, now=timezone.now()
        )

    in_parallel(press, 5)
    assert Customer.objects.count() == 1
    assert Address.objects.count() == 1


# --- the business -----------------------------------------------------------------------------------------------------
def test_a_business_is_changed_in_part_and_taken_away(shopper: Api) -> None:
    path = f"/customers/{shopper.user_id}"
    assert_matches("update-customer", shopper.put(path, {"business": BUSINESS}))
    renamed = assert_matches("update-customer", shopper.put(path, {"business": {"name": "Rao & Daughters"}}))
    assert renamed["customer_detail"]["business"] == BUSINESS | {"name": "Rao & Daughters"}
    untouched = assert_matches("update-customer", shopper.put(path, {}))
    assert untouched["customer_detail"] == renamed["customer_detail"]
    gone = assert_matches("update-customer", shopper.put(path, {"business": None}))
    assert "business" not in gone["customer_detail"]
    assert Customer.objects.get().business is None


def test_the_profile_changes_the_name_and_keeps_the_tax_numbers(shopper: Api) -> None:
    shopper.put(f"/customers/{shopper.user_id}", {"business": BUSINESS})
    shopper.put(f"/auth/user/{shopper.user_id}", {"business": {"type": "company", "name": "Rao Ltd"}})
    assert Customer.objects.get().business == {
        "type": "company",
        "name": "Rao Ltd",
        "pan_number": PAN,
        "gstin": MAHARASHTRA,
    }


REGISTERED = MUMBAI | {"email": "asha@example.com", "tax_identification_number": MAHARASHTRA.lower()}


def test_a_business_has_a_registered_address(shopper: Api, addresses: str) -> None:
    path = f"/auth/user/{shopper.user_id}"
    business = {"type": "company", "name": "Rao Ltd", "registered_address": REGISTERED}
    user = assert_matches("update-user", shopper.put(path, {"business": business}))["user"]
    shown = user["business"]["registered_address"]
    assert (shown["id"], shown["city"], shown["tax_identification_number"]) == (None, "Mumbai", MAHARASHTRA)
    assert shown["is_email_verified"] and not shown["is_phone_verified"]
    assert shopper.get(addresses).json()["content"]["addresses"] == []
    assert assert_matches("get-user-detail", shopper.get(path))["user"] == user

    shopper.put(f"/customers/{shopper.user_id}", {"business": {"pan_number": PAN}})
    kept = assert_matches("update-user", shopper.put(path, {"business": {"type": "", "name": "Rao"}}))["user"]
    assert kept["business"]["registered_address"] == shown
    assert Customer.objects.get().business["pan_number"] == PAN
    without = {"type": "", "name": "Rao", "registered_address": None}
    gone = assert_matches("update-user", shopper.put(path, {"business": without}))["user"]
    assert gone["business"]["registered_address"] is None
    assert "registered_address" not in Customer.objects.get().business


def test_a_registered_address_is_checked_and_named_by_its_path(shopper: Api) -> None:
    for wrong, field in (({"pincode": "1"}, "pincode"), ({"phone": None}, "phone"), ({"country": "France"}, "country")):
        business = {"type": "", "name": "Rao", "registered_address": REGISTERED | wrong}
        refused = shopper.put(f"/auth/user/{shopper.user_id}", {"business": business, "first_name": "New"})
        assert_is_error(refused, 400, "validation_error", f"business.registered_address.{field}")
    assert Customer.objects.get().business is None
    assert shopper.get(f"/auth/user/{shopper.user_id}").json()["content"]["user"]["first_name"] is None


def test_a_registered_address_outlives_the_rules_that_it_was_given_under(shopper: Api, store: Store) -> None:
    Store.objects.filter(pk=store.pk).update(countries=["IN", "SG"])
    kernel.forget()
    path = f"/auth/user/{shopper.user_id}"
    abroad = REGISTERED | {"country": "Singapore", "state": "Singapore", "pincode": "018956"}
    shopper.put(path, {"business": {"type": "", "name": "Rao", "registered_address": abroad}})
    Store.objects.filter(pk=store.pk).update(countries=["IN"])
    kernel.forget()
    renamed = shopper.put(path, {"business": {"type": "", "name": "Rao Ltd"}}).json()["content"]["user"]
    assert renamed["business"]["registered_address"]["country"] == "Singapore"
    again = shopper.put(path, renamed | {"business": renamed["business"] | {"name": "Rao & Co"}})
    assert again.json()["content"]["user"]["business"] == renamed["business"] | {"name": "Rao & Co"}
    moved = renamed["business"]["registered_address"] | {"city": "Jurong"}
    refused = shopper.put(path, {"business": {"type": "", "name": "Rao", "registered_address": moved}})
    assert_is_error(refused, 400, "validation_error", "business.registered_address.country")


def test_an_invited_user_may_send_back_the_business_with_its_address(shopper: Api, stranger: Api) -> None:
    from accounts.models import User

    business = {"type": "company", "name": "Rao Ltd", "registered_address": REGISTERED}
    shopper.put(f"/auth/user/{shopper.user_id}", {"business": business})
    User.objects.filter(pk=stranger.user_id).update(customer_id=shopper.user_id, is_primary=False)
    path = f"/auth/user/{stranger.user_id}"
    user = stranger.get(path).json()["content"]["user"]
    assert (
        assert_matches("update-user", stranger.put(path, user | {"first_name": "Ravi"}))["user"]["first_name"] == "Ravi"
    )
    moved = user["business"] | {"registered_address": REGISTERED | {"city": "Pune"}}
    assert_is_error(stranger.put(path, {"business": moved}), 400, "primary_user_only", "business")
    assert Customer.objects.get(pk=shopper.user_id).business["registered_address"]["city"] == "Mumbai"


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"name": ""}, "business.name"),
        ({}, "business.name"),
        ({"name": "Rao", "pan_number": "AAPFU0000F"}, "business.pan_number"),
        ({"name": "Rao", "pan_number": "AAPXU0939F"}, "business.pan_number"),  # X holds no PAN
        ({"name": "Rao", "gstin": MAHARASHTRA[:-1] + "O"}, "business.gstin"),
        ({"name": "Rao", "gstin": "45AAPFU0939F1ZV"}, "business.gstin"),
        ({"name": "Rao", "gstin": MAHARASHTRA, "pan_number": OTHER_PAN}, "business.gstin"),
        ({"name": "x" * 161}, "business.name"),
        ({"name": {"a": 1}}, "business.name"),
    ],
)
def test_tax_numbers_must_hold_and_fit_each_other(shopper: Api, sent: dict[str, Any], field: str) -> None:
    for method, path in (("POST", "/customers"), ("PUT", f"/customers/{shopper.user_id}")):
        assert_is_error(shopper.request(method, path, {"business": sent}), 400, "validation_error", field)
    assert Customer.objects.get().business is None


def test_a_gstin_brings_its_pan_and_must_fit_the_address_that_came_along(shopper: Api) -> None:
    sent = {"name": "Rao", "gstin": MAHARASHTRA.lower()}
    refused = shopper.post("/customers", {"business": sent, "address": ADDRESS})
    assert_is_error(refused, 400, "validation_error", "business.gstin")
    assert not Address.objects.exists() and Customer.objects.get().business is None
    shown = shopper.post("/customers", {"business": sent, "address": MUMBAI}).json()["content"]["customer_detail"]
    assert (shown["business"]["pan_number"], shown["business"]["gstin"]) == (PAN, MAHARASHTRA)


def test_errors_in_the_address_are_named_by_their_path(visitor: Api) -> None:
    refused = visitor.post("/customers", {"address": ADDRESS | {"pincode": "1"}})
    assert_is_error(refused, 400, "validation_error", "address.pincode")
    missing = visitor.post("/customers", {"address": {}})
    assert_is_error(missing, 400, "validation_error", "address.first_name")
    assert not Customer.objects.exists()


def test_only_the_primary_user_speaks_for_the_business(store: Store, shopper: Api, stranger: Api) -> None:
    from accounts.models import User

    User.objects.filter(pk=stranger.user_id).update(customer_id=shopper.user_id, is_primary=False)
    stranger.take(stranger.post("/auth/refresh-token", {"refresh_token": stranger.refresh_token}))
    for method, path in (("POST", "/customers"), ("PUT", f"/customers/{shopper.user_id}")):
        assert_is_error(stranger.request(method, path, {"business": BUSINESS}), 400, "primary_user_only", "business")
    assert Customer.objects.get(pk=shopper.user_id).business is None
    saved = stranger.post(f"/customers/{stranger.user_id}/addresses", ADDRESS)  # as older clients address it
    assert_matches("create-address", saved)
    assert selectors.address_book(store=store, customer_id=shopper.user_id).count() == 1


def test_members_that_are_not_theirs_to_write_are_ignored(shopper: Api, stranger: Api) -> None:
    claimed = {
        "id": stranger.user_id,
        "group": "x",
        "is_guest": True,
        "metadata": {"a": "b"},
        "erased_at": "2026-01-01",
    }
    shopper.post("/customers", claimed | {"business": BUSINESS | {"metadata": {"a": "b"}, "verified": True}})
    row = Customer.objects.get(pk=shopper.user_id)
    assert (row.group, row.is_guest, row.metadata, row.erased_at) == (None, False, {}, None)
    assert set(row.business or {}) == {"type", "name", "metadata", "pan_number", "gstin"}
    assert row.business["metadata"] == {}
    assert Customer.objects.get(pk=stranger.user_id).business is None


def test_a_caller_cannot_fill_the_table(visitor: Api, configure: Any) -> None:
    configure(LIMITS_ENABLED=True, LIMITS={"customer_create": "1/60", "customer_create_network": "2/60"})
    assert visitor.post("/customers", {}).status_code == 200
    assert_is_error(visitor.post("/customers", {}), 429, "too_many_requests")


def test_pans_and_gstins_know_their_own_form() -> None:
    assert tax_ids.valid_pan(PAN) and not tax_ids.valid_pan("٠" * 10)
    assert tax_ids.valid_gstin(MAHARASHTRA) and not tax_ids.valid_gstin(MAHARASHTRA.lower())
    assert tax_ids.gstin_is_of_state(MAHARASHTRA, "27") and not tax_ids.gstin_is_of_state(MAHARASHTRA, "29")
    assert tax_ids.gstin_is_of_state("25" + MAHARASHTRA[2:], "26")  # Daman and Diu, merged in 2020
