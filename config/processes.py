"""Child processes beside one another: started, watched, restarted when they die, stopped together and in order.

The supervisor has one thread and no open connections, so forking is safe at any time. On Linux a child also goes when
its parent is killed without a chance to say so.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import FrameType

logger = logging.getLogger(__name__)

FIRST_DELAY = 0.5  # seconds before a restart; doubles up to LONGEST_DELAY while a child keeps dying early
LONGEST_DELAY = 5.0
EARLY = 3.0  # a child that lived longer than this starts its delays anew
GIVE_UP_AFTER = 5  # early exits in a row, of its own doing, before the whole group stops
_PR_SET_PDEATHSIG = 1


def die_with(parent: int, with_signal: signal.Signals = signal.SIGTERM) -> None:
    """Asks the kernel for `with_signal` when the process `parent` goes, whatever way it goes. Linux only."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0)
    if os.getppid() != parent:  # it went before the kernel knew
        os._exit(1)


@dataclass(slots=True)
class Child:
    """A process: `run` never returns to the supervisor. `patience` is how long it may take to stop, in seconds."""

    name: str
    run: Callable[[], object]
    patience: float = 5.0
    pid: int = 0
    early_exits: int = 0
    delay: float = FIRST_DELAY
    started: float = 0.0
    due: float = field(default=0.0)


def command(*arguments: str) -> Callable[[], object]:
    """A `run` that becomes another program."""
    return partial(os.execv, arguments[0], list(arguments))


class Supervisor:
    """Runs children until SIGINT, SIGTERM or SIGHUP; a second signal while they stop kills what is left.

    `tick` is called many times a second, once the children are started, until it returns True.
    """

    def __init__(self, children: Sequence[Child], *, tick: Callable[[], bool]) -> None:
        self.children = children
        self._tick = tick
        self._stopping = 0
        self._failed = False

    def run(self) -> int:
        """The exit code: 0 after a signal, 1 when a child would not stay up."""
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        ticking = True
        try:
            while not self._stopping:
                self._start_due()
                self._reap()
                if ticking and not self._stopping:
                    ticking = not self._tick()
                hurry = ticking or not all(child.pid for child in self.children)
                _wait(reader, 0.05 if hurry else 5.0)
        finally:
            self._stop_all(reader)
        return 1 if self._failed else 0

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping += 1

    def _start_due(self) -> None:
        for child in self.children:
            if not child.pid and time.monotonic() >= child.due:
                child.started = time.monotonic()
                child.pid = _fork(child)

    def _reap(self) -> None:
        for child in self.children:
            code = _exit_code(child)
            if code is None or self._stopping:
                continue
            lived = time.monotonic() - child.started
            if lived > EARLY:
                child.early_exits, child.delay = 0, FIRST_DELAY
            elif code > 0:  # it left by itself; a negative code is a signal, and somebody's wish
                child.early_exits += 1
            child.due = time.monotonic() + child.delay
            logger.warning(
                "process_restarts", extra={"child": child.name, "exit_code": code, "in_seconds": child.delay}
            )
            child.delay = min(child.delay * 2, LONGEST_DELAY)
            if child.early_exits >= GIVE_UP_AFTER:
                logger.error("process_does_not_start", extra={"child": child.name})
                self._failed, self._stopping = True, 1

    def _stop_all(self, reader: socket.socket) -> None:
        """The first child stops before the others are told: nothing new comes in while they finish."""
        for group in (self.children[:1], self.children[1:]):
            asked = time.monotonic()
            for child in group:
                _kill(child, signal.SIGTERM)
            for child in group:
                while child.pid and time.monotonic() < asked + child.patience and self._stopping < 2:
                    _wait(reader, 0.05)
                    _exit_code(child)
                if child.pid:
                    _kill(child, signal.SIGKILL)
                    os.waitpid(child.pid, 0)
                    child.pid = 0


def _wait(reader: socket.socket, seconds: float) -> None:
    """Sleeps until a signal came or the time is over."""
    select.select([reader], [], [], seconds)
    with contextlib.suppress(BlockingIOError):
        while reader.recv(4096):
            pass


def _fork(child: Child) -> int:
    """The pid of a child in a process group of its own, so that a terminal's Ctrl-C reaches the supervisor only."""
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.setpgid(0, 0)
        die_with(parent)
        child.run()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        logger.exception("process_failed", extra={"child": child.name})
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _exit_code(child: Child) -> int | None:
    """How the child ended (negative: by that signal), or None while it runs."""
    if not child.pid:
        return None
    try:
        pid, status = os.waitpid(child.pid, os.WNOHANG)
    except ChildProcessError:
        child.pid = 0
        return 0
    if not pid:
        return None
    child.pid = 0
    return os.waitstatus_to_exitcode(status)


def _kill(child: Child, number: signal.Signals) -> None:
    if child.pid:
        os.kill(child.pid, number)  # not reaped yet, so the pid is still the child's
