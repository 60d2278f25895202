"""Files that bring facts, what bundles hold and pictures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from PIL import Image

from catalog.models import Attribute, AttributeChoice, BundleItem, Product, ProductAttribute, ProductImage
from catalog.transfer import exporting
from storefront import outgoing
from storefront.imports import jobs
from storefront.imports.models import ImportJob
from tests.catalog.factories import make_product, variants_of

pytestmark = pytest.mark.django_db


def load(store: Any, content: str | bytes, *, folder: Path | None = None, dry_run: bool = False) -> ImportJob:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    name = "json" if file.getvalue().startswith(b"{") else "csv"
    job = jobs.begin(store=store, kind="products", file=file, name="file", format=name, dry_run=dry_run, made_by="anna")
    jobs.claim(job=job)
    assert jobs.work(job=job, file=file, folder=folder)
    return job


def counts(job: ImportJob) -> tuple[int, int, int, int]:
    return job.created, job.changed, job.unchanged, job.errors


def problems(job: ImportJob) -> list[tuple[int, str]]:
    return list(job.problems.order_by("pk").values_list("row", "column"))


@pytest.fixture
def attributes(store: Any) -> dict[str, Attribute]:
    kinds = {
        "material": "multi-select",
        "fit": "single-select",
        "shade": "color",
        "care": "text",
        "pages": "number",
        "handmade": "boolean",
        "picked": "date",
    }
    return {
        key: Attribute.objects.create(store=store, key=key, name=key.title(), type=kind) for key, kind in kinds.items()
    }


def facts(slug: str) -> dict[str, Any]:
    rows = ProductAttribute.objects.filter(product__slug=slug).prefetch_related("choices")
    return {
        f"{row.attribute.key}{'/' + row.variant.slug if row.variant else ''}": row.value
        if row.value is not None
        else sorted(choice.name for choice in row.choices.all())
        for row in rows
    }


HEADER = "product,variant,name,price:retail,attribute:material,attribute:fit,attribute:shade,attribute:care"
FACTS = (
    f"{HEADER},attribute:pages,attribute:handmade,attribute:picked,variant_attribute:care\n"
    "shirt,s,Shirt,5,Cotton | Silk,Slim,Indigo #27408B,= by hand,12.5,yes,2026-03-01,Iron\n"
    "shirt,m,,5,,,,,,,,\n"
)


def test_facts_come_in_by_type_and_their_entries_are_made(store: Any, attributes: Any) -> None:
    assert counts(load(store, FACTS)) == (2, 0, 0, 0)
    assert facts("shirt") == {
        "material": ["Cotton", "Silk"],
        "fit": ["Slim"],
        "shade": ["Indigo"],
        "care": "= by hand",
        "pages": 12.5,
        "handmade": True,
        "picked": "2026-03-01",
        "care/s": "Iron",
    }
    assert "Silk" in Product.objects.get(slug="shirt").document, "published"
    assert counts(load(store, FACTS)) == (0, 0, 2, 0)
    changed = (
        "product,variant,attribute:material,attribute:care,variant_attribute:care\nshirt,s,Silk|Wool,!clear,!clear\n"
    )
    assert counts(load(store, changed)) == (0, 1, 0, 0)
    found = facts("shirt")
    assert found["material"] == ["Silk", "Wool"] and not {"care", "care/s"} & set(found) and found["pages"] == 12.5
    assert AttributeChoice.objects.filter(name="Silk").count() == 1


def test_a_fact_that_does_not_fit_costs_its_row_only(store: Any, attributes: Any) -> None:
    content = (
        "product,name,attribute:pages,attribute:handmade,attribute:picked,attribute:fit,attribute:shade,"
        "variant_attribute:care\n"
        "a,A,many,,,,,\nb,B,,perhaps,,,,\nc,C,,,2026-13-01,,,\nd,D,,,,Slim|Wide,,\ne,E,,,,,Teal,\nf,F,,,,,,Iron\n"
        "g,G,7,no,2026-01-31,Slim,Teal #008080,\n"
    )
    job = load(store, content)
    assert problems(job) == [
        (2, "attribute:pages"),
        (3, "attribute:handmade"),
        (4, "attribute:picked"),
        (5, "attribute:fit"),
        (6, "attribute:shade"),
        (7, "variant_attribute:care"),
    ]
    assert list(Product.objects.values_list("slug", flat=True)) == ["g"]
    assert not AttributeChoice.objects.filter(name="Wide").exists()


def test_a_long_text_is_no_entry_of_a_list(store: Any, attributes: Any) -> None:
    content = f"product,name,attribute:care,attribute:fit\na,A,{'wash ' * 13},\nb,B,,{'w' * 65}\n"
    assert problems(load(store, content)) == [(3, "attribute:fit")]
    assert len(facts("a")["care"]) == 65


def test_a_bundle_holds_what_its_row_says(store: Any) -> None:
    make_product(store, slug="cup", sku="CUP-1")
    shirt = make_product(store, slug="shirt", variants=("S",))
    content = (
        "product,name,type,sku,components,price:retail\n"
        "pot,Pot,,POT,,5\n"
        f"set,Set,bundle,,CUP-1 x 2 | POT | @shirt/{variants_of(shirt)[0].slug} x 3,9\n"
        "odd,Odd,bundle,,NOBODY x 1,9\n"
        "plain,Plain,,,CUP-1,9\n"
        "nest,Nest,bundle,,@set,9\n"
    )
    job = load(store, content)
    assert problems(job) == [(4, "components"), (5, "components"), (6, "components")]
    held = BundleItem.objects.filter(bundle__slug="set").order_by("sort_order")
    assert list(held.values_list("component__product__slug", "quantity")) == [("cup", 2), ("pot", 1), ("shirt", 3)]
    assert counts(load(store, "product,components\nset,POT x 1\n")) == (0, 1, 0, 0)
    assert list(held.all().values_list("component__sku", "quantity")) == [("POT", 1)]
    assert counts(load(store, "product,components\nset,!clear\n")) == (0, 1, 0, 0)
    assert not BundleItem.objects.exists()


# --- pictures -------------------------------------------------------------------------------------------------------
def picture(side: int = 30) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), "#aa2222").save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "in" / name).write_bytes(picture())
    (tmp_path / "in" / "broken.png").write_bytes(b"\x89PNG nonsense")
    (tmp_path / "secret.png").write_bytes(picture())
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "secret.png")
    return tmp_path / "in"


def files(store: Any) -> set[str]:
    found: set[str] = set()
    if not default_storage.exists(f"catalog/{store.pk}"):
        return found
    for name in default_storage.listdir(f"catalog/{store.pk}")[0]:
        found |= {f"{name}/{file}" for file in default_storage.listdir(f"catalog/{store.pk}/{name}")[1]}
    return found


@pytest.mark.django_db(transaction=True)
def test_pictures_from_a_folder_are_stored_once_and_in_order(store: Any, folder: Path) -> None:
    content = "product,name,price:retail,media\ntea,Tea,5,b.png | a.png\n"
    assert counts(load(store, content, folder=folder)) == (1, 0, 0, 0)
    tea = Product.objects.get(slug="tea")
    images = list(ProductImage.objects.filter(product=tea).order_by("sort_order"))
    assert [image.source for image in images] == ["b.png", "a.png"]
    assert all(default_storage.exists(name) for image in images for name in image.renditions.values())
    assert all(name.startswith(f"catalog/demo/{tea.pk}/") for name in images[0].renditions.values())
    assert "url_zoom" in tea.document
    before = files(store)
    assert counts(load(store, content, folder=folder)) == (0, 0, 1, 0) and files(store) == before
    assert counts(load(store, "product,media\ntea,a.png\n")) == (0, 1, 0, 0), "what is there is not fetched again"
    assert not any(default_storage.exists(name) for name in images[0].renditions.values())
    assert all(default_storage.exists(name) for name in images[1].renditions.values())


@pytest.mark.django_db(transaction=True)
def test_what_is_no_picture_or_lies_elsewhere_is_told_and_leaves_nothing(store: Any, folder: Path) -> None:
    names = ("broken.png", "../secret.png", "missing.png", "link.png", "/etc/passwd", "http://x.example/a.png")
    rows = "".join(f"p{number},P,5,{name}\n" for number, name in enumerate(names))
    content = f"product,name,price:retail,media\n{rows}good,,5,a.png\n"
    before = files(store)
    for dry_run in (True, False):
        job = load(store, content, folder=folder, dry_run=dry_run)
        assert problems(job) == [(number, "media") for number in range(2, 8)] + [(8, "name")]
        assert not Product.objects.exists() and files(store) == before


@pytest.mark.django_db(transaction=True)
def test_a_dry_run_looks_at_pictures_and_keeps_none(store: Any, folder: Path) -> None:
    before = files(store)
    content = "product,name,price:retail,media\ntea,Tea,5,a.png | b.png\n"
    assert counts(load(store, content, folder=folder, dry_run=True)) == (1, 0, 0, 0)
    assert files(store) == before and not ProductImage.objects.exists()


def test_addresses_are_called_through_the_guard(store: Any, monkeypatch: Any) -> None:
    asked = []

    def get(url: str, *, headers: Any, limit: int) -> outgoing.Answer:
        asked.append(url)
        outgoing.check_url(url)
        if "moved" in url:
            return outgoing.Answer(302, {"location": "https://10.0.0.1/a.png"}, picture())
        return outgoing.Answer(200, {}, picture() if "huge" not in url else picture() + b"x" * limit)

    monkeypatch.setattr(outgoing, "get", get)
    content = (
        "product,name,price:retail,media\n"
        "tea,Tea,5,https://images.example/tea.png\n"
        "in,In,5,https://169.254.169.254/latest\n"
        "moved,Moved,5,https://images.example/moved.png\n"
        "huge,Huge,5,https://images.example/huge.png\n"
    )
    job = load(store, content)
    assert problems(job) == [(3, "media"), (4, "media"), (5, "media")]
    assert ProductImage.objects.get().source == "https://images.example/tea.png" and len(asked) == 4
    assert counts(load(store, "product,media\ntea,https://images.example/tea.png\n")) == (0, 0, 1, 0)
    assert len(asked) == 4


def test_a_file_without_a_folder_is_told(store: Any) -> None:
    assert problems(load(store, "product,name,media\ntea,Tea,a.png\n")) == [(2, "media")]


# --- there and back -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("format", ["csv", "json"])
def test_an_export_brings_facts_bundles_and_pictures_back(
    store: Any,
    other_store: Any,
    attributes: Any,
    folder: Path,
    format: str,  # noqa: A002
) -> None:
    for row in list(attributes.values()):
        Attribute.objects.create(store=other_store, key=row.key, name=row.name, type=row.type)
    Attribute.objects.create(store=store, key="size", name="Size", type="single-select")
    Attribute.objects.create(store=other_store, key="size", name="Size", type="single-select")
    bundle = make_product(store, type="bundle", slug="set")
    load(store, FACTS)
    load(store, "product,name,price:retail,media\ntea,Tea,5,b.png | a.png\n", folder=folder)
    for row in variants_of(Product.objects.get(slug="shirt")):
        BundleItem.objects.create(store=store, bundle=bundle, component=row, quantity=2)
    content = b"".join(exporting.export(store=store, format=format))
    job = load(store, content, folder=folder)
    assert (job.created, job.changed, job.errors) == (0, 0, 0), problems(job)
    job = load(other_store, content, folder=folder)
    assert (job.created, job.errors) == (4, 0), problems(job)
    assert ProductAttribute.objects.filter(store=other_store).count() == 8
    held = BundleItem.objects.filter(store=other_store).values_list("component__slug", "quantity")
    assert list(held) == [("s", 2), ("m", 2)]
    assert ProductImage.objects.filter(store=other_store, source="a.png").count() == 1
    again = b"".join(exporting.export(store=other_store, format=format))
    assert sorted(again.splitlines()) == sorted(content.splitlines())
