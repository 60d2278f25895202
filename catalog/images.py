"""Pictures: checked by content, re-encoded without metadata, stored in the four sizes of the API."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError

from storefront import files
from storefront.errors import Invalid
from storefront.ids import new_ulid

WIDTHS = {"tiny": 96, "thumbnail": 320, "standard": 800, "zoom": 1600}
MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 40_000_000  # a tiny file can unpack to gigabytes, so this is read from the header before decoding
FORMATS = ("JPEG", "PNG", "WEBP")
Picture = Image.Image


def read(file: Any) -> Picture:
    """Decodes an uploaded picture, turned upright. Raises Invalid for what is none, or too large a one."""
    data = file if isinstance(file, bytes) else file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise Invalid(_("The picture is too large."), field="image")
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
        if picture.width * picture.height > MAX_PIXELS:
            raise Invalid(_("The picture has too many pixels."), field="image")
        turned = ImageOps.exif_transpose(picture)
        return turned.convert("RGBA" if "A" in turned.getbands() or "transparency" in turned.info else "RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Invalid(_("Use a JPEG, PNG or WebP picture."), field="image") from error


def save(picture: Picture, *, folder: str, name: str = "") -> dict[str, str]:
    """Stores a picture as WebP in every size, never larger than it is. Returns the names in the storage by size."""
    name = name or new_ulid()
    stored: dict[str, str] = {}
    before: tuple[int, str] = (0, "")
    for size, width in WIDTHS.items():
        if before[0] >= max(picture.size):  # the size before already shows all there is
            stored[size] = before[1]
            continue
        copy = picture.copy()
        copy.thumbnail((width, width), Image.Resampling.LANCZOS)
        output = io.BytesIO()
        copy.save(output, "WEBP", quality=82, method=2)
        stored[size] = files.write(default_storage, f"{folder}/{name}-{size}.webp", ContentFile(output.getvalue()))
        before = (width, stored[size])
    return stored


def remove(names: Iterable[str]) -> None:
    """Deletes files. A missing one is no error."""
    for name in names:
        default_storage.delete(name)
