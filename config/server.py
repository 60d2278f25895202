"""The web server: granian, with the outbox drained by a thread of the process where there is no broker.

`serve` runs it; a deployment of its own may as well run `granian --interface wsgi config.wsgi:application`.
"""

from __future__ import annotations

import os
import resource
import signal
from functools import partial
from typing import Any

from config import processes

WORKER_STOP_SECONDS = 5
THREADS = 8  # of each process, unless WEB_THREADS says otherwise
CONNECTIONS = 8192  # of one worker at once; those that say nothing cost a few KiB each and no thread
OTHER_FILES = 512


def serve(*, host: str, port: int, workers: int, threads: int) -> None:
    """Answers requests until SIGTERM. Workers that die are started again."""
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    server = Server(
        "config.server:load",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        backlog=2048,
        backpressure=_room(),  # the server stops accepting connections at it, the idle ones counted
        blocking_threads=threads,
        blocking_threads_idle_timeout=600,  # a thread keeps its database connection
        websockets=False,
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=WORKER_STOP_SECONDS,
    )
    server.serve(target_loader=partial(load, os.getpid(), threads), wrap_loader=False)


def _room() -> int:
    """How many connections a worker may hold open: CONNECTIONS, or what the system lets a process open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return max(128, soft - OTHER_FILES)
    return CONNECTIONS


def load(parent: int, threads: int) -> Any:
    """The application, in a worker process: bound to the life of the server, draining the outbox if nobody else does."""
    processes.die_with(parent, signal.SIGKILL)
    from django.conf import settings

    from config.bodies import Bodies
    from config.wsgi import application
    from storefront import hashers
    from storefront.outbox import embedded

    hashers.share(threads=threads)
    if not settings.CELERY_BROKER_URL:
        embedded.start()
    return Bodies(application, threads=threads).start()
