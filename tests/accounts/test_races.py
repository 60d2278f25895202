"""The same call many times at once (R-05, R-08, R-09, R-10). ROUNDS in the environment makes longer runs."""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts import selectors
from accounts.models import OtpChallenge, RefreshToken, SecurityEvent, Session, User
from customers.models import Customer
from messaging.models import Message
from storefront import services as kernel
from storefront.models import RateCounter, Store
from tests.accounts.conftest import answer, last_code, wrong
from tests.accounts.test_visitors import claims
from tests.conftest import Api
from tests.threads import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = int(os.environ.get("ROUNDS", "3"))
EMAIL = {"email": "asha@example.com"}


@pytest.fixture
def shop(transactional_db: None) -> Store:
    return kernel.create_store(store_id="demo", name="Demo")


@pytest.fixture
def client(shop: Store) -> Api:
    return Api(shop, kernel.create_key(store=shop, name="Web").text).become_visitor()


@pytest.fixture(autouse=True)
def _quiet_messages(monkeypatch: Any) -> None:
    """Messages stay in the queue: delivery has its own tests."""
    from storefront import outbox

    monkeypatch.setattr(outbox, "_wake", lambda name: None)


def copy_of(api: Api) -> Api:
    """A client of the same shopper for another thread."""
    twin = Api(api.store, api.key)
    twin.token, twin.refresh_token, twin.user_id = api.token, api.refresh_token, api.user_id
    return twin


def logged_in(api: Api, email: str = "asha@example.com") -> Api:
    asked = api.post("/auth/login/email", {"email": email, "register_if_not_exists": True})
    return api.take(answer(api, asked, code=last_code(email)))


def refresh(api: Api, token: str) -> Any:
    return copy_of(api).request("POST", "/auth/refresh-token", {"refresh_token": token}, Authorization="")


def test_one_refresh_token_twelve_times_at_once(client: Api) -> None:
    """R-05: one live successor a round; used again after the grace it ends the session with all its tokens."""
    api = logged_in(client)
    first, seen = api.refresh_token, []
    for _round in range(ROUNDS):
        token = api.refresh_token
        answers = in_parallel(lambda _n, token=token: refresh(api, token), 12)
        assert [found.status_code for found in answers] == [200] * 12
        contents = [found.json()["content"] for found in answers]
        assert len({content["refresh_token"] for content in contents}) == 1
        assert RefreshToken.objects.filter(used_at=None).count() == 1
        api.token, api.refresh_token = contents[0]["access_token"], contents[0]["refresh_token"]
        seen += [content["access_token"] for content in contents]
    assert RefreshToken.objects.count() == ROUNDS + 1
    assert api.get(f"/auth/user/{api.user_id}").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(seconds=45)):
        late = in_parallel(lambda _n: refresh(api, first), 12)
        assert {found.status_code for found in late} == {400}
        codes = Counter(found.json()["code"] for found in late)
        assert codes["refresh_token_reused"] == 1 and codes["session_ended"] == 11
        assert refresh(api, api.refresh_token).status_code == 400
        for token in {*seen[-3:], api.token}:
            api.token = token
            assert api.get(f"/auth/user/{api.user_id}").status_code == 401
    assert SecurityEvent.objects.filter(kind="token_reused").count() == 1


def test_refreshing_while_the_session_ends(client: Api) -> None:
    """Whoever wins, nothing of the session works afterwards."""
    for _round in range(ROUNDS):
        api = logged_in(copy_of(client))

        def call(number: int, api: Api = api) -> Any:
            return copy_of(api).post("/auth/logout") if number == 3 else refresh(api, api.refresh_token)

        answers = in_parallel(call, 8)
        assert {found.status_code for found in answers} <= {200, 400}
        selectors.forget()
        for found in answers[:3] + answers[4:]:
            if found.status_code == 200:
                content = found.json()["content"]
                assert refresh(api, content["refresh_token"]).status_code == 400
                api.token = content["access_token"]
                assert api.get(f"/auth/user/{api.user_id}").status_code == 401


def test_the_right_code_sixteen_times_at_once(client: Api) -> None:
    """R-08: one login, one account."""
    for number in range(ROUNDS):
        email = f"round-{number}@example.com"
        visitor = Api(client.store, client.key).become_visitor()
        asked = visitor.post("/auth/login/email", {"email": email, "register_if_not_exists": True})
        code = last_code(email)
        before = Session.objects.count()
        answers = in_parallel(lambda _n, v=visitor, a=asked, c=code: answer(copy_of(v), a, code=c), 16)
        assert Counter(found.status_code for found in answers) == {200: 1, 400: 15}
        assert Session.objects.count() == before + 1
        assert User.objects.filter(email=email).count() == 1
    assert User.objects.count() == Customer.objects.count() == ROUNDS


