"""Files in and out: what they change, and what they must not."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog import audit, demo, services, writing
from catalog.claims import StockClaims
from catalog.ledger import StockMovement
from catalog.models import (
    Brand,
    Category,
    Price,
    Product,
    ProductCategory,
    ProductImage,
    Stock,
    Variant,
    VariantChoice,
)
from catalog.places import LocationStock
from catalog.search import index
from catalog.search.models import SearchEntry
from catalog.transfer import exporting, importing
from catalog.transfer.kind import ProductImports
from storefront import outbox
from storefront.claims import stock_key
from storefront.contracts import Claim, Sku
from storefront.errors import Invalid
from storefront.imports import jobs
from storefront.imports.models import ImportJob, ImportPart, ImportProblem
from storefront.models import StockLocation
from tests.catalog.factories import choose, make_category, make_group, make_product, variants_of

pytestmark = pytest.mark.django_db
TEA = "product,name,price:retail,on_hand,categories,brand\ntea,Tea,120,7,Drinks > Tea | Gifts,Hill\n"


def load(store: Any, content: str | bytes, *, dry_run: bool = False, format: str = "csv") -> ImportJob:  # noqa: A002
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    job = jobs.begin(
        store=store, kind="products", file=file, name="file", format=format, dry_run=dry_run, made_by="anna"
    )
    jobs.claim(job=job)
    assert jobs.work(job=job, file=file)
    return job


def counts(job: ImportJob) -> tuple[int, int, int, int]:
    return job.created, job.changed, job.unchanged, job.errors


def problems(job: ImportJob) -> list[tuple[int, str]]:
    return list(job.problems.order_by("pk").values_list("row", "column"))


def everything(store: Any) -> list[Any]:
    """All that imports write, moments and ids of rows left out."""
    ignored = {"modified_at", "created_at"}
    models = (
        Product,
        Variant,
        Price,
        Stock,
        LocationStock,
        ProductCategory,
        ProductImage,
        VariantChoice,
        Category,
        Brand,
    )
    return [
        [
            {name: value for name, value in row.items() if name not in ignored}
            for row in model._default_manager.filter(store=store).order_by("pk").values()
        ]
        for model in models
    ]


def file_of(store: Any, format: str = "csv") -> bytes:  # noqa: A002
    return b"".join(exporting.export(store=store, format=format))


# --- what a file makes ----------------------------------------------------------------------------------------------
def test_a_row_makes_a_product_that_shoppers_see(store: Any) -> None:
    assert counts(load(store, TEA)) == (1, 0, 0, 0)
    product = Product.objects.get(slug="tea")
    variant = variants_of(product)[0]
    assert product.visible and variant.is_standalone and product.brand and product.brand.name == "Hill"
    assert Price.objects.get(variant=variant).selling_price == Price.objects.get(variant=variant).listing_price == 120
    assert list(product.placings.values_list("category__name", "category__parent__name")) == [
        ("Tea", "Drinks"),
        ("Gifts", None),
    ]
    assert Category.objects.get(name="Drinks").product_count == 1
    assert list(StockMovement.objects.values_list("delta", "on_hand", "reason", "made_by")) == [
        (7, 7, "imported", "anna")
    ]
    assert not list(audit.mismatches())


def test_rows_of_one_product_are_its_variants(store: Any) -> None:
    choose(store, "Size", "S")
    content = (
        "product,name,variant,sku,option:size,price:retail,variant_default\n"
        "cup,Cup,cup-s,C-S,S,10,false\ncup,,cup-l,C-L,L,12,true\n"
    )
    assert counts(load(store, content)) == (2, 0, 0, 0)
    product = Product.objects.get(slug="cup")
    assert [(row.slug, row.sku, row.is_default) for row in variants_of(product)] == [
        ("cup-s", "C-S", False),
        ("cup-l", "C-L", True),
    ]
    assert sorted(VariantChoice.objects.values_list("choice__name", flat=True)) == ["L", "S"]
    load(store, "product,variant,variant_default\ncup,cup-s,true\n")
    assert [row.is_default for row in variants_of(product)] == [True, False]


def test_the_same_file_twice_changes_nothing_the_second_time(store: Any) -> None:
    load(store, TEA)
    before = everything(store)
    with CaptureQueriesContext(connection) as asked:
        assert counts(load(store, TEA)) == (0, 0, 1, 0)
    written = [query["sql"] for query in asked if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert not [sql for sql in written if "import" not in sql and "category" not in sql]
    assert everything(store) == before
    assert ImportJob.objects.count() == 1 and StockMovement.objects.count() == 1


def test_what_a_file_does_not_name_stays(store: Any) -> None:
    load(store, TEA)
    load(store, "product,name,price:retail,short_description\ntea,,130,Good\n")
    product = Product.objects.get(slug="tea")
    assert (product.name, product.short_description) == ("Tea", "Good")
    assert product.brand is not None and product.placings.count() == 2
    assert Price.objects.get().selling_price == 130 and Price.objects.get().listing_price == 120
    load(store, "product,categories,brand,short_description\ntea,!clear,!clear,!clear\n")
    product = Product.objects.get(slug="tea")
    assert product.brand is None and not product.placings.count() and product.short_description == ""


def lying(variant_id: str) -> dict[str, int]:
    return dict(LocationStock.objects.filter(variant=variant_id).values_list("location__name", "on_hand"))


def test_units_go_to_the_location_that_a_column_names(store: Any) -> None:
    StockLocation.objects.create(store=store, name="Fort shop")
    content = "product,name,on_hand,on_hand:Fort shop,backorder\ntea,Tea,7,2,yes\ncup,Cup,,3,\n"
    assert counts(load(store, content)) == (2, 0, 0, 0)
    tea, cup = (Product.objects.get(slug=slug) for slug in ("tea", "cup"))
    assert lying(tea.pk) == {"Main": 7, "Fort shop": 2} and lying(cup.pk) == {"Fort shop": 3}
    assert [Stock.objects.get(pk=row.pk).on_hand for row in (tea, cup)] == [9, 3]
    assert counts(load(store, content)) == (0, 0, 2, 0)
    assert counts(load(store, "product,on_hand:Fort shop,backorder\ntea,0,no\ncup,4,\n")) == (0, 2, 0, 0)
    assert lying(tea.pk) == {"Main": 7, "Fort shop": 0} and lying(cup.pk) == {"Fort shop": 4}
    assert not LocationStock.objects.filter(backorder=True).exists()
    assert not list(audit.mismatches())
    with pytest.raises(Invalid):
        load(store, "product,on_hand:Moon\ntea,5\n")


def test_imported_units_go_first_to_paid_orders_that_wait(store: Any) -> None:
    tea = make_product(store, on_hand=1, backorder=True)
    claim = Claim(resource="stock", key=stock_key(Sku(tea.pk)), amount=Decimal(3), owner="order-1")
    StockClaims().hold(store.pk, [claim])
    StockClaims().confirm(store.pk, "order-1")
    assert counts(load(store, f"product,on_hand\n{tea.slug},6\n")) == (0, 1, 0, 0)
    assert lying(tea.pk) == {"Main": 4}
    assert (Stock.objects.get().on_hand, Stock.objects.get().reserved) == (4, 0)
    assert not list(audit.mismatches())


def test_a_price_can_be_taken_away(store: Any) -> None:
    load(store, TEA)
    load(store, "product,price:retail\ntea,!clear\n")
    assert not Price.objects.exists() and not Product.objects.get().visible


def test_a_dry_run_says_the_same_and_writes_nothing(store: Any) -> None:
    load(store, "product,name\nold,Old\n")
    before = everything(store)
    content = TEA + "old,New,5,1,,\n,Bad,,,,\n"
    dry = load(store, content, dry_run=True)
    assert counts(dry) == (1, 1, 0, 1) and problems(dry) == [(4, "product")]
    assert everything(store) == before and not StockMovement.objects.exists()
    job = load(store, content)
    assert counts(job) == (1, 1, 0, 1) and job.pk == dry.pk and ImportProblem.objects.count() == 1
    assert Product.objects.count() == 2


def test_bad_rows_are_told_and_the_others_go_in(store: Any) -> None:
    make_product(store, sku="TAKEN")
    varying = make_product(store, variants=("S",))
    reserved = make_product(store, on_hand=5)
    key = stock_key(Sku(reserved.pk))
    StockClaims().hold(store.pk, [Claim(resource="stock", key=key, amount=Decimal(3), owner="order-1")])
    content = (
        "product,name,sku,on_hand,price:retail,min_quantity:retail,max_quantity:retail,categories,variant\n"
        "one,One,TAKEN,,,,,,\n"
        "two,,,,,,,,\n"
        f"{varying.slug},,X,,,,,,\n"
        f"{reserved.slug},,,2,,,,,\n"
        "five,Five,,,5,3,2,,\n"
        "six,Six,,,,,,#nowhere,\n"
        "seven,Seven,,,,2,,,\n"
        "search,Search,,,,,,,\n"
        "nine,caf\udce9,,,,,,,\n"
        "ten,Ten,T,,5,,,,\n"
        "eleven,Eleven,T,,5,,,,\n"
    )
    job = load(store, content.encode("utf-8", "surrogateescape"))
    assert problems(job) == [
        (2, "sku"), (3, "name"), (4, "variant"), (5, "on_hand"), (6, "max_quantity:retail"), (7, "categories"),
        (8, "price:retail"), (9, "product"), (10, "name"), (12, "sku"),
    ]  # fmt: skip
    assert counts(job) == (1, 0, 0, 10)
    assert Product.objects.filter(slug="ten").exists() and Product.objects.count() == 4
    assert Stock.objects.get(variant__product=reserved).on_hand == 5
    lines = list(csv.reader(io.StringIO(b"".join(jobs.error_file(job=job)).decode("utf-8-sig"))))
    assert lines[1][:3] == ["2", "sku", "TAKEN"] and len(lines) == 11


@pytest.mark.parametrize(
    "content",
    ["", "name\nTea\n", "product\n", "product,nonsense\na,b\n", "product,price:nobody\na,1\n", "\xff\xfe\x00bad"],
)
def test_a_file_that_is_none_is_refused_as_a_whole(store: Any, content: str) -> None:
    with pytest.raises(Invalid):
        load(store, content)
    assert not ImportJob.objects.exists() and not Product.objects.exists()


def test_another_store_is_another_world(store: Any, other_store: Any) -> None:
    load(other_store, TEA)
    before = everything(other_store)
    load(store, TEA.replace("120", "999"))
    assert everything(other_store) == before and Product.objects.count() == 2 and Brand.objects.count() == 2


def test_what_another_one_wrote_meanwhile_costs_one_row_only(store: Any, monkeypatch: Any) -> None:
    """The check of SKUs has passed, the database still refuses."""
    make_product(store, sku="T")
    load_rows = importing.Batch.load

    def blind(self: Any, rows: Any) -> None:
        load_rows(self, rows)
        self.skus.clear()

    monkeypatch.setattr(importing.Batch, "load", blind)
    job = load(store, "product,name,sku\na,A,\nb,B,T\nc,C,\n")
    assert counts(job) == (2, 0, 0, 1) and problems(job) == [(3, "")]
    assert set(Product.objects.values_list("slug", flat=True)) >= {"a", "c"}


def test_the_cost_of_a_chunk_does_not_depend_on_its_rows(store: Any) -> None:
    def cost(name: str, count: int) -> int:
        lines = [f"{name}{number},{name} {number},{number + 1},3,Home > {name},B" for number in range(count)]
        with CaptureQueriesContext(connection) as asked:
            load(store, "product,name,price:retail,on_hand,categories,brand\n" + "\n".join(lines) + "\n")
        return len(asked)

    cost("warm", 2)
    assert cost("many", 60) <= cost("few", 3) + 4  # SQLite takes so many values at once


# --- there and back -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("format", ["csv", "json"])
def test_an_exported_catalogue_imports_back_to_itself(store: Any, format: str) -> None:  # noqa: A002
    demo.build(store=store, pictures=False)
    twin = make_category(store, "Twin", slug="twin-1")
    make_category(store, "Twin", slug="twin-2")
    odd = make_product(
        store,
        name="=SUM(A1) > 'x'",
        short_description="-3",
        description='<p>"a",\r\nb\\|</p>',
        tags=["a|b", "c\\", "-x"],
        seo_title="!clear",
        categories=(twin,),
    )
    Variant.objects.filter(product=odd).update(sku="+SKU")
    ProductImage.objects.create(store=store, product=odd, url="https://images.example/1.webp", sort_order=4)
    make_product(store, name=" padded ", price=None, prices={})
    before, movements = everything(store), StockMovement.objects.count()
    content = file_of(store, format)
    job = load(store, content, format=format)
    assert (job.created, job.changed, job.errors) == (0, 0, 0) and job.unchanged == job.total > 40
    assert everything(store) == before and StockMovement.objects.count() == movements
    assert file_of(store, format) == content


def test_an_exported_catalogue_makes_another_store_like_it(store: Any, other_store: Any) -> None:
    demo.build(store=store, pictures=False)
    demo._shelf(other_store)  # groups and options
    content = file_of(store)
    job = load(other_store, content)
    assert job.errors == 0, list(job.problems.values())
    assert file_of(other_store).splitlines()[0] == content.splitlines()[0]
    assert sorted(file_of(other_store).splitlines()) == sorted(content.splitlines())


def test_what_a_new_product_shows_is_what_publishing_would_make_of_it(store: Any, other_store: Any) -> None:
    demo.build(store=store, pictures=False)
    demo._shelf(other_store)
    load(other_store, file_of(store))
    ids = list(Product.objects.filter(store=other_store).values_list("pk", flat=True))
    entries = SearchEntry.objects.filter(store=other_store).order_by("pk")
    before, listed = everything(other_store), list(entries.values())
    assert any(row["visible"] and row["document"] != "{}" for row in before[0]) and listed
    services.publish(store=other_store, product_ids=ids)
    assert everything(other_store) == before and list(entries.values()) == listed


def test_other_amounts_alone_rewrite_no_document_and_no_word(store: Any, api: Any) -> None:
    def amounts(selling: int) -> list[float]:
        body = {"query": "tea", "filter": f"pricing.selling_price = {selling}"}
        answer = api.post("/catalog/products/search", body, X_Api_Key=api.key).json()
        return [item["pricing"]["selling_price"] for item in answer["content"]["skus"]]

    load(store, TEA)
    with CaptureQueriesContext(connection) as asked:
        assert counts(load(store, TEA.replace("120", "130"))) == (0, 1, 0, 0)
    written = [query["sql"] for query in asked if query["sql"].lstrip().startswith(("UPDATE", "INSERT", "DELETE"))]
    tables = (Product._meta.db_table, Variant._meta.db_table, "storefront_catalog_searchtext")
    assert not [sql for sql in written if any(f"{table} " in sql.replace('"', "") for table in tables)]
    assert not [sql for sql in written if "to_tsvector" in sql]
    assert amounts(130) == [130] and amounts(120) == []
    assert index.refresh(store=store, product_ids=[Product.objects.get().pk]) == 0


def test_a_row_made_quickly_has_the_defaults_of_its_model(store: Any) -> None:
    for model in (Product, Variant, Price, Stock, LocationStock, ProductImage, ProductCategory, StockMovement):
        quick, slow = writing.blank(model, store_id=store.pk), model(store_id=store.pk)
        assert quick.__dict__.keys() == slow.__dict__.keys() and quick._state.adding
        differing = {name for name in slow.__dict__ if quick.__dict__[name] != slow.__dict__[name]}
        assert differing <= {"_state", "id", "created_at"} and quick.pk == quick.__dict__[model._meta.pk.attname]


def test_no_cell_of_an_export_is_a_formula(store: Any) -> None:
    make_product(store, name="=cmd()", short_description="@x", tags=["+1"], description="\t=1")
    for line in csv.reader(io.StringIO(file_of(store).decode("utf-8-sig"))):
        assert not [cell for cell in line if cell[:1] in "=+@\t\r\x00" and cell]


def test_an_export_holds_one_chunk_at_a_time_and_costs_the_same_for_each(store: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(exporting, "CHUNK", 2)
    for _number in range(4):
        make_product(store, variants=("S", "M"))
    with CaptureQueriesContext(connection) as asked:
        parts = exporting.records(store=store)
        next(parts)
        first = len(asked)
        list(parts)
    assert first < 17 and len(asked) <= first + 14


# --- jobs -----------------------------------------------------------------------------------------------------------
def many(count: int) -> bytes:
    return b"product,name,on_hand\n" + b"".join(b"p%d,P %d,1\n" % (number, number) for number in range(count))


def test_a_broken_off_import_goes_on_where_it_was(store: Any, monkeypatch: Any) -> None:
    file = io.BytesIO(many(10))
    job = jobs.begin(store=store, kind="products", file=file, name="f", format="csv", dry_run=False)
    jobs.claim(job=job)
    with pytest.raises(KeyboardInterrupt):

        def broken(now: ImportJob) -> None:
            if now.done >= 6:
                raise KeyboardInterrupt

        jobs.work(job=job, file=file, rows=3, progress=broken)
    jobs.release(job=job)
    assert Product.objects.count() == 6
    seen: list[int] = []
    again = jobs.begin(
        store=store, kind="products", file=io.BytesIO(many(10)), name="f", format="csv", dry_run=False, resume=True
    )
    assert (again.pk, again.done) == (job.pk, 6)
    jobs.claim(job=again)
    jobs.work(job=again, file=io.BytesIO(many(10)), rows=3, progress=lambda now: seen.append(now.done))
    assert seen == [9, 10] and Product.objects.count() == 10 and again.created == 10
    assert StockMovement.objects.count() == 10


def test_two_cannot_import_the_same_file_at_once(store: Any) -> None:
    file = io.BytesIO(many(3))
    job = jobs.begin(store=store, kind="products", file=file, name="f", format="csv", dry_run=False)
    jobs.claim(job=job)
    with pytest.raises(Invalid):
        jobs.begin(
            store=store, kind="products", file=io.BytesIO(many(3)), name="f", format="csv", dry_run=False, resume=True
        )
    with pytest.raises(Invalid):
        jobs.claim(job=job)
    ImportJob.objects.update(attempts=7)  # somebody took it over when its lease had ended
    with pytest.raises(jobs.Stopped):
        jobs.work(job=job, file=file)
    assert not Product.objects.exists()


def upload(store: Any, content: bytes, dry_run: bool = True) -> ImportJob:
    return jobs.begin(
        kind="products",
        store=store,
        file=io.BytesIO(content),
        name="f.csv",
        format="csv",
        dry_run=dry_run,
        upload=True,
        made_by="anna",
    )


def test_workers_import_what_was_uploaded_in_turns(store: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(ProductImports, "worker_chunk_rows", 4)
    monkeypatch.setattr(jobs, "SLICE_SECONDS", 0)
    monkeypatch.setattr(jobs, "PART_BYTES", 37)
    job = upload(store, many(10))
    assert ImportPart.objects.count() == 3
    assert [outbox.drain("imports") for _turn in range(5)] == [4, 4, 2, 0, 0]
    job.refresh_from_db()
    assert (job.state, job.created) == (job.State.DONE, 10) and not Product.objects.exists()
    jobs.restart(job=job, dry_run=False)
    while outbox.drain("imports"):
        pass
    job.refresh_from_db()
    assert (job.state, job.created, Product.objects.count()) == (job.State.DONE, 10, 10)


def test_a_cancelled_import_stops_and_keeps_what_it_wrote(store: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(ProductImports, "worker_chunk_rows", 4)
    monkeypatch.setattr(jobs, "SLICE_SECONDS", 0)
    job = upload(store, many(10), dry_run=False)
    outbox.drain("imports")
    jobs.cancel(job=job)
    assert outbox.drain("imports") == 0 and Product.objects.count() == 4
    job.refresh_from_db()
    assert job.cancelled and not job.running


def test_a_job_that_keeps_failing_is_given_up(store: Any, monkeypatch: Any, time_machine: Any) -> None:
    from datetime import timedelta

    from django.utils import timezone

    job = upload(store, many(2), dry_run=False)
    monkeypatch.setattr(importing, "apply", lambda **_: 1 / 0)
    for _turn in range(6):
        outbox.drain("imports")
        time_machine.move_to(timezone.now() + timedelta(minutes=5))
    job.refresh_from_db()
    assert (job.state, job.reason, job.done) == (job.State.DEAD, "ZeroDivisionError", 0)


def test_old_jobs_and_spent_files_are_forgotten(store: Any) -> None:
    from datetime import timedelta

    from django.utils import timezone

    job = upload(store, many(2), dry_run=False)
    waiting = upload(store, many(3))
    while outbox.drain("imports"):
        pass
    ImportJob.objects.filter(pk=waiting.pk).update(state="pending")
    now = timezone.now()
    jobs.sweep(now=now, batch=100)
    assert ImportPart.objects.count() == 2
    jobs.sweep(now=now + timedelta(days=2), batch=100)
    assert list(ImportPart.objects.values_list("job", flat=True)) == [waiting.pk] and ImportJob.objects.count() == 2
    jobs.sweep(now=now + timedelta(days=40), batch=100)
    assert list(ImportJob.objects.all()) == [waiting] and job.pk != waiting.pk


# --- the command line -----------------------------------------------------------------------------------------------
def test_the_commands_go_there_and_back(store: Any, tmp_path: Path) -> None:
    make_group(store)
    make_product(store, name="Tea", prices={"cost_price": Decimal("3.5")})
    file, errors = tmp_path / "all.csv", tmp_path / "errors.csv"
    call_command("export_products", str(file), store="demo")
    out = io.StringIO()
    call_command("import_products", str(file), store="demo", dry_run=True, stdout=out)
    call_command("import_products", str(file), store="demo", stdout=out)
    assert out.getvalue().splitlines() == [
        "1 rows: 0 would be created, 0 would be changed, 1 unchanged, 0 with errors",
        "1 rows: 0 created, 0 changed, 1 unchanged, 0 with errors",
    ]
    file.write_text("product,name\n,Nameless\ncup,Cup\n")
    with pytest.raises(CommandError, match="1 rows were left out"):
        call_command("import_products", str(file), store="demo", errors=errors, stdout=out)
    assert "Nameless" not in errors.read_text() and "product" in errors.read_text()
    assert Product.objects.filter(slug="cup").exists()
    lines = tmp_path / "more.jsonl"
    lines.write_text('{"product": "pot", "name": "Pot", "price:retail": 12.5}\n')
    call_command("import_products", str(lines), store="demo", stdout=out)
    assert Price.objects.get(variant__product__slug="pot").selling_price == Decimal("12.5")


@pytest.mark.parametrize("arguments", [("nowhere.csv", "demo"), ("nowhere.csv", "other-shop")])
def test_what_is_not_there_is_said(store: Any, arguments: tuple[str, str]) -> None:
    with pytest.raises(CommandError):
        call_command("import_products", arguments[0], store=arguments[1])
    with pytest.raises(CommandError):
        call_command("export_products", store="other-shop")


def test_importing_publishes_for_search(store: Any, monkeypatch: Any) -> None:
    told: list[str] = []
    monkeypatch.setattr(services, "publish", lambda *, product_ids, **_options: told.extend(product_ids))
    load(store, TEA)
    load(store, TEA)
    assert told == [Product.objects.get().pk]


def test_tables_that_grew_are_measured_for_the_planner(store: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(jobs, "ANALYZED_AT", (5,))
    with CaptureQueriesContext(connection) as asked:
        load(store, many(4))
        load(store, many(4))
    assert not [query for query in asked if query["sql"].startswith("ANALYZE")]
    with CaptureQueriesContext(connection) as asked:
        load(store, many(12))
    found = [query for query in asked if query["sql"].startswith("ANALYZE")]
    assert len(found) == (connection.vendor == "postgresql")
