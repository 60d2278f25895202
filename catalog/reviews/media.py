"""Pictures and films of reviews: checked by content, stored under names of our own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _

from storefront import files, pictures
from storefront.errors import Invalid
from storefront.ids import new_ulid
from storefront.models import Store

from .models import ReviewMedia

MAX_IMAGES, MAX_VIDEOS = 8, 2
MAX_VIDEO_BYTES = 50 * 1024 * 1024
# What a whole request may weigh: all of these and the form around them.
MAX_REQUEST_BYTES = MAX_IMAGES * pictures.MAX_BYTES + MAX_VIDEOS * MAX_VIDEO_BYTES + 1024 * 1024
WIDTHS = {1600: "zoom", 800: "standard", 320: "thumbnail", 96: "tiny"}


@dataclass(frozen=True, slots=True)
class Stored:
    kind: str
    names: Mapping[str, str]


def check(images: Sequence[Any], videos: Sequence[Any]) -> list[str]:
    """The file endings of the films. Raises Invalid for too many files, and for films that are none or too large."""
    if len(images) > MAX_IMAGES:
        raise Invalid(_("At most %(count)d images.") % {"count": MAX_IMAGES}, field="images")
    if len(videos) > MAX_VIDEOS:
        raise Invalid(_("At most %(count)d videos.") % {"count": MAX_VIDEOS}, field="videos")
    return [_ending(file) for file in videos]


def _ending(file: Any) -> str:
    if file.size > MAX_VIDEO_BYTES:
        raise Invalid(_("The video is larger than 50 MB."), code="video_too_large", field="videos")
    file.seek(0)
    head = file.read(64)
    file.seek(0)
    if head[4:8] == b"ftyp" and head[8:12] not in (b"heic", b"heix", b"mif1", b"avif"):  # those are still pictures
        return "mp4"
    if head[:4] == b"\x1a\x45\xdf\xa3" and b"webm" in head:
        return "webm"
    raise Invalid(_("Send an MP4 or WebM video."), code="video_invalid", field="videos")


def save(*, store: Store, images: Sequence[Any], videos: Sequence[Any]) -> list[Stored]:
    """Stores the files of one review. Raises Invalid, Unavailable; nothing is left behind then."""
    endings = check(images, videos)
    folder = f"reviews/{store.pk}"
    stored: list[Stored] = []
    try:
        for image in images:
            found = pictures.renditions(image, tuple(WIDTHS), field="images")
            stem, names = f"{folder}/{new_ulid()}", dict[str, str]()
            stored.append(Stored(ReviewMedia.Kind.IMAGE, names))
            for size, content in found.items():
                names[WIDTHS[size]] = files.write(default_storage, f"{stem}-{size}.webp", ContentFile(content))
        for video, ending in zip(videos, endings, strict=True):
            name = files.write(default_storage, f"{folder}/{new_ulid()}.{ending}", File(video))
            stored.append(Stored(ReviewMedia.Kind.VIDEO, {"video": name}))
    except BaseException:
        discard(stored)
        raise
    return stored


def discard(stored: Iterable[Stored | ReviewMedia]) -> None:
    """Deletes the files; missing ones are no error."""
    for one in stored:
        for name in one.names.values():
            default_storage.delete(name)


def discard_after_commit(rows: Iterable[ReviewMedia]) -> None:
    transaction.on_commit(partial(discard, list(rows)), robust=True)
