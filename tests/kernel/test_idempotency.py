from __future__ import annotations

from threading import Barrier
from typing import Any

import pytest

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
