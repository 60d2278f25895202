"""The two applications, each under granian in processes of its own, with the same options.

`python -m benchmarks.servers NAME PORT THREADS` is one of them; `Server` starts and stops it and reads its processor
time.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]
OURS, BASELINE = "ours", "baseline"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One running application."""

    def __init__(self, name: str, *, threads: int, environment: Mapping[str, str], log: IO[bytes]) -> None:
        self.name = name
        self.port = free_port()
        self._log = log
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.servers", name, str(self.port), str(threads)],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

    def wait(self, path: str, *, seconds: float = 180) -> None:
        """Returns when the application answers anything at all. Raises RuntimeError when it does not come up."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                connection.request("GET", path)
                connection.getresponse().read()
                return
            except OSError:
                time.sleep(0.1)
            finally:
                connection.close()
        self.stop()
        raise RuntimeError(f"The {self.name} server does not answer; its output is in {self._log.name}")

    def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = {**headers, **({"Content-Type": "application/json"} if body else {})}
            connection.request(method, path, body or None, sent)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def processor_seconds(self) -> float:
        """What the server and its children have used so far, user and system time."""
        return sum(_processor_seconds(pid) for pid in _tree(self._process.pid))

    def memory_mib(self) -> float:
        """Resident memory of the server and its children; shared pages count once a process."""
        pages = 0
        for pid in _tree(self._process.pid):
            try:
                pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            except OSError:
                continue
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _tree(root: int) -> list[int]:
    """The process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                after_name = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(after_name[1]), []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def _processor_seconds(pid: int) -> float:
    """From the scheduler, thread by thread, to the nanosecond; else from the clock ticks of the process."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
    except OSError:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- in the server's process ----------------------------------------------------------------------------------------
def _load_ours(parent: int, threads: int) -> Any:
    from config.server import load

    return load(parent, threads)


def _load_baseline(parent: int, threads: int) -> Any:
    from config import processes

    processes.die_with(parent, signal.SIGKILL)
    from benchmarks.baseline import application

    return application()


def serve(name: str, port: int, threads: int) -> None:
    """The options of `config.server.serve`, for either application."""
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server as Granian

    loaders: dict[str, Callable[[int, int], Any]] = {OURS: _load_ours, BASELINE: _load_baseline}
    Granian(
        f"benchmarks.servers:{name}",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=threads,
        blocking_threads_idle_timeout=600,
        websockets=False,
        log_level=LogLevels.warning,
        workers_kill_timeout=5,
    ).serve(target_loader=partial(loaders[name], os.getpid(), threads), wrap_loader=False)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
