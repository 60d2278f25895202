"""Staff, and a browser for them."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from storefront.staff import devices

PASSWORD = "a-Long-enough-1"


@pytest.fixture(autouse=True)
def _admin_alone(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.admin.urls import PAGES, site

    monkeypatch.setattr(site, "pages", PAGES)
    settings.ROOT_URLCONF = "tests.admin.urls"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def superuser(db: None) -> Any:
    return get_user_model().objects.create_superuser("anna", "anna@example.com", PASSWORD)


@pytest.fixture
def browser() -> Client:
    """From a network that no brake has counted before."""
    return Client(REMOTE_ADDR=f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}")


@pytest.fixture
def staff(superuser: Any) -> Client:
    """A browser in which a superuser without second factor is signed in."""
    client = Client()
    client.force_login(superuser)
    return client


@pytest.fixture
def enrolled(superuser: Any) -> Any:
    """The superuser's confirmed authenticator; `enrolled.codes` are the recovery codes."""
    device = devices.begin(user=superuser)
    device.confirmed = True
    device.save()
    device.codes = devices.renew_recovery_codes(user=superuser)
    return device


@pytest.fixture
def log_in(browser: Client) -> Any:
    """`log_in()`: the first step in a browser, with the superuser's password unless told otherwise."""

    def first_step(username: str = "anna", password: str = PASSWORD, client: Client | None = None) -> Any:
        return (client or browser).post("/admin/login/", {"username": username, "password": password})

    return first_step
