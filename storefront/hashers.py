"""Argon2id with measured parameters, and no more of it at once than the machine can bear."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import BoundedSemaphore

from django.contrib.auth.hashers import Argon2PasswordHasher

from storefront.conf import conf
from storefront.errors import TooManyRequests


@cache
def _places() -> tuple[BoundedSemaphore, BoundedSemaphore]:
    """The turns and the waiting places of this process."""
    return BoundedSemaphore(conf().PASSWORD_PARALLEL), BoundedSemaphore(conf().PASSWORD_WAITERS)


@contextmanager
def _turn() -> Iterator[None]:
    turns, waiting = _places()
    if not turns.acquire(blocking=False):
        if not waiting.acquire(blocking=False):
            raise TooManyRequests(retry_after=1)
        try:
            if not turns.acquire(timeout=conf().PASSWORD_WAIT_SECONDS):
                raise TooManyRequests(retry_after=1)
        finally:
            waiting.release()
    try:
        yield
    finally:
        turns.release()


class BoundedArgon2(Argon2PasswordHasher):
    """t=1, m=46 MiB, p=1 (OWASP; 58 ms measured), `PASSWORD_PARALLEL` at once in a process.

    Others wait up to PASSWORD_WAIT_SECONDS, at most PASSWORD_WAITERS of them; beyond that it is TooManyRequests, so
    a flood of logins can take neither the memory nor every thread.
    """

    time_cost = 1
    memory_cost = 47_104
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        with _turn():
            return str(super().encode(password, salt))

    def verify(self, password: str, encoded: str) -> bool:
        with _turn():
            return bool(super().verify(password, encoded))

    def harden_runtime(self, password: str, encoded: str) -> None:
        """The same work in every case already: parameters that changed are upgraded at the next login."""
