"""Countries, states and postal codes as the API gives them."""

from __future__ import annotations

import io
from typing import Any

import phonenumbers
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from storefront import selectors
from storefront.models import CountryState, Pincode, Store
from storefront.places import INDIA
from storefront.public import countries, importing
from tests.contract import assert_component, assert_is_error, assert_matches

pytestmark = pytest.mark.django_db


@pytest.fixture
def get(api: Any) -> Any:
    """A read with the API key alone."""
    return lambda path, **headers: api.get(path, X_Api_Key=api.key, **headers)


def serve(store: Store, *codes: str) -> None:
    Store.objects.filter(pk=store.pk).update(countries=list(codes))
    selectors.forget()


def pincode(code: str, city: str, country: str = "IN", state: str = "Karnataka") -> Pincode:
    return Pincode.objects.create(country=country, pincode=code, city=city, state_name=state)


# --- countries ------------------------------------------------------------------------------------------------------
def test_every_country_with_telephones_has_the_contract_s_shape_and_one_continent():
    codes = [code for names in countries.CONTINENTS.values() for code in names.split()]
    assert sorted(codes) == sorted(phonenumbers.SUPPORTED_REGIONS)
    from storefront.public import serializers

    for code in codes:
        found = countries.country(code)
        assert found is not None
        shape = serializers.country(found)
        assert_component("Country", shape)
        assert all(shape.values()), code
    assert countries.country("ZZ") is None


def test_a_store_lists_the_countries_that_it_serves_its_default_first(store, get):
    assert [c["country_iso_code"] for c in assert_matches("list-countries", get("/common/countries"))["countries"]] == [
        "IN"
    ]
    serve(store, "AE", "in", "ZZ")
    uae, india = assert_matches("list-countries", get("/common/countries"))["countries"]
    assert uae["country_name"] == "United Arab Emirates" and uae["country_code"] == "+971"
    assert india | {"flag_icon_url": ""} == {
        "id": "IN",
        "country_name": "India",
        "country_code": "+91",
        "country_iso_code": "IN",
        "currency_code": "INR",
        "currency_symbol": "₹",
        "currency_name": "Indian Rupee",
        "country_alias": "भारत",
        "continent": "Asia",
        "flag_icon_url": "",
    }
    assert india["flag_icon_url"].startswith("data:image/svg+xml,")


@pytest.mark.parametrize("list_of", ["states", "pincodes"])
@pytest.mark.parametrize("code", ["US", "ZZ", "IND", "%F0%9F%98%80"])
def test_a_country_that_is_not_served_is_not_found(store, get, list_of, code):
    assert_is_error(get(f"/common/countries/{code}/{list_of}"), 404, "country_not_found")


# --- states ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("code", ["IN", "in", "In"])
def test_the_states_of_india_are_built_in_with_their_gst_codes(store, get, code, django_assert_num_queries):
    get("/common/countries")
    with django_assert_num_queries(0):
        response = get(f"/common/countries/{code}/states")
    states = assert_matches("list-country-states", response)["states"]
    assert len(states) == len(INDIA) == len({state["id"] for state in states})
    assert [state["name"] for state in states] == sorted(state["name"] for state in states)
    assert {
        "id": "IN-KA",
        "name": "Karnataka",
        "iso_code": "KA",
        "gst_code": "29",
        "state_alias": "Karnataka",
    } in states
    assert next(state for state in states if state["iso_code"] == "OD")["state_alias"] == "Orissa"


def test_states_of_other_countries_come_from_the_table_in_one_query(store, get, django_assert_num_queries):
    serve(store, "IN", "AE", "US")
    for code, name in [("DU", "Dubai"), ("AZ", "Abu Dhabi")]:
        CountryState.objects.create(country="AE", code=code, name=name)
    CountryState.objects.create(country="US", code="CA", name="California")
    get("/common/countries")
    with django_assert_num_queries(1):
        response = get("/common/countries/ae/states")
    states = assert_matches("list-country-states", response)["states"]
    assert [(state["id"], state["name"], state["state_alias"]) for state in states] == [
        ("AE-AZ", "Abu Dhabi", "Abu Dhabi"),
        ("AE-DU", "Dubai", "Dubai"),
    ]


