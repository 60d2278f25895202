"""Every served route with an id in its path, called by everybody who has no business there (R-13).

The table of routes is read from the code: a new route whose parameters have no foreign value here fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.utils import timezone

from catalog.reviews.models import Review
from customers import invitations
from customers.models import KycDocumentType
from storefront import schema, selectors, services
from storefront.models import Store
from tests.api import shoppers
from tests.conftest import Api
from tests.payments.conftest import mandate_body
from tests.payments.factories import mandate_row
from tests.wallets.conftest import make_programme
from wallets import selectors as wallet_selectors

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_programmes() -> Iterator[None]:
    """What this process remembers of loyalty programmes outlives a rolled-back database."""
    wallet_selectors.forget()
    yield
    wallet_selectors.forget()


PARAMETER = re.compile(r"{(\w+)}")
# Parameters that name things which are everybody's to read, by operation tag.
PUBLIC = {"catalog": {"product_id", "variant_id"}, "common": {"country_iso_code"}}
ADDRESS = {
    "first_name": "Asha",
    "last_name": "Rao",
    "phone": "9876543210",
    "address_line1": "12 MG Road",
    "pincode": "560001",
    "city": "Bengaluru",
    "state": "Karnataka",
    "country": "India",
}
DOCUMENT = {
    "document_number": "AAPFU0938F",
    "kyc_document_id": "pan",
    "document_type_id": "pan",
    "modified_reason": "Not mine",
}
ACCOUNT = {
    "account_type": "outbound",
    "account_name": "Asha Rao",
    "account_number": "501000123456",
    "ifsc_code": "HDFC0000123",
    "bank_name": "HDFC Bank",
}
BODIES: dict[str, Any] = {
    "apply-coupon": {"coupon_code": "TEN"},
    "create-cart-address": {"billing_address": ADDRESS, "shipping_address": ADDRESS},
    "redeem-credit-balance": {"credit_balance_used": 1},
    "redeem-gift-card": {"gift_card_code": "GIFT-1"},
    "redeem-loyalty-points": {"loyalty_point_redeemed": 1},
    "update-fulfillment-preference": {"fulfillment_type": "delivery", "shipments": []},
    "create-customer-mandate": mandate_body(),
    "update-customer-mandate": {"max_amount": 10},
    "add-to-wishlist": {"product_id": "p", "variant_id": None},
    "delete-from-wishlist": {"product_id": "p", "variant_id": None},
    "update-cart": {"product_id": "p", "variant_id": None, "quantity": 1},
    "update-user": {"first_name": "Mallory"},
    "update-notification-preferences": {"notification_preferences": {}},
    "create-notification-preferences": {"notification_preferences": {}},
    "create-address": ADDRESS,
    "update-address-detail": {"nickname": "Mine now"},
    "update-customer": {"business": {"name": "Mallory & Co"}},
    "create-document": DOCUMENT,
    "create-bank-account": ACCOUNT,
    "update-bank-account": ACCOUNT,
    "verify-bank-account": {"is_verified": True},
    "update-document": DOCUMENT,
    "verify-document": DOCUMENT,
}


# What the owner's own call is told here: there is nothing to do, or it is done already. Never that something is unknown.
OWN_REFUSALS = {
    "add-profile-image": "image_invalid",
    "apply-coupon": "coupon_not_found",
    "create-bank-account": "bank_account_exists",
    "create-customer-mandate": "credit_line_not_eligible",
    "create-document": "document_locked",
    "get-profile-image": "profile_image_not_found",
    "redeem-credit-balance": "insufficient_credit",
    "redeem-gift-card": "invalid_gift_card",
    "redeem-loyalty-points": "insufficient_points",
    "remove-profile-image": "profile_image_not_found",
    "resume-customer-mandate": "mandate_not_paused",
    "update-document": "document_locked",
    "update-fulfillment-preference": "validation_error",
    "update-profile-image": "validation_error",
}
# Calls to a payment provider, which are refused inside the transaction that this test rolls back; others test them.
REMOTE = {"pause-customer-mandate", "revoke-customer-mandate", "update-customer-mandate"}


def _cases() -> list[tuple[str, str, str, set[str]]]:
    found = []
    for name, (operation, _view, _action) in sorted(schema.served().items()):
        parameters = set(PARAMETER.findall(operation.path)) - PUBLIC.get(operation.tag, set())
        if parameters:
            found.append((name, operation.method, operation.path, parameters))
    return found


@pytest.fixture
def victim(store: Store, configure: Any) -> Api:
    """A registered shopper with a cart, an address, a document, a bank account, a mandate and a review."""
    from catalog import demo

    configure(OTP_DEBUG=True)
    demo.build(store=store)
    make_programme(store)
    api = shoppers.registered(store, "victim@example.com")
    listed = api.get("/catalog/products?limit=100").json()["content"]["products"]
    product = next(
        p
        for p in listed
        if p["stock_available"]
        and not p["variants"]
        and p["product_type"] == "physical"
        and p["pricing"]["min_order_quantity"] == 1
    )
    created = api.post("/carts", {"items": [{"product_id": product["id"], "variant_id": None, "quantity": 1}]})
    assert created.status_code == 200, created.content
    api.cart_id = created.json()["content"]["cart"]["id"]  # type: ignore[attr-defined]
    saved = api.post(f"/customers/{api.user_id}/addresses", ADDRESS)
    KycDocumentType.objects.create(store=store, pk="pan", title="PAN card", kind="pan")
    given = api.post(f"/customers/{api.user_id}/documents", DOCUMENT)
    api.document_id = given.json()["content"]["document"]["id"]  # type: ignore[attr-defined]
    added = api.post(f"/customers/{api.user_id}/bank-accounts", ACCOUNT)
    api.account_id = added.json()["content"]["bank_account"]["id"]  # type: ignore[attr-defined]
    api.address_id = saved.json()["content"]["address"]["id"]  # type: ignore[attr-defined]
    api.mandate_id = mandate_row(store, api.user_id).pk  # type: ignore[attr-defined]
    Review.objects.create(
        store=store, product_id=product["id"], user_id=api.user_id, order_number="O-1", rating=4, review_text="Private."
    )
    mine = api.get(f"/customers/{api.user_id}/reviews")
    assert [row["review_text"] for row in mine.json()["content"]["reviews"]] == ["Private."], mine.content
    return api


def _foreign(parameter: str, path: str, victim: Any) -> str:
    """The victim's value for a path parameter."""
    if parameter == "mandate_id":
        return str(victim.mandate_id)
    if parameter == "user_id" or path.startswith("/auth/user/"):
        return str(victim.user_id)
    if parameter == "id" and path.startswith("/carts/"):
        return str(victim.cart_id)
    if parameter == "customer_id" or (parameter == "id" and path.startswith("/customers/")):
        return str(victim.user_id)
    if parameter in ("address_id", "document_id", "account_id"):
        return str(getattr(victim, parameter))
    raise AssertionError(f"{path}: say here what a foreign {parameter} is")


