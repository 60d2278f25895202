"""States and postal codes from CSV files, however large: read line by line, written in batches, safe to repeat."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from django.db import transaction
from django.utils.translation import gettext as _

from storefront.models import CountryState, Pincode
from storefront.places import state_of, valid_pincode

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "pincodes_sample.csv"  # cities of India
BATCH = 2000
LONGEST_LINE = 65_536  # characters; a longer line is cut, and its pieces are refused
ERRORS_KEPT = 200
# Our name of a column: how files call it, in lower case without blanks, dashes and underscores.
PINCODE_COLUMNS = {
    "pincode": ("pincode", "postalcode", "postcode", "zipcode", "zip"),
    "city": ("city", "district", "districtname", "place", "placename"),
    "state_name": ("statename", "state", "province"),
}
STATE_COLUMNS = {
    "code": ("code", "isocode", "statecode"),
    "name": ("name", "statename", "state"),
    "gst_code": ("gstcode", "taxcode"),
    "other_name": ("othername", "alias", "statealias"),
}


class FileRefused(Exception):
    """The file as a whole cannot be read; the text says why."""


class _RowRefused(Exception):
    """One row cannot be taken; the others are."""


@dataclass(slots=True)
class Report:
    """What an import met. `errors` holds (line, reason) for the first of them, `refused` counts all."""

    rows: int = 0
    accepted: int = 0
    refused: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)

    def refuse(self, line: int, reason: str) -> None:
        self.refused += 1
        if len(self.errors) < ERRORS_KEPT:
            self.errors.append((line, reason))


Progress = Callable[[Report], None]


def import_pincodes(
    file: TextIO, *, country: str, dry_run: bool = False, progress: Progress | None = None, batch: int = BATCH
) -> Report:
    """Adds the postal codes of a file with columns for code, city (or district) and state.

    A place that is there already gets the file's state. Each batch is its own transaction: an import that was cut
    short goes on when it is repeated. With `dry_run` everything is checked and nothing written. Raises FileRefused.
    """

    def read(row: dict[str, str]) -> Pincode:
        pincode, city, state_name = row["pincode"].upper(), _name(row["city"]), row["state_name"]
        if not valid_pincode(country, pincode) or len(pincode) > 12:
            raise _RowRefused(_("not a postal code: %(value)s") % {"value": pincode[:20]})
        known = state_of(country, state_name)
        if known is None and country == "IN":
            raise _RowRefused(_("not a state: %(value)s") % {"value": state_name[:40]})
        if not city:
            raise _RowRefused(_("the city is missing"))
        return Pincode(
            country=country, pincode=pincode, city=city, state_name=known.name if known else _name(state_name)
        )

    def write(found: list[Pincode]) -> None:
        Pincode.objects.bulk_create(
            found,
            update_conflicts=True,
            unique_fields=["country", "pincode", "city"],
            update_fields=["state_name"],
        )

    return _run(
        file,
        columns=PINCODE_COLUMNS,
        required=("pincode", "city", "state_name"),
        read=read,
        key=lambda row: (row.pincode, row.city),
        write=None if dry_run else write,
        progress=progress,
        batch=batch,
    )


def import_states(file: TextIO, *, country: str, dry_run: bool = False, progress: Progress | None = None) -> Report:
    """Adds or renames the states of a country that is not built in. The same rules as for postal codes."""

    def read(row: dict[str, str]) -> CountryState:
        code, name = row["code"].upper().removeprefix(f"{country}-"), _name(row["name"])
        if not (code.isascii() and code.isalnum() and len(code) <= 6):
            raise _RowRefused(_("not a code of a state: %(value)s") % {"value": code[:20]})
        if not name:
            raise _RowRefused(_("the name is missing"))
        if len(row["gst_code"]) > 4:
            raise _RowRefused(_("the tax code is too long"))
        return CountryState(
            pk=f"{country}-{code}",
            country=country,
            code=code,
            name=name,
            gst_code=row["gst_code"],
            other_name=_name(row["other_name"]),
        )

    def write(found: list[CountryState]) -> None:
        CountryState.objects.bulk_create(
            found,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["name", "gst_code", "other_name"],
        )

    return _run(
        file,
        columns=STATE_COLUMNS,
        required=("code", "name"),
        read=read,
        key=lambda row: row.pk,
        write=None if dry_run else write,
        progress=progress,
        batch=BATCH,
    )


def _run(
    file: TextIO,
    *,
    columns: dict[str, tuple[str, ...]],
    required: tuple[str, ...],
    read: Callable[[dict[str, str]], Any],
    key: Callable[[Any], Any],
    write: Callable[[list[Any]], None] | None,
    progress: Progress | None,
    batch: int,
) -> Report:
    report = Report()
    waiting: dict[Any, Any] = {}  # a batch names no row twice, which one statement could not write

    def flush() -> None:
        if waiting and write is not None:
            with transaction.atomic():
                write(list(waiting.values()))
        waiting.clear()
        if progress is not None:
            progress(report)

    for line, row in _rows(file, columns, required, report):
        report.rows += 1
        try:
            found = read(row)
        except _RowRefused as error:
            report.refuse(line, str(error))
            continue
        report.accepted += 1
        waiting[key(found)] = found
        if len(waiting) >= batch:
            flush()
    flush()
    return report


def _rows(
    file: TextIO, columns: dict[str, tuple[str, ...]], required: tuple[str, ...], report: Report
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows by our names of the columns, blanks collapsed. What is no CSV is reported and passed over."""
    reader = csv.reader(_lines(file))
    header = [_column(name) for name in next(reader, [])]
    places = {
        ours: next((header.index(name) for name in names if name in header), None) for ours, names in columns.items()
    }
    missing = [name for name in required if places[name] is None]
    if missing:
        raise FileRefused(_("The first line names no column for: %(names)s.") % {"names": ", ".join(missing)})
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            report.rows += 1
            report.refuse(reader.line_num, str(error))
            continue
        if not any(value.strip() for value in values):
            continue
        row = {
            ours: " ".join(values[place].split()) if place is not None and place < len(values) else ""
            for ours, place in places.items()
        }
        if any("\x00" in value or "\ufffd" in value for value in row.values()):
            report.rows += 1
            report.refuse(reader.line_num, _("the text is not UTF-8"))
            continue
        yield reader.line_num, row


def _lines(file: TextIO) -> Iterable[str]:
    while line := file.readline(LONGEST_LINE):
        yield line


def _column(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _name(text: str) -> str:
    """At most 80 characters; a name written in capitals only, as lists of post offices have them, in lower case."""
    return (text.title() if text.isupper() and len(text) > 3 else text)[:80]
