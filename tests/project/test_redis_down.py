"""Redis goes away under a running shop and comes back (R-18): no code is lost, browsing never fails, brakes hold."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from benchmarks import kill_worker
from catalog import demo
from messaging.models import Message
from storefront import services
from storefront.models import Store

ROOT = Path(__file__).resolve().parents[2]
LOGINS, READS = 20, 100
PATIENCE = 300.0  # seconds; machines that run tests are busy


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until(what: Callable[[], bool]) -> None:
    """Waits for a state; the test fails when it does not come."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.1)


class Redis:
    """A Redis server of the test's own, that may be killed."""

    def __init__(self, folder: Path) -> None:
        self.port = _free_port()
        self._folder = folder
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)],
            stdout=subprocess.DEVNULL,
        )
        _until(self._answers)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Shop:
    """`manage.py serve` in a process of its own, with its worker and beat."""

    def __init__(self, *, redis: Redis, folder: Path, key: str) -> None:
        self.port = _free_port()
        self._key = key
        self._token = ""
        environment = kill_worker.environment(
            database_url=os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/{connection.settings_dict['NAME']}",
            redis_url=f"redis://127.0.0.1:{redis.port}/0",
            folder=folder,
            settings="config.settings.local",
        )
        environment |= {"SECRET_KEY": settings.SECRET_KEY, "PORT": str(self.port), "WEB_WORKERS": "1"}
        environment |= {
            "LIMITS_ENABLED": "true",
            "LIMIT_OTP_NETWORK": "",
            "LIMIT_OTP_PREFIX": "",
            "OTP_COOLDOWN": "3000",
        }
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--no-demo"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        _until(self._ready)

    def _ready(self) -> bool:
        try:
            return self.call("GET", "/health/ready", base="")[0] == 200
        except OSError:
            return False

    def call(self, method: str, path: str, body: Any = None, base: str = "/api/v1/demo/storefront") -> tuple[int, Any]:
        asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        headers = {"X-Api-Key": self._key, "Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        asked.request(method, base + path, json.dumps(body) if body is not None else None, headers)
        answer = asked.getresponse()
        found = json.loads(answer.read())
        asked.close()
        return answer.status, found

    def become_visitor(self) -> None:
        status, body = self.call("POST", "/auth/anonymous")
        assert status == 200
        self._token = body["content"]["access_token"]

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=PATIENCE)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.kill()


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_redis_dies_and_returns_and_no_code_is_lost(
    transactional_db: None, store: Store, redis: Redis, tmp_path: Path
) -> None:
    demo.build(store=store)
    key = services.create_key(store=store, name="Web").text
    with kill_worker.CountingProvider(latency=0) as provider:
        kill_worker.add_provider(store=store, url=provider.url)
        shop = Shop(redis=redis, folder=tmp_path, key=key)
        try:
            shop.become_visitor()
            accepted = [_login(shop, number) for number in range(3)]
            redis.kill()
            while_away = [_login(shop, number) for number in range(3, 3 + LOGINS)]
            assert set(while_away) <= {200, 503}
            assert [shop.call("GET", "/catalog/products?limit=5")[0] for _ in range(READS)] == [200] * READS
            same_contact = [_login(shop, 3) for _ in range(4)]
            assert 200 not in same_contact, "the brake on one contact was lost with Redis"
            redis.start()
            wanted = (accepted + while_away).count(200)
            _until(lambda: Message.objects.filter(state=Message.State.DONE).count() == wanted)
            _until(lambda: _login(shop, 99) == 200)
        finally:
            shop.stop()
    assert wanted >= 3
    assert len(provider.codes) >= wanted


def _login(shop: Shop, number: int) -> int:
    status, _body = shop.call(
        "POST", "/auth/login/phone", {"phone": f"98765{number:05d}", "register_if_not_exists": True}
    )
    return status
