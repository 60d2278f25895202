"""Lists as CSV for spreadsheets: streamed, and never a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe(value: Any) -> str:
    """A cell as a spreadsheet shows it and never runs it: an apostrophe before what could be a formula; no NUL."""
    text = "" if value is None else str(value).replace("\x00", "")
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) or text.startswith(FORMULA_STARTS) else text


class _Echo:
    """A file whose `write` hands back what it was given."""

    def write(self, text: str) -> str:
        return text


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """A CSV file line by line. It begins with a byte order mark, without which spreadsheets guess the encoding."""
    yield b"\xef\xbb\xbf" + str(csv.writer(_Echo()).writerow(header)).encode()
    for row in rows:
        yield csv_line(row)


def csv_line(row: Sequence[Any]) -> bytes:
    """One row of such a file, for those who write it as they go."""
    return str(csv.writer(_Echo()).writerow([safe(value) for value in row])).encode("utf-8", "replace")
