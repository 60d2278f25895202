"""The format alone: cells, lists, broken files."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest

from catalog.transfer import rows
from catalog.transfer.rows import Vocabulary
from storefront.imports import records
from storefront.imports.records import BadCell

KNOWN = Vocabulary(groups=frozenset({"retail"}), options=frozenset({"size"}), locations=frozenset({"Fort shop"}))


def read(content: bytes, format: str = "csv") -> list[Any]:  # noqa: A002
    file = io.BytesIO(content)
    columns, first = records.read_header(file) if format == "csv" else ([], 0)
    file.seek(first)
    return list(records.records(file, format=format, columns=columns, first=2))


@pytest.mark.parametrize(
    "value", ["=1+1", "+91 98", "@home", "-x", "-1+2", "\tx", "\rx", "\x00x", "'=1", "''-x", "!clear", "-", "+5"]
)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe_and_loses_it_again(value: str) -> None:
    assert records.safe(value) == f"'{value}"
    assert records.plain(records.safe(value)) == value


@pytest.mark.parametrize("value", ["-5", "-12.50", "plain", "'quoted'", "it's", "a=b", "", "5"])
def test_other_cells_and_negative_numbers_stay(value: str) -> None:
    assert records.safe(value) == value == records.plain(value)


@pytest.mark.parametrize("values", [["a"], ["a | b", "c\\"], ["back\\slash", "\\|"], ["x > y"], ["ü", "茶"]])
@pytest.mark.parametrize("mark", ["|", ">"])
def test_lists_come_back(values: list[str], mark: str) -> None:
    assert records.split(records.join(values, mark), mark) == values


def test_a_row_is_read_into_its_parts() -> None:
    cells = {
        "product": "tea",
        "variant": "tea-s",
        "name": "Tea",
        "categories": "Drinks > Tea | Gifts",
        "tags": "hot|black",
        "option:colour": "Indigo #27408B",
        "price:retail": "120.50",
        "tax_included:retail": "no",
        "price:wholesale": records.CLEAR,
        "on_hand": "7",
    }
    row = rows.parse(cells, 2)
    assert (row.product, row.variant, row.product_fields) == ("tea", "tea-s", {"name": "Tea", "tags": ["hot", "black"]})
    assert row.related["categories"] == [("Drinks", "Tea"), ("Gifts",)]
    assert row.options == {"colour": ("Indigo", "#27408B")}
    assert row.prices == {
        "retail": {"selling_price": Decimal("120.50"), "price_including_tax": False},
        "wholesale": None,
    }
    assert row.places == {"": 7} and row.stock == {}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("product", ""),
        ("product", "a b"),
        ("variant", "a/b"),
        ("active", "maybe"),
        ("type", "ghost"),
        ("on_hand", "-1"),
        ("on_hand", "1.5"),
        ("on_hand", "99999999999"),
        ("on_hand", "٣"),
        ("price:retail", "1e3"),
        ("price:retail", "-1"),
        ("price:retail", "1.2345"),
        ("price:retail", "NaN"),
        ("price:retail", "9" * 15),
        ("tax_rate:retail", "101"),
        ("min_quantity:retail", "0"),
        ("images", "javascript:alert(1)"),
        ("categories", ">"),
        ("name", "x" * 201),
        ("name", "a\x00b"),
        ("name", "caf\udce9"),
        ("description", "x" * 100_001),
        ("name", records.CLEAR),
        ("price:retail", "₹5"),
    ],
)
def test_a_bad_cell_is_named(column: str, value: str) -> None:
    with pytest.raises(BadCell) as caught:
        rows.parse({"product": "tea", column: value}, 2)
    assert caught.value.column == column and caught.value.message


@pytest.mark.parametrize(
    ("names", "column"),
    [
        (["name"], "product"),
        (["product", "nam"], "nam"),
        (["product", "product"], "product"),
        (["product", "price:nobody"], "price:nobody"),
        (["product", "option:shape"], "option:shape"),
        (["product", "price"], "price"),
        (["product", "on_hand:Moon"], "on_hand:Moon"),
        (["product", ""], ""),
    ],
)
def test_a_column_that_means_nothing_is_refused(names: list[str], column: str) -> None:
    with pytest.raises(BadCell) as caught:
        rows.check_columns(names, known=KNOWN)
    assert caught.value.column == column


def test_a_broken_row_does_not_spoil_the_next() -> None:
    content = b"product,name\na,One\nb,caf\xe9\nc,x,too many\n" + b"d," + b"y" * 2_000_000 + b"\ne,Five\n"
    found = read(content)
    assert [record.number for record in found] == [2, 3, 4, 5, 6]
    assert [record.error is None for record in found] == [True, True, False, False, True]
    assert found[-1].cells == {"product": "e", "name": "Five"} and found[-1].end == len(content)
    with pytest.raises(BadCell):
        rows.parse(found[1].cells, 3)


def test_an_unclosed_quotation_mark_is_bounded() -> None:
    content = b'product,name\na,"One\n' + b"b,Two\n" * 50_000
    found = read(content)
    assert any(record.error for record in found)
    assert all(len(value) <= rows.MAX_CELL + 1 for record in found for value in record.cells.values())


def test_a_byte_order_mark_line_ends_and_empty_lines_are_no_content() -> None:
    found = read('\ufeffproduct,name\r\na,"One\r\nmore"\r\n\r\nb,Two'.encode())
    assert [(record.number, dict(record.cells)) for record in found] == [
        (2, {"product": "a", "name": "One\r\nmore"}),
        (4, {"product": "b", "name": "Two"}),
    ]


def test_reading_goes_on_at_the_end_of_any_row() -> None:
    content = 'product,name\na,"O\nne"\nb,Zwö\nc,Three\n'.encode()
    whole = read(content)
    for place, record in enumerate(whole):
        file = io.BytesIO(content)
        file.seek(record.end)
        rest = list(records.records(file, format="csv", columns=["product", "name"], first=record.number + 1))
        assert rest == whole[place + 1 :]


def test_json_lines_say_the_same() -> None:
    content = (
        b'{"product": "tea", "price:retail": 12.345678901234567, "active": false, "tags": ["a|b", "c"], "brand": null}\n'
        b"[1]\n{broken\n\n"
        b'{"product": "cup", "name": {"en": "Cup"}}\n' + b"[" * 100_000 + b"\n"
    )
    found = read(content, "json")
    assert found[0].cells == {
        "product": "tea",
        "price:retail": "12.345678901234567",
        "active": "false",
        "tags": "a\\|b | c",
        "brand": records.CLEAR,
    }
    assert [record.number for record in found] == [2, 3, 4, 6, 7]
    assert all(record.error for record in found[1:])
