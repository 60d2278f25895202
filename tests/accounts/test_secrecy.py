"""What strangers can tell apart (R-11), and what lies readable in the database and the logs (R-12)."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from django.apps import apps
from django.core import serializers as dump
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import otp
from accounts.models import OtpChallenge, User
from messaging import secrets as message_secrets
from messaging.models import Message
from storefront import middleware
from tests.accounts.conftest import Enter, answer, last_code, newest_challenge, wrong
from tests.conftest import Api
from tests.contract import assert_is_error

pytestmark = pytest.mark.django_db
LITERAL = re.compile(r"'[^']*'|\b(?:\d+|true|false)\b")

PASSWORDS = {"password": "correct horse 9", "confirm_password": "correct horse 9"}
EMAILS = {"known": "known@example.com", "closed": "close@example.com", "unknown": "unkno@example.com"}
PHONES = {"known": "9876543210", "closed": "9876543211", "unknown": "9876543212"}
Ask = Callable[[Api, str], Any]
ROUTES: dict[str, Ask] = {
    "login/email": lambda api, who: api.post("/auth/login/email", {"email": EMAILS[who]}),
    "login/phone": lambda api, who: api.post("/auth/login/phone", {"phone": PHONES[who]}),
    "login/whatsapp": lambda api, who: api.post("/auth/login/whatsapp", {"phone": PHONES[who]}),
    "register/email": lambda api, who: api.post("/auth/register/email", {"email": EMAILS[who], "first_name": "A"}),
    "register/phone": lambda api, who: api.post("/auth/register/phone", {"phone": PHONES[who], "first_name": "A"}),
    "register/whatsapp": lambda api, who: api.post(
        "/auth/register/whatsapp", {"phone": PHONES[who], "first_name": "A"}
    ),
    "register/password": lambda api, who: api.post("/auth/register/password", {"email": EMAILS[who], **PASSWORDS}),
    "forgot/email": lambda api, who: api.post("/auth/forgot-password", {"email": EMAILS[who]}),
    "forgot/phone": lambda api, who: api.post("/auth/forgot-password", {"phone": PHONES[who]}),
    "generate register": lambda api, who: api.post(
        "/auth/generate-otp", {"channel": "sms", "phone": PHONES[who], "otp_action": "register"}
    ),
    "generate reset": lambda api, who: api.post(
        "/auth/generate-otp", {"channel": "email", "email": EMAILS[who], "otp_action": "reset-password"}
    ),
    "login/password": lambda api, who: api.post("/auth/login/password", {"email": EMAILS[who], "password": "wrong"}),
}


@pytest.fixture
def people(enter: Enter) -> None:
    for who in ("known", "closed"):
        enter(EMAILS[who])
        api = enter(phone=PHONES[who])
        if who == "closed":
            api.put(f"/auth/user/{api.user_id}/deactivate")
    User.objects.filter(email=EMAILS["closed"]).update(deactivated_at=timezone.now())


def statements(captured: CaptureQueriesContext) -> list[str]:
    return [re.sub(r"SAVEPOINT .*", "SAVEPOINT", LITERAL.sub("?", query["sql"])) for query in captured.captured_queries]


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, str) and value.count(".") == 2 and value.startswith("eyJ"):
        return "token"
    return len(value) if isinstance(value, str) else value


@pytest.mark.parametrize("route", ROUTES)
def test_a_stranger_cannot_tell_who_has_an_account(
    route: str, people: None, new_api: Any, store: Any, configure: Any
) -> None:
    """Status, body shape, headers and the very statements are the same."""
    configure(STORE_CACHE_SECONDS=600)  # so that no caller is the one who has the store read anew
    seen = {}
    for who in ("known", "closed", "unknown"):
        api = new_api(store).become_visitor()
        ROUTES[route](api, who)  # warms what a process keeps
    for who in ("known", "closed", "unknown"):
        with CaptureQueriesContext(connection) as captured:
            response = ROUTES[route](api, who)
        headers = {name: value for name, value in response.items() if name not in {"X-Request-Id", "Content-Length"}}
        seen[who] = (response.status_code, shape(response.json()), headers, statements(captured))
    assert seen["known"] == seen["unknown"]
    assert seen["closed"] == seen["unknown"]
    assert seen["known"][3] or route == "x"


def test_wrong_codes_look_the_same_for_everybody(people: None, visitor: Api) -> None:
    seen = []
    for who in ("known", "closed", "unknown"):
        asked = ROUTES["login/email"](visitor, who)
        code = otp._code(newest_challenge())
        outcome = []
        for _number in range(6):
            with CaptureQueriesContext(connection) as captured:
                response = answer(visitor, asked, code=wrong(code))
            outcome.append((response.status_code, response.json(), statements(captured)))
        seen.append(outcome)
    assert seen[0] == seen[1] == seen[2]


def test_the_hash_is_worked_out_whoever_asks(people: None, visitor: Api, monkeypatch: Any) -> None:
    from storefront import hashers

    done = []
    turn = hashers._turn
    monkeypatch.setattr(hashers, "_turn", lambda: (done.append(1), turn())[1])
    counts = []
    for route in ("login/password", "register/password"):
        for who in ("known", "closed", "unknown"):
            done.clear()
            ROUTES[route](visitor, who)
            counts.append(len(done))
    assert counts == [1] * 6


def test_brakes_count_strangers_and_members_alike(people: None, visitor: Api, configure: Any) -> None:
    OtpChallenge.objects.all().delete()
    configure(LIMITS_ENABLED=True, LIMITS={"otp_contact": "2/3600", "otp_network": ""}, OTP_COOLDOWN=(0,))
    for who in ("known", "closed", "unknown"):
        assert [ROUTES["login/email"](visitor, who).status_code for _n in range(3)] == [200, 200, 429]


# --- at rest ----------------------------------------------------------------------------------------------------------
def everything_stored() -> str:
    """Every row of every table, as a dump would show it."""
    text = []
    for model in apps.get_models(include_auto_created=True):
        text.append(dump.serialize("json", model._default_manager.all()))
    return "\n".join(text)


@pytest.fixture
def logs(monkeypatch: Any) -> Any:
    """All that is logged during a test, as the shop's own handlers would write it."""
    written = io.StringIO()
    config = structlog.get_config()
    kept = {name: config[name] for name in ("processors", "wrapper_class")}
    monkeypatch.setattr(middleware, "logger", structlog.wrap_logger(structlog.PrintLogger(written), **kept))
    root = logging.getLogger()
    ours = next(h.formatter for h in root.handlers if isinstance(h.formatter, structlog.stdlib.ProcessorFormatter))
    handler = logging.StreamHandler(written)
    handler.setFormatter(ours)
    root.addHandler(handler)
    yield written
    root.removeHandler(handler)


