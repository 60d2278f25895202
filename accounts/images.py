"""Profile images, in three sizes. What comes in is checked and re-encoded by `storefront.pictures`."""

from __future__ import annotations

from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from storefront import files, pictures
from storefront.errors import Unavailable
from storefront.ids import new_ulid
from storefront.models import Store

SIZES = (512, 256, 96)  # the longer side; the first is the one that the API shows


def save(*, store: Store, file: Any) -> str:
    """Stores the renditions and returns their common name. Raises Invalid naming `image`, Unavailable. No queries.

    The caller writes the name into its row; `discard` removes files of a transaction that failed.
    """
    renditions = pictures.renditions(file, SIZES)
    stem = f"profiles/{store.pk}/{new_ulid()}"
    try:
        for size, content in renditions.items():
            files.write(default_storage, path(stem, size), ContentFile(content))
    except Unavailable:
        discard(stem)
        raise
    return stem


def path(stem: str, size: int = SIZES[0]) -> str:
    return f"{stem}-{size}.webp"


def url(stem: str) -> str | None:
    """The address of the largest rendition, as the storage gives it."""
    return default_storage.url(path(stem)) if stem else None


def discard(stem: str) -> None:
    """Deletes the renditions; missing ones are no error."""
    if stem:
        for size in SIZES:
            default_storage.delete(path(stem, size))


def discard_after_commit(stem: str) -> None:
    if not stem:
        return

    def after_commit() -> None:
        discard(stem)

    transaction.on_commit(after_commit, robust=True)
