from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import fakeredis
import pytest
import time_machine
from django.db import transaction
from django.test import RequestFactory

from storefront import limits, redis_client
from storefront.errors import TooManyRequests
from storefront.models import RateCounter
from tests.threads import in_parallel

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _allowed(rules: list[limits.Rule], calls: int, hit: Any) -> int:
    passed = 0
    for _ in range(calls):
        try:
            hit(rules)
            passed += 1
        except TooManyRequests as error:
            assert error.retry_after and error.retry_after >= 1
    return passed


@pytest.fixture
def fake_redis(monkeypatch: Any, settings: Any) -> Any:
    server = fakeredis.FakeRedis()
    settings.REDIS_URL = "redis://fake"
    monkeypatch.setattr(redis_client, "client", lambda: server)
    monkeypatch.setattr(redis_client, "_down_until", 0.0)
    return server


@pytest.mark.django_db
def test_redis_counts_all_rules_or_none(fake_redis: Any) -> None:
    tight, wide = limits.Rule("a", 2, 60), limits.Rule("b", 100, 60)
    assert _allowed([wide, tight], 5, limits.hit) == 2
    assert int(fake_redis.get("limit:b")) == 2
    assert 0 < fake_redis.ttl("limit:a") <= 60


@pytest.mark.django_db
def test_the_database_counts_when_redis_is_away(monkeypatch: Any, settings: Any) -> None:
    import redis

    class Away:
        def eval(self, *_: Any) -> None:
            raise redis.ConnectionError

    settings.REDIS_URL = "redis://fake"
    monkeypatch.setattr(redis_client, "client", Away)
    assert _allowed([limits.Rule("a", 3, 60)], 5, limits.hit) == 3
    assert RateCounter.objects.get(pk="a").count == 3
    monkeypatch.setattr(redis_client, "_down_until", 0.0)


def test_without_redis_one_process_counts_in_memory(settings: Any) -> None:
    settings.REDIS_URL = ""
    assert _allowed([limits.Rule("a", 3, 60)], 5, limits.hit) == 3


@pytest.mark.django_db
def test_a_window_ends_and_starts_again() -> None:
    rule = limits.Rule("a", 2, 60)
    with time_machine.travel(NOW, tick=False) as clock:
        assert _allowed([rule], 3, limits.hit_with_row) == 2
        clock.shift(timedelta(seconds=61))
        assert _allowed([rule], 3, limits.hit_with_row) == 2


@pytest.mark.django_db(transaction=True)
def test_a_count_rolls_back_with_what_it_counted() -> None:
    rule = limits.Rule("a", 2, 60)
    with pytest.raises(RuntimeError), transaction.atomic():
        limits.hit_with_row([rule])
        raise RuntimeError
    assert not RateCounter.objects.filter(pk="a").exists()


@pytest.mark.django_db(transaction=True)
def test_forty_parallel_calls_at_five_let_exactly_five_through() -> None:
    def call(_number: int) -> bool:
        try:
            with transaction.atomic():
                limits.hit_with_row([limits.Rule("a", 5, 60), limits.Rule("b", 1000, 60)])
            return True
        except TooManyRequests:
            return False

    assert sum(in_parallel(call, 40, workers=16)) == 5
    assert RateCounter.objects.get(pk="b").count == 5


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("nonsense", "unknown"),
    ],
)
def test_a_network_is_an_ipv4_address_or_an_ipv6_64(address: str, network: str) -> None:
    assert limits.network_of(RequestFactory().get("/", REMOTE_ADDR=address)) == network


def test_forwarded_addresses_count_only_behind_trusted_proxies(configure: Any) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="6.6.6.6, 203.0.113.9")
    assert limits.network_of(request) == "10.0.0.1"
    configure(TRUSTED_PROXIES=1)
    assert limits.network_of(request) == "203.0.113.9"
