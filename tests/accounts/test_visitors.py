"""The first call of every client, and the call that it falls back to."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Session, User
from storefront import crypto, selectors
from storefront.ids import is_ulid
from storefront.models import Store
from tests.accounts.conftest import Enter
from tests.conftest import Api
from tests.contract import assert_is_error, assert_matches

pytestmark = pytest.mark.django_db
CLAIMS = {
    "ulid", "email", "phone", "username", "first_name", "last_name", "store_id", "is_logged_in", "is_anonymous",
    "customer_id", "customer_group_id", "anonymous_id", "channel", "exp", "iat",
}  # fmt: skip


def claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


def again(api: Api, token: str | None = None) -> Any:
    """What the client does when its refresh token has expired: the key, and the old access token."""
    return api.request("POST", "/auth/anonymous", X_Api_Key=api.key, Authorization=f"Bearer {token or api.token}")


def test_a_visitor_gets_a_pair_with_every_claim_that_the_client_reads(api: Api, store: Store) -> None:
    response = api.request("POST", "/auth/anonymous", X_Api_Key=api.key)
    content = assert_matches("get-anonymous-token", response)
    access, refresh = claims(content["access_token"]), claims(content["refresh_token"])
    assert set(access) >= CLAIMS
    assert is_ulid(access["ulid"]) and access["ulid"] == access["anonymous_id"] == content["user"]["id"]
    assert access["is_anonymous"] is True and access["is_logged_in"] is False
    assert access["customer_id"] is None and access["customer_group_id"] is None
    assert access["store_id"] == access["aud"] == store.pk
    assert set(access["channel"]) == {"id", "name", "type"} and access["channel"]["type"] == "web"
    assert access["exp"] - access["iat"] == 900
    assert refresh["exp"] - refresh["iat"] == 30 * 86_400
    assert content["access_token"].count(".") == content["refresh_token"].count(".") == 2
    assert not User.objects.exists() and not Session.objects.exists()


def test_a_visitor_costs_no_statement(api: Api, django_assert_num_queries: Any) -> None:
    api.become_visitor()  # warms what the process keeps of store and key
    with django_assert_num_queries(0):
        assert api.request("POST", "/auth/anonymous", X_Api_Key=api.key, Authorization="").status_code == 200


@pytest.mark.parametrize("body", [None, b"", b" ", b"{}"])
def test_the_body_may_be_empty(api: Api, body: bytes | None) -> None:
    assert api.request("POST", "/auth/anonymous", body, X_Api_Key=api.key).status_code == 200


def test_no_key_or_a_wrong_key_is_refused(api: Api, other_store: Store, new_api: Any) -> None:
    assert_is_error(api.post("/auth/anonymous"), 401, "unauthorized")
    assert_is_error(api.request("POST", "/auth/anonymous", X_Api_Key="pk_wrong"), 401)
    assert_is_error(api.request("POST", "/auth/anonymous", X_Api_Key=new_api(other_store).key), 401)


def test_a_visitor_keeps_the_id_with_a_valid_and_with_an_expired_token(visitor: Api) -> None:
    user_id, token = visitor.user_id, visitor.token
    assert claims(visitor.take(again(visitor)).token)["ulid"] == user_id
    with time_machine.travel(timezone.now() + timedelta(days=40)):
        content = assert_matches("get-anonymous-token", again(visitor, token))
        assert content["user"]["id"] == user_id and content["user"]["is_anonymous"] is True
        assert claims(content["access_token"])["anonymous_id"] == user_id


def test_a_live_login_is_refused_as_the_client_itself_refuses_it(shopper: Api) -> None:
    assert_is_error(again(shopper), 400, "USER_ALREADY_AUTHENTICATED")


def test_an_expired_login_continues_as_the_known_shopper_who_is_logged_out(shopper: Api) -> None:
    with time_machine.travel(timezone.now() + timedelta(minutes=20)):
        content = assert_matches("get-anonymous-token", again(shopper))
    shown = claims(content["access_token"])
    assert shown["ulid"] == content["user"]["id"] == shopper.user_id
    assert shown["is_logged_in"] is False and shown["is_anonymous"] is False
    assert shown["customer_id"] is None and shown["email"] is None and "sid" not in shown
    assert content["user"]["email"] == "a***@example.com" and content["user"]["first_name"] is None


def test_a_token_of_another_store_another_key_or_another_kind_continues_nothing(
    visitor: Api, other_store: Store, new_api: Any
) -> None:
    foreign = new_api(other_store).become_visitor()
    for token in (foreign.token, visitor.refresh_token, visitor.token[:-4] + "AAAA", "nonsense", "a.b.c"):
        content = assert_matches("get-anonymous-token", again(visitor, token))
        assert content["user"]["id"] not in {visitor.user_id, foreign.user_id}


@pytest.mark.parametrize("leave", ["delete", "deactivate"])
def test_the_token_of_an_account_that_is_gone_continues_nobody(shopper: Api, leave: str) -> None:
    response = (
        shopper.delete(f"/auth/user/{shopper.user_id}")
        if leave == "delete"
        else shopper.put(f"/auth/user/{shopper.user_id}/deactivate")
    )
    assert response.status_code == 200
    for later in (timedelta(0), timedelta(hours=1)):
        with time_machine.travel(timezone.now() + later):
            content = assert_matches("get-anonymous-token", again(shopper))
            assert content["user"]["id"] != shopper.user_id and content["user"]["is_anonymous"] is True


@pytest.mark.parametrize("leave", ["delete", "deactivate"])
def test_old_visitor_tokens_of_a_promoted_id_die_with_the_account(visitor: Api, enter: Enter, leave: str) -> None:
    """The visitor's tokens outlive the registration; they must not outlive the account."""
    old_access, old_refresh, user_id = visitor.token, visitor.refresh_token, visitor.user_id
    api = enter("asha@example.com", api=visitor)
    assert api.user_id == user_id
    continued = assert_matches("get-anonymous-token", again(api, old_access))
    assert claims(continued["access_token"])["is_anonymous"] is False
    pair = assert_matches("refresh-token", api.post("/auth/refresh-token", {"refresh_token": old_refresh}))
    assert claims(pair["access_token"])["is_anonymous"] is False
    if leave == "delete":
        assert api.delete(f"/auth/user/{user_id}").status_code == 200
    else:
        assert api.put(f"/auth/user/{user_id}/deactivate").status_code == 200
    assert assert_matches("get-anonymous-token", again(api, old_access))["user"]["id"] != user_id
    assert_is_error(api.post("/auth/refresh-token", {"refresh_token": old_refresh}), 400, "invalid_refresh_token")


