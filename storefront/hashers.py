"""Argon2id with measured parameters, and no more of it at once than the machine can bear."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from threading import BoundedSemaphore, get_native_id
from typing import TypeVar

from django.contrib.auth.hashers import Argon2PasswordHasher

from storefront.conf import conf
from storefront.errors import TooManyRequests

Result = TypeVar("Result")
NICENESS = 5  # of threads that hash: where both want a core, others get three quarters of it
SPARE = 2  # threads that are never held by a password
_most_waiters: int | None = None


def share(*, threads: int) -> None:
    """Says how many threads answer requests in this process, so that SPARE of them are left to others.

    For web servers that know it; others take PASSWORD_WAITERS as it is. Before the first password.
    """
    global _most_waiters
    _most_waiters = max(0, threads - conf().PASSWORD_PARALLEL - SPARE)
    _places.cache_clear()


@cache
def _places() -> tuple[BoundedSemaphore, BoundedSemaphore]:
    """The turns and the waiting places of this process."""
    waiters = conf().PASSWORD_WAITERS
    if _most_waiters is not None:
        waiters = min(waiters, _most_waiters)
    return BoundedSemaphore(conf().PASSWORD_PARALLEL), BoundedSemaphore(waiters)


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


def _step_back() -> None:
    """Makes this thread the one that waits when cores are scarce. Linux has priorities by thread; others do without."""
    with suppress(OSError, AttributeError):
        thread = get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(conf().PASSWORD_PARALLEL, thread_name_prefix="password", initializer=_step_back)


def _forget() -> None:
    """A forked process has none of its parent's threads, and turns that they may have held."""
    _threads.cache_clear()
    _places.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _in_turn(work: Callable[[], Result]) -> Result:
    """Hashing lets go of the interpreter, so what it takes from others is cores; it takes them behind everybody."""
    with _turn():
        return _threads().submit(work).result()


class BoundedArgon2(Argon2PasswordHasher):
    """t=1, m=46 MiB, p=1 (OWASP; 58 ms measured), `PASSWORD_PARALLEL` at once in a process.

    Others wait up to PASSWORD_WAIT_SECONDS, at most PASSWORD_WAITERS of them; beyond that it is TooManyRequests, so
    a flood of logins can take neither the memory nor every thread, and the cores only while nobody else wants them.
    """

    time_cost = 1
    memory_cost = 47_104
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        encode = super().encode
        return str(_in_turn(lambda: encode(password, salt)))

    def verify(self, password: str, encoded: str) -> bool:
        verify = super().verify
        return bool(_in_turn(lambda: verify(password, encoded)))

    def harden_runtime(self, password: str, encoded: str) -> None:
        """The same work in every case already: parameters that changed are upgraded at the next login."""