def test_no_code_token_or_password_is_readable_anywhere(visitor: Api, enter: Enter, configure: Any, logs: Any) -> None:
    configure(OTP_DEBUG=True)
    secrets: set[str] = {visitor.token, visitor.refresh_token, visitor.key}

    def keep(response: Any) -> Any:
        assert response.status_code == 200, response.content
        content = response.json().get("content", {})
        secrets.update(
            content[name] for name in ("otp", "otp_token", "access_token", "refresh_token") if name in content
        )
        return response

    def code_for(asked: Any) -> dict[str, str]:
        content = asked.json()["content"]
        return {"otp": content["otp"], "otp_token": content["otp_token"]}

    debug = {"X_Debug_Mode": "true"}
    names = {"first_name": "Asha", "last_name": "Rao"}
    body = {"email": "asha@example.com", "phone": "9876543210", **PASSWORDS, **names}
    asked = keep(visitor.post("/auth/register/password", body, **debug))
    stored = everything_stored()
    assert asked.json()["content"]["otp"] not in re.findall(r"\b\d{6}\b", stored)
    visitor.take(keep(visitor.post("/auth/verify-otp", code_for(asked) | {"otp_action": "register"})))
    visitor.take(keep(visitor.post("/auth/refresh-token", {"refresh_token": visitor.refresh_token})))
    asked = keep(visitor.post("/auth/forgot-password", {"email": "asha@example.com"}, **debug))
    new = {"new_password": "battery staple 4", "confirm_password": "battery staple 4"}
    visitor.take(keep(visitor.post("/auth/reset-password", code_for(asked) | new)))
    change = {
        "old_password": "battery staple 4",
        "new_password": "another good 5",
        "confirm_password": "another good 5",
    }
    visitor.take(keep(visitor.post("/auth/change-password", change)))
    asked = keep(
        visitor.post(
            "/auth/generate-otp", {"channel": "sms", "phone": "9876543210", "otp_action": "verify-phone"}, **debug
        )
    )
    visitor.take(keep(visitor.post("/auth/verify-otp", code_for(asked) | {"otp_action": "verify-phone"})))
    keep(visitor.post("/auth/login/password", {"email": "asha@example.com", "password": "another good 5"}))
    assert_is_error(
        visitor.post("/auth/login/password", {"email": "asha@example.com", "password": "tell nobody 6"}), 401
    )
    pending = keep(visitor.post("/auth/login/phone", {"phone": "9876543210"}, **debug))
    visitor.take(keep(visitor.post("/auth/logout")))

    long = {secret for secret in secrets if len(secret) > 8} | {
        "correct horse 9", "battery staple 4", "another good 5", "tell nobody 6",
    }  # fmt: skip
    codes = secrets - long
    assert len(codes) >= 4 and len(long) > 10
    logging.getLogger("shop").warning("a line")
    logged = logs.getvalue()
    assert '"event":"request"' in logged and "a line" in logged
    stored = everything_stored()
    for place in (stored, logged):
        assert not [secret for secret in long if secret in place]
        assert not [secret for secret in long if secret.count(".") == 2 and secret.rpartition(".")[2] in place]
        assert not codes & set(re.findall(r"(?<![0-9A-Za-z])\d{6}(?![0-9A-Za-z])", re.sub(r"\.\d{6}", "", place)))
    for personal in ("asha@example.com", "9876543210", "Asha", "Rao"):
        assert personal not in logged
    assert "eyJ" not in stored and pending.status_code == 200