def test_a_revoked_login_is_not_continued_for_whoever_holds_its_token(shopper: Api) -> None:
    first = shopper.refresh_token
    second = shopper.post("/auth/refresh-token", {"refresh_token": first})
    assert second.status_code == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        assert_is_error(shopper.post("/auth/refresh-token", {"refresh_token": first}), 400, "refresh_token_reused")
        content = assert_matches("get-anonymous-token", again(shopper))
        assert content["user"]["id"] != shopper.user_id


def test_tokens_made_under_a_retired_key_still_verify_and_new_ones_name_the_new_key(
    visitor: Api, configure: Any
) -> None:
    configure(TOKEN_KEYS=("a new key that is long enough for anybody",))
    assert_is_error(visitor.post("/auth/logout"), 401, "unauthorized")
    configure(TOKEN_KEYS=("the newest", "only-for-tests-0123456789abcdefghijklmnopqrstuvwxyz"))
    selectors.forget()
    answer = visitor.post("/auth/logout")
    assert answer.status_code == 200
    header = json.loads(base64.urlsafe_b64decode(answer.json()["content"]["access_token"].split(".")[0] + "=="))
    assert header == {"alg": "HS256", "typ": "JWT", "kid": crypto.key_id(crypto.derived_keys("token")[0])}


def test_the_brake_counts_by_network(api: Api, configure: Any) -> None:
    configure(LIMITS_ENABLED=True, LIMITS={"anonymous": "2/60"})
    api.become_visitor().become_visitor()
    refused = api.request("POST", "/auth/anonymous", X_Api_Key=api.key)
    assert_is_error(refused, 429)
    assert int(refused["Retry-After"]) >= 1
