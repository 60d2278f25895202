"""Brakes: exact under concurrency, shared by all processes, never the reason for a 500.

`hit` counts in Redis with one script call, in the database where there is no Redis or it is down. `hit_with_row`
always counts in the database, in the caller's transaction, for what must agree to the unit with rows written beside
it (one-time codes cost money). Windows start at the first hit and are fixed. Keys are hashed: nothing personal is kept.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from threading import Lock
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from storefront import redis_client
from storefront.conf import conf, limit_rules
from storefront.errors import TooManyRequests

logger = logging.getLogger(__name__)

# All rules are checked before any is counted, so a refused call uses up nothing.
_SCRIPT = """
local wait = 0
for index, key in ipairs(KEYS) do
  local count = tonumber(redis.call('GET', key) or '0')
  if count >= tonumber(ARGV[index * 2 - 1]) then
    local left = redis.call('TTL', key)
    if left < 1 then left = 1 end
    if left > wait then wait = left end
  end
end
if wait > 0 then return wait end
for index, key in ipairs(KEYS) do
  if redis.call('INCR', key) == 1 then redis.call('EXPIRE', key, ARGV[index * 2]) end
end
return 0
"""


_GIVE_BACK = """
for _, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') > 0 then redis.call('DECR', key) end
end
return 1
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """At most `count` hits on `key` in `seconds`."""

    key: str
    count: int
    seconds: int


def rules(name: str, *parts: str) -> list[Rule]:
    """The rules of a named limit for one key; empty when the limit is lifted."""
    found = limit_rules(name)
    if not found:
        return []
    digest = hashlib.sha256("\x1f".join((name, *parts)).encode()).hexdigest()[:40]
    return [Rule(f"{digest}:{seconds}", count, seconds) for count, seconds in found]


def hit(wanted: Iterable[Rule]) -> None:
    """Counts one hit on every rule, or raises TooManyRequests and counts none. Decides alone, outside transactions."""
    wanted = list(wanted)
    if not wanted:
        return
    wait = _hit_redis(wanted)
    if wait is None and redis_client.configured():
        with transaction.atomic():
            hit_with_row(wanted)
        return
    if wait is None:
        wait = _hit_memory(wanted)
    if wait:
        raise TooManyRequests(retry_after=wait)


def hit_with_row(wanted: Iterable[Rule]) -> None:
    """Counts in the caller's transaction; raising TooManyRequests rolls it back with everything else.

    Counters are locked in the order given, so callers list the narrowest key first and agree on the order.
    """
    wait = _hit_database(list(wanted))
    if wait:
        raise TooManyRequests(retry_after=wait)


def clear(wanted: Iterable[Rule]) -> None:
    """Forgets the hits on these rules, after a success."""
    keys = [rule.key for rule in wanted]
    if not keys:
        return
    redis_client.quietly(lambda client: client.delete(*(f"limit:{key}" for key in keys)))
    for key in keys:
        _memory.pop(key, None)
    with connection.cursor() as cursor:
        for key in keys:
            cursor.execute("DELETE FROM storefront_ratecounter WHERE key = %s", [key])


def give_back(wanted: Iterable[Rule]) -> None:
    """Takes one hit back from every rule, after a success where only failures count. What others hit stays."""
    wanted = list(wanted)
    if not wanted:
        return
    keys = [f"limit:{rule.key}" for rule in wanted]
    given = redis_client.quietly(lambda client: client.eval(_GIVE_BACK, len(keys), *keys) or True)
    if given is not None:
        return
    if redis_client.configured():
        with connection.cursor() as cursor:
            for rule in wanted:
                sql = "UPDATE storefront_ratecounter SET count = count - 1 WHERE key = %s AND count > 0"
                cursor.execute(sql, [rule.key])
        return
    with _memory_lock:
        for rule in wanted:
            count, resets = _memory.get(rule.key, (0, 0.0))
            if count > 0:
                _memory[rule.key] = (count - 1, resets)


def _hit_redis(wanted: list[Rule]) -> int | None:
    keys = [f"limit:{rule.key}" for rule in wanted]
    arguments = [number for rule in wanted for number in (rule.count, rule.seconds)]

    def run(client: Any) -> int:
        return int(client.eval(_SCRIPT, len(keys), *keys, *arguments))

    return redis_client.quietly(run)


_memory: dict[str, tuple[int, float]] = {}
_memory_lock = Lock()


def _hit_memory(wanted: list[Rule]) -> int:
    """The embedded mode is one process: its memory is exact and costs no write."""
    now = time.time()
    with _memory_lock:
        if len(_memory) > 50_000:
            for key in [key for key, (_count, resets) in _memory.items() if resets <= now]:
                del _memory[key]
        wait = 0.0
        for rule in wanted:
            count, resets = _memory.get(rule.key, (0, 0.0))
            if resets > now and count >= rule.count:
                wait = max(wait, resets - now)
        if wait:
            return max(1, round(wait))
        for rule in wanted:
            count, resets = _memory.get(rule.key, (0, 0.0))
            _memory[rule.key] = (count + 1, resets) if resets > now else (1, now + rule.seconds)
    return 0


def _hit_database(wanted: list[Rule]) -> int:
    """One statement a rule: inserts, restarts or increments, and returns nothing when the limit is reached."""
    now = timezone.now()
    for rule in wanted:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO storefront_ratecounter AS counter (key, count, resets_at) VALUES (%s, 1, %s)
                ON CONFLICT (key) DO UPDATE SET
                  count = CASE WHEN counter.resets_at <= %s THEN 1 ELSE counter.count + 1 END,
                  resets_at = CASE WHEN counter.resets_at <= %s THEN excluded.resets_at ELSE counter.resets_at END
                WHERE counter.resets_at <= %s OR counter.count < %s
                RETURNING count
                """,
                [
                    rule.key,
                    *(
                        connection.ops.adapt_datetimefield_value(moment)
                        for moment in (now + timedelta(seconds=rule.seconds), now, now, now)
                    ),
                    rule.count,
                ],
            )
            if cursor.fetchone() is None:
                cursor.execute("SELECT resets_at FROM storefront_ratecounter WHERE key = %s", [rule.key])
                row = cursor.fetchone()
                return _seconds_until(row[0] if row else None)
    return 0


def _seconds_until(moment: Any) -> int:
    if isinstance(moment, str):
        from django.utils.dateparse import parse_datetime

        moment = parse_datetime(moment)
    if moment is None:
        return 1
    if timezone.is_naive(moment):
        moment = timezone.make_aware(moment, timezone.get_default_timezone())
    return max(1, int((moment - timezone.now()).total_seconds()) + 1)


def network_of(request: Any) -> str:
    """The caller's network: the IPv4 address, or the /64 of an IPv6 one (carrier NAT shares the former)."""
    return _network(client_address(request))


@lru_cache(maxsize=4096)
def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def coarse(network: str) -> str:
    """A network as histories keep it: enough to see where from, too little to see who (/24, or /48 of IPv6)."""
    try:
        parsed = ipaddress.ip_network(network, strict=False)
        return str(parsed.supernet(new_prefix=24 if parsed.version == 4 else 48))
    except ValueError:
        return ""


def client_address(request: Any) -> str:
    """The address that our outermost trusted proxy saw; without trusted proxies, the peer's."""
    meta = request.META
    trusted = conf().TRUSTED_PROXIES
    if trusted:
        hops = [hop.strip() for hop in meta.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
        if len(hops) >= trusted:
            return str(hops[-trusted])
    return str(meta.get("REMOTE_ADDR", ""))
