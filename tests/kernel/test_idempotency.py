from __future__ import annotations

import hashlib
from threading import Barrier
from typing import Any

import pytest
import time_machine
from django.db import connection

from storefront import idempotency
from storefront.api import Reply
from storefront.errors import InProgress, Invalid, Unavailable
from storefront.models import Channel, IdempotencyRecord
from tests.conftest import Api
from tests.contract import assert_is_error
from tests.threads import in_parallel

pytestmark = [pytest.mark.urls("tests.kernel.urls")]


@pytest.mark.django_db
def test_a_repeat_gets_the_first_answer_byte_for_byte_and_has_no_second_effect(api: Api) -> None:
    first = api.post("/create", {"name": "Shop"}, Idempotency_Key="k1")
    again = api.post("/create", {"name": "Shop"}, Idempotency_Key="k1")
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert Channel.objects.filter(name="Shop").count() == 1


@pytest.mark.django_db
def test_the_same_key_with_another_body_is_refused(api: Api) -> None:
    api.post("/create", {"name": "Shop"}, Idempotency_Key="k1")
    assert_is_error(api.post("/create", {"name": "Bar"}, Idempotency_Key="k1"), 400, "idempotency_key_reused")
    assert not Channel.objects.filter(name="Bar").exists()


@pytest.mark.django_db
def test_a_refusal_is_not_remembered(api: Api) -> None:
    assert_is_error(api.post("/create", {}, Idempotency_Key="k1"), 400)
    assert not IdempotencyRecord.objects.exists()
    assert api.post("/create", {"name": "Shop"}, Idempotency_Key="k1").status_code == 200


@pytest.mark.django_db
def test_a_key_is_scoped_to_its_store(api: Api, other_store: Any, new_api: Any) -> None:
    api.post("/create", {"name": "Shop"}, Idempotency_Key="k1")
    assert new_api(other_store).post("/create", {"name": "Bar"}, Idempotency_Key="k1").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_twins_in_parallel_have_one_effect(api: Api) -> None:
    barrier = Barrier(6)

    def call(_number: int) -> Any:
        barrier.wait()
        return api.post("/create", {"name": "Shop"}, Idempotency_Key="k1")

    answers = in_parallel(call, 6)
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert Channel.objects.filter(name="Shop").count() == 1


# --- what asks somebody else on its way -------------------------------------------------------------------------------
class Bank:
    """Somebody else, who makes a thing for each id and may fail after having made it."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.failure: Exception | None = None

    def ask(self, effect_id: str) -> Reply:
        assert not [block for block in connection.atomic_blocks if not getattr(block, "_from_testcase", False)]
        self.made.append(effect_id)
        if self.failure is not None:
            raise self.failure
        return Reply({"id": effect_id})


def outside(store: Any, bank: Bank, **changes: Any) -> Any:
    where: dict[str, Any] = {"store": store, "caller": "asha", "route": "r", "key": "k1", "body": {"account": "5010"}}
    return idempotency.once_outside(**(where | changes), call=bank.ask)


@pytest.mark.django_db
def test_outside_of_a_transaction_too_a_repeat_gets_the_first_answer_and_nobody_is_asked_again(store: Any) -> None:
    bank = Bank()
    first, again = outside(store, bank), outside(store, bank)
    assert first.content == again.content
    assert len(bank.made) == 1
    for other in ({"caller": "mallory"}, {"route": "other"}, {"key": "k2"}, {"key": None}):
        assert outside(store, bank, **other).content != first.content
    with pytest.raises(Invalid):
        outside(store, bank, body={"account": "5011"})
    assert len(set(bank.made)) == len(bank.made) == 5


@pytest.mark.django_db
def test_a_refusal_frees_the_key_and_the_id(store: Any) -> None:
    bank = Bank()
    bank.failure = Invalid("No such account.")
    with pytest.raises(Invalid):
        outside(store, bank)
    assert not IdempotencyRecord.objects.exists()
    bank.failure = None
    assert outside(store, bank, body={"account": "5011"}).status_code == 200
    assert len(set(bank.made)) == 2


@pytest.mark.django_db
@pytest.mark.parametrize("failure", [Unavailable(retry_after=1), RuntimeError("the process dies")])
def test_what_nobody_answered_goes_on_with_the_same_id(store: Any, failure: Exception) -> None:
    bank = Bank()
    bank.failure = failure
    with pytest.raises(type(failure)):
        outside(store, bank)
    with pytest.raises(Invalid):  # still the same call
        outside(store, bank, body={"account": "5011"})
    bank.failure = None
    assert outside(store, bank).status_code == 200
    assert bank.made[0] == bank.made[1]


@pytest.mark.django_db
def test_a_call_that_died_is_taken_over_when_its_claim_ends_and_not_before(store: Any) -> None:
    class Killed(BaseException):
        pass

    def die(_effect_id: str) -> Reply:
        died.append(_effect_id)
        raise Killed

    died: list[str] = []
    bank = Bank()
    where: dict[str, Any] = {"store": store, "caller": "asha", "route": "r", "key": "k1", "body": {"account": "5010"}}
    with time_machine.travel("2031-05-06T07:08:09Z", tick=False) as clock:
        with pytest.raises(Killed):
            idempotency.once_outside(**where, call=die)
        with pytest.raises(InProgress):
            outside(store, bank)
        clock.shift(idempotency.CLAIM)
        assert outside(store, bank).status_code == 200
        clock.shift(idempotency.LIFETIME)
        assert outside(store, bank).status_code == 200  # a day later it is a new call
    assert bank.made[0] == died[0] != bank.made[1]


@pytest.mark.django_db
def test_the_record_does_not_let_the_body_be_guessed(store: Any) -> None:
    outside(store, Bank())
    outside(store, Bank(), key="k2")
    hashes = set(IdempotencyRecord.objects.values_list("request_hash", flat=True))
    assert len(hashes) == 2  # the same body: only under the server's secret, and each for its key
    assert hashlib.sha256(b'{"account":"5010"}').hexdigest() not in hashes


@pytest.mark.django_db
def test_a_key_lives_through_a_change_of_the_secret(store: Any, settings: Any) -> None:
    bank = Bank()
    first = outside(store, bank)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another one, long enough to be one"
    assert outside(store, bank).content == first.content
    assert len(bank.made) == 1


@pytest.mark.django_db(transaction=True)
def test_twins_outside_of_transactions_ask_once(store: Any) -> None:
    bank = Bank()
    barrier = Barrier(6)

    def call(_number: int) -> bytes | None:
        barrier.wait()
        try:
            return bytes(outside(store, bank).content)
        except InProgress:
            return None

    answers = set(in_parallel(call, 6)) - {None}
    assert len(bank.made) == len(answers) == 1
