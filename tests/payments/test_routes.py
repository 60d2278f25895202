"""The customer's routes: shapes, owners, what a body may say."""

from __future__ import annotations

from typing import Any

import pytest

from payments import selectors
from payments.models import CreditLine, GatewayCustomer, Mandate, MandateDebit, SavedCard, SavedMethod
from storefront.contracts import Shopper
from storefront.errors import NotFound
from tests.contract import assert_is_error, assert_matches
from tests.payments.conftest import mandate_body

pytestmark = pytest.mark.django_db
UNKNOWN = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def routes(path: str, mandate_id: str = UNKNOWN) -> list[tuple[str, str, str, Any]]:
    """(operation, method, address, body) of everything that is served here."""
    mandates = f"{path}/mandates"
    return [
        ("list-customer-cards", "GET", f"{path}/cards", None),
        ("list-saved-payment-methods", "GET", f"{path}/payment-methods", None),
        ("list-customer-mandates", "GET", mandates, None),
        ("create-customer-mandate", "POST", mandates, mandate_body()),
        ("get-customer-mandate", "GET", f"{mandates}/{mandate_id}", None),
        ("get-customer-mandate", "GET", f"{mandates}/{mandate_id}?sync=true", None),
        ("update-customer-mandate", "PUT", f"{mandates}/{mandate_id}", {"max_amount": 10}),
        ("pause-customer-mandate", "POST", f"{mandates}/{mandate_id}/pause", None),
        ("resume-customer-mandate", "POST", f"{mandates}/{mandate_id}/resume", None),
        ("revoke-customer-mandate", "POST", f"{mandates}/{mandate_id}/revoke", None),
        ("list-customer-mandate-debit-schedules", "GET", f"{path}/mandate-debit-schedules", None),
        ("get-customer-credit-line-balance", "GET", f"{path}/credit-line-balance", None),
    ]


def test_every_operation_answers_in_the_contracts_shape(shopper: Any, mandate: dict[str, Any], kept: Any) -> None:
    for operation, method, address, body in routes(shopper.path, mandate["id"]):
        assert_matches(operation, shopper.request(method, address, body))


def test_the_users_id_stands_for_the_customers_as_older_clients_send_it(store: Any) -> None:
    caller = Shopper(store_id=store.pk, user_id="user", customer_id="customer", is_logged_in=True)
    for path_id in ("user", "customer"):
        assert selectors.customer_id_of(shopper=caller, path_id=path_id) == "customer"
    logged_out = Shopper(store_id=store.pk, user_id="user")
    for shopper, path_id in ((caller, UNKNOWN), (caller, ""), (logged_out, "user")):
        with pytest.raises(NotFound):
            selectors.customer_id_of(shopper=shopper, path_id=path_id)


def test_visitors_are_told_to_log_in(api: Any, shopper: Any, mandate: dict[str, Any]) -> None:
    visitor = api.become_visitor()
    for _operation, method, address, body in routes(shopper.path, mandate["id"]):
        assert_is_error(visitor.request(method, address, body), 401, "login_required")


def test_another_customers_things_are_not_found_in_the_words_of_unknown_ones(
    shopper: Any, stranger: Any, mandate: dict[str, Any]
) -> None:
    foreign = [stranger.request(method, path, body) for _o, method, path, body in routes(shopper.path, mandate["id"])]
    unknown = [
        stranger.request(method, path, body)
        for _o, method, path, body in routes(f"/customers/{UNKNOWN}", mandate["id"])
    ]
    own = [stranger.request(m, path, body) for _o, m, path, body in routes(stranger.path, mandate["id"])[4:10]]
    nobody = [stranger.request(m, path, body) for _o, m, path, body in routes(stranger.path, UNKNOWN)[4:10]]
    for first, second in zip([*foreign, *own], [*unknown, *nobody], strict=True):
        assert_is_error(first, 404)
        assert first.content == second.content
    assert Mandate.objects.get().status == "active"
    assert Mandate.objects.get().version == 1


