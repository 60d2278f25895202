"""Files that wait in private storage between their check and their import; an hour at most."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from storefront import private_files
from storefront.ids import new_ulid

KEEP = timedelta(hours=1)
FOLDER = "customer-imports"


def keep(content: bytes) -> str:
    """Stores the bytes under a name of our own, and returns it."""
    return private_files.save(f"{FOLDER}/{new_ulid()}.csv", content)


def sweep(*, now: datetime, batch: int, **_payload: Any) -> None:
    """Listens to "sweep": what nobody imported goes after an hour, by the time that the storage knows."""
    storage = private_files.storage()
    try:
        names = [f"{FOLDER}/{name}" for name in storage.listdir(FOLDER)[1]]
    except FileNotFoundError:
        return
    for name in sorted(names)[:batch]:
        try:
            if storage.get_modified_time(name) < now - KEEP:
                private_files.discard(name)
        except FileNotFoundError:  # imported a moment ago
            continue
