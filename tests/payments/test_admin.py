"""Staff move mandates, debits and credit lines through the same services as everybody."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from payments import credit
from payments.models import CreditEntry, CreditLine, Mandate, MandateDebit, PaymentProvider, SandboxRecord
from payments.sandbox import Sandbox
from storefront.errors import Unavailable
from storefront.models import Store
from tests.payments.factories import card_row, credit_row, debit_row, method_row

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(db: None, settings: Any) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("hugo", password="x"))
    return client


@pytest.fixture
def reader(db: None) -> Client:
    """Somebody who may look and nothing more."""
    user = get_user_model().objects.create_user("rita", password="x", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="storefront_payments", codename__startswith="view_")
    )
    client = Client()
    client.force_login(user)
    return client


def page(model: str, name: str, pk: Any) -> str:
    return f"/admin/storefront_payments/{model}/{pk}/{name}/"


def told(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


# --- mandates ---------------------------------------------------------------------------------------------------------
def test_a_mandate_is_paused_resumed_and_revoked_after_a_question(staff: Client, mandate: dict[str, Any]) -> None:
    for step, status in (("pause", "paused"), ("resume", "active"), ("revoke", "revoked")):
        address = page("mandate", step, mandate["id"])
        before = Mandate.objects.get().status
        assert staff.get(address).status_code == 200
        assert Mandate.objects.get().status == before, "a look changes nothing"
        answer = staff.post(address, follow=True)
        assert answer.status_code == 200 and "is now" in told(answer)
        assert Mandate.objects.get().status == status
        assert SandboxRecord.objects.get(kind="mandate").data["status"] == status
    assert "for good" in told(staff.post(page("mandate", "resume", mandate["id"]), follow=True))


def test_a_page_offers_only_the_steps_that_fit(staff: Client, mandate: dict[str, Any]) -> None:
    def offered() -> set[str]:
        text = staff.get(f"/admin/storefront_payments/mandate/{mandate['id']}/change/").content.decode()
        return {step for step in ("pause", "resume", "revoke") if page("mandate", step, mandate["id"]) in text}

    assert offered() == {"pause", "revoke"}
    staff.post(page("mandate", "pause", mandate["id"]))
    assert offered() == {"resume", "revoke"}
    staff.post(page("mandate", "revoke", mandate["id"]))
    assert offered() == set()


def test_many_mandates_at_once_say_which_did_not_go(staff: Client, mandate: dict[str, Any], shopper: Any) -> None:
    from tests.payments.conftest import mandate_body

    created = shopper.post(f"{shopper.path}/mandates", mandate_body("50100000000002")).json()["content"]["mandate"]
    data = {"action": "pause_many", "_selected_action": [mandate["id"], created["id"]], "confirmed": "1"}
    answer = staff.post(reverse("admin:storefront_payments_mandate_changelist"), data, follow=True)
    text = told(answer)
    assert created["id"] in text and "1 done" in text
    assert sorted(Mandate.objects.values_list("status", flat=True)) == ["created", "paused"]


def test_a_provider_that_is_away_is_told_and_changes_nothing(
    staff: Client, mandate: dict[str, Any], monkeypatch: Any
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise Unavailable

    for name in ("mandate", "pause_mandate"):
        monkeypatch.setattr(Sandbox, name, away)
    for step in ("pause", "sync"):
        answer = staff.post(page("mandate", step, mandate["id"]), follow=True)
        assert "not available" in told(answer)
    assert Mandate.objects.get().status == "active"


def test_who_may_only_look_changes_nothing(reader: Client, mandate: dict[str, Any], store: Store) -> None:
    line, debit = CreditLine.objects.get(), debit_row(store, 1)
    assert reader.get(f"/admin/storefront_payments/mandate/{mandate['id']}/change/").status_code == 200
    for address in (
        page("mandate", "pause", mandate["id"]),
        page("mandate", "revoke", mandate["id"]),
        page("mandatedebit", "retry", debit.pk),
        page("creditline", "adjust", line.pk),
        page("creditline", "limits", line.pk),
    ):
        assert reader.post(address, {"amount": "5", "reason": "x"}).status_code == 403, address
    assert Mandate.objects.get(pk=mandate["id"]).status == "active"
    assert CreditEntry.objects.filter(line=line).count() == 1


def test_no_page_shows_an_account(staff: Client, mandate: dict[str, Any]) -> None:
    for address in (
        f"/admin/storefront_payments/mandate/{mandate['id']}/change/",
        "/admin/storefront_payments/mandate/",
    ):
        text = staff.get(address).content.decode()
        assert "50100000000001" not in text and "••0001" in text


# --- debits -----------------------------------------------------------------------------------------------------------
def test_a_failed_debit_is_tried_again(staff: Client, store: Store) -> None:
    debit = debit_row(store, 1)
    MandateDebit.objects.update(status="debit-failed", due_at=None)
    assert staff.get(page("mandatedebit", "retry", debit.pk)).status_code == 200
    staff.post(page("mandatedebit", "retry", debit.pk), follow=True)
    assert MandateDebit.objects.get().status == "awaiting-retry"
    MandateDebit.objects.update(status="debit-success", due_at=None)
    assert "Only a failed debit" in told(staff.post(page("mandatedebit", "retry", debit.pk), follow=True))


def test_many_debits_are_retried_or_cancelled(staff: Client, store: Store) -> None:
    first, second = debit_row(store, 1), debit_row(store, 2)
    MandateDebit.objects.filter(pk=second.pk).update(status="debit-failed", due_at=None)
    address = reverse("admin:storefront_payments_mandatedebit_changelist")
    for action in ("retry_many", "cancel_many"):
        answer = staff.post(
            address, {"action": action, "_selected_action": [first.pk, second.pk], "confirmed": "1"}, follow=True
        )
        assert answer.status_code == 200
    assert set(MandateDebit.objects.values_list("status", flat=True)) == {"cancelled"}


# --- credit lines -----------------------------------------------------------------------------------------------------
def test_what_is_owed_is_corrected_with_a_reason(staff: Client, store: Store) -> None:
    line = credit_row(store, 1)
    address = page("creditline", "adjust", line.pk)
    assert staff.get(address).status_code == 200
    for data in ({"amount": "50"}, {"amount": "x", "reason": "y"}, {"amount": "1001", "reason": "y"}):
        answer = staff.post(address, data)
        assert answer.status_code == 200 and answer.context["form"].errors
    assert staff.post(address, {"amount": "50", "reason": "Old debt"}).status_code == 302
    line.refresh_from_db()
    assert line.utilised == 50
    entry = CreditEntry.objects.get(kind="adjust")
    assert (entry.reason, entry.staff_name) == ("Old debt", "hugo")
    shown = staff.get(f"/admin/storefront_payments/creditline/{line.pk}/change/").content.decode()
    assert "Old debt" in shown


def test_limits_are_set_with_a_reason_and_the_orders_limit_is_the_larger(staff: Client, store: Store) -> None:
    line = credit_row(store, 1)
    address = page("creditline", "limits", line.pk)
    wrong = {"total_credit_limit": "10", "mandate_per_order_limit": "5", "reason": "Review"}
    assert "total_credit_limit" in staff.post(address, wrong).context["form"].errors
    assert staff.post(address, wrong | {"mandate_per_order_limit": "10"}).status_code == 302
    line.refresh_from_db()
    assert line.total_credit_limit == 10


def test_a_line_is_opened_for_a_customer_of_the_store_only(staff: Client, store: Store, shopper: Any) -> None:
    address = reverse("admin:storefront_payments_creditline_add")
    assert staff.get(address).status_code == 200
    answer = staff.post(address, {"customer_id": "nobody", "is_eligible": "on"})
    assert answer.status_code == 200 and "customer_id" in answer.context["adminform"].form.errors
    assert staff.post(address, {"customer_id": shopper.customer_id, "is_eligible": "on"}).status_code == 302
    line = CreditLine.objects.get()
    assert (line.customer_id, line.is_eligible, line.provisioned) == (shopper.customer_id, True, False)
    answer = staff.post(address, {"customer_id": shopper.customer_id, "is_eligible": "on"})
    assert answer.status_code == 200 and CreditLine.objects.count() == 1
    rows = {"entries-TOTAL_FORMS": "0", "entries-INITIAL_FORMS": "0"}
    answer = staff.post(f"/admin/storefront_payments/creditline/{line.pk}/change/", rows)
    assert answer.status_code == 302
    assert CreditLine.objects.get().is_eligible is False


# --- providers --------------------------------------------------------------------------------------------------------
def test_credentials_are_kept_apart_from_what_clients_see(staff: Client, provider: PaymentProvider) -> None:
    address = f"/admin/storefront_payments/paymentprovider/{provider.pk}/change/"
    data = {"slug": "sandbox", "name": "Sandbox", "config": '{"key": "public"}', "active": "on", "sort_order": "10"}
    assert staff.post(address, data | {"credential_secret": "hush-hush"}).status_code == 302
    provider.refresh_from_db()
    assert (provider.credentials, provider.config) == ({"secret": "hush-hush"}, {"key": "public"})
    assert "hush-hush" not in staff.get(address).content.decode()
    assert staff.post(address, data | {"credential_secret": ""}).status_code == 302
    provider.refresh_from_db()
    assert provider.credentials == {"secret": "hush-hush"}
    leaked = staff.post(address, data | {"config": '{"key": "hush-hush"}'})
    assert "config" in leaked.context["adminform"].form.errors
    assert staff.post(address, data | {"credential_secret": "-"}).status_code == 302
    provider.refresh_from_db()
    assert provider.credentials == {}


def test_a_provider_is_added_and_only_with_a_gateway_that_is_known(staff: Client, store: Store) -> None:
    address = reverse("admin:storefront_payments_paymentprovider_add")
    data = {"slug": "test", "name": "Test", "gateway": "nothing", "active": "on", "sort_order": "10"}
    assert "gateway" in staff.post(address, data).context["adminform"].form.errors
    answer = staff.post(address, data | {"gateway": "sandbox"})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert PaymentProvider.objects.get().gateway == "sandbox"


# --- the customer's page ----------------------------------------------------------------------------------------------
def test_a_customers_page_shows_means_mandates_and_credit(
    staff: Client, mandate: dict[str, Any], kept: Any, shopper: Any, store: Store
) -> None:
    shopper.get(f"{shopper.path}/cards")
    credit.adjust(store=store, line_id=CreditLine.objects.get().pk, amount=Decimal("12.50"), reason="x")
    text = staff.get(f"/admin/storefront_customers/customer/{shopper.customer_id}/change/").content.decode()
    for shown in ("•••• 4242", "as***@sandbox", "••0001", "₹ 12.50", "₹ 987.50"):
        assert shown in text, shown
    assert "asha.rao@" not in text and "tok_visa" not in text


def test_saved_means_are_read_only(staff: Client, store: Store) -> None:
    for model, row in (("savedcard", card_row(store, 1)), ("savedmethod", method_row(store, 2))):
        address = f"/admin/storefront_payments/{model}/{row.pk}"
        assert staff.get(f"{address}/change/").status_code == 200
        assert staff.post(f"{address}/change/", {"nickname": "x"}).status_code == 403
        assert staff.post(f"{address}/delete/", {"post": "yes"}).status_code == 403
