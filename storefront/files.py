"""Writing into file storages: a file is there whole, or not at all."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from django.core.files.base import File
from django.core.files.storage import Storage

from storefront.errors import Unavailable

logger = logging.getLogger(__name__)
RETRY_SECONDS = 60


def write(storage: Storage, name: str, content: File[Any]) -> str:
    """Stores the file and returns the name that it got.

    Raises Unavailable when the storage cannot take it, a full disk for one, after an error in the log. What was written
    until then is deleted, so the name must be a new one of our own making.
    """
    try:
        return str(storage.save(name, content))
    except OSError as error:
        logger.exception("storage_failed")
        with contextlib.suppress(OSError):
            storage.delete(name)
        raise Unavailable(retry_after=RETRY_SECONDS) from error
