"""Bank accounts: masked and encrypted, verified by the bank, one default of each kind."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from customers import selectors
from customers.bank import services
from customers.errors import BankAccountExists, BankAccountNotFound
from customers.models import BankAccount
from storefront.contracts import BankCheck
from storefront.models import Store
from tests.conftest import Api
from tests.contract import assert_is_error, assert_matches
from tests.threads import in_parallel

pytestmark = pytest.mark.django_db
ACCOUNT = {
    "account_type": "outbound",
    "account_name": "Asha Rao",
    "account_number": "501000123456",
    "ifsc_code": "HDFC0000123",
    "bank_name": "HDFC Bank",
}
ACCOUNT_FACTS = {name: value for name, value in ACCOUNT.items() if name != "account_type"}
INBOUND = {"account_type": "inbound", "service_provider_slug": "sandbox"}


@pytest.fixture
def path(shopper: Api) -> str:
    return f"/customers/{shopper.user_id}/bank-accounts"


def save(api: Api, path: str, **changes: Any) -> dict[str, Any]:
    return dict(assert_matches("create-bank-account", api.post(path, ACCOUNT | changes))["bank_account"])


def verify(api: Api, path: str, account: dict[str, Any], wanted: bool = True) -> Any:
    return api.post(f"{path}/{account['id']}/verify", {"is_verified": wanted})


def test_an_account_is_saved_and_its_number_is_never_shown_again(shopper: Api, path: str) -> None:
    saved = save(shopper, path, account_number="5010 0012-3456", ifsc_code="hdfc0000123")
    assert saved["account_number"] == "XXXXXXXX3456"
    assert (saved["account_type"], saved["ifsc_code"]) == ("outbound", "HDFC0000123")
    assert (saved["is_default"], saved["is_verified"]) == (True, False)
    one = assert_matches("get-bank-account-detail", shopper.get(f"{path}/{saved['id']}"))["bank_account"]
    listed = assert_matches("list-bank-accounts", shopper.get(path))["bank_accounts"]
    assert one == listed[0] == saved
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM storefront_customers_bankaccount")
        assert "501000123456" not in str(cursor.fetchall())
    assert BankAccount.objects.get().number == "501000123456"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ifsc_code": "HDFC1000123"}, "ifsc_code"),
        ({"ifsc_code": "HDFC000012"}, "ifsc_code"),
        ({"account_number": "12345678"}, "account_number"),
        ({"account_number": "1" * 19}, "account_number"),
        ({"account_number": "5010001234AB"}, "account_number"),
        ({"account_number": "٥٠١٠٠٠١٢٣٤٥٦"}, "account_number"),
        ({"account_name": " "}, "account_name"),
        ({"bank_name": None}, "bank_name"),
        ({"account_type": "sideways"}, "account_type"),
        ({"account_type": "inbound"}, "service_provider_slug"),
        ({"account_type": "inbound", "service_provider_slug": "nobody"}, "service_provider_slug"),
    ],
)
def test_what_no_bank_has_is_refused(shopper: Api, path: str, changes: dict[str, Any], field: str) -> None:
    assert_is_error(shopper.post(path, ACCOUNT | changes), 400, "validation_error", field)
    assert not BankAccount.objects.exists()


def test_the_same_account_is_saved_once(shopper: Api, stranger: Api, path: str) -> None:
    save(shopper, path)
    assert_is_error(shopper.post(path, ACCOUNT | {"account_name": "A. Rao"}), 400, "bank_account_exists")
    other = save(shopper, path, account_number="501000123457")
    refused = shopper.put(f"{path}/{other['id']}", ACCOUNT)
    assert_is_error(refused, 400, "bank_account_exists", "account_number")
    assert sorted(row.number for row in BankAccount.objects.all()) == ["501000123456", "501000123457"]
    save(stranger, f"/customers/{stranger.user_id}/bank-accounts")  # somebody else may have it too


# --- defaults ---------------------------------------------------------------------------------------------------------
def defaults(api: Api, path: str) -> dict[str, bool]:
    return {row["account_number"][-4:]: row["is_default"] for row in api.get(path).json()["content"]["bank_accounts"]}


def test_one_account_of_each_kind_is_the_default(shopper: Api, path: str) -> None:
    first = save(shopper, path)
    second = save(shopper, path, account_number="501000127777", is_default=True)
    inbound = assert_matches("create-bank-account", shopper.post(path, INBOUND))["bank_account"]
    tail = inbound["account_number"][-4:]
    assert defaults(shopper, path) == {"3456": False, "7777": True, tail: True}
    shopper.put(f"{path}/{second['id']}", {"account_type": "outbound", "is_default": False})
    assert defaults(shopper, path) == {"3456": True, "7777": False, tail: True}
    assert_matches("delete-bank-account", shopper.delete(f"{path}/{first['id']}"))
    assert defaults(shopper, path) == {"7777": True, tail: True}
    assert_is_error(shopper.delete(f"{path}/{first['id']}"), 404, "bank_account_not_found")
    shopper.put(f"{path}/{second['id']}", {"account_type": "outbound", "is_default": False})
    assert defaults(shopper, path) == {"7777": True, tail: True}  # the only one stays


@pytest.mark.django_db(transaction=True)
def test_accounts_saved_at_once_are_one_default_and_no_account_twice(store: Store) -> None:
    from customers.services import create_customer

    create_customer(store=store, customer_id="party")

    def add(number: int) -> bool:
        sent = ACCOUNT | {"account_number": f"50100012345{number % 3}", "is_default": True}
        try:
            services.add_outbound(store=store, customer_id="party", sent=sent, now=timezone.now())
        except BankAccountExists:
            return False
        return True

    assert sum(in_parallel(add, 6)) == 3
    assert BankAccount.objects.filter(is_default=True).count() == 1


# --- verification -----------------------------------------------------------------------------------------------------
def test_the_bank_says_whose_account_it_is(store: Store, shopper: Api, path: str) -> None:
    good = save(shopper, path)
    where = {"store": store, "customer_id": shopper.user_id, "account_id": good["id"]}
    with pytest.raises(BankAccountNotFound):
        selectors.verified_bank_account(**where)
    shown = assert_matches("verify-bank-account", verify(shopper, path, good))["bank_account"]
    assert shown["is_verified"] is True
    assert selectors.verified_bank_account(**where).pk == good["id"]
    assert verify(shopper, path, good).json()["content"]["bank_account"] == shown  # again changes nothing
    taken_back = assert_matches("verify-bank-account", verify(shopper, path, good, wanted=False))["bank_account"]
    assert taken_back["is_verified"] is False


@pytest.mark.parametrize(
    ("number", "code"), [("501000123459", "bank_account_mismatch"), ("501000123458", "bank_account_unknown")]
)
def test_an_account_of_somebody_else_or_of_nobody_is_not_verified(
    shopper: Api, path: str, number: str, code: str
) -> None:
    saved = save(shopper, path, account_number=number)
    refused = verify(shopper, path, saved)
    assert_is_error(refused, 400, code, "account_number")
    assert "SOMEBODY" not in refused.content.decode()  # the holder's name is not ours to tell
    assert BankAccount.objects.get().check_state == "failed"


def test_a_bank_that_takes_its_time_is_asked_again(shopper: Api, path: str) -> None:
    saved = save(shopper, path, account_number="501000123457")
    first = assert_matches("verify-bank-account", verify(shopper, path, saved))["bank_account"]
    assert (first["is_verified"], first["verification_status"]) == (False, "pending")
    assert verify(shopper, path, saved).json()["content"]["bank_account"]["is_verified"] is True


@pytest.mark.parametrize(
    "changes", [{"account_number": "501000123450"}, {"account_name": "B"}, {"ifsc_code": "SBIN0000001"}]
)
def test_an_account_that_is_changed_loses_its_verification(shopper: Api, path: str, changes: dict[str, str]) -> None:
    saved = save(shopper, path)
    verify(shopper, path, saved)
    one = f"{path}/{saved['id']}"
    echoed = ACCOUNT | {"account_number": saved["account_number"], "bank_name": "HDFC Bank Ltd"}
    kept = assert_matches("update-bank-account", shopper.put(one, echoed))["bank_account"]
    assert (kept["is_verified"], kept["bank_name"]) == (True, "HDFC Bank Ltd")
    assert BankAccount.objects.get().number == "501000123456"  # its masked form came back, and is no new number
    changed = shopper.put(one, {"account_type": "outbound"} | changes).json()["content"]["bank_account"]
    assert changed["is_verified"] is False
    assert BankAccount.objects.get().verified_at is None


def test_an_answer_about_an_account_that_was_changed_meanwhile_counts_for_nothing(
    store: Store, shopper: Api, path: str, monkeypatch: Any
) -> None:
    from customers.sandbox import SandboxBankVerification

    saved = save(shopper, path)
    honest = SandboxBankVerification.verify

    def slow(self: Any, *args: Any, **facts: Any) -> Any:
        shopper.put(f"{path}/{saved['id']}", {"account_type": "outbound", "account_number": "501000999999"})
        return honest(self, *args, **facts)

    monkeypatch.setattr(SandboxBankVerification, "verify", slow)
    assert verify(shopper, path, saved).json()["content"]["bank_account"]["is_verified"] is False
    assert BankAccount.objects.get().check_state == "none"


def test_only_the_primary_user_verifies_and_a_live_store_never_believes_the_sandbox(
    store: Store, shopper: Api, stranger: Api, path: str
) -> None:
    from accounts.models import User
    from storefront import selectors as kernel

    saved = save(shopper, path)
    User.objects.filter(pk=stranger.user_id).update(customer_id=shopper.user_id, is_primary=False)
    stranger.take(stranger.post("/auth/refresh-token", {"refresh_token": stranger.refresh_token}))
    assert_is_error(verify(stranger, path, saved), 400, "primary_user_only")
    Store.objects.filter(pk=store.pk).update(debug_mode=False)
    kernel.forget()
    assert_is_error(verify(shopper, path, saved), 503, "temporarily_unavailable")
    assert_is_error(shopper.post(path, INBOUND), 400, "validation_error", "service_provider_slug")
    assert BankAccount.objects.get().check_state == "none"


def test_checks_are_braked_but_a_verified_account_costs_none(shopper: Api, path: str, configure: Any) -> None:
    configure(LIMITS_ENABLED=True, LIMITS={"bank_check": "1/60"})
    good, other = save(shopper, path), save(shopper, path, account_number="501000123450")
    assert [verify(shopper, path, account).status_code for account in (good, good, other)] == [200, 200, 429]


# --- inbound ----------------------------------------------------------------------------------------------------------
def test_an_account_opened_by_a_provider_is_shown_whole_and_only_its_default_changes(shopper: Api, path: str) -> None:
    opened = assert_matches("create-bank-account", shopper.post(path, INBOUND | ACCOUNT | INBOUND))["bank_account"]
    assert len(opened["account_number"]) == 16 and opened["account_number"].isdigit()
    assert opened["account_number"] != ACCOUNT["account_number"]
    one = f"{path}/{opened['id']}"
    kept = assert_matches("update-bank-account", shopper.put(one, {"account_type": "inbound", "is_default": True}))
    assert kept["bank_account"] == opened | {"modified_at": kept["bank_account"]["modified_at"]}
    refused = shopper.put(one, {"account_type": "inbound", "account_name": "Mallory"})
    assert_is_error(refused, 400, "bank_account_not_editable")
    assert_is_error(verify(shopper, path, opened), 400, "bank_account_not_editable")
    assert_is_error(shopper.post(path, INBOUND), 400, "bank_account_exists", "service_provider_slug")
    assert BankAccount.objects.get().account_name == opened["account_name"]


def test_the_list_can_be_narrowed(shopper: Api, path: str, count_queries: Any) -> None:
    save(shopper, path), shopper.post(path, INBOUND)
    for kind in ("inbound", "outbound"):
        listed = assert_matches("list-bank-accounts", shopper.get(f"{path}?account_type={kind}"))["bank_accounts"]
        assert [row["account_type"] for row in listed] == [kind]
    assert_is_error(shopper.get(f"{path}?account_type=x"), 400, "validation_error", "account_type")
    assert count_queries(lambda: shopper.get(path)) <= 2


# --- whose ------------------------------------------------------------------------------------------------------------
def test_nobody_reaches_anothers_account(shopper: Api, stranger: Api, path: str) -> None:
    saved = save(shopper, path)
    own = f"/customers/{stranger.user_id}/bank-accounts/{saved['id']}"
    for method, end, body in (("GET", "", None), ("PUT", "", ACCOUNT), ("DELETE", "", None), ("POST", "/verify", {})):
        body = {"is_verified": True} if body == {} else body
        assert_is_error(stranger.request(method, f"{path}/{saved['id']}{end}", body), 404, "not_found")
        assert_is_error(stranger.request(method, own + end, body), 404, "bank_account_not_found")
    assert shopper.get(f"{path}/{saved['id']}").json()["content"]["bank_account"] == saved


def test_nothing_but_its_own_members_can_be_written(shopper: Api, stranger: Api, path: str) -> None:
    claimed = {
        "is_verified": True,
        "check_state": "verified",
        "verification_status": "verified",
        "verified_at": "2026-01-01T00:00:00Z",
        "customer_id": stranger.user_id,
        "provider": "sandbox",
        "service_provider_slug": "sandbox",
        "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "created_at": "2001-01-01T00:00:00Z",
    }
    saved = save(shopper, path, **claimed)
    shopper.put(f"{path}/{saved['id']}", {"account_type": "outbound"} | claimed)
    row = BankAccount.objects.get()
    assert (row.check_state, row.verified_at, row.provider) == ("none", None, "")
    assert (row.customer_id, row.pk) == (shopper.user_id, saved["id"])
    assert row.created_at.year > 2001


def test_there_is_an_end_to_accounts(shopper: Api, path: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(services, "MAX_ACCOUNTS", 1)
    save(shopper, path)
    assert_is_error(shopper.post(path, ACCOUNT | {"account_number": "501000123450"}), 400, "too_many_bank_accounts")


# --- a change beside what the bank says -------------------------------------------------------------------------------
def between(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Runs `act` once, after a change has read the account and before it writes it."""
    checked = services._checked
    acts = [act]

    def check(sent: Any) -> dict[str, str]:
        if acts:
            acts.pop()()
        return checked(sent)

    monkeypatch.setattr(services, "_checked", check)


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"is_default": True, "bank_name": "HDFC"}, True),
        ({"bank_name": "HDFC Bank Ltd"}, True),
        ({"account_name": "A. Rao"}, False),
        ({"account_number": "501000999999"}, False),
        ({"ifsc_code": "HDFC0000999"}, False),
    ],
)
def test_what_the_bank_says_while_an_account_is_changed_stays_only_if_it_is_still_that_account(
    shopper: Api, path: str, store: Store, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], kept: bool
) -> None:
    saved = save(shopper, path)
    row = BankAccount.objects.get()
    between(monkeypatch, lambda: services._settle(row, BankCheck(status="verified", reference="ref-1"), timezone.now()))
    where = {"store": store, "customer_id": row.customer_id, "account_id": saved["id"]}
    services.update(**where, changes=changes, now=timezone.now())
    row = BankAccount.objects.get()
    assert row.is_verified is kept
    assert row.check_reference == ("ref-1" if kept else "")
    assert (row.verified_at is not None) is kept
    assert services._facts(row) == ACCOUNT_FACTS | {name: changes[name] for name in changes if name != "is_default"}


