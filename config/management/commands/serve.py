"""`manage.py serve`: everything a shop needs, in one terminal."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
from argparse import ArgumentParser, ArgumentTypeError
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection, connections
from django.db.migrations.executor import MigrationExecutor

from config import demo, processes, server
from config.processes import Child


class Command(BaseCommand):
    help = (
        "Migrates, makes the demo store (in development) and serves API, admin and docs. With REDIS_URL set, a Celery "
        "worker and beat run beside the web server; without it, the server drains its queues itself."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST_ADDRESS", "127.0.0.1"))
        parser.add_argument("--port", type=_port, default=os.environ.get("PORT") or "8000", help="PORT, or 8000")
        parser.add_argument("--workers", type=int, default=os.environ.get("WEB_WORKERS") or None, help="web processes")
        threads = os.environ.get("WEB_THREADS") or server.THREADS
        parser.add_argument("--threads", type=int, default=threads, help="of each process")
        parser.add_argument("--no-demo", action="store_true", help="leave the demo store alone")

    def handle(self, *, host: str, port: int, workers: int | None, threads: int, no_demo: bool, **_: Any) -> None:
        _require_free(host, port)
        self.check(fail_level=40)
        self._migrate()
        os.environ["PORT"] = str(port)
        shown = None if no_demo or not settings.DEBUG else self._demo()
        connections.close_all()

        distributed = bool(settings.CELERY_BROKER_URL)
        if not distributed:
            workers = 1  # the thread that drains the outbox, and the counters of the brakes, are this process's own
        elif workers is None:
            workers = 2
        children = [
            Child(
                "web",
                partial(server.serve, host=host, port=port, workers=workers, threads=threads),
                patience=server.WORKER_STOP_SECONDS + 1,
            )
        ]
        if distributed:
            children += [Child("beat", _celery("beat", *_BEAT)), Child("worker", _celery("worker", *_WORKER))]
        where = ("127.0.0.1" if host == "0.0.0.0" else host, port)  # noqa: S104
        note = demo.port_file()
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps({"pid": os.getpid(), "port": port}))
        try:
            code = processes.Supervisor(children, tick=partial(self._announce, *where, shown, distributed)).run()
        finally:
            note.unlink(missing_ok=True)
        self._say("Stopped." if not code else "Stopped: a process did not stay up; its last words are above.")
        sys.exit(code)

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _migrate(self) -> None:
        try:
            executor = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except OperationalError as error:
            raise CommandError(f"The {connection.display_name} database does not answer: {error}") from error
        if plan:
            self._say(f"Preparing the {connection.display_name} database ({len(plan)} migrations) ...")
            call_command("migrate", interactive=False, verbosity=0, skip_checks=True)

    def _demo(self) -> demo.Demo:
        from storefront.models import Store

        if not Store.objects.exists():
            self._say("Making the demo store ...")
        return demo.ensure(origin=demo.origin())

    def _announce(self, host: str, port: int, shown: demo.Demo | None, distributed: bool) -> bool:
        """Says where everything is, as soon as it is there. True when said."""
        if not _ready(host, port):
            return False
        origin = f"http://{host}:{port}"
        lines = [
            "",
            "Ready.",
            "",
            f"  Docs     {origin}/docs",
            f"  Admin    {origin}/admin/",
            f"  Health   {origin}/health/ready",
        ]
        if shown:
            lines += [
                f"  API      {shown.base_url}",
                "",
                f"  Store id       {shown.store_id}",
                f"  API key        {shown.api_key}",
                f"  Admin login    {shown.admin_username} / {shown.admin_password}",
                f"  Demo shopper   {demo.SHOPPER['email']}, {demo.SHOPPER['phone']}, {demo.SHOPPER['password']}",
                "",
                "Try it (a visitor's tokens):",
                f"  curl -X POST {shown.base_url}/auth/anonymous -H 'X-Api-Key: {shown.api_key}'",
            ]
        running = f"{connection.display_name}, Redis, a Celery worker and beat" if distributed else _embedded()
        lines += ["", f"Running on {running}. Ctrl-C stops everything.", ""]
        self._say("\n".join(lines))
        return True


def _embedded() -> str:
    return f"{connection.display_name}, without a broker: queues are worked off in the server"


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ArgumentTypeError(f"{text!r} is no port. Use a number from 1 to 65535, such as PORT=9000 make run")
    return int(text)


def _require_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Port {port} on {host} cannot be used ({error.strerror}). Is the server running already? "
                f"Another port: PORT={port + 1} make run"
            ) from error


def _ready(host: str, port: int) -> bool:
    asked = http.client.HTTPConnection(host, port, timeout=1)
    try:
        asked.request("GET", "/health/ready", headers={"Host": "localhost", "X-Forwarded-Proto": "https"})
        return asked.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asked.close()


_WORKER = (
    *("--pool", "threads"),
    *("--concurrency", os.environ.get("WORKER_CONCURRENCY") or "8"),
    *("--without-gossip", "--without-mingle"),
)
_BEAT = ("--schedule", str(Path(settings.VAR_DIR) / "celerybeat-schedule"), "--pidfile", "")


def _celery(program: str, *arguments: str) -> Any:
    """A Celery program, on the interpreter and settings of this process."""
    quiet = ("-W", "ignore:You're running the worker with superuser") if settings.DEBUG else ()
    return processes.command(
        *(sys.executable, *quiet, "-m", "celery"),
        *("--quiet", "--app", "config", program, "--loglevel", "WARNING"),
        *arguments,
    )
