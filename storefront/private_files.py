"""Files that only their owner and staff may see: apart from the media folder, reached by signed links that end soon.

They lie in the storage that `STORAGES` names `private`; without one, in a folder beside `MEDIA_ROOT` that nothing
serves.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import signing
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.db import transaction
from django.http import FileResponse

from storefront import files

LINK_SECONDS = 300
_SALT = "storefront.private_files"


def storage() -> Storage:
    if "private" in settings.STORAGES:
        return storages["private"]
    folder = Path(settings.MEDIA_ROOT or ".").absolute()
    return FileSystemStorage(
        location=folder.with_name(f"{folder.name}-private"),
        file_permissions_mode=0o600,
        directory_permissions_mode=0o700,
    )


def save(name: str, content: bytes) -> str:
    """Stores the bytes under that name of our own making, and returns the name that they got. Raises Unavailable."""
    return files.write(storage(), name, ContentFile(content))


def discard(*names: str) -> None:
    """Deletes the files; missing ones and "" are no error."""
    for name in filter(None, names):
        storage().delete(name)


def discard_after_commit(*names: str) -> None:
    if any(names):
        transaction.on_commit(partial(_discard, names), robust=True)


def _discard(names: tuple[str, ...]) -> None:
    discard(*names)


def sign(**facts: str) -> str:
    """A text that stands for a file for LINK_SECONDS. It is signed, not encrypted: nothing secret belongs in it."""
    return signing.dumps(facts, salt=_SALT)


def read(signed: str) -> dict[str, Any] | None:
    """The facts of a signed text; None for one that is forged or too old."""
    try:
        facts = signing.loads(signed, salt=_SALT, max_age=LINK_SECONDS)
    except signing.BadSignature:
        return None
    return facts if isinstance(facts, dict) else None


def answer(*, name: str, content_type: str, shown_as: str) -> FileResponse | None:
    """The file as a download that no browser runs or keeps; None when it is gone."""
    try:
        file = storage().open(name)
    except FileNotFoundError:
        return None
    response = FileResponse(file, as_attachment=True, filename=shown_as, content_type=content_type)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response