def _logged_out(store: Store) -> Api:
    api = shoppers.registered(store, "gone@example.com")
    return api.take(api.post("/auth/logout"))


def _ended(store: Store) -> Api:
    api = shoppers.registered(store, "ended@example.com")
    api.post("/auth/logout")
    return api


def _with_refresh_token(store: Store) -> Api:
    """Somebody who sends the token that only refreshing takes."""
    api = shoppers.registered(store, "refreshing@example.com")
    api.token = api.refresh_token
    return api


def _with_key(store: Store) -> Api:
    """A page's own server: the key and no token."""
    return Api(store, services.create_key(store=store, name="Test").text)


STRANGERS: dict[str, Callable[[Store], Api]] = {
    "nobody": lambda store: Api(store, ""),
    "a key": _with_key,
    "a refresh token": _with_refresh_token,
    "a visitor": shoppers.visitor,
    "another shopper": lambda store: shoppers.registered(store, "other@example.com"),
    "a shopper who logged out": _logged_out,
    "an ended session": _ended,
}


def _everything() -> dict[str, list[Any]]:
    """All rows but those that a stranger's own sign-in makes."""
    labels = {f"storefront_{app}" for app in ("carts", "accounts", "customers", "payments", "wallets")}
    ignored = {"OtpChallenge", "Session", "RefreshToken", "SecurityEvent"}
    return {
        model.__name__: sorted(map(str, model._default_manager.values_list()))
        for model in apps.get_models()
        if model._meta.app_label in labels and model.__name__ not in ignored
    }


def _send(api: Api, name: str, method: str, address: str) -> Any:
    if "profile-image" in name and method in ("post", "put"):
        return getattr(api.client, method)(
            f"/api/v1/{api.store.pk}/storefront{address}",
            {"image": SimpleUploadedFile("a.png", b"not a picture")} if method == "post" else b"{}",
            headers={"Authorization": f"Bearer {api.token}"},
            **({} if method == "post" else {"content_type": "application/json"}),
        )
    body = BODIES.get(name) if method in ("post", "put", "delete") else None
    if body and body.get("product_id") == "p":
        body = body | {"product_id": Review.objects.get().product_id}
    key = {"X_Api_Key": api.key} if api.key and not api.token else {}
    return api.request(method.upper(), address, body, **key)


