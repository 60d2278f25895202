"""Files of documents: known by their content, pictures made anew, PDFs that could act refused (D-13)."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from storefront import pictures, private_files
from storefront.errors import Invalid
from storefront.ids import new_ulid
from storefront.models import Store

MAX_BYTES = 10 * 1024 * 1024
MAX_INFLATED = 32 * 1024 * 1024  # of the object streams of one PDF, together
ENDINGS = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}

# What lets a PDF do something or carry something.
_DEEDS = (
    "JavaScript JS Launch EmbeddedFile EmbeddedFiles RichMedia XFA SubmitForm ImportData GoToE Movie Sound Rendition"
)


def _spelt(name: str) -> str:
    """A pattern for a name of a PDF, any character of which may be spelt #xx. No such text is ever unescaped: that
    costs more than anything else done with a file."""
    digits = [re.sub("[a-f]", lambda found: f"[{found[0]}{found[0].upper()}]", f"{ord(one):02x}") for one in name]
    return "".join(f"(?:{one}|#{number})" for one, number in zip(name, digits, strict=True))


_ACTS = re.compile(f"/(?:{'|'.join(map(_spelt, _DEEDS.split()))})(?![A-Za-z0-9])".encode())
_LOCKED = re.compile(f"/{_spelt('Encrypt')}".encode())
_OBJECT_STREAM = re.compile(_spelt("ObjStm").encode())
_STREAM, _STREAM_END = re.compile(rb"\bstream\r?\n"), re.compile(rb"\bendstream\b")
_MARKUP = re.compile(rb"<\s*(?:script|html|svg|iframe|!doctype)", re.IGNORECASE)
_OBJECT = re.compile(rb"\d\s+obj\b")


@dataclass(frozen=True, slots=True)
class Stored:
    name: str
    content_type: str
    size: int


def save(*, store: Store, file: Any, field: str = "file") -> Stored:
    """Stores what was sent, if it is a PDF, JPEG or PNG. The sender's name and type of it are not looked at.

    Raises Invalid naming `field`. `private_files.discard` removes the file of a transaction that failed.
    """
    content, content_type = checked(file, field=field)
    name = f"documents/{store.pk}/{new_ulid()}.{ENDINGS[content_type]}"
    return Stored(private_files.save(name, content), content_type, len(content))


def checked(file: Any, *, field: str = "file") -> tuple[bytes, str]:
    """What to store, and its type. Raises Invalid naming `field`."""
    if file.size > MAX_BYTES:
        raise Invalid(_("The file is larger than 10 MB."), code="file_too_large", field=field)
    file.seek(0)
    head = file.read(8)
    file.seek(0)
    if head.startswith(b"%PDF-"):
        content = file.read()
        _check_pdf(content, field)
        return content, "application/pdf"
    if head.startswith(b"\xff\xd8\xff") or head == b"\x89PNG\r\n\x1a\n":
        return pictures.renewed(file, field=field)
    raise Invalid(_("Send a PDF, JPEG or PNG file."), code="file_invalid", field=field)


def _check_pdf(content: bytes, field: str) -> None:
    head, end, rest = content.rpartition(b"%%EOF")
    if not end or rest.strip(b"\0\t\n\f\r ") or b"PK\x05\x06" in content or _MARKUP.search(content[:1024]):
        raise Invalid(_("This PDF is damaged. Please save it anew."), code="file_invalid", field=field)
    for part in _readable(head):
        if _LOCKED.search(part):
            raise Invalid(_("Send the PDF without a password."), code="file_invalid", field=field)
        if _ACTS.search(part):
            message = _("Send a PDF without scripts, forms that act and attached files.")
            raise Invalid(message, code="file_invalid", field=field)


def _readable(content: bytes) -> Iterator[bytes]:
    """Where a PDF's own words can stand: outside of streams, in object streams, and where a stream hides objects."""
    left, at = MAX_INFLATED, 0
    while (begin := _STREAM.search(content, at)) and (end := _STREAM_END.search(content, begin.end())):
        yield content[at : begin.start()]
        body, header = content[begin.end() : end.start()], content[max(at, begin.start() - 2048) : begin.start()]
        at = end.end()
        if b"endobj" in body or _OBJECT.search(body[:4096]):
            yield body
        if _OBJECT_STREAM.search(header):
            unpacked = _inflated(body, left)
            left -= len(unpacked)
            yield unpacked
    yield content[at:]


def _inflated(body: bytes, at_most: int) -> bytes:
    """An object stream's text. One that cannot be read here is shown as a script would be: nobody can vouch for it."""
    unknown = b"/JavaScript"
    if at_most <= 0:
        return unknown
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(body, at_most)
    except zlib.error:
        return unknown
    return text if not unpacker.unconsumed_tail else unknown
