"""Where events wait until they are written, many at once. A shopper's request never waits for the database.

With Redis they wait there, so a web process may die without losing one; a worker writes them. Without it (or while it
is away) they wait in this process, whose thread writes them every ANALYTICS_FLUSH_SECONDS: that much may be lost when
the process is killed. Both are bounded in number and in bytes: `add` then raises Full, and the caller says 429.

Taking is in two steps: `peek`, write, `drop`. What could not be written stays.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from django.db import close_old_connections

from storefront import redis_client
from storefront.conf import conf

logger = logging.getLogger(__name__)
BATCH = 500


class Full(Exception):
    """There is no room for another event; the database cannot keep up."""


class Buffer(Protocol):
    def add(self, event: bytes) -> bool:
        """Whether it was taken. Raises Full."""
        ...

    def peek(self, count: int) -> tuple[list[bytes], Any]:
        """The oldest events, and what `drop` must be given."""
        ...

    def drop(self, events: list[bytes], mark: Any) -> bool:
        """Forgets what `peek` gave; False when somebody else did so first."""
        ...


class MemoryBuffer(Buffer):
    """In this process. One drain at a time."""

    def __init__(self) -> None:
        self._events: deque[bytes] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, event: bytes) -> bool:
        limits = conf()
        with self._lock:
            if (
                len(self._events) >= limits.ANALYTICS_MEMORY_EVENTS
                or self._bytes + len(event) > limits.ANALYTICS_MEMORY_BYTES
            ):
                raise Full
            self._events.append(event)
            self._bytes += len(event)
        return True

    def peek(self, count: int) -> tuple[list[bytes], Any]:
        with self._lock:
            return [self._events[index] for index in range(min(count, len(self._events)))], None

    def drop(self, events: list[bytes], mark: Any) -> bool:
        with self._lock:
            for event in events:
                self._events.popleft()
                self._bytes -= len(event)
        return True

    def clear(self) -> None:
        """Throws everything away. For tests."""
        with self._lock:
            self._events.clear()
            self._bytes = 0

    def __len__(self) -> int:
        return len(self._events)


# The list, how many bytes are in it, and how many events were ever dropped from it. The last tells a drain that was
# overtaken by another one, which would otherwise drop what nobody has written.
_KEYS = ("analytics:events", "analytics:bytes", "analytics:dropped")
_ADD = """
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
local bytes = tonumber(redis.call('GET', KEYS[2]) or '0')
if bytes + #ARGV[1] > tonumber(ARGV[3]) then return 0 end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('INCRBY', KEYS[2], #ARGV[1])
return 1
"""
_DROP = """
if (redis.call('GET', KEYS[3]) or '0') ~= ARGV[1] then return 0 end
redis.call('LTRIM', KEYS[1], ARGV[2], -1)
redis.call('INCRBY', KEYS[3], ARGV[2])
if redis.call('LLEN', KEYS[1]) == 0 then redis.call('SET', KEYS[2], 0) else redis.call('DECRBY', KEYS[2], ARGV[3]) end
return 1
"""


class RedisBuffer(Buffer):
    """In Redis, shared by all processes. Any number of drains may run: each batch is dropped by one of them."""

    def add(self, event: bytes) -> bool:
        """False while Redis is away."""
        limits = conf()
        taken = redis_client.quietly(
            lambda client: client.eval(
                _ADD, len(_KEYS), *_KEYS, event, limits.ANALYTICS_REDIS_EVENTS, limits.ANALYTICS_REDIS_BYTES
            )
        )
        if taken == 0:
            raise Full
        return taken is not None

    def peek(self, count: int) -> tuple[list[bytes], Any]:
        def read(client: Any) -> tuple[list[bytes], Any]:
            dropped = client.get(_KEYS[2]) or b"0"  # before the events: a drop in between shows
            return client.lrange(_KEYS[0], 0, count - 1), dropped

        return redis_client.quietly(read) or ([], None)

    def drop(self, events: list[bytes], mark: Any) -> bool:
        size = sum(len(event) for event in events)
        done = redis_client.quietly(lambda client: client.eval(_DROP, len(_KEYS), *_KEYS, mark, len(events), size))
        return bool(done)


memory = MemoryBuffer()
shared = RedisBuffer()


def add(event: bytes) -> None:
    """Takes one event; at most one round trip to Redis. Raises Full."""
    if redis_client.configured() and shared.add(event):
        return
    memory.add(event)
    writer.wake(full=len(memory) >= BATCH)


class Writer:
    """The thread that empties this process's memory. Started by the first event, again after a fork."""

    def __init__(self) -> None:
        self._due = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.write: Callable[[], Any] | None = None  # set by the app; called without a transaction

    def wake(self, *, full: bool) -> None:
        if not conf().ANALYTICS_FLUSH_SECONDS:  # somebody else drains: a test, or a sweep
            return
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="analytics", daemon=True)
                    self._thread.start()
                    atexit.register(self._last)
        if full:
            self._due.set()

    def _run(self) -> None:
        while True:
            self._due.wait(timeout=conf().ANALYTICS_FLUSH_SECONDS or 1.0)
            self._due.clear()
            self._last()

    def _last(self) -> None:
        if not len(memory) or self.write is None:
            return
        close_old_connections()
        try:
            self.write()
        except Exception:  # the database is away: they wait, and the bound holds
            logger.exception("analytics_not_written")
        finally:
            close_old_connections()


writer = Writer()