# --- postal codes ---------------------------------------------------------------------------------------------------
def test_postal_codes_are_found_by_their_beginning_in_order(store, get):
    for code, city in [("560002", "Bengaluru"), ("560001", "Bengaluru"), ("561001", "Elsewhere"), ("400001", "Mumbai")]:
        pincode(code, city)
    pincode("560099", "Foreign", country="US")
    found = assert_matches("list-country-pincodes", get("/common/countries/in/pincodes?pincode=560"))["pincodes"]
    assert found == [
        {
            "pincode": code,
            "city": "Bengaluru",
            "state_name": "Karnataka",
            "country_name": "India",
            "country_iso_code": "IN",
        }
        for code in ("560001", "560002")
    ]


def test_postal_codes_come_in_pages_and_a_page_past_the_end_is_empty(store, get):
    for number in range(7):
        pincode(f"56000{number + 1}", "Bengaluru")
    pages = [
        [
            row["pincode"]
            for row in get(f"/common/countries/IN/pincodes?pincode=5600&limit=3&page={page}").json()["content"][
                "pincodes"
            ]
        ]
        for page in (1, 2, 3, 4)
    ]
    assert pages == [["560001", "560002", "560003"], ["560004", "560005", "560006"], ["560007"], []]
    assert len(get("/common/countries/IN/pincodes").json()["content"]["pincodes"]) == 7


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("pincode=56", "pincode"),
        ("pincode=", "pincode"),
        ("pincode=%20%205%206%20", None),
        ("pincode=56%25", "pincode"),
        ("pincode=%F4%8F%BF%BF%F4%8F%BF%BF%F4%8F%BF%BF", "pincode"),
        ("pincode=" + "5" * 13, "pincode"),
        ("pincode=560&limit=101", "limit"),
        ("pincode=560&limit=0", "limit"),
        ("pincode=560&page=x", "page"),
    ],
)
def test_a_search_that_cannot_be_is_refused_naming_what_is_wrong(store, get, query, field):
    response = get(f"/common/countries/IN/pincodes?{query}")
    if field is None:
        assert response.json()["content"]["pincodes"] == []
    else:
        assert_is_error(response, 400, field=field)


def test_letters_are_found_however_they_are_cased(store, get):
    serve(store, "GB")
    pincode("SW1A 1AA", "London", country="GB", state="England")
    pincode("SW2 1AA", "London", country="GB", state="England")
    found = get("/common/countries/GB/pincodes?pincode=sw1a%20%201").json()["content"]["pincodes"]
    assert [row["pincode"] for row in found] == ["SW1A 1AA"]


def test_a_search_costs_one_query_over_the_index_however_many_codes_there_are(store, get):
    Pincode.objects.bulk_create(
        Pincode(country="IN", pincode=f"{number}", city="Somewhere", state_name="Kerala")
        for number in range(600_000, 603_000)
    )
    get("/common/countries")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(get("/common/countries/IN/pincodes?pincode=6010&limit=50").json()["content"]["pincodes"]) == 50
    assert len(queries) == 1
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
        cursor.execute(explain + queries[0]["sql"])
        plan = " ".join(str(row) for row in cursor.fetchall())
    assert "pincode_place" in plan or "SEARCH" in plan, plan
    assert "pincode>" in plan or "~>=~" in plan, plan


# --- imports --------------------------------------------------------------------------------------------------------
POST_OFFICES = """\ufeffCircleName,OfficeName,PinCode,OfficeType,District,StateName
Karnataka,Bengaluru G.P.O.,560001,HO,BENGALURU URBAN,KARNATAKA
Karnataka,Vidhana Soudha,560001,PO,BENGALURU URBAN,KARNATAKA
Odisha,Puri H.O.,752001,HO,PURI,ORISSA
Odisha,Broken,75200,HO,PURI,ODISHA
Odisha,Nowhere,752002,HO,PURI,ATLANTIS
Odisha,Nameless,752003,HO,,ODISHA

Odisha,Short
"""


def run(text: str, **options: Any) -> importing.Report:
    return importing.import_pincodes(io.StringIO(text.removeprefix("\ufeff")), country="IN", **options)


