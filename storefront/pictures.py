"""Pictures from shoppers: looked at, re-encoded and renamed; nothing is stored as it was sent (D-13)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from threading import Lock
from typing import Any

from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from storefront.errors import Invalid

MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 25_000_000
LONGEST = 3000  # pixels of a picture that is kept to be read
_ORIENTATION = 0x0112
FORMATS = ("JPEG", "PNG", "WEBP")
_one_at_a_time = Lock()  # a decoded image of the allowed size takes 100 MB


def renditions(file: Any, sizes: Sequence[int], *, field: str = "image") -> dict[int, bytes]:
    """An upload as WebP in each of these sizes (the longer side), the largest first, without metadata, turned upright.

    Raises Invalid naming `field`.
    """
    if file.size > MAX_BYTES:
        raise Invalid(_("The image is larger than 5 MB."), code="image_too_large", field=field)
    with _one_at_a_time:
        return _renditions(file, sizes, field)


def _renditions(file: Any, sizes: Sequence[int], field: str) -> dict[int, bytes]:
    try:
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:  # from the header: nothing is decoded yet
                raise Invalid(_("The image has more than 25 million pixels."), code="image_too_large", field=field)
            largest = (sizes[0] * 2, sizes[0] * 2)
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
            return {size: _encoded(plain, size) for size in sizes}
    except Invalid:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds for broken files
        raise Invalid(_("Send a JPEG, PNG or WebP image."), code="image_invalid", field=field) from error


def renewed(file: Any, *, field: str) -> tuple[bytes, str]:
    """A JPEG or PNG encoded anew in its own format, and that format's type: upright, opaque, the first frame only,
    without metadata, the longer side at most LONGEST. The caller bounds its bytes. Raises Invalid naming `field`.
    """
    with _one_at_a_time:
        try:
            with Image.open(file, formats=("JPEG", "PNG")) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise Invalid(_("The image has more than 25 million pixels."), code="image_too_large", field=field)
                kind, orientation = str(image.format), image.getexif().get(_ORIENTATION)
                image.draft("RGB", (LONGEST, LONGEST))
                plain = _shrunk(image)
            if orientation:
                plain.getexif()[_ORIENTATION] = orientation
                ImageOps.exif_transpose(plain, in_place=True)
            plain.info = {}
            out = io.BytesIO()
            plain.save(out, kind, **({"quality": 88} if kind == "JPEG" else {"compress_level": 6}))
            return out.getvalue(), f"image/{kind.lower()}"
        except Invalid:
            raise
        except Exception as error:  # Pillow's decoders raise many kinds for broken files
            raise Invalid(_("Send a JPEG or PNG image."), code="image_invalid", field=field) from error


def _shrunk(image: Image.Image) -> Image.Image:
    """A small enough picture on white, made strip by strip: a second whole copy would take another 100 MB."""
    factor = -(-max(image.size) // LONGEST)
    width, height = image.size
    out = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    for top in range(0, height, 256 * factor):
        strip = _opaque(image.crop((0, top, width, min(top + 256 * factor, height))))
        out.paste(strip.reduce(factor) if factor > 1 else strip, (0, top // factor))
    return out


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    paper = Image.new("RGBA", image.size, "white")
    paper.alpha_composite(image.convert("RGBA"))
    return paper.convert("RGB")


def _encoded(image: Image.Image, size: int) -> bytes:
    smaller = image.copy()
    smaller.thumbnail((size, size), Image.Resampling.LANCZOS)
    clean = Image.new(smaller.mode, smaller.size)  # a new image carries no metadata
    clean.paste(smaller)
    out = io.BytesIO()
    clean.save(out, "WEBP", quality=82, method=4)
    return out.getvalue()
