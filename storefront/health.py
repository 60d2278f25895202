"""What this installation leans on, and whether it holds: two answers for load balancers, a full report for `doctor`."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage, storages
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Min, Q
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from storefront import outbox, private_files, redis_client, services
from storefront.conf import conf
from storefront.ids import new_ulid

OK, DOWN, OFF, LATE, LOW = "ok", "down", "off", "late", "low"
DEGRADED = "degraded"
LATE_AFTER_SECONDS = 120


def live(request: HttpRequest) -> JsonResponse:
    """This process answers; says nothing about what it needs."""
    return _uncached({"status": OK})


def ready(request: HttpRequest) -> JsonResponse:
    """200 when requests can be served, 503 when not.

    Redis is told but does not decide: the API works without it. Nor does a disk that is nearly full: reads go on, and
    no other machine would take in more. It shows in the status, which then is "degraded".
    """
    database = OK if _database_answers() else DOWN
    disk = LOW if _is_low(shortest_disk()) else OK
    return _uncached(
        {
            "status": DEGRADED if (database, disk) == (OK, LOW) else database,
            "components": {"database": database, "redis": _redis_state(), "disk": disk},
        },
        status=200 if database == OK else 503,
    )


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk that we write to: bytes in all, and free for us, without what is kept for the administrator."""

    folder: Path
    free: int
    total: int

    @property
    def spare(self) -> int:
        """What is left before it is an alarm. A small disk, a container's /tmp for one, is not low for its size alone."""
        return self.free - min(conf().DISK_LOW_BYTES, self.total // 10)


def shortest_disk() -> Disk | None:
    """Of the disks that this process writes to, the one that is nearest to an alarm; None when it writes to none."""
    return min(filter(None, map(_disk, _folders())), key=lambda disk: disk.spare, default=None)


def _is_low(disk: Disk | None) -> bool:
    return disk is not None and disk.spare < 0


def _folders() -> Iterator[Path]:
    """Of uploads, of private files, of temporary ones, and of the database when it is a file."""
    for storage in (default_storage, private_files.storage()):
        if isinstance(storage, FileSystemStorage):
            yield Path(storage.location)
    yield Path(tempfile.gettempdir())
    if connection.vendor == "sqlite":
        yield Path(os.fspath(connection.settings_dict["NAME"])).absolute().parent


def _disk(folder: Path) -> Disk | None:
    """The disk of a folder, which may not be there before the first file is."""
    for place in (folder, *folder.parents):
        try:
            usage = shutil.disk_usage(place)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        return Disk(place, usage.free, usage.total)
    return None


def _uncached(body: dict[str, Any], status: int = 200) -> JsonResponse:
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store"})


def _database_answers() -> bool:
    for _attempt in range(2):  # a kept connection may be left over from before a restart of the database
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except DatabaseError:
            connection.close()
        else:
            return True
    return False


def _redis_state() -> str:
    if not redis_client.configured():
        return OFF
    return OK if redis_client.quietly(lambda client: client.ping()) else DOWN


@dataclass(frozen=True, slots=True)
class Component:
    """One line of the report. `required`: nobody is served, or nothing is delivered, while it is down."""

    name: str
    state: str
    required: bool = True
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def harmful(self) -> bool:
        return self.required and self.state == DOWN

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def report() -> list[Component]:
    """Every component, in the order in which one needs the other. A fault in one is its state, never an exception."""
    found = [_guarded("database", _database)]
    if found[0].state == OK:
        found.append(_guarded("migrations", _migrations))
    found += [_guarded("redis", _redis), _guarded("broker", _broker)]
    if found[0].state == OK and found[1].state == OK:
        found.append(_guarded("worker", _worker))
        found += _queues()
    return [*found, _guarded("storage", _storage), _guarded("disk", _room), _guarded("settings", _settings)]


def _guarded(name: str, probe: Callable[[], Component]) -> Component:
    try:
        return probe()
    except Exception as error:
        return Component(name, DOWN, detail={"error": f"{type(error).__name__}: {error}".strip()[:200]})


def _database() -> Component:
    connection.ensure_connection()
    started = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version")
        version = cursor.fetchone()[0]
    milliseconds = round((time.perf_counter() - started) * 1000, 2)
    detail = {"kind": connection.display_name, "version": version, "milliseconds": milliseconds}
    return Component("database", OK, detail=detail)


def _migrations() -> Component:
    executor = MigrationExecutor(connection)
    pending = [str(step) for step, _backwards in executor.migration_plan(executor.loader.graph.leaf_nodes())]
    return Component("migrations", DOWN if pending else OK, detail={"pending": len(pending), "first": pending[:3]})


def _redis() -> Component:
    if not redis_client.configured():
        return Component("redis", OFF, required=False, detail={"note": "brakes count in memory or in the database"})
    started = time.perf_counter()
    client = redis_client.client()
    client.ping()
    milliseconds = round((time.perf_counter() - started) * 1000, 2)
    version = client.info("server").get("redis_version", "")
    return Component("redis", OK, required=False, detail={"version": version, "milliseconds": milliseconds})


def _broker() -> Component:
    if not outbox.has_broker():
        return Component("broker", OFF, required=False, detail={"note": "queues are worked off in the web process"})
    from celery import current_app

    with current_app.connection_for_write(connect_timeout=2) as broker:
        broker.ensure_connection(max_retries=0, timeout=2)
        return Component("broker", OK, detail={"transport": broker.transport_cls})


def _worker() -> Component:
    names = services.worker_names()
    needed = outbox.has_broker()  # without a broker the worker is a thread of the server, if one runs
    return Component("worker", OK if names else DOWN if needed else OFF, required=needed, detail={"seen": names})


def _queues() -> list[Component]:
    rows = [model for model in apps.get_models() if issubclass(model, outbox.OutboxRow)]
    return [_guarded(f"queue {model._meta.label_lower}", partial(_queue, model)) for model in rows]


def _queue(model: type[outbox.OutboxRow]) -> Component:
    now = timezone.now()
    waiting = Q(state=outbox.OutboxRow.State.PENDING)
    figures = model.objects.aggregate(
        pending=Count("pk", filter=waiting),
        dead=Count("pk", filter=Q(state=outbox.OutboxRow.State.DEAD)),
        oldest_due=Min("next_attempt_at", filter=waiting & Q(next_attempt_at__lte=now)),
    )
    age = int((now - figures["oldest_due"]).total_seconds()) if figures["oldest_due"] else 0
    detail = {"pending": figures["pending"], "dead": figures["dead"], "oldest_due_seconds": age}
    name = f"queue {model._meta.label_lower}"
    return Component(name, LATE if age > LATE_AFTER_SECONDS else OK, required=False, detail=detail)


def _storage() -> Component:
    name = default_storage.save(f"doctor/{new_ulid()}.txt", ContentFile(b"doctor"))
    try:
        with default_storage.open(name) as file:
            intact = file.read() == b"doctor"
    finally:
        default_storage.delete(name)
    return Component("storage", OK if intact else DOWN, detail={"kind": type(storages["default"]).__name__})


def _room() -> Component:
    disk = shortest_disk()
    if disk is None:
        return Component("disk", OFF, required=False, detail={"note": "nothing is written to a disk of this machine"})
    detail = {"folder": str(disk.folder), "free_mib": disk.free >> 20, "total_mib": disk.total >> 20}
    return Component("disk", LOW if _is_low(disk) else OK, required=False, detail=detail)


def _settings() -> Component:
    found = checks.run_checks(include_deployment_checks=not settings.DEBUG)
    messages = [message for message in found if not message.is_silenced()]
    errors = [str(message) for message in messages if message.is_serious()]
    detail = {"errors": errors, "warnings": len(messages) - len(errors), "debug": settings.DEBUG}
    return Component("settings", DOWN if errors else OK, detail=detail)
