"""`make test`: every test on SQLite, then on PostgreSQL with Redis and a real Celery worker where both are reachable.

With CI set, services that cannot be reached are a failure. TEST_DATABASE_URL and TEST_REDIS_URL name them; without,
the usual local addresses are tried. Arguments go to pytest. Tests run in as many processes as there are cores, four at
most: each has a database of its own, in Redis too.

A test that fails runs once more, and the summary names it (RERUN): a crowded machine may have held up the servers,
workers and stubs that it talks to. What counts the effects of calls in parallel has no second try (tests/conftest.py).
With CI set, the order of the tests is the same each time.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATABASES = [
    "postgres://postgres@127.0.0.1:5432/postgres",
    "postgres://postgres:postgres@127.0.0.1:5432/postgres",
    f"postgres://{os.environ.get('USER', 'postgres')}@127.0.0.1:5432/postgres",
]
REDISES = ["redis://127.0.0.1:6379/15"]
PROCESSES = min(os.cpu_count() or 1, 4)
AGAIN = ["--reruns", "1", "--reruns-delay", "3"]
if os.environ.get("CI"):
    AGAIN += ["--randomly-seed", "1"]
OURS = re.compile(
    r"^(DATABASE_URL|REDIS_URL|CELERY_|SQLITE_|LIMIT|OTP_|SECRET_KEY|DJANGO_SETTINGS_MODULE|VAR_DIR|PORT$)"
)


def reachable_database() -> str:
    import psycopg

    for address in filter(None, [os.environ.get("TEST_DATABASE_URL"), *DATABASES]):
        try:
            psycopg.connect(address, connect_timeout=3).close()
        except (psycopg.Error, ValueError):
            continue
        return address
    return ""


def reachable_redis() -> str:
    import redis

    for address in filter(None, [os.environ.get("TEST_REDIS_URL"), *REDISES]):
        try:
            redis.Redis.from_url(address, socket_connect_timeout=3).ping()
        except (redis.RedisError, ValueError):
            continue
        return address
    return ""


def run(name: str, services: dict[str, str], arguments: list[str]) -> tuple[bool, str]:
    """Runs pytest in an environment that holds nothing of a developer's own settings."""
    print(f"\n=== {name} ===", flush=True)
    with tempfile.TemporaryDirectory(prefix="storefront-test-") as scratch:
        kept = {key: value for key, value in os.environ.items() if not OURS.match(key)}
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-n", str(PROCESSES), "--dist", "worksteal", *AGAIN, *arguments],
            cwd=ROOT,
            env=kept | services | {"VAR_DIR": scratch, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        last = ""
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
        code = process.wait()
    return code == 0, f"{name}: {last.strip('= ')} [{time.monotonic() - started:.0f} s]"


def main() -> int:
    arguments = sys.argv[1:]
    results = [run("SQLite", {}, arguments)]
    database, redis = reachable_database(), reachable_redis()
    if database and redis:
        own = f"test_storefront_{os.getpid()}"  # two runs at once must not share a database
        services = {"DATABASE_URL": database, "REDIS_URL": redis, "TEST_DATABASE_NAME": own}
        results.append(run("PostgreSQL + Redis + Celery worker", services, arguments))
    else:
        missing = " and ".join(what for what, found in (("PostgreSQL", database), ("Redis", redis)) if not found)
        told = f"PostgreSQL + Redis + Celery worker: not run, {missing} cannot be reached"
        results.append((not os.environ.get("CI"), told))
    print("\n=== Result ===")
    for passed, line in results:
        print(f"{'passed' if passed else 'FAILED'}  {line}")
    return 0 if all(passed for passed, _line in results) else 1


if __name__ == "__main__":
    sys.exit(main())