# --- saved means ------------------------------------------------------------------------------------------------------
def test_saved_cards_are_shown_without_their_numbers(shopper: Any, kept: GatewayCustomer) -> None:
    cards = assert_matches("list-customer-cards", shopper.get(f"{shopper.path}/cards"))["cards"]
    assert [(card["card_number"], card["expired"]) for card in cards] == [
        ("XXXX-XXXX-XXXX-1881", True),
        ("XXXX-XXXX-XXXX-4242", False),
    ]
    visa = cards[1]
    assert (visa["card_brand"], visa["card_token"], visa["name_on_card"]) == ("VISA", "tok_visa", "A*** R***")
    assert (visa["card_exp_month"], visa["card_exp_year"]) == ("12", "2090")
    assert visa["card_fingerprint"] == cards[0]["card_fingerprint"] != "fp_visa"  # the same card behind two tokens


def test_saved_methods_are_masked_and_filtered(shopper: Any, kept: GatewayCustomer) -> None:
    path = f"{shopper.path}/payment-methods"
    shown = assert_matches("list-saved-payment-methods", shopper.get(path))["saved_payment_methods"]
    assert set(shown) == {"upi_collect", "wallet", "card"}
    assert [(upi["vpa"], upi["count"]) for upi in shown["upi_collect"]] == [("as***@sandbox", 3)]
    (wallet,) = shown["wallet"]
    assert wallet["wallet"] == "PAYTM" and wallet["metadata"] == {"mobile_number": "+91******3210"}
    assert wallet["sub_details"]["current_balance"] == "120.50"
    assert len(shown["card"]) == 2
    for asked, kinds in (("card", {"card"}), ("upi_collect,wallet", {"upi_collect", "wallet"})):
        answer = shopper.get(f"{path}?payment_methods={asked}")
        assert set(assert_matches("list-saved-payment-methods", answer)["saved_payment_methods"]) == kinds
    assert_is_error(shopper.get(f"{path}?payment_methods=card,cheque"), 400, "validation_error", "payment_methods")


def test_who_saved_nothing_has_nothing_and_no_provider_is_asked(shopper: Any) -> None:
    assert assert_matches("list-customer-cards", shopper.get(f"{shopper.path}/cards")) == {"cards": []}
    assert not GatewayCustomer.objects.exists()


# --- mandates ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("account", "status"), [("50100000000001", "active"), ("50100000000002", "created"), ("50100000000003", "error")]
)
def test_the_bank_decides_what_becomes_of_a_new_mandate(
    shopper: Any, line: CreditLine, account: str, status: str
) -> None:
    answer = shopper.post(f"{shopper.path}/mandates", mandate_body(account))
    mandate = assert_matches("create-customer-mandate", answer)["mandate"]
    assert mandate["status"] == status
    assert ("activated_at" in mandate) == (status == "active")
    assert mandate["max_amount"] == 2000.0  # of one order on credit
    details = mandate["payment_info"]["bank_details"]
    assert details["account_number"] == f"XXXXXX{account[-4:]}" and details["beneficiary_name"] == "A*** R***"
    listed = shopper.get(f"{shopper.path}/mandates").json()["content"]["mandates"]
    assert [row["id"] for row in listed] == [mandate["id"]]


def test_a_bank_that_cannot_be_reached_or_refuses_leaves_nothing(shopper: Any, line: CreditLine) -> None:
    path = f"{shopper.path}/mandates"
    answer = shopper.post(path, mandate_body("50100000000004"))
    assert_is_error(answer, 503, "temporarily_unavailable")
    assert answer["Retry-After"]
    assert_is_error(shopper.post(path, mandate_body("50100000000005")), 400, "mandate_refused", "bank_account_number")
    assert not Mandate.objects.exists()


def test_who_is_not_eligible_gets_no_mandate(shopper: Any, provider: Any) -> None:
    path = f"{shopper.path}/mandates"
    assert_is_error(shopper.post(path, mandate_body()), 400, "credit_line_not_eligible")
    CreditLine.objects.create(store=shopper.store, customer_id=shopper.customer_id, is_eligible=False)
    assert_is_error(shopper.post(path, mandate_body()), 400, "credit_line_not_eligible")
    assert not Mandate.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bank_ifsc", "HDFC1000001"),
        ("bank_ifsc", 5),
        ("bank_account_number", "12"),
        ("bank_account_number", 50100000000001),
        ("bank_account_number", "5" * 200),
        ("bank_beneficiary_name", ""),
        ("bank_beneficiary_name", ["Asha"]),
        ("payment_method", None),
        ("payment_method_type", {"a": 1}),
        ("service_provider_slug", "x\u0007"),
    ],
)
def test_a_body_that_is_not_right_is_named_and_nothing_is_made(
    shopper: Any, line: CreditLine, field: str, value: Any
) -> None:
    answer = shopper.post(f"{shopper.path}/mandates", mandate_body(**{field: value}))
    assert_is_error(answer, 400, "validation_error", field)
    assert not Mandate.objects.exists()