def test_two_ways_to_one_new_account_at_once(client: Api) -> None:
    """Different visitors prove the same new phone through codes of different topics."""
    for number in range(ROUNDS):
        phone = f"98765{number:05d}"
        one, two = (Api(client.store, client.key).become_visitor() for _twice in range(2))
        owner = logged_in(two, f"owner-{number}@example.com")
        asked_one = one.post("/auth/login/phone", {"phone": phone, "register_if_not_exists": True})
        code_one = last_code(f"+91{phone}")
        body = {"channel": "sms", "otp_action": "update-phone", "phone": phone}
        asked_two = owner.post("/auth/generate-otp", body)
        code_two = last_code(f"+91{phone}")

        def call(n: int, calls: Any = ((one, asked_one, code_one), (owner, asked_two, code_two))) -> int:
            api, asked, code = calls[n]
            return int(answer(api, asked, code=code).status_code)

        statuses = in_parallel(call, 2)
        assert 200 in statuses and set(statuses) <= {200, 400}
        assert User.objects.filter(phone=f"+91{phone}", is_phone_verified=True).count() == 1


def test_fifty_clients_guessing_one_challenge(client: Api) -> None:
    """R-09: five of all the guesses are compared, and then the right code is refused too."""
    asked = client.post("/auth/login/email", EMAIL | {"register_if_not_exists": True})
    code = last_code()
    guesses = 1000 if ROUNDS > 10 else 100
    answers = in_parallel(lambda _n: answer(copy_of(client), asked, code=wrong(code)), guesses, workers=50)
    codes = Counter(found.json()["code"] for found in answers)
    assert codes == {"invalid_otp": 5, "otp_expired": guesses - 5}
    assert answer(client, asked, code=code).json()["code"] == "otp_expired"
    assert not User.objects.exists() and OtpChallenge.objects.get().tries == 5


def test_a_virtual_day_of_guessing(client: Api, configure: Any) -> None:
    """R-09: at most ten challenges a day and contact, so fifty guesses; the owner gets in by another channel."""
    configure(LIMITS_ENABLED=True, LIMITS={"otp_network": "", "otp_verify_network": ""})
    start = timezone.now()
    with time_machine.travel(start):
        victim = logged_in(copy_of(client))
        victim.put(f"/auth/user/{victim.user_id}", {"phone": "9876543210"})
        asked = victim.post(
            "/auth/generate-otp", {"channel": "sms", "otp_action": "verify-phone", "phone": "9876543210"}
        )
        assert answer(victim, asked, code=last_code("+919876543210")).status_code == 200
    compared = sent = 0
    for minute in range(0, 24 * 60, 10):
        with time_machine.travel(start + timedelta(minutes=minute, seconds=121)):
            attacker = Api(client.store, client.key).become_visitor()
            asked = attacker.post("/auth/login/email", EMAIL)
            if asked.status_code == 429:
                assert int(asked["Retry-After"]) > 0
                continue
            sent += 1
            code = last_code("asha@example.com")
            for _guess in range(6):
                compared += answer(attacker, asked, code=wrong(code)).json()["code"] == "invalid_otp"
    assert sent == 9 and compared == 45  # the owner's own code was the tenth
    with time_machine.travel(start + timedelta(hours=23)):
        owner = Api(client.store, client.key).become_visitor()
        asked = owner.post("/auth/login/whatsapp", {"phone": "9876543210"})
        assert answer(owner, asked, code=last_code("+919876543210")).json()["content"]["user"]["id"] == victim.user_id


# --- sending limits (R-10) --------------------------------------------------------------------------------------------
CALLS = 500 if ROUNDS > 10 else 60


def brakes(configure: Any, **limits: str) -> None:
    lifted = dict.fromkeys(("otp_contact", "otp_network", "otp_prefix", "anonymous"), "")
    configure(LIMITS_ENABLED=True, OTP_COOLDOWN=(0,), LIMITS=lifted | limits)


def expect(answers: list[Any], allowed: int) -> None:
    assert Counter(found.status_code for found in answers) == {200: allowed, 429: len(answers) - allowed}
    assert all(int(found["Retry-After"]) > 0 for found in answers if found.status_code == 429)
    assert all(found.json()["code"] == "too_many_requests" for found in answers if found.status_code == 429)
    assert Message.objects.count() == OtpChallenge.objects.count() == allowed


@pytest.mark.parametrize("known", [True, False])
def test_many_calls_for_one_contact(known: bool, client: Api, configure: Any) -> None:
    if known:
        logged_in(copy_of(client))
        Message.objects.all().delete()
        OtpChallenge.objects.all().delete()
        RateCounter.objects.all().delete()
    brakes(configure, otp_contact="5/3600 10/86400")
    expect(in_parallel(lambda _n: copy_of(client).post("/auth/login/email", EMAIL), CALLS, workers=16), 5)
    assert OtpChallenge.objects.filter(voided_at=None).count() == 1
    start = timezone.now()
    for hours, allowed in ((1.1, 10), (2.2, 10), (25, 15)):
        with time_machine.travel(start + timedelta(hours=hours)):
            fresh = Api(client.store, client.key).become_visitor()
            in_parallel(lambda _n, api=fresh: copy_of(api).post("/auth/login/email", EMAIL), 20, workers=8)
            assert Message.objects.count() == allowed


