"""Pages of a row and searches of selects ask the database no more for many rows than for few. (Lists: test_pages.)"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from catalog.models import Product, ProductImage, Stock, Variant
from engagement.analytics.models import AnalyticsProvider
from storefront.admin_base import site
from storefront.models import StoreTemplate
from tests.admin.rows import MAKERS

pytestmark = pytest.mark.django_db

MODELS = sorted(site._registry, key=lambda model: model._meta.label)
ONCE_A_STORE = {AnalyticsProvider, StoreTemplate}  # more of them bring more stores, and those a select of stores
SELECTS = [
    (model, field.name)
    for model in MODELS
    for field in (*model._meta.fields, *model._meta.many_to_many)
    if field.related_model in site._registry and site._registry[field.related_model].search_fields
]


def _queries(client: Client, address: str, asked: dict[str, str] | None = None) -> int:
    client.get(address, asked)  # content types and the like are remembered after the first time
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address, asked).status_code == 200
    return len(captured)


def _page(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


@pytest.mark.parametrize("model", [m for m in MODELS if m not in ONCE_A_STORE], ids=lambda model: model._meta.label)
def test_the_page_of_a_row_asks_no_more_among_many_rows(staff, store, model):
    row = MAKERS[model](store, 0)
    MAKERS[model](store, 1)
    few = _queries(staff, _page(row))
    for number in range(2, 10):
        MAKERS[model](store, number)
    assert _queries(staff, _page(row)) == few


@pytest.mark.parametrize(("model", "field"), SELECTS, ids=lambda part: getattr(part, "__name__", part))
def test_a_search_of_a_select_asks_no_more_for_many_rows(staff, store, model, field):
    meta, target = model._meta, model._meta.get_field(field).related_model
    asked = {"app_label": meta.app_label, "model_name": meta.model_name, "field_name": field, "term": ""}
    for number in range(2):
        MAKERS[target](store, number)
    few = _queries(staff, reverse("admin:autocomplete"), asked)
    for number in range(2, 10):
        MAKERS[target](store, number)
    assert _queries(staff, reverse("admin:autocomplete"), asked) == few


def test_the_page_of_a_product_asks_no_more_for_many_variants_and_pictures(staff, store):
    tea = MAKERS[Product](store, 0)
    few = _queries(staff, _page(tea))
    for number in range(6):
        variant = Variant.objects.create(store=store, product=tea, sku=f"MORE-{number}", name=f"More {number}")
        Stock.objects.create(store=store, variant=variant, on_hand=5)
        names = {side: f"{number}-{side}.webp" for side in ("tiny", "thumbnail", "standard", "zoom")}
        ProductImage.objects.create(store=store, product=tea, renditions=names)
    assert _queries(staff, _page(tea)) == few
