"""The web server: granian, with the outbox drained by a thread of the process where there is no broker.

`serve` runs it; a deployment of its own may as well run `granian --interface wsgi config.wsgi:application`.
"""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import Any

from config import processes

WORKER_STOP_SECONDS = 5


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
        blocking_threads=threads,
        blocking_threads_idle_timeout=600,  # a thread keeps its database connection
        websockets=False,
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=WORKER_STOP_SECONDS,
    )
    server.serve(target_loader=partial(load, os.getpid()), wrap_loader=False)


def load(parent: int) -> Any:
    """The application, in a worker process: bound to the life of the server, draining the outbox if nobody else does."""
    processes.die_with(parent, signal.SIGKILL)
    from django.conf import settings

    from config.wsgi import application
    from storefront.outbox import embedded

    if not settings.CELERY_BROKER_URL:
        embedded.start()
    return application
