"""The one Redis connection pool, with a breaker: while Redis is away, callers learn so at once and go on without."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import redis
from django.conf import settings

logger = logging.getLogger(__name__)
Value = TypeVar("Value")
RETRY_SECONDS = 1.0
_down_until = 0.0


def configured() -> bool:
    return bool(getattr(settings, "REDIS_URL", ""))


@cache
def client() -> redis.Redis:
    connection: redis.Redis = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5, health_check_interval=30
    )
    return connection


def available() -> bool:
    """Whether asking makes sense now; no round trip."""
    return configured() and time.monotonic() >= _down_until


def quietly(call: Callable[[Any], Value]) -> Value | None:
    """`call(client)`, or None when Redis is not configured or does not answer; then it is left alone for a second."""
    global _down_until
    if not available():
        return None
    try:
        return call(client())
    except redis.RedisError as error:
        _down_until = time.monotonic() + RETRY_SECONDS
        logger.warning("redis_unreachable", extra={"error": type(error).__name__})
        return None