@pytest.mark.parametrize("stranger", STRANGERS)
def test_no_stranger_reads_changes_or_confirms_anything(stranger: str, victim: Api, store: Store) -> None:
    caller = STRANGERS[stranger](store)
    before = _everything()
    cases = _cases()
    assert len(cases) >= 13
    assert "list-customer-reviews" in {name for name, *_rest in cases}
    for name, method, path, parameters in cases:
        address = path
        for parameter in parameters:
            address = address.replace(f"{{{parameter}}}", _foreign(parameter, path, victim))
        missing = path
        for parameter in parameters:
            missing = missing.replace(f"{{{parameter}}}", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
        foreign = _send(caller, name, method, address)
        unknown = _send(caller, name, method, missing)
        assert foreign.status_code in (400, 401, 404), (name, foreign.content)
        assert (foreign.status_code, foreign.content) == (unknown.status_code, unknown.content), name
    assert _everything() == before


def test_the_owners_own_calls_are_no_refusals(victim: Api, store: Store) -> None:
    """What the others prove nothing without: each of these calls would work if only it were the owner's."""
    refused = {}
    for name, method, path, parameters in _cases():
        if name in REMOTE:
            continue
        address = path
        for parameter in parameters:
            address = address.replace(f"{{{parameter}}}", _foreign(parameter, path, victim))
        with transaction.atomic():
            answer = _send(victim, name, method, address)
            transaction.set_rollback(True)
        selectors.forget()
        if answer.status_code != 200:
            refused[name] = answer.json()["code"]
    assert refused == OWN_REFUSALS


def test_under_an_own_id_nothing_of_somebody_else_is_found(victim: Api, store: Store) -> None:
    """Where a path names two things, the first is the caller's own and the second somebody else's."""
    caller = shoppers.registered(store, "other@example.com")
    before = _everything()
    nested = [case for case in _cases() if len(case[3]) > 1]
    assert {name for name, *_rest in nested} >= {"get-address-detail", "delete-document", "update-bank-account"}
    for name, method, path, parameters in nested:
        first, *others = sorted(parameters, key=path.index)
        own = path.replace(f"{{{first}}}", caller.user_id)
        address = missing = own
        for parameter in others:
            address = address.replace(f"{{{parameter}}}", _foreign(parameter, path, victim))
            missing = missing.replace(f"{{{parameter}}}", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
        foreign, unknown = _send(caller, name, method, address), _send(caller, name, method, missing)
        assert foreign.status_code in (400, 404), (name, foreign.content)
        assert (foreign.status_code, foreign.content) == (unknown.status_code, unknown.content), name
    assert _everything() == before


def test_ids_in_a_body_find_nothing_of_somebody_else(victim: Any, store: Store) -> None:
    caller = shoppers.registered(store, "other@example.com")
    product = Review.objects.get().product_id
    item = {"product_id": product, "variant_id": None, "quantity": 1}
    cart = caller.post("/carts", {"items": [item]}).json()["content"]["cart"]["id"]
    before = _everything()

    def addressed(pk: str) -> Any:
        return caller.post(f"/carts/{cart}/address", {"billing_address_id": pk, "shipping_address_id": pk})

    def options(pk: str) -> Any:
        return caller.post("/carts/fulfillment-options", {"cart_id": pk})

    def coupons(pk: str) -> Any:
        return caller.get(f"/coupons?cart_id={pk}")

    for call, foreign in ((addressed, victim.address_id), (options, victim.cart_id), (coupons, victim.cart_id)):
        found, unknown = call(foreign), call("01ARZ3NDEKTSV4RRFFQ69G5FAV")
        assert (found.status_code, found.content) == (unknown.status_code, unknown.content), call
    assert addressed(victim.address_id).status_code in (400, 404)
    assert _everything() == before


def test_a_colleague_sees_the_customers_things_and_not_the_account(victim: Any, store: Store) -> None:
    """A further user of the same customer: what is the customer's is theirs too, the other user's account is not."""
    invitations.invite(
        store=store, customer_id=victim.user_id, contact="colleague@example.com", invited_by="x", now=timezone.now()
    )
    colleague = shoppers.registered(store, "colleague@example.com")
    book = f"/customers/{victim.user_id}/addresses/{victim.address_id}"
    assert colleague.get(book).status_code == 200
    before = _everything()
    for name, method, path, parameters in _cases():
        if "user_id" not in parameters and not path.startswith("/auth/user/"):
            continue
        address = path
        for parameter in parameters:
            address = address.replace(f"{{{parameter}}}", _foreign(parameter, path, victim))
        assert _send(colleague, name, method, address).status_code in (400, 401, 404), name
    assert colleague.get(f"/carts/{victim.cart_id}").status_code == 404
    assert _everything() == before


def test_a_token_of_another_store_opens_nothing(victim: Api, store: Store, other_store: Store, configure: Any) -> None:
    Store.objects.filter(pk=other_store.pk).update(debug_mode=True)
    outsider = shoppers.registered(Store.objects.get(pk=other_store.pk), "victim@example.com")
    outsider.store = store
    before = _everything()
    for name, method, path, parameters in _cases():
        address = path
        for parameter in parameters:
            address = address.replace(f"{{{parameter}}}", _foreign(parameter, path, victim))
        assert _send(outsider, name, method, address).status_code == 401, name
    assert _everything() == before
