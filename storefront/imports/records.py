"""Files of rows, and cells in them: read as a stream, one row in memory at a time. Knows no database.

CSV and JSON lines. A cell that is empty, or a column that is missing, is not there; `!clear` (null in JSON) is CLEAR.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final

from django.utils.translation import gettext as _

CLEAR: Final = "\x00clear"  # inside; a file says CLEAR_WORD
CLEAR_WORD: Final = "!clear"
MAX_LINE = 1_048_576  # bytes
MAX_CELL = 100_000  # characters
SEPARATOR: Final = "|"
_SIGNED_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_RISKY = re.compile(r"'*([=+\-@\t\r\x00]|!clear$)")
_ESCAPED = re.compile(r"'+([=+\-@\t\r\x00]|!clear$)")


class BadCell(Exception):
    """Why a cell, or a whole row, cannot be taken."""

    def __init__(self, message: str, column: str = "") -> None:
        super().__init__(message)
        self.message, self.column = message, column


# --- cells ----------------------------------------------------------------------------------------------------------
def safe(value: str) -> str:
    """The cell as a spreadsheet shows it and never runs it: an apostrophe before what would be a formula."""
    return f"'{value}" if _RISKY.match(value) and not _is_negative(value) else value


def _is_negative(value: str) -> bool:
    return value.startswith("-") and _SIGNED_NUMBER.fullmatch(value) is not None


def plain(value: str) -> str:
    """What `safe` was given."""
    return value[1:] if _ESCAPED.match(value) else value


def checked(value: str, column: str) -> str:
    """The same text. Raises BadCell for one that is too long, or that no database takes."""
    if len(value) > MAX_CELL:
        raise BadCell(_("Longer than %(count)d characters.") % {"count": MAX_CELL}, column)
    if "\x00" in value:
        raise BadCell(_("Holds a character that no text holds."), column)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadCell(_("Not written in UTF-8."), column) from error
    return value


def split(value: str, mark: str = SEPARATOR) -> list[str]:
    r"""The entries of a list. A backslash before the mark, or before another backslash, keeps it."""
    if "\\" not in value:
        return [entry for entry in map(str.strip, value.split(mark)) if entry]
    found, entry, escaped = [], "", False
    for letter in value:
        if escaped:
            entry += letter if letter in f"{mark}\\" else f"\\{letter}"
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == mark:
            found.append(entry.strip())
            entry = ""
        else:
            entry += letter
    found.append((entry + ("\\" if escaped else "")).strip())
    return [entry for entry in found if entry]


def join(values: Sequence[str], mark: str = SEPARATOR) -> str:
    between = f" {mark} "
    return between.join(value.replace("\\", "\\\\").replace(mark, f"\\{mark}") for value in values)


# --- files ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Record:
    """One row as the file has it, and where the next one begins. `error`: it cannot be read."""

    number: int  # the first row below the header is 2, as in a spreadsheet
    cells: Mapping[str, str]
    end: int
    error: BadCell | None = None


class _Lines:
    """Lines of bounded length as text, counting bytes. A line that is too long becomes a NUL, which no cell may hold."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.position = file, file.tell()

    def __iter__(self) -> Iterator[str]:
        while line := self.file.readline(MAX_LINE):
            self.position += len(line)
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                while rest := self.file.readline(MAX_LINE):
                    self.position += len(rest)
                    if rest.endswith(b"\n"):
                        break
                yield "\x00\n"
                continue
            yield line.decode("utf-8", "surrogateescape")


def read_header(file: IO[bytes]) -> tuple[list[str], int]:
    """The names of the columns of a CSV file, and where its first row begins."""
    if file.read(3) != b"\xef\xbb\xbf":
        file.seek(0)
    lines = _Lines(file)
    csv.field_size_limit(MAX_CELL + 1)
    try:
        names = next(csv.reader(iter(lines)), [])
    except csv.Error as error:
        raise BadCell(_("The first line cannot be read.")) from error
    return [name.strip() for name in names], lines.position


def records(file: IO[bytes], *, format: str, columns: Sequence[str], first: int) -> Iterator[Record]:  # noqa: A002
    """Every row from where the file stands; `first` is the number of the row there. One row in memory at a time."""
    return _csv_records(file, columns, first) if format == "csv" else _json_records(file, first)


def _csv_records(file: IO[bytes], columns: Sequence[str], number: int) -> Iterator[Record]:
    csv.field_size_limit(MAX_CELL + 1)
    lines = _Lines(file)
    reader = csv.reader(iter(lines))
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error:
            error = BadCell(_("This row cannot be read: a quotation mark is missing, or a cell is far too long."))
            yield Record(number, {}, lines.position, error)
            number += 1
            continue
        if not any(values):  # an empty line
            number += 1
            continue
        if values == ["\x00"]:
            yield Record(number, {}, lines.position, BadCell(_("This row is far too long.")))
        elif len(values) > len(columns):
            yield Record(number, {}, lines.position, BadCell(_("This row has more cells than there are columns.")))
        else:
            named = zip(columns, values, strict=False)
            cells = {name: CLEAR if value.strip() == CLEAR_WORD else plain(value) for name, value in named if value}
            yield Record(number, cells, lines.position)
        number += 1


def _json_records(file: IO[bytes], number: int) -> Iterator[Record]:
    lines = _Lines(file)
    for line in lines:
        if line.strip():
            try:
                yield Record(number, _cells(line), lines.position)
            except (ValueError, RecursionError):
                yield Record(number, {}, lines.position, BadCell(_("This line is no JSON object.")))
            except BadCell as error:
                yield Record(number, {}, lines.position, error)
        number += 1


def _cells(line: str) -> dict[str, str]:
    found = json.loads(line.removeprefix("\ufeff"), parse_float=str, parse_int=str)
    if not isinstance(found, dict):
        raise ValueError(line[:20])
    return {name: value for name, value in ((name, _cell(name, value)) for name, value in found.items()) if value}


def _cell(name: str, value: Any) -> str:
    """What a CSV file would say."""
    if value is None:
        return CLEAR
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return join(value) or CLEAR
    if not isinstance(value, str):
        raise BadCell(_("A text, a number, true, false, null or a list of texts."), name)
    return value
