"""Files in storages: whole, or not at all."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage

from storefront import files
from storefront.errors import Unavailable


class Endless(File):  # type: ignore[type-arg]
    """More than the disk takes."""

    def __init__(self) -> None:
        super().__init__(None)

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        yield b"half of it"
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_503_and_keeps_no_half_of_a_file(tmp_path: Path) -> None:
    storage: Any = FileSystemStorage(tmp_path)
    assert files.write(storage, "folder/whole.txt", ContentFile(b"whole")) == "folder/whole.txt"
    with pytest.raises(Unavailable) as refusal:
        files.write(storage, "folder/half.txt", Endless())
    assert refusal.value.retry_after
    assert storage.listdir("folder")[1] == ["whole.txt"]