@pytest.mark.parametrize("changes", [{"account_number": "501000999999"}, {"account_name": "A. Rao"}])
def test_a_bank_that_answers_after_the_change_verifies_nothing(
    shopper: Api, path: str, store: Store, changes: dict[str, Any]
) -> None:
    saved = save(shopper, path)
    asked_about = BankAccount.objects.get()
    where = {"store": store, "customer_id": asked_about.customer_id, "account_id": saved["id"]}
    services.update(**where, changes=changes, now=timezone.now())
    services._settle(asked_about, BankCheck(status="verified"), timezone.now())
    assert not BankAccount.objects.get().is_verified


@pytest.mark.django_db(transaction=True)
def test_changes_and_answers_of_the_bank_in_parallel_lose_neither(store: Store, shopper: Api, path: str) -> None:
    for _round in range(5):
        BankAccount.objects.all().delete()
        saved = save(shopper, path)
        row = BankAccount.objects.get()
        where = {"store": store, "customer_id": row.customer_id, "account_id": saved["id"]}

        def act(number: int, row: BankAccount = row, where: Any = where) -> None:
            if number % 2:
                services._settle(row, BankCheck(status="verified", reference="ref-1"), timezone.now())
            else:
                services.update(**where, changes={"bank_name": f"Bank {number}"}, now=timezone.now())

        in_parallel(act, 6)
        row.refresh_from_db()
        assert row.is_verified and row.bank_name.startswith("Bank ")
