"""The supervisor behind `manage.py serve`, on small children in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config import threads

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from config.processes import Child, Supervisor

folder = Path(sys.argv[1])

def note(name):
    with (folder / "notes").open("a") as file:
        file.write(f"{name} {os.getpid()}\\n")

def steady(name):
    def run():
        def leave(*_):
            note(f"{name}-stopped")
            sys.exit(0)
        signal.signal(signal.SIGTERM, leave)
        note(name)
        while True:
            time.sleep(0.05)
    return run

def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note("stubborn")
    while True:
        time.sleep(0.05)

def hopeless():
    sys.exit(3)

children = {
    "steady": [Child("first", steady("first")), Child("second", steady("second"))],
    "stubborn": [Child("stubborn", stubborn, patience=0.5), Child("second", steady("second"))],
    "hopeless": [Child("first", steady("first")), Child("hopeless", hopeless, delay=0.01)],
}[sys.argv[2]]
sys.exit(Supervisor(children, tick=lambda: True).run())
"""


class Group:
    """A supervisor with its children, and what they wrote down."""

    def __init__(self, folder: Path, which: str) -> None:
        self.notes = folder / "notes"
        self.process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder), which], cwd=ROOT)

    def lines(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []

    def pids(self, name: str) -> list[int]:
        return [int(line.split()[1]) for line in self.lines() if line.split()[0] == name]


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Callable[[str], Group]]:
    made: list[Group] = []

    def start(which: str) -> Group:
        made.append(Group(tmp_path, which))
        return made[-1]

    yield start
    for each in made:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


def until(true: Callable[[], Any], seconds: float = 300) -> Any:
    """Waits for something that another process does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_of_them_in_order(group: Any, number: signal.Signals) -> None:
    running = group("steady")
    until(lambda: running.pids("first") and running.pids("second"))
    running.process.send_signal(number)
    assert running.process.wait(timeout=300) == 0
    assert [line.split()[0] for line in running.lines()][-2:] == ["first-stopped", "second-stopped"]


def test_a_killed_child_is_started_again_and_the_others_are_left_alone(group: Any) -> None:
    running = group("steady")
    until(lambda: running.pids("first") and running.pids("second"))
    os.kill(running.pids("second")[0], signal.SIGKILL)
    again = until(lambda: running.pids("second")[1:])
    assert not gone(again[0])
    assert len(running.pids("first")) == 1
    assert running.process.poll() is None


def test_children_go_when_their_parent_is_killed(group: Any) -> None:
    running = group("steady")
    first, second = until(lambda: running.pids("first"))[0], until(lambda: running.pids("second"))[0]
    running.process.kill()
    running.process.wait()
    until(lambda: running.pids("first-stopped") and running.pids("second-stopped"))
    until(lambda: gone(first) and gone(second))


def test_a_child_that_will_not_stop_is_killed(group: Any) -> None:
    running = group("stubborn")
    stubborn = until(lambda: running.pids("stubborn"))[0]
    until(lambda: running.pids("second"))
    running.process.terminate()
    assert running.process.wait(timeout=300) == 0
    assert gone(stubborn)
    assert running.pids("second-stopped")


def test_a_child_that_never_stays_up_ends_the_group(group: Any) -> None:
    running = group("hopeless")
    assert running.process.wait(timeout=300) == 1
    assert running.pids("first-stopped")


def test_ctrl_c_in_a_terminal_does_not_reach_the_children_first(group: Any) -> None:
    running = group("steady")
    first = until(lambda: running.pids("first"))[0]
    assert os.getpgid(first) != os.getpgid(running.process.pid)


def test_the_server_finds_what_belongs_to_a_request_where_django_keeps_it() -> None:
    """Else `use_plain_locals` does nothing, and every request is slower."""
    kept = {f"{holder}.{name}": type(getattr(holder, name)) for holder, name in threads.PLACES}

    assert {kind.__module__ for kind in kept.values()} == {"asgiref.local"}
