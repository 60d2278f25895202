"""`manage.py serve` as a newcomer meets it: a real server in processes of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 600.0  # seconds; machines that run tests are busy


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A `serve` with a folder of its own."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        self.port = free_port()
        self.log = folder / "serve.log"
        ours = {
            "DATABASE_URL",
            "REDIS_URL",
            "CELERY_BROKER_URL",
            "DJANGO_SETTINGS_MODULE",
            "PORT",
            "PYTEST_XDIST_WORKER",
        }
        self.environment = {name: value for name, value in os.environ.items() if name not in ours}
        self.environment |= {"VAR_DIR": str(folder / "var"), "PORT": str(self.port), "WEB_WORKERS": "1"} | variables
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", *arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def get(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def wait(self, what: str, sight: Any) -> Any:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := sight():
                return found
            time.sleep(0.05)
        raise AssertionError(f"{what} did not happen:\n{self.said()[-4000:]}")

    def said(self) -> str:
        return self.log.read_text()

    def announced(self) -> str:
        self.wait(
            "the announcement", lambda: "Ctrl-C stops everything" in self.said() or self.process.poll() is not None
        )
        return self.said()

    def family(self) -> list[int]:
        """Pids of all descendants."""
        listing = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        parents = {int(pid): int(parent) for pid, parent in (line.split() for line in listing.splitlines())}
        found: list[int] = []
        for pid in parents:
            up = pid
            while up in parents and up != self.process.pid:
                up = parents[up]
            if up == self.process.pid and pid != self.process.pid:
                found.append(pid)
        return found

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Any]:
    made: list[Server] = []

    def start(*arguments: str, **variables: str) -> Server:
        made.append(Server(tmp_path, *arguments, **variables))
        return made[-1]

    yield start
    for server in made:
        if server.process.poll() is None:
            family = server.family()
            server.process.kill()
            server.process.wait()
            for pid in family:
                _kill(pid)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def gone(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    try:
        return state.read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.slow
def test_a_fresh_start_a_second_one_and_what_it_says(servers: Any) -> None:
    server = servers()
    said = server.announced()
    shop = json.loads(server.manage("demo", "--json").stdout)
    assert shop["base_url"] == f"http://127.0.0.1:{server.port}/api/v1/demo/storefront"
    for value in shop.values():
        assert value in said
    (command,) = re.findall(r"^  (curl .+)$", said, flags=re.MULTILINE)
    answer = subprocess.run(["sh", "-c", f"{command} -s"], capture_output=True, text=True, check=True).stdout
    assert json.loads(answer)["content"]["access_token"]
    assert [server.get(path) for path in ("/", "/docs", "/api/schema", "/admin/login/", "/health/ready")] == [200] * 5

    head = b"POST /api/v1/demo/storefront/auth/anonymous HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(16)]
    for sender in slow:
        sender.sendall(head)
    assert server.get("/health/ready") == 200  # twice as many as there are threads are not enough to stop it
    for sender in slow:
        sender.close()

    taken = server.manage("serve")
    assert taken.returncode == 1
    assert f"Port {server.port}" in taken.stderr
    assert "Traceback" not in taken.stderr

    family = server.family()
    assert server.stop() == 0
    assert all(gone(pid) for pid in family)
    assert "Traceback" not in server.said()

    again = servers()
    said = again.announced()
    assert "Preparing" not in said
    assert "Making" not in said
    assert shop["api_key"] in said
    assert again.stop(signal.SIGTERM) == 0


@pytest.mark.slow
def test_a_killed_server_takes_its_processes_along_and_a_killed_worker_comes_back(servers: Any) -> None:
    server = servers("--no-demo")
    server.announced()
    worker = server.family()[-1]
    os.kill(worker, signal.SIGKILL)
    server.wait("the worker's end", lambda: gone(worker))
    server.wait("the next worker", lambda: server.get("/health/ready") == 200)
    family = server.family()
    server.process.kill()
    server.process.wait()
    server.wait("the end of its processes", lambda: all(gone(pid) for pid in family))


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_with_a_broker_worker_and_beat_run_beside_it_and_come_back(servers: Any) -> None:
    from django.db import connection

    address = os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/{connection.settings_dict['NAME']}"
    server = servers("--no-demo", DATABASE_URL=address, REDIS_URL=settings.REDIS_URL)
    said = server.announced()
    assert "a Celery worker and beat" in said

    def report() -> dict[str, str]:
        components = json.loads(server.manage("doctor", "--json").stdout)["components"]
        return {component["name"]: component["state"] for component in components}

    server.wait("the worker's first beat", lambda: report()["worker"] == "ok")
    assert report()["broker"] == report()["redis"] == "ok"

    celery = _celery(server)
    assert sorted(celery.values()) == ["beat", "worker"]
    for pid in celery:
        os.kill(pid, signal.SIGKILL)
    fresh = server.wait(
        "new ones", lambda: (now := _celery(server)) and len(now) == 2 and not set(now) & set(celery) and now
    )
    assert sorted(fresh.values()) == ["beat", "worker"]

    family = server.family()
    assert server.stop() == 0
    assert all(gone(pid) for pid in family)


def _celery(server: Server) -> dict[int, str]:
    """Pid and name of the Celery programs that run."""
    found = {}
    for pid in server.family():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"celery" in words:
            found[pid] = "beat" if b"beat" in words else "worker"
    return found