def test_many_contacts_from_one_network(client: Api, configure: Any) -> None:
    brakes(configure, otp_network="20/3600")
    expect(
        in_parallel(
            lambda n: copy_of(client).post("/auth/login/email", {"email": f"{n}@example.com"}), CALLS, workers=16
        ),
        20,
    )


def test_many_numbers_of_one_prefix(client: Api, configure: Any) -> None:
    brakes(configure, otp_prefix="20/86400")
    expect(
        in_parallel(
            lambda n: copy_of(client).post("/auth/login/phone", {"phone": f"987654{n:04d}"}), CALLS, workers=16
        ),
        20,
    )
    assert client.post("/auth/login/phone", {"phone": "9876530000"}).status_code == 200


def test_the_daily_budget_of_a_store(client: Api, configure: Any) -> None:
    brakes(configure)
    configure(OTP_STORE_DAILY_BUDGET=20)
    expect(
        in_parallel(lambda n: copy_of(client).post("/auth/login/phone", {"phone": f"98{n:08d}"}), CALLS, workers=16),
        20,
    )
    other = kernel.create_store(store_id="other", name="Other")
    stranger = Api(other, kernel.create_key(store=other, name="Web").text).become_visitor()
    assert stranger.post("/auth/login/email", EMAIL).status_code == 200


def test_only_one_code_lives_even_without_brakes(client: Api) -> None:
    answers = in_parallel(lambda _n: copy_of(client).post("/auth/login/email", EMAIL), 16)
    assert {found.status_code for found in answers} == {200}
    assert OtpChallenge.objects.filter(voided_at=None, consumed_at=None).count() == 1


def test_the_wait_for_the_next_code_grows_until_one_is_used(client: Api, configure: Any) -> None:
    configure(LIMITS_ENABLED=True, LIMITS={"otp_contact": "", "otp_network": ""})
    start = timezone.now()
    outcome = []
    for second in (0, 29, 31, 60, 90, 92, 180, 213, 300, 334):
        with time_machine.travel(start + timedelta(seconds=second)):
            asked = client.post("/auth/login/email", EMAIL | {"register_if_not_exists": True})
            outcome.append((second, asked.status_code))
            if asked.status_code == 429:
                assert 0 < int(asked["Retry-After"]) <= 120
    assert outcome == [
        (0, 200), (29, 429), (31, 200), (60, 429), (90, 429), (92, 200), (180, 429), (213, 200), (300, 429), (334, 200),
    ]  # fmt: skip
    with time_machine.travel(start + timedelta(seconds=335)):
        assert answer(client, asked, code=last_code()).status_code == 200
        assert client.post("/auth/login/email", EMAIL).status_code == 200


def test_parallel_calls_within_the_wait_send_one_code(client: Api, configure: Any) -> None:
    configure(LIMITS_ENABLED=True, LIMITS={"otp_contact": "", "otp_network": ""})
    answers = in_parallel(lambda _n: copy_of(client).post("/auth/login/email", EMAIL), 12)
    assert Counter(found.status_code for found in answers) == {200: 1, 429: 11}
    assert Message.objects.count() == 1


def test_a_login_never_outlives_a_deactivation_beside_it(client: Api) -> None:
    for number in range(ROUNDS):
        email = f"gone-{number}@example.com"
        account = logged_in(Api(client.store, client.key).become_visitor(), email)
        visitor = Api(client.store, client.key).become_visitor()
        asked = visitor.post("/auth/login/email", {"email": email})
        code = last_code(email)

        def call(n: int, a: Api = account, v: Api = visitor, q: Any = asked, c: str = code) -> Any:
            return a.put(f"/auth/user/{a.user_id}/deactivate") if n else answer(v, q, code=c)

        entered, closed = in_parallel(call, 2)
        assert closed.status_code == 200 and entered.status_code in (200, 400)
        assert not Session.objects.filter(user_id=account.user_id, ended_at=None).exists()


def test_claims_stay_the_same_through_a_parallel_refresh(client: Api) -> None:
    api = logged_in(client)
    contents = [found.json()["content"] for found in in_parallel(lambda _n: refresh(api, api.refresh_token), 6)]
    kept = [{k: v for k, v in claims(c["access_token"]).items() if k not in {"jti", "iat", "exp"}} for c in contents]
    assert all(found == kept[0] for found in kept)
