"""Bar R-17: codes are queued, the worker is killed again and again, and none is lost.

    python -m benchmarks.kill_worker [--codes 500] [--kills 6] [--every 5] [--latency 0.25] [--concurrency 4]

Needs PostgreSQL and Redis (--database-url, --redis-url; a database of its own is made and dropped). A stub provider on
loopback takes the codes; a real Celery worker with its beat sends them; SIGKILL goes to the whole process group.
Prints one line of JSON. The test of the same bar runs a shorter form.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from storefront.testing import StubAnswer, StubRequest, StubServer

ROOT = Path(__file__).resolve().parents[1]
LEASE = 3  # seconds
TIMEOUT = 2.0


class CountingProvider(StubServer):
    """Twilio's answers after `latency` seconds; counts what it accepted by number, and remembers the codes."""

    def __init__(self, *, latency: float) -> None:
        super().__init__(self._take)
        self.latency = latency
        self._lock = threading.Lock()
        self.accepted: Counter[str] = Counter()
        self.codes: dict[str, set[str]] = {}

    def _take(self, request: StubRequest) -> StubAnswer:
        form = request.form
        if self.latency:
            time.sleep(self.latency)
        with self._lock:
            self.accepted[form["To"]] += 1
            self.codes.setdefault(form["To"], set()).update(re.findall(r"\b\d{6}\b", form["Body"]))
            number = sum(self.accepted.values())
        return StubAnswer(201, {"sid": f"SM{number:032d}", "status": "queued"})


class Worker:
    """A Celery worker with its beat, in a process group of its own."""

    def __init__(self, *, environment: dict[str, str], concurrency: int, folder: Path, pool: str = "prefork") -> None:
        self._environment = environment
        self._folder = folder
        self._arguments = [f"--concurrency={concurrency}", f"--pool={pool}"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "worker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "-A", "config", "worker", "--beat"),
                    *("--schedule", str(self._folder / f"beat-{time.monotonic_ns()}")),
                    *("--without-gossip", "--without-mingle", "--loglevel=WARNING"),
                    *self._arguments,
                ],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL to every process of the worker at once."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    @property
    def log(self) -> str:
        return (self._folder / "worker.log").read_text(errors="replace")


@dataclass(frozen=True)
class Outcome:
    codes: int
    accepted: int  # numbers that the provider accepted a code for
    lost: int
    duplicates: int
    wrong_codes: int
    kills: int
    allowed_duplicates: int
    seconds: float
    seconds_after_last_kill: float
    messages_per_second: float


def queue_codes(*, store: Any, count: int) -> dict[str, str]:
    """One-time codes to `count` numbers, as the sign-in routes queue them; number -> code."""
    from django.utils import timezone

    from accounts import otp

    found = {}
    for number in range(count):
        contact = f"+9190{number:08d}"
        issued = otp.issue(
            store=store,
            action="login",
            channel="sms",
            contact=contact,
            network=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            now=timezone.now(),
        )
        found[contact] = issued.code
    return found


def run(
    *,
    store: Any,
    worker: Worker,
    provider: CountingProvider,
    codes: int,
    kills: int,
    every: float,
    concurrency: int,
    patience: float,
) -> Outcome:
    """Queues, kills and waits. A kill comes `every` seconds after the provider last heard from the new worker, so
    that each one meets a worker at work; every=0 kills by progress instead of by the clock."""
    from messaging.models import Message

    started = time.monotonic()
    wanted = queue_codes(store=store, count=codes)
    worker.start()
    last_kill = started
    for number in range(kills):
        heard = len(provider.requests)
        goal = (number + 1) * codes // (kills + 1) if not every else heard + 1
        _until(lambda goal=goal: len(provider.requests) >= goal, patience, worker)
        if every:
            time.sleep(every)
        worker.kill()
        last_kill = time.monotonic()
        worker.start()
    waiting = Message.objects.filter(store=store, state="pending")
    _until(lambda: not waiting.exists(), patience, worker)
    ended = time.monotonic()
    return Outcome(
        codes=codes,
        accepted=len(provider.accepted),
        lost=len(set(wanted) - set(provider.accepted)),
        duplicates=sum(count - 1 for count in provider.accepted.values()),
        wrong_codes=sum(provider.codes.get(contact, {code}) != {code} for contact, code in wanted.items()),
        kills=kills,
        allowed_duplicates=kills * concurrency,
        seconds=round(ended - started, 1),
        seconds_after_last_kill=round(ended - last_kill, 1),
        messages_per_second=round(codes / (ended - started), 1),
    )