def test_the_key_is_outside_the_database(visitor: Api, configure: Any) -> None:
    """The same rows under another key give another code: whoever has the dump alone has nothing."""
    asked = visitor.post("/auth/login/email", {"email": "asha@example.com", "register_if_not_exists": True})
    challenge = newest_challenge()
    code = otp._code(challenge)
    configure(OTP_KEYS=("a stolen dump does not hold this",))
    with pytest.raises(otp.CodeExpired):
        otp._code(challenge)
    assert_is_error(answer(visitor, asked, code=code), 400, "otp_expired")


def test_keys_rotate_while_codes_are_out(visitor: Api, configure: Any) -> None:
    old = "only-for-tests-0123456789abcdefghijklmnopqrstuvwxyz"
    asked = visitor.post("/auth/login/email", {"email": "asha@example.com", "register_if_not_exists": True})
    code = last_code()
    configure(OTP_KEYS=("newer", old), SECRET_KEYS=("newer too", old))
    assert last_code() == code
    assert answer(visitor, asked, code=code).status_code == 200


def test_delivery_learns_the_code_only_while_it_can_be_used(visitor: Api) -> None:
    body = {"email": "asha@example.com", "register_if_not_exists": True}
    first = visitor.post("/auth/login/email", body)
    reference = Message.objects.get().secret_ref
    now = timezone.now()
    code = message_secrets.resolve(reference, now=now)["code"]
    assert re.fullmatch(r"\d{6}", code)
    with pytest.raises(message_secrets.Gone):
        message_secrets.resolve(reference, now=now + timezone.timedelta(minutes=6))
    OtpChallenge.objects.update(tries=5)
    with pytest.raises(message_secrets.Gone):
        message_secrets.resolve(reference, now=now)
    OtpChallenge.objects.update(tries=0)
    second = visitor.post("/auth/login/email", body)
    with pytest.raises(message_secrets.Gone):
        message_secrets.resolve(reference, now=now)
    reference = Message.objects.exclude(secret_ref=reference).get().secret_ref
    assert answer(visitor, second, code=message_secrets.resolve(reference, now=now)["code"]).status_code == 200
    for gone in (reference, "otp:nothing"):
        with pytest.raises(message_secrets.Gone):
            message_secrets.resolve(gone, now=now)
    assert first.status_code == 200


def test_codes_are_spread_evenly_and_keep_their_zeros(configure: Any) -> None:
    from collections import Counter

    codes = [
        otp._code(
            OtpChallenge(
                pk=f"{number:026d}", store_id="demo", contact_hash="x", channel="sms", action="login", digits=6,
                key_id=otp.crypto.key_id(otp.crypto.derived_keys("otp")[0]),
            )
        )
        for number in range(5000)
    ]  # fmt: skip
    assert all(re.fullmatch(r"\d{6}", code) for code in codes)
    assert any(code.startswith("0") for code in codes)
    first_digits = Counter(code[0] for code in codes)
    assert max(first_digits.values()) < 640 and min(first_digits.values()) > 380
    assert len(set(codes)) > 4950
