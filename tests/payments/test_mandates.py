"""Mandates walk one table of transitions, agree with their provider, and stay where they are when it is away."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.db import DataError, IntegrityError, transaction
from django.utils import timezone

from payments import mandates, selectors
from payments.models import CreditLine, Mandate, SandboxRecord
from payments.sandbox import Sandbox
from payments.states import MANDATE_REPORTS, MANDATE_STEPS, MandateStatus, MandateStep
from storefront.errors import Unavailable
from storefront.models import Store
from tests.contract import assert_is_error, assert_matches
from tests.payments.conftest import mandate_body

pytestmark = pytest.mark.django_db

# What the API promises, written down a second time on purpose: (state, step): state afterwards.
PROMISED = {
    ("active", "change"): "active",
    ("active", "pause"): "paused",
    ("paused", "resume"): "active",
    ("created", "revoke"): "revoked",
    ("active", "revoke"): "revoked",
    ("paused", "revoke"): "revoked",
}
REFUSED = {"change": "mandate_not_active", "pause": "mandate_not_active", "revoke": "mandate_not_active"}


def in_state(api: Any, status: str, sandbox: Sandbox) -> Mandate:
    """A mandate in that state, here and at its provider."""
    account = {"created": "50100000000002", "error": "50100000000003"}.get(status, "50100000000001")
    made = api.post(f"{api.path}/mandates", mandate_body(account)).json()["content"]["mandate"]
    path = f"{api.path}/mandates/{made['id']}"
    if status in ("paused", "revoked"):
        assert api.post(f"{path}/{status.removesuffix('d')}").status_code == 200
    row = Mandate.objects.get(pk=made["id"])
    assert row.status == status
    return row


def take(api: Any, row: Mandate, step: str) -> Any:
    path = f"{api.path}/mandates/{row.pk}"
    return api.put(path, {"max_amount": 1500}) if step == "change" else api.post(f"{path}/{step}")


@pytest.mark.parametrize(("status", "step"), list(product(MandateStatus.values, MandateStep.values)))
def test_only_the_steps_of_the_table_are_taken(
    shopper: Any, line: CreditLine, sandbox: Sandbox, status: str, step: str
) -> None:
    row = in_state(shopper, status, sandbox)
    remote = SandboxRecord.objects.get(kind="mandate").data
    answer = take(shopper, row, step)
    after = PROMISED.get((status, step))
    row.refresh_from_db()
    if after is None:
        code = "mandate_revoked" if status == "revoked" else REFUSED.get(step, "mandate_not_paused")
        assert_is_error(answer, 400, code)
        assert row.status == status
        assert SandboxRecord.objects.get(kind="mandate").data == remote
        return
    operation = "update" if step == "change" else step
    assert assert_matches(f"{operation}-customer-mandate", answer)["mandate"]["status"] == after
    assert row.status == after
    assert SandboxRecord.objects.get(kind="mandate").data["status"] == after


def test_the_table_is_the_promised_one_and_revoking_is_final() -> None:
    assert {(str(state), str(step)): str(after) for (state, step), after in MANDATE_STEPS.items()} == PROMISED
    assert MANDATE_REPORTS["revoked"] == {"revoked"}
    assert set(MANDATE_REPORTS) == set(MandateStatus.values)


# --- changes ----------------------------------------------------------------------------------------------------------
def test_amount_and_end_change_together_or_alone(shopper: Any, mandate: dict[str, Any]) -> None:
    path = f"{shopper.path}/mandates/{mandate['id']}"
    end = (timezone.now() + timedelta(days=90)).replace(microsecond=0)
    both = assert_matches("update-customer-mandate", shopper.put(path, {"max_amount": 99.5, "end_at": end.isoformat()}))
    assert both["mandate"]["max_amount"] == 99.5
    row = Mandate.objects.get()
    assert (row.end_at, row.version) == (end, 2)
    alone = shopper.put(path, {"max_amount": 100, "end_at": None}).json()["content"]["mandate"]
    assert (alone["max_amount"], alone["end_date"]) == (100.0, both["mandate"]["end_date"])
    assert shopper.put(path, {}).status_code == 200
    assert Mandate.objects.get().version == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"max_amount": 0}, "max_amount"),
        ({"max_amount": -1}, "max_amount"),
        ({"max_amount": "10"}, "max_amount"),
        ({"max_amount": True}, "max_amount"),
        ({"max_amount": 1e14}, "max_amount"),
        ({"max_amount": 1.001}, "max_amount"),
        ({"max_amount": 1.00001}, "max_amount"),
        ({"max_amount": [1]}, "max_amount"),
        ({"end_at": "yesterday"}, "end_at"),
        ({"end_at": "2001-01-01T00:00:00Z"}, "end_at"),
        ({"end_at": 5}, "end_at"),
        ({"end_at": {}}, "end_at"),
    ],
)
def test_a_change_that_is_not_right_is_named_and_nothing_changes(
    shopper: Any, mandate: dict[str, Any], body: Any, field: str
) -> None:
    path = f"{shopper.path}/mandates/{mandate['id']}"
    assert_is_error(shopper.put(path, body), 400, "validation_error", field)
    assert shopper.get(path).json()["content"]["mandate"] == mandate


def test_what_the_provider_does_not_allow_is_refused(shopper: Any, mandate: dict[str, Any]) -> None:
    path = f"{shopper.path}/mandates/{mandate['id']}"
    assert_is_error(shopper.put(path, {"max_amount": 10_000_001}), 400, "mandate_refused", "max_amount")
    assert_is_error(shopper.put(path, {"end_at": "2999-01-01T00:00:00Z"}), 400, "mandate_refused", "end_at")
    assert shopper.get(path).json()["content"]["mandate"] == mandate


def test_a_mandate_that_only_the_shop_may_end_is_not_revoked_by_its_customer(
    shopper: Any, mandate: dict[str, Any], store: Store
) -> None:
    Mandate.objects.update(revokable_by_customer=False)
    path = f"{shopper.path}/mandates/{mandate['id']}"
    assert_is_error(shopper.post(f"{path}/revoke"), 400, "mandate_not_revokable")
    assert Mandate.objects.get().status == "active"
    mandates.by_staff(store=store, mandate_id=mandate["id"], step=MandateStep.REVOKE, now=timezone.now())
    assert Mandate.objects.get().status == "revoked"


# --- the provider's word ----------------------------------------------------------------------------------------------
def test_a_mandate_is_activated_by_a_look_at_its_provider(shopper: Any, line: CreditLine) -> None:
    created = shopper.post(f"{shopper.path}/mandates", mandate_body("50100000000002")).json()["content"]["mandate"]
    path = f"{shopper.path}/mandates/{created['id']}"
    assert shopper.get(path).json()["content"]["mandate"]["status"] == "created"
    assert shopper.get(f"{path}?sync=false").json()["content"]["mandate"]["status"] == "created"
    looked = assert_matches("get-customer-mandate", shopper.get(f"{path}?sync=true"))["mandate"]
    assert looked["status"] == "active" and looked["activated_at"]
    assert shopper.get(path).json()["content"]["mandate"] == looked
    assert_is_error(shopper.get(f"{path}?sync=maybe"), 400, "validation_error", "sync")


def test_what_the_bank_did_on_its_own_is_written_down(
    shopper: Any, mandate: dict[str, Any], sandbox: Sandbox, store: Store
) -> None:
    sandbox.bank_says(store_id=store.pk, reference=Mandate.objects.get().reference, status="revoked")
    path = f"{shopper.path}/mandates/{mandate['id']}"
    # A step that the provider refuses makes us look, and the answer names what holds.
    assert_is_error(shopper.post(f"{path}/pause"), 400, "mandate_revoked")
    assert Mandate.objects.get().status == "revoked"


def test_a_revoked_mandate_never_comes_back(
    shopper: Any, mandate: dict[str, Any], sandbox: Sandbox, store: Store
) -> None:
    path = f"{shopper.path}/mandates/{mandate['id']}"
    shopper.post(f"{path}/revoke")
    row = selectors.mandate(store=store, customer_id=shopper.customer_id, mandate_id=mandate["id"])
    sandbox.bank_says(store_id=store.pk, reference=row.reference, status="active")
    assert mandates.sync(store=store, row=row, now=timezone.now()).status == "revoked"
    assert shopper.get(f"{path}?sync=true").json()["content"]["mandate"]["status"] == "revoked"


def test_resuming_keeps_the_first_activation(shopper: Any, mandate: dict[str, Any]) -> None:
    path = f"{shopper.path}/mandates/{mandate['id']}"
    shopper.post(f"{path}/pause")
    resumed = shopper.post(f"{path}/resume").json()["content"]["mandate"]
    assert resumed["activated_at"] == mandate["activated_at"]
    assert resumed["last_activated_at"] > mandate["last_activated_at"]


@pytest.mark.parametrize("step", ["change", "pause", "resume", "revoke", "sync"])
def test_a_provider_that_is_away_leaves_everything_as_it_was(
    shopper: Any, line: CreditLine, sandbox: Sandbox, monkeypatch: Any, step: str
) -> None:
    row = in_state(shopper, "paused" if step == "resume" else "active", sandbox)
    before = list(Mandate.objects.values())

    def away(*_: Any, **__: Any) -> None:
        raise Unavailable(retry_after=1)

    for name in ("mandate", "change_mandate", "pause_mandate", "resume_mandate", "revoke_mandate"):
        monkeypatch.setattr(Sandbox, name, away)
    answer = shopper.get(f"{shopper.path}/mandates/{row.pk}?sync=1") if step == "sync" else take(shopper, row, step)
    assert_is_error(answer, 503, "temporarily_unavailable")
    assert list(Mandate.objects.values()) == before


def test_a_change_that_another_came_before_ends_with_the_providers_word(
    shopper: Any, mandate: dict[str, Any], monkeypatch: Any
) -> None:
    """Between our question and our writing, somebody pauses and resumes: the version has moved on."""
    asked = Sandbox.pause_mandate

    def slow(self: Sandbox, **which: Any) -> Any:
        facts = asked(self, **which)
        Mandate.objects.update(version=7)
        return facts

    monkeypatch.setattr(Sandbox, "pause_mandate", slow)
    answer = shopper.post(f"{shopper.path}/mandates/{mandate['id']}/pause")
    assert answer.json()["content"]["mandate"]["status"] == "paused"
    row = Mandate.objects.get()
    assert (row.status, row.version) == ("paused", 8)


def test_a_pause_that_a_revocation_overtook_is_refused(shopper: Any, mandate: dict[str, Any], monkeypatch: Any) -> None:
    asked = Sandbox.pause_mandate

    def overtaken(self: Sandbox, **which: Any) -> Any:
        facts = asked(self, **which)
        monkeypatch.undo()
        assert shopper.post(f"{shopper.path}/mandates/{mandate['id']}/revoke").status_code == 200
        return facts

    monkeypatch.setattr(Sandbox, "pause_mandate", overtaken)
    assert_is_error(shopper.post(f"{shopper.path}/mandates/{mandate['id']}/pause"), 400, "mandate_revoked")
    assert Mandate.objects.get().status == "revoked"


def test_braked_by_customer(shopper: Any, line: CreditLine, configure: Any) -> None:
    configure(LIMITS_ENABLED=True, LIMITS={"mandate_create": "2/60"})
    path = f"{shopper.path}/mandates"
    for _number in range(2):
        assert shopper.post(path, mandate_body()).status_code == 200
    assert_is_error(shopper.post(path, mandate_body()), 429, "too_many_requests")
    assert Mandate.objects.count() == 2


# --- the database's own word ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "change",
    [
        {"status": "gone"},
        {"max_amount": 0},
        {"activated_at": None},
        {"beneficiary": "4242 4242 4242 4242"},
        {"account_last4": "42424242"},
    ],
)
def test_the_database_refuses_what_cannot_be(shopper: Any, mandate: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises((IntegrityError, DataError)), transaction.atomic():
        Mandate.objects.update(**change)


# --- repeats ----------------------------------------------------------------------------------------------------------
def test_a_mandate_that_is_asked_for_again_with_its_key_is_made_once(shopper: Any, line: CreditLine) -> None:
    path = f"{shopper.path}/mandates"
    first = shopper.post(path, mandate_body(), Idempotency_Key="m-1")
    again = shopper.post(path, mandate_body(), Idempotency_Key="m-1")
    assert (first.status_code, first.content) == (200, again.content)
    assert Mandate.objects.count() == SandboxRecord.objects.filter(kind="mandate").count() == 1
    other = shopper.post(path, mandate_body("50100000000009"), Idempotency_Key="m-1")
    assert_is_error(other, 400, "idempotency_key_reused", "Idempotency-Key")
    assert shopper.post(path, mandate_body(), Idempotency_Key="m-2").status_code == 200
    assert Mandate.objects.count() == 2


def test_a_mandate_whose_answer_was_cut_off_is_the_same_one_when_asked_for_again(
    shopper: Any, line: CreditLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{shopper.path}/mandates"
    made = Sandbox.create_mandate

    def cut_off(self: Sandbox, **arguments: Any) -> Any:
        made(self, **arguments)
        raise TimeoutError

    monkeypatch.setattr(Sandbox, "create_mandate", cut_off)
    assert_is_error(shopper.post(path, mandate_body(), Idempotency_Key="m-1"), 503, "temporarily_unavailable")
    assert not Mandate.objects.exists()
    monkeypatch.setattr(Sandbox, "create_mandate", made)
    answer = shopper.post(path, mandate_body(), Idempotency_Key="m-1")
    assert answer.status_code == 200
    row, record = Mandate.objects.get(), SandboxRecord.objects.get(kind="mandate")
    assert row.reference == record.reference
    assert answer.json()["content"]["mandate"]["id"] == row.pk


def test_a_mandate_of_that_id_is_given_back_and_nobody_is_asked(
    shopper: Any, line: CreditLine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = shopper.post(f"{shopper.path}/mandates", mandate_body()).json()["content"]["mandate"]
    monkeypatch.delattr(Sandbox, "create_mandate")
    where = {"store": store, "customer_id": shopper.customer_id, "now": timezone.now()}
    assert mandates.create(**where, **mandate_body(), mandate_id=made["id"]).pk == made["id"]
    assert Mandate.objects.count() == 1


def test_a_refused_mandate_may_be_put_right_under_the_same_key(shopper: Any, line: CreditLine) -> None:
    path = f"{shopper.path}/mandates"
    assert_is_error(shopper.post(path, mandate_body("50100000000005"), Idempotency_Key="m-1"), 400, "mandate_refused")
    assert shopper.post(path, mandate_body(), Idempotency_Key="m-1").status_code == 200
    assert Mandate.objects.count() == 1


@pytest.mark.parametrize("step", ["pause", "revoke"])
def test_a_step_that_is_repeated_with_its_key_is_answered_as_the_first_time(
    shopper: Any, mandate: dict[str, Any], step: str
) -> None:
    path = f"{shopper.path}/mandates/{mandate['id']}/{step}"
    first = shopper.post(path, Idempotency_Key="s-1")
    assert first.status_code == 200
    assert shopper.post(path, Idempotency_Key="s-1").content == first.content
    assert shopper.post(path).status_code == 400  # without the key it is another call, and too late
    assert Mandate.objects.get().version == 2
