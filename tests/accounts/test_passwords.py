"""Passwords: what is accepted, forgetting, changing, guessing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from accounts.models import Session, User
from messaging.models import Message
from storefront import hashers
from storefront.errors import TooManyRequests
from tests.accounts.conftest import Enter, last_code, wrong
from tests.conftest import Api
from tests.contract import assert_is_error, assert_matches

pytestmark = pytest.mark.django_db
GOOD = "correct horse 9"
EMAIL = {"email": "asha@example.com"}


def forgot(api: Api, contact: dict[str, str] = EMAIL) -> dict[str, Any]:
    return dict(assert_matches("forgot-password", api.post("/auth/forgot-password", contact)))


def reset(api: Api, asked: dict[str, Any], code: str, password: str = GOOD, confirm: str | None = None) -> Any:
    body = {"otp": code, "otp_token": asked["otp_token"], "new_password": password}
    return api.post("/auth/reset-password", body | {"confirm_password": password if confirm is None else confirm})


@pytest.fixture
def with_password(shopper: Api) -> Api:
    asked = forgot(shopper)
    return shopper.take(reset(shopper, asked, last_code()))


def test_a_reset_sets_the_password_logs_in_and_ends_the_other_sessions(enter: Enter, visitor: Api) -> None:
    elsewhere = enter("asha@example.com")
    asked = forgot(visitor)
    assert asked["otp_action"] == "reset-password"
    content = assert_matches("reset-password", reset(visitor, asked, last_code()))
    assert content["user"]["id"] == elsewhere.user_id and "password" in content["user"]["login_methods"]
    assert_is_error(elsewhere.get(f"/auth/user/{elsewhere.user_id}"), 401)
    assert_is_error(elsewhere.post("/auth/refresh-token", {"refresh_token": elsewhere.refresh_token}), 400)
    login = visitor.post("/auth/login/password", EMAIL | {"password": GOOD})
    assert assert_matches("login-with-password", login)["user"]["id"] == elsewhere.user_id
    assert Message.objects.filter(template="password_changed", to="asha@example.com").count() == 1


def test_a_reset_needs_neither_token_nor_key(shopper: Api, api: Api) -> None:
    asked = forgot(shopper)
    api.token = ""
    assert_matches("reset-password", reset(api, asked, last_code()))


def test_a_reset_code_is_used_once_and_a_wrong_one_changes_nothing(shopper: Api) -> None:
    asked = forgot(shopper)
    code = last_code()
    assert_is_error(reset(shopper, asked, wrong(code)), 400, "invalid_otp", "otp")
    assert User.objects.get().password == ""
    shopper.take(reset(shopper, asked, code))
    assert_is_error(reset(shopper, asked, code, "another one 7"), 400, "otp_expired", "otp")
    login = shopper.post("/auth/login/password", EMAIL | {"password": "another one 7"})
    assert_is_error(login, 401, "invalid_credentials")


def test_a_bad_new_password_costs_no_try(shopper: Api) -> None:
    asked = forgot(shopper)
    code = last_code()
    for _number in range(6):
        assert_is_error(reset(shopper, asked, code, "short"), 400, "weak_password", "new_password")
    assert_is_error(reset(shopper, asked, code, GOOD, "different"), 400, "password_mismatch", "confirm_password")
    assert reset(shopper, asked, code).status_code == 200


def test_a_reset_by_phone(enter: Enter, visitor: Api) -> None:
    account = enter(phone="9876543210")
    asked = forgot(visitor, {"phone": "9876543210", "country_code": "+91"})
    assert Message.objects.latest("created_at").channel == "sms"
    content = assert_matches("reset-password", reset(visitor, asked, last_code()))
    assert content["user"]["id"] == account.user_id
    login = visitor.post("/auth/login/password", {"phone": "9876543210", "password": GOOD})
    assert login.status_code == 200


@pytest.mark.parametrize(
    "password",
    ["1234567", "password", "PassWord", "qwertyuiop", "x" * 129, "asha-asha-1", "my demo pass"],
)
def test_poor_passwords_are_refused_wherever_one_is_set(visitor: Api, store: Any, password: str) -> None:
    body = EMAIL | {"password": password, "confirm_password": password}
    assert_is_error(visitor.post("/auth/register/password", body), 400, "weak_password", "password")
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    "password", ["x" * 128, "पासवर्ड लंबा है", "      spaces      ", "correct horse", "🔒🔑🗝🔒🔑🗝🔒🔑"]
)
def test_any_characters_make_a_password(visitor: Api, password: str) -> None:
    body = EMAIL | {"password": password, "confirm_password": password}
    asked = visitor.post("/auth/register/password", body)
    assert asked.status_code == 200
    sent = {"otp": last_code(), "otp_token": asked.json()["content"]["otp_token"], "otp_action": "register"}
    assert visitor.post("/auth/verify-otp", sent).status_code == 200
    assert visitor.post("/auth/login/password", EMAIL | {"password": password}).status_code == 200
    if password != password.strip():
        stripped = visitor.post("/auth/login/password", EMAIL | {"password": password.strip()})
        assert_is_error(stripped, 401, "invalid_credentials")


def change(api: Api, old: str = GOOD, new: str = "battery staple 4", confirm: str | None = None) -> Any:
    body = {"old_password": old, "new_password": new, "confirm_password": new if confirm is None else confirm}
    return api.post("/auth/change-password", body)


def test_changing_it_gives_a_new_pair_and_ends_every_old_one(with_password: Api, enter: Enter) -> None:
    here, elsewhere = with_password, enter("asha@example.com")
    old_access, old_refresh = here.token, here.refresh_token
    content = assert_matches("change-password", change(here))
    for api, token, refresh in (
        (here, old_access, old_refresh),
        (elsewhere, elsewhere.token, elsewhere.refresh_token),
    ):
        api.token = token
        assert_is_error(api.get(f"/auth/user/{here.user_id}"), 401, "unauthorized")
        assert_is_error(api.post("/auth/refresh-token", {"refresh_token": refresh}), 400, "session_ended")
    here.token = content["access_token"]
    assert here.get(f"/auth/user/{here.user_id}").status_code == 200
    assert here.post("/auth/refresh-token", {"refresh_token": content["refresh_token"]}).status_code == 200
    assert Session.objects.filter(ended_at=None).count() == 1
    assert_is_error(here.post("/auth/login/password", EMAIL | {"password": GOOD}), 401)


@pytest.mark.parametrize(
    ("old", "new", "confirm", "code", "field"),
    [
        ("wrong", "battery staple 4", None, "wrong_password", "old_password"),
        (GOOD, "battery staple 4", "else", "password_mismatch", "confirm_password"),
        (GOOD, "short", None, "weak_password", "new_password"),
        (GOOD, "asha@example.com", None, "weak_password", "new_password"),
    ],
)
def test_a_change_that_is_refused_changes_nothing(
    with_password: Api, old: str, new: str, confirm: str | None, code: str, field: str
) -> None:
    before = User.objects.get().password
    assert_is_error(change(with_password, old, new, confirm), 400, code, field)
    assert User.objects.get().password == before
    assert with_password.get(f"/auth/user/{with_password.user_id}").status_code == 200


def test_whoever_has_no_password_cannot_change_it(shopper: Api) -> None:
    assert_is_error(change(shopper, ""), 400, field="old_password")
    assert_is_error(change(shopper, "x"), 400, "wrong_password", "old_password")


def test_changing_it_takes_a_login(visitor: Api) -> None:
    assert_is_error(change(visitor), 401, "login_required")


def test_guessing_is_braked_by_contact_and_a_right_password_clears_it(with_password: Api, configure: Any) -> None:
    configure(LIMITS_ENABLED=True, LIMITS={"login_contact": "3/900", "login_network": ""})

    def log_in(password: str, contact: dict[str, str] = EMAIL) -> int:
        return int(with_password.post("/auth/login/password", contact | {"password": password}).status_code)

    assert [log_in("no"), log_in("no"), log_in(GOOD)] == [401, 401, 200]
    assert [log_in("no") for _number in range(4)] == [401, 401, 401, 429]
    assert log_in(GOOD) == 429
    assert log_in("no", {"email": "somebody@example.com"}) == 401
    refused = with_password.post("/auth/login/password", {"email": "ASHA@EXAMPLE.COM ", "password": GOOD})
    assert_is_error(refused, 429)
    assert int(refused["Retry-After"]) > 0


def test_guessing_is_braked_by_network(visitor: Api, configure: Any) -> None:
    configure(LIMITS_ENABLED=True, LIMITS={"login_contact": "", "login_network": "3/900"})
    statuses = [
        visitor.post("/auth/login/password", {"email": f"{number}@example.com", "password": "x"}).status_code
        for number in range(4)
    ]
    assert statuses == [401, 401, 401, 429]


def test_an_unverified_contact_opens_nothing(with_password: Api) -> None:
    with_password.put(f"/auth/user/{with_password.user_id}", {"phone": "9876543210"})
    refused = with_password.post("/auth/login/password", {"phone": "9876543210", "password": GOOD})
    assert_is_error(refused, 401, "invalid_credentials")


def test_a_password_hashed_with_older_parameters_is_renewed_at_login(with_password: Api) -> None:
    from django.contrib.auth.hashers import make_password

    User.objects.update(password=make_password(GOOD, hasher="pbkdf2_sha256"))
    assert with_password.post("/auth/login/password", EMAIL | {"password": GOOD}).status_code == 200
    assert User.objects.get().password.startswith("argon2$")
    assert with_password.post("/auth/login/password", EMAIL | {"password": GOOD}).status_code == 200


@pytest.mark.skipif(sys.platform != "linux", reason="priorities of threads are Linux's")
def test_passwords_are_hashed_behind_what_else_wants_the_cores() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    mine = priority()
    assert hashers._threads().submit(priority).result() == min(mine + hashers.NICENESS, 19)
    assert priority() == mine


@pytest.mark.parametrize(("threads", "waiters"), [(1, 0), (2, 0), (3, 0), (4, 1), (8, 5), (32, 5)])
def test_a_web_process_keeps_threads_that_no_password_holds(threads: int, waiters: int, monkeypatch: Any) -> None:
    """One hashes, `waiters` wait for it, whoever comes then is refused at once; two threads go on with what else comes."""
    monkeypatch.setattr(hashers, "_most_waiters", None)
    try:
        hashers.share(threads=threads)
        turns, waiting = hashers._places()
        assert turns.acquire(blocking=False)
        for _ in range(waiters):
            assert waiting.acquire(blocking=False)
        monkeypatch.setattr(turns, "acquire", lambda blocking=True, timeout=None: blocking and pytest.fail("waited"))
        with pytest.raises(TooManyRequests):
            hashers._in_turn(lambda: pytest.fail("hashed"))
    finally:
        monkeypatch.undo()
        hashers._places.cache_clear()


def test_a_forked_process_hashes_with_threads_of_its_own() -> None:
    work = """
import os, signal, django
django.setup()
from django.contrib.auth.hashers import check_password, make_password
made = make_password("correct horse 9")
child = os.fork()
if child == 0:
    signal.alarm(60)
    os._exit(0 if check_password("correct horse 9", made) and not check_password("another", made) else 1)
raise SystemExit(os.waitpid(child, 0)[1])
"""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"}
    done = subprocess.run([sys.executable, "-c", work], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