def places() -> list[tuple[str, str, str]]:
    return list(Pincode.objects.order_by("pincode", "city").values_list("pincode", "city", "state_name"))


def test_a_list_of_post_offices_becomes_one_row_for_each_code_and_district():
    report = run(POST_OFFICES)
    assert places() == [("560001", "Bengaluru Urban", "Karnataka"), ("752001", "Puri", "Odisha")]
    assert (report.rows, report.accepted, report.refused) == (7, 3, 4)
    assert [line for line, _reason in report.errors] == [5, 6, 7, 9]


def test_an_import_can_be_repeated_and_corrects_what_is_there():
    run(POST_OFFICES)
    Pincode.objects.filter(pincode="752001").update(state_name="Orissa")
    before = list(Pincode.objects.order_by("pk").values_list("pk", flat=True))
    run(POST_OFFICES, batch=1)
    assert places() == [("560001", "Bengaluru Urban", "Karnataka"), ("752001", "Puri", "Odisha")]
    assert list(Pincode.objects.order_by("pk").values_list("pk", flat=True)) == before


def test_a_dry_run_reports_the_same_and_writes_nothing():
    report = run(POST_OFFICES, dry_run=True)
    assert (report.accepted, report.refused) == (3, 4)
    assert places() == []


def test_an_import_holds_no_more_than_a_batch_and_tells_how_far_it_is():
    seen: list[int] = []
    text = "pincode,city,state\n" + "".join(f"{number},A,Kerala\n" for number in range(670_000, 670_025))
    report = run(text, batch=10, progress=lambda now: seen.append(now.rows))
    assert seen == [10, 20, 25]
    assert (report.accepted, Pincode.objects.count()) == (25, 25)


@pytest.mark.parametrize("bad", ["a\x00b,City,Kerala", '"67', "670001,C\ufffdty,Kerala", "6" * 200_000])
def test_a_broken_row_does_not_stop_the_others(bad):
    run(f"pincode,city,state\n670001,Kannur,Kerala\n{bad}\n")
    assert places() == [("670001", "Kannur", "Kerala")]


def test_a_file_without_the_columns_is_refused_as_a_whole():
    with pytest.raises(importing.FileRefused, match="state_name"):
        run("pincode,city\n560001,Bengaluru\n")
    with pytest.raises(importing.FileRefused):
        run("")


def test_the_command_imports_the_sample_and_says_what_it_did(store, get):
    out = io.StringIO()
    call_command("import_pincodes", "--sample", stdout=out)
    count = Pincode.objects.count()
    assert count > 400 and f"{count} written, 0 refused" in out.getvalue()
    found = get("/common/countries/IN/pincodes?pincode=560001").json()["content"]["pincodes"]
    assert [(row["city"], row["state_name"]) for row in found] == [("Bengaluru", "Karnataka")]


def test_the_command_refuses_what_it_cannot_do(tmp_path):
    file = tmp_path / "codes.csv"
    file.write_text(POST_OFFICES)
    errors = io.StringIO()
    with pytest.raises(CommandError, match="Some rows were refused"):
        call_command("import_pincodes", str(file), stderr=errors, stdout=io.StringIO())
    assert "line 6: not a state: ATLANTIS" in errors.getvalue()
    for arguments in (["--country", "ZZ", str(file)], [], [str(tmp_path / "none.csv")], ["--states", str(file)]):
        with pytest.raises(CommandError):
            call_command("import_pincodes", *arguments)


def test_states_are_imported_under_their_iso_code(tmp_path):
    file = tmp_path / "states.csv"
    file.write_text("code,name,alias\nUS-CA,California,\nNY,NEW YORK,Empire State\n!!,Bad,\n")
    with pytest.raises(CommandError):
        call_command(
            "import_pincodes", "--states", "--country", "us", str(file), stdout=io.StringIO(), stderr=io.StringIO()
        )
    assert list(CountryState.objects.order_by("pk").values_list("pk", "name", "other_name")) == [
        ("US-CA", "California", ""),
        ("US-NY", "New York", "Empire State"),
    ]
