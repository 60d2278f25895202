"""Profile images: what comes in is looked at, re-encoded and renamed; nothing is stored as it was sent (D-13)."""

from __future__ import annotations

import io
from threading import Lock
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from storefront.errors import Invalid
from storefront.ids import new_ulid
from storefront.models import Store

MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 25_000_000
FORMATS = ("JPEG", "PNG", "WEBP")
SIZES = (512, 256, 96)  # the longer side; the first is the one that the API shows
_one_at_a_time = Lock()  # a decoded image of the allowed size takes 100 MB


def save(*, store: Store, file: Any) -> str:
    """Stores the renditions and returns their common name. Raises Invalid naming `image`. No queries.

    The caller writes the name into its row; `discard` removes files of a transaction that failed.
    """
    if file.size > MAX_BYTES:
        raise Invalid(_("The image is larger than 5 MB."), code="image_too_large", field="image")
    with _one_at_a_time:
        renditions = _renditions(file)
    stem = f"profiles/{store.pk}/{new_ulid()}"
    for size, content in renditions.items():
        default_storage.save(path(stem, size), ContentFile(content))
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


def _renditions(file: Any) -> dict[int, bytes]:
    try:
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:  # from the header: nothing is decoded yet
                raise Invalid(_("The image has more than 25 million pixels."), code="image_too_large", field="image")
            largest = (SIZES[0] * 2, SIZES[0] * 2)
            image.draft("RGB", largest)  # JPEG: decodes at a fraction of the size
            has_alpha = image.has_transparency_data
            plain: Image.Image
            if image.mode in {"P", "1"}:  # these cannot be scaled smoothly as they are
                plain = image.convert("RGBA" if has_alpha else "RGB")
            elif image.mode.startswith("I"):  # 16 bits of grey
                plain = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
            else:
                image.load()
                plain = image
            plain.thumbnail(largest, Image.Resampling.LANCZOS, reducing_gap=2.0)  # small before anything is copied
            ImageOps.exif_transpose(plain, in_place=True)
            plain = plain.convert("RGBA" if has_alpha else "RGB")
            return {size: _encoded(plain, size) for size in SIZES}
    except Invalid:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds for broken files
        raise Invalid(_("Send a JPEG, PNG or WebP image."), code="image_invalid", field="image") from error


def _encoded(image: Image.Image, size: int) -> bytes:
    smaller = image.copy()
    smaller.thumbnail((size, size), Image.Resampling.LANCZOS)
    clean = Image.new(smaller.mode, smaller.size)  # a new image carries no metadata
    clean.paste(smaller)
    out = io.BytesIO()
    clean.save(out, "WEBP", quality=82, method=4)
    return out.getvalue()