def _until(done: Any, patience: float, worker: Worker) -> None:
    from django.db.models import Count

    from messaging.models import Message

    deadline = time.monotonic() + patience
    while not done():
        if time.monotonic() > deadline:
            states = list(Message.objects.values_list("state", "reason", "attempts").annotate(Count("pk")))
            raise TimeoutError(f"The worker did not get there in time: {states}\n{worker.log[-4000:]}")
        time.sleep(0.05)


def environment(*, database_url: str, redis_url: str, folder: Path, settings: str) -> dict[str, str]:
    """What a worker of its own needs to know."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": settings,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "CELERY_BROKER_URL": redis_url,
        "VAR_DIR": str(folder),
        "SECRET_KEY": os.environ.get("SECRET_KEY") or "only-for-this-benchmark-0123456789abcdef",
        "MESSAGE_LEASE_SECONDS": str(LEASE),
        "MESSAGE_TIMEOUT_SECONDS": str(TIMEOUT),
        "SWEEP_SECONDS": "2",
        "LIMITS_ENABLED": "false",
        "OTP_STORE_DAILY_BUDGET": "1000000",
        "LOG_LEVEL": "ERROR",
    }


def add_provider(*, store: Any, url: str) -> None:
    from messaging.models import ProviderAccount

    credentials: Any = {"account_sid": "AC1", "auth_token": "token"}
    ProviderAccount.objects.create(
        store=store,
        name="stub",
        channel="sms",
        driver="twilio",
        sender="+15005550006",
        credentials=credentials,
        options={"base_url": url},
    )


@contextmanager
def _own_database(url: str) -> Iterator[str]:
    import psycopg

    name = f"kill_worker_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield url.rsplit("/", 1)[0] + f"/{name}"
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--codes", type=int, default=500)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--every", type=float, default=5.0, help="seconds of work between kills")
    parser.add_argument("--latency", type=float, default=0.25, help="seconds that the provider takes")
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--pool", default="threads", choices=["prefork", "threads"])
    parser.add_argument("--database-url", default="postgres://postgres@127.0.0.1:5432/postgres")
    parser.add_argument("--redis-url", default="redis://127.0.0.1:6379/13")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kill-worker-") as name, _own_database(asked.database_url) as database:
        folder = Path(name)
        env = environment(
            database_url=database, redis_url=asked.redis_url, folder=folder, settings="benchmarks.settings"
        )
        os.environ.update(env)
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        from config import celery_app
        from storefront import services

        celery_app.control.purge()
        store = services.create_store(store_id="kill-worker", name="Kill worker")
        worker = Worker(environment=env, concurrency=asked.concurrency, folder=folder, pool=asked.pool)
        with CountingProvider(latency=asked.latency) as provider:
            add_provider(store=store, url=provider.url)
            try:
                outcome = run(
                    store=store,
                    worker=worker,
                    provider=provider,
                    codes=asked.codes,
                    kills=asked.kills,
                    every=asked.every,
                    concurrency=asked.concurrency,
                    patience=120,
                )
            finally:
                worker.kill()
        from django.db import connections

        connections.close_all()
    print(json.dumps(asdict(outcome)))
    return 0 if outcome.lost == outcome.wrong_codes == 0 and outcome.duplicates <= outcome.allowed_duplicates else 1


if __name__ == "__main__":
    sys.exit(main())