def test_an_unknown_or_inactive_provider_is_refused(shopper: Any, line: CreditLine, provider: Any) -> None:
    path = f"{shopper.path}/mandates"
    unknown = mandate_body(service_provider_slug="nobody")
    assert_is_error(shopper.post(path, unknown), 400, "provider_not_available", "service_provider_slug")
    provider.active = False
    provider.save()
    assert_is_error(shopper.post(path, mandate_body()), 400, "provider_not_available", "service_provider_slug")
    assert not Mandate.objects.exists()


def test_members_that_are_not_the_clients_to_set_are_ignored(shopper: Any, line: CreditLine) -> None:
    body = mandate_body("50100000000002", status="active", id="mine", max_amount=9_999_999, customer_id=UNKNOWN)
    mandate = shopper.post(f"{shopper.path}/mandates", body).json()["content"]["mandate"]
    assert (mandate["status"], mandate["max_amount"]) == ("created", 2000.0)
    assert mandate["id"] != "mine"
    assert Mandate.objects.get().customer_id == shopper.customer_id


# --- credit line, debits ----------------------------------------------------------------------------------------------
def test_a_credit_line_is_null_until_provisioned_and_lists_active_mandates_only(
    shopper: Any, line: CreditLine, mandate: dict[str, Any]
) -> None:
    path = f"{shopper.path}/credit-line-balance"
    shopper.post(f"{shopper.path}/mandates", mandate_body("50100000000002"))
    shown = assert_matches("get-customer-credit-line-balance", shopper.get(path))
    assert shown["is_eligible"] is True
    assert [row["id"] for row in shown["active_mandates"]] == [mandate["id"]]
    balance = shown["credit_line_balance"]
    assert (balance["total_credit_limit"], balance["mandate_per_order_limit"]) == (1000.0, 2000.0)
    assert (balance["utilized_amount"], balance["balance_amount"], balance["store_id"]) == (0.0, 1000.0, "demo")
    CreditLine.objects.update(total_credit_limit=None, mandate_per_order_limit=None)
    assert shopper.get(path).json()["content"]["credit_line_balance"] is None


def test_who_has_no_credit_line_is_not_eligible(shopper: Any) -> None:
    shown = assert_matches("get-customer-credit-line-balance", shopper.get(f"{shopper.path}/credit-line-balance"))
    assert shown == {"is_eligible": False, "credit_line_balance": None, "active_mandates": []}


def test_pages_of_debits(shopper: Any, mandate: dict[str, Any]) -> None:
    path = f"{shopper.path}/mandate-debit-schedules"
    operation = "list-customer-mandate-debit-schedules"
    assert assert_matches(operation, shopper.get(path))["pagination"]["total_records"] == 0
    for bad in ("page=0", "limit=0", "limit=101", "page=x"):
        assert_is_error(shopper.get(f"{path}?{bad}"), 400, "validation_error")
    assert not MandateDebit.objects.exists()


# --- secrets ----------------------------------------------------------------------------------------------------------
def test_no_column_holds_an_account_a_token_or_an_address_in_clear(
    shopper: Any, mandate: dict[str, Any], kept: GatewayCustomer
) -> None:
    from django.db import connection

    shopper.get(f"{shopper.path}/cards")
    assert SavedCard.objects.count() == SavedMethod.objects.count() == 2
    with connection.cursor() as cursor:
        for model in (Mandate, SavedCard, SavedMethod, GatewayCustomer, CreditLine, MandateDebit):
            cursor.execute(f"SELECT * FROM {model._meta.db_table}")
            text = str(cursor.fetchall())
            for secret in ("50100000000001", "tok_visa", "fp_visa", "asha.rao", "Asha", "Rao", "9876543210"):
                assert secret not in text, (model, secret)
