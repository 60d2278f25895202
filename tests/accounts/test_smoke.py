import pytest
from tests.contract import assert_matches
from .conftest import answer

pytestmark = pytest.mark.django_db


def test_story(api, store, enter):
    r = api.request("POST", "/auth/anonymous", X_Api_Key=api.key)
    assert_matches("get-anonymous-token", r)
    api.take(r)
    vid = api.user_id
    r = api.post("/auth/register/phone", {"phone": "9876543210", "first_name": "Asha", "email": "a@example.com"})
    assert_matches("register-with-phone", r)
    r = answer(api, r)
    c = assert_matches("verify-otp", r)
    assert c["user"]["id"] == vid
    api.take(r)
    r = api.get(f"/auth/user/{vid}")
    assert_matches("get-user-detail", r)
    old = api.refresh_token
    r = api.post("/auth/refresh-token", {"refresh_token": old})
    assert_matches("refresh-token", r)
    r2 = api.post("/auth/refresh-token", {"refresh_token": old})
    assert r2.json()["content"]["refresh_token"] == r.json()["content"]["refresh_token"]
    r = api.post("/auth/logout")
    assert_matches("logout", r)
