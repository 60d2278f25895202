"""The address book: shapes, rules by country, defaults (D-39), and whose it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from customers import book, selectors, services
from customers.errors import AddressNotFound
from customers.models import Address, Customer
from storefront.errors import Invalid
from storefront.models import Store
from tests.api import shoppers
from tests.conftest import Api
from tests.contract import assert_is_error, assert_matches
from tests.customers.conftest import ADDRESS
from tests.threads import in_parallel

pytestmark = pytest.mark.django_db


def save(api: Api, **changes: Any) -> dict[str, Any]:
    saved = assert_matches("create-address", api.post(f"/customers/{api.user_id}/addresses", ADDRESS | changes))
    return dict(saved["address"])


def flags(api: Api) -> dict[str, tuple[bool, bool]]:
    """What each address of the book is the default for: {nickname: (billing, shipping)}."""
    listed = assert_matches("list-addresses", api.get(f"/customers/{api.user_id}/addresses"))["addresses"]
    return {row["nickname"]: (row["is_default_billing"], row["is_default_shipping"]) for row in listed}


def test_an_address_comes_back_as_the_contract_has_it(shopper: Api, addresses: str) -> None:
    saved = save(shopper, nickname="Home")
    assert saved == ADDRESS | {
        "id": saved["id"],
        "nickname": "Home",
        "is_default_billing": True,
        "is_default_shipping": True,
        "is_phone_verified": False,
        "is_email_verified": True,  # it is the e-mail address by which she registered
    }
    assert assert_matches("get-address-detail", shopper.get(f"{addresses}/{saved['id']}"))["address"] == saved
    listed = assert_matches("list-addresses", shopper.get(addresses))
    assert listed["addresses"] == [saved]
    assert listed["pagination"]["total_records"] == 1


def test_an_address_can_be_changed_in_part_and_deleted(shopper: Api, addresses: str) -> None:
    saved = save(shopper, nickname="Home", address_line2="Second floor")
    path = f"{addresses}/{saved['id']}"
    changed = assert_matches("update-address-detail", shopper.put(path, {"nickname": "Parents", "address_line2": None}))
    assert changed["address"] == saved | {"nickname": "Parents", "address_line2": None}
    assert shopper.get(path).json()["content"]["address"] == changed["address"]
    whole = assert_matches("update-address-detail", shopper.put(path, changed["address"] | {"city": "Mysuru"}))
    assert whole["address"]["city"] == "Mysuru"
    assert_matches("delete-address", shopper.delete(path))
    assert_is_error(shopper.get(path), 404, "address_not_found")
    assert_is_error(shopper.delete(path), 404, "address_not_found")
    assert not Address.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"pincode": "060001"}, "pincode"),
        ({"pincode": "5600012"}, "pincode"),
        ({"state": "Atlantis"}, "state"),
        ({"phone": "12345"}, "phone"),
        ({"country_code": "+49"}, "country_code"),
        ({"email": "nobody"}, "email"),
        ({"country": "Germany"}, "country"),
        ({"first_name": "  "}, "first_name"),
        ({"first_name": "x" * 81}, "first_name"),
        ({"address_line1": None}, "address_line1"),
        ({"city": ["Bengaluru"]}, "city"),
        ({"nickname": "x" * 61}, "nickname"),
        ({"is_default_billing": "perhaps"}, "is_default_billing"),
        ({"tax_identification_number": "29AAACR5055K1Z9"}, "tax_identification_number"),  # wrong check character
        ({"tax_identification_number": "27AAPFU0939F1ZV"}, "tax_identification_number"),  # Maharashtra, not Karnataka
    ],
)
def test_what_no_post_office_could_use_is_refused_naming_the_field(
    shopper: Api, addresses: str, changes: dict[str, Any], field: str
) -> None:
    assert_is_error(shopper.post(addresses, ADDRESS | changes), 400, "validation_error", field)
    assert not Address.objects.exists()
    saved = save(shopper)
    assert_is_error(shopper.put(f"{addresses}/{saved['id']}", changes), 400, "validation_error", field)
    assert shopper.get(f"{addresses}/{saved['id']}").json()["content"]["address"] == saved


def test_every_field_at_fault_is_named_at_once(shopper: Api, addresses: str) -> None:
    refused = assert_is_error(shopper.post(addresses, ADDRESS | {"pincode": "1", "state": "?", "phone": "1"}), 400)
    assert set(refused["errors"]) == {"pincode", "state", "phone"}


def test_spellings_are_made_one(shopper: Api) -> None:
    saved = save(shopper, first_name="  Asha   Devi ", state="ka", pincode="560 001", phone="098765 43210")
    assert (saved["first_name"], saved["state"], saved["pincode"]) == ("Asha Devi", "Karnataka", "560001")
    assert (saved["country_code"], saved["phone"]) == ("+91", "9876543210")
    maharashtra = save(shopper, state="Maharashtra", tax_identification_number="27 aapfu0939f1zv", country="in")
    assert maharashtra["tax_identification_number"] == "27AAPFU0939F1ZV"
    assert maharashtra["country"] == "India"


def test_tax_numbers_that_are_no_gstins_stay_as_they_are(shopper: Api) -> None:
    assert save(shopper, tax_identification_number="123456789")["tax_identification_number"] == "123456789"


def test_a_gstin_of_ladakh_counts(shopper: Api) -> None:
    from storefront import tax_ids

    stem = "38AAACR5055K1Z"
    number = next(stem + last for last in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" if tax_ids.valid_gstin(stem + last))
    saved = save(shopper, state="Ladakh", pincode="194101", tax_identification_number=number)
    assert saved["tax_identification_number"] == number


def test_another_country_of_the_store_has_its_own_rules(store: Store, shopper: Api, addresses: str) -> None:
    Store.objects.filter(pk=store.pk).update(countries=["IN", "GB"])
    london = {
        "country": "United Kingdom",
        "country_code": "+44",
        "phone": "7400 123456",
        "pincode": "SW1A 1AA",
        "city": "London",
        "state": "England",
        "tax_identification_number": "GB 123 4567 89",
    }
    from storefront import selectors as kernel

    kernel.forget()
    saved = shopper.post(addresses, ADDRESS | london).json()["content"]["address"]
    assert (saved["country_code"], saved["phone"], saved["pincode"]) == ("+44", "7400123456", "SW1A1AA")
    assert saved["tax_identification_number"] == "GB 123 4567 89"


# --- defaults ---------------------------------------------------------------------------------------------------------
def test_the_first_address_is_the_default_for_both_and_the_second_for_neither(shopper: Api) -> None:
    save(shopper, nickname="a", is_default_billing=False, is_default_shipping=None)
    save(shopper, nickname="b")
    assert flags(shopper) == {"a": (True, True), "b": (False, False)}


def test_making_one_the_default_ends_the_other(shopper: Api, addresses: str) -> None:
    first = save(shopper, nickname="a")
    save(shopper, nickname="b", is_default_shipping=True)
    assert flags(shopper) == {"a": (True, False), "b": (False, True)}
    shopper.put(f"{addresses}/{first['id']}", {"is_default_shipping": True})
    assert flags(shopper) == {"a": (True, True), "b": (False, False)}


def test_a_default_that_goes_is_followed_by_the_most_recently_used(store: Store, shopper: Api, addresses: str) -> None:
    gone, used, _idle = (save(shopper, nickname=name) for name in ("gone", "used", "idle"))
    later = timezone.now() + timedelta(minutes=5)
    book.used(store=store, customer_id=shopper.user_id, address_ids=[used["id"], "nothing"], now=later)
    shopper.delete(f"{addresses}/{gone['id']}")
    assert flags(shopper) == {"used": (True, True), "idle": (False, False)}


def test_a_default_that_is_given_up_goes_to_another_address_but_the_only_one_keeps_it(
    shopper: Api, addresses: str
) -> None:
    only = save(shopper, nickname="a")
    answer = shopper.put(f"{addresses}/{only['id']}", {"is_default_billing": False})
    assert answer.json()["content"]["address"]["is_default_billing"] is True
    save(shopper, nickname="b")
    shopper.put(f"{addresses}/{only['id']}", {"is_default_billing": False})
    assert flags(shopper) == {"a": (False, True), "b": (True, False)}


def test_the_database_itself_refuses_a_second_default(store: Store, shopper: Api) -> None:
    save(shopper)
    other = save(shopper)
    with pytest.raises(IntegrityError), transaction.atomic():
        Address.objects.filter(store=store, pk=other["id"]).update(is_default_shipping=True)


@pytest.mark.django_db(transaction=True)
def test_requests_at_the_same_time_leave_one_default_of_each_kind(store: Store) -> None:
    services.create_customer(store=store, customer_id="party")
    where = {"store": store, "customer_id": "party"}
    wished = ADDRESS | {"is_default_billing": True, "is_default_shipping": True}
    rows = in_parallel(lambda number: book.create(**where, data=wished | {"nickname": str(number)}), 6)

    def change(number: int) -> None:
        if number % 3 == 2:
            book.delete(**where, address_id=rows[number].pk)
        else:
            book.update(**where, address_id=rows[number].pk, changes={"is_default_billing": number % 3 == 0})

    in_parallel(change, 6)
    assert Address.objects.filter(is_default_billing=True).count() == 1
    assert Address.objects.filter(is_default_shipping=True).count() == 1
    assert Address.objects.count() == 4


def test_a_book_has_an_end(store: Store, shopper: Api, addresses: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(book, "MAX_ADDRESSES", 2)
    save(shopper), save(shopper)
    assert_is_error(shopper.post(addresses, ADDRESS), 400, "too_many_addresses")
    assert Address.objects.count() == 2


# --- whose ------------------------------------------------------------------------------------------------------------
def test_a_visitor_has_no_address_book(visitor: Api) -> None:
    for method in ("GET", "POST"):
        path = f"/customers/{visitor.user_id}/addresses"
        assert_is_error(visitor.request(method, path, ADDRESS), 401, "login_required")
    assert not Address.objects.exists()


def test_nobody_reaches_into_anothers_book(shopper: Api, stranger: Api, addresses: str) -> None:
    saved = save(shopper)
    for path in (f"{addresses}/{saved['id']}", f"/customers/nobody/addresses/{saved['id']}"):
        for method in ("GET", "PUT", "DELETE"):
            assert_is_error(stranger.request(method, path, {"city": "X"}), 404, "not_found")
    own = f"/customers/{stranger.user_id}/addresses/{saved['id']}"
    for method in ("GET", "PUT", "DELETE"):
        assert_is_error(stranger.request(method, own, {"city": "Mysuru"}), 404, "address_not_found")
    assert assert_matches("get-address-detail", shopper.get(f"{addresses}/{saved['id']}"))["address"] == saved


def test_read_only_and_unknown_members_are_ignored(store: Store, shopper: Api, stranger: Api, addresses: str) -> None:
    claimed = {
        "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "is_phone_verified": True,
        "customer_id": stranger.user_id,
        "customer": stranger.user_id,
        "store": "other",
        "store_id": "other",
        "created_at": "2001-01-01T00:00:00Z",
        "last_used_at": "2001-01-01T00:00:00Z",
    }
    saved = save(shopper, **claimed)
    shopper.put(f"{addresses}/{saved['id']}", claimed)
    row = Address.objects.get()
    assert (row.pk, row.customer_id, row.store_id) == (saved["id"], shopper.user_id, store.pk)
    assert row.created_at.year > 2001 and row.last_used_at.year > 2001
    assert saved["is_phone_verified"] is False
    assert flags(stranger) == {}


def test_a_phone_that_the_caller_proved_is_shown_as_verified(shopper: Api, addresses: str) -> None:
    saved = save(shopper)
    asked = shopper.post(
        "/auth/generate-otp",
        {"channel": "sms", "phone": "9876543210", "country_code": "+91", "otp_action": "update-phone"},
        X_Debug_Mode="true",
    )
    shoppers.verify(shopper, asked)
    shown = shopper.get(f"{addresses}/{saved['id']}").json()["content"]["address"]
    assert shown["is_phone_verified"] is True
    assert save(shopper, phone="9876543211", email="other@example.com")["is_email_verified"] is False


# --- for other apps ---------------------------------------------------------------------------------------------------
def test_other_apps_read_an_address_in_one_query(
    store: Store, other_store: Store, shopper: Api, stranger: Api, django_assert_num_queries: Any
) -> None:
    saved = save(shopper)
    with django_assert_num_queries(1):
        found = selectors.address(store=store, customer_id=shopper.user_id, address_id=saved["id"])
    assert found == saved | {"is_email_verified": False}  # nobody's token was shown
    for where in ({"store": other_store, "customer_id": shopper.user_id}, {"store": store, "customer_id": "x"}):
        with pytest.raises(AddressNotFound):
            selectors.address(**where, address_id=saved["id"])  # type: ignore[arg-type]
    default = selectors.default_address(store=store, customer_id=shopper.user_id, kind="shipping")
    assert default == found
    assert selectors.default_address(store=store, customer_id=stranger.user_id) is None


def test_queries_do_not_grow_with_the_book(store: Store, shopper: Api, addresses: str, count_queries: Any) -> None:
    save(shopper)
    few = {method: count_queries(lambda m=method: shopper.request(m, addresses, ADDRESS)) for method in ("GET", "POST")}
    for _ in range(20):
        save(shopper)
    many = {
        method: count_queries(lambda m=method: shopper.request(m, addresses, ADDRESS)) for method in ("GET", "POST")
    }
    assert few == many
    assert many["GET"] <= 2 and many["POST"] <= 5


def test_pages_of_the_book(shopper: Api, addresses: str) -> None:
    names = [save(shopper, nickname=str(number))["nickname"] for number in range(5)]
    second = assert_matches("list-addresses", shopper.get(f"{addresses}?limit=2&page=2"))
    assert [row["nickname"] for row in second["addresses"]] == names[::-1][2:4]
    assert second["pagination"]["next_page"] == 3
    assert_is_error(shopper.get(f"{addresses}?limit=101"), 400, "validation_error", "limit")


def test_an_erased_customer_has_no_book_any_more(store: Store, shopper: Api) -> None:
    save(shopper)
    services.erase_customer(store=store, customer_id=shopper.user_id, now=timezone.now())
    assert not Address.objects.exists()
    with pytest.raises(Invalid):
        book.create(store=store, customer_id=shopper.user_id, data={})
    assert Customer.objects.filter(pk=shopper.user_id).exists()
