"""Leaves a provider alone while it does not answer, so that its messages do not hold up everybody's.

After some failures in a row nothing is sent through an account for a while; messages go to their next channel or wait.
Then one message tries it: if that succeeds the account is back, else the pause begins anew. Each process learns this
for itself. A refusal of one message (a dead address, a rate limit) says nothing of the provider and does not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

FAILURES = 5
PAUSE = timedelta(seconds=15)


@dataclass(slots=True)
class _State:
    failures: int = 0
    closed_until: datetime | None = None


_states: dict[str, _State] = {}
_lock = Lock()


def wait(key: str, *, now: datetime) -> int:
    """Seconds to leave a provider alone; 0 to go ahead. While it is paused, one caller at a time is let through."""
    with _lock:
        state = _states.get(key)
        if state is None or state.closed_until is None:
            return 0
        if state.closed_until > now:
            return max(1, int((state.closed_until - now).total_seconds()) + 1)
        state.closed_until = now + PAUSE  # the others wait for what becomes of this one
        return 0


def failed(key: str, *, now: datetime) -> None:
    with _lock:
        state = _states.setdefault(key, _State())
        state.failures += 1
        if state.failures >= FAILURES:
            state.closed_until = now + PAUSE


def succeeded(key: str) -> None:
    """Any answer that shows the provider to be there."""
    if key in _states:
        with _lock:
            _states.pop(key, None)


def forget() -> None:
    with _lock:
        _states.clear()
