"""Fixtures that every test shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from engagement.analytics import buffer
from storefront import limits, selectors, services
from storefront.conf import conf
from storefront.models import Channel, Store

# No test asks how long something takes. What must pass before a change lands is the same twice; developers' runs explore.
hypothesis.settings.register_profile("storefront", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("storefront")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what the configured services cannot show; `make test` runs the suite once with and once without."""
    postgresql = bool(settings.DATABASE_URL)
    missing = set() if postgresql else {"postgresql", "services"}
    if not settings.REDIS_URL:
        missing.add("services")
    for item in items:
        if item.get_closest_marker("postgresql") or "in_parallel" in vars(getattr(item, "module", object)):
            item.add_marker(pytest.mark.flaky(reruns=0))  # an effect that comes twice once in many runs is a defect
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in missing)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No memory of the test before: caches in the process outlive a rolled-back database. Within a test, nothing that
    is remembered for some seconds grows old, or counts of queries would depend on the machine."""
    monkeypatch.setattr(selectors, "time", SimpleNamespace(monotonic=lambda: 0.0))
    conf.cache_clear()
    selectors.forget()
    limits._memory.clear()
    buffer.memory.clear()
    cache.clear()
    yield
    selectors.forget()


@pytest.fixture
def configure(settings: Any) -> Any:
    """`configure(LIMITS={...})`: the STOREFRONT setting with these keys changed, for one test."""

    def change(**keys: Any) -> None:
        settings.STOREFRONT = settings.STOREFRONT | keys

    return change


@pytest.fixture
def store(db: None) -> Store:
    return services.create_store(store_id="demo", name="Demo", debug_mode=True)


@pytest.fixture
def other_store(db: None) -> Store:
    return services.create_store(store_id="other", name="Other")


@pytest.fixture
def channel(store: Store) -> Channel:
    return Channel.objects.get(store=store)


@pytest.fixture
def api_key(store: Store) -> str:
    return services.create_key(store=store, name="Web").text


class Api:
    """A JSON client of one store: `api.get("/auth/...")`, `api.post(path, {...})`; `api.token` is sent when set."""

    def __init__(self, store: Store, key: str) -> None:
        self.store = store
        self.key = key
        self.token = ""
        self.refresh_token = ""
        self.user_id = ""
        self.client = Client(raise_request_exception=True)

    def request(self, method: str, path: str, data: Any = None, **headers: str) -> Any:
        sent: dict[str, str] = {}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        sent |= {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        return self.client.generic(
            method,
            f"/api/v1/{self.store.pk}/storefront{path}",
            b"" if data is None else _encode(data),
            content_type="application/json",
            headers=sent,
        )

    def get(self, path: str, **headers: str) -> Any:
        return self.request("GET", path, **headers)

    def post(self, path: str, data: Any = None, **headers: str) -> Any:
        return self.request("POST", path, data, **headers)

    def put(self, path: str, data: Any = None, **headers: str) -> Any:
        return self.request("PUT", path, data, **headers)

    def delete(self, path: str, data: Any = None, **headers: str) -> Any:
        return self.request("DELETE", path, data, **headers)

    def become_visitor(self) -> Api:
        """Takes a fresh visitor's token pair through the API."""
        response = self.request("POST", "/auth/anonymous", X_Api_Key=self.key)
        assert response.status_code == 200, response.content
        return self.take(response)

    def take(self, response: Any) -> Api:
        """Keeps the tokens of an answer."""
        content = response.json()["content"]
        self.token, self.refresh_token = content["access_token"], content["refresh_token"]
        if "user" in content:
            self.user_id = content["user"]["id"]
        return self


def _encode(data: Any) -> bytes:
    import json

    return data if isinstance(data, bytes) else json.dumps(data, default=str).encode()


@pytest.fixture
def api(store: Store, api_key: str) -> Api:
    """A client that has sent nothing yet; `api.become_visitor()` gives it a token."""
    return Api(store, api_key)


@pytest.fixture
def visitor(api: Api) -> Api:
    return api.become_visitor()


@pytest.fixture
def new_api() -> Any:
    """`new_api(store)`: another client, of any store, with a key of its own."""

    def make(store: Store) -> Api:
        return Api(store, services.create_key(store=store, name="Test").text)

    return make
