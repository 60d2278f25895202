"""The second step under many requests at once."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django_otp.plugins.otp_static.models import StaticToken

from storefront.errors import TooManyRequests
from storefront.staff import devices
from tests.admin.tokens import token_of
from tests.threads import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)
TRIES = 8


@pytest.fixture
def user() -> Any:
    return get_user_model().objects.create_superuser("anna", "anna@example.com", "a-Long-enough-1")


@pytest.fixture
def device(user: Any) -> Any:
    device = devices.begin(user=user)
    device.confirmed = True
    device.save()
    return device


def _answers(user: Any, token: str) -> list[str]:
    def one(_number: int) -> str:
        try:
            return "accepted" if devices.verify(user=user, token=token) is not None else "wrong"
        except TooManyRequests:
            return "braked"

    return in_parallel(one, TRIES)


def test_one_token_sent_many_times_at_once_is_accepted_once(user, device):
    assert _answers(user, token_of(device)).count("accepted") == 1


def test_one_recovery_code_sent_many_times_at_once_is_accepted_once(user, device):
    codes = devices.renew_recovery_codes(user=user)
    assert _answers(user, codes[3]).count("accepted") == 1
    assert StaticToken.objects.count() == 9


def test_wrong_tokens_sent_at_once_are_all_counted(user, device):
    wrong = f"{(int(token_of(device)) + 1) % 1_000_000:06d}"
    answers = _answers(user, wrong)
    device.refresh_from_db()
    assert answers.count("accepted") == 0
    assert answers.count("wrong") == device.throttling_failure_count == 1


def test_one_enrolment_confirmed_twice_at_once_gives_one_set_of_codes(user):
    device = devices.begin(user=user)
    token = token_of(device)

    def one(_number: int) -> int:
        try:
            return len(devices.confirm(user=user, device_id=device.pk, token=token)[1])
        except Exception:
            return 0

    assert sorted(in_parallel(one, 4)) == [0, 0, 0, 10]
    assert StaticToken.objects.count() == 10
