"""The tree, its list and its counts."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from catalog import services
from catalog.models import Category, Product, ProductCategory
from storefront import selectors as kernel
from tests.catalog.factories import make_category, make_product
from tests.contract import assert_is_error, assert_matches

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree(store: Any) -> dict[str, Category]:
    found = {"Tea": make_category(store, "Tea")}
    found["Green"] = make_category(store, "Green", found["Tea"], description="Unoxidised")
    found["Sencha"] = make_category(store, "Sencha", found["Green"])
    found["Cups"] = make_category(store, "Cups", sort_order=1)
    return found


def listed(response: Any) -> list[str]:
    return [category["name"] for category in assert_matches("list-categories", response)["categories"]]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("", ["Cups", "Sencha", "Green", "Tea"]),
        ("?nested_level=1", ["Cups", "Tea"]),
        ("?nested_level=2", ["Cups", "Green", "Tea"]),
        ("?parent_category_slug=tea", ["Sencha", "Green"]),
        ("?parent_category_slug=tea&nested_level=1", ["Green"]),
        ("?parent_category_slug=unknown", []),
        ("?search=SEN", ["Sencha"]),
        ("?search=S%C3%A9nch%C3%A0", ["Sencha"]),
        ("?limit=2&page=2", ["Green", "Tea"]),
        ('?sort_by={"name":"asc"}', ["Cups", "Green", "Sencha", "Tea"]),
        ('?sort_by={"sort_order":"asc","name":"desc"}', ["Green", "Sencha", "Tea", "Cups"]),
    ],
)
@pytest.mark.usefixtures("tree")
def test_the_list_can_be_narrowed_and_sorted(get: Any, asked: str, names: list[str]) -> None:
    assert listed(get(f"/catalog/categories{asked}")) == names


def test_categories_name_parent_and_children(get: Any, tree: dict[str, Category]) -> None:
    path = f"/catalog/categories?parent_category_id={tree['Tea'].pk}&nested_level=1"
    (green,) = assert_matches("list-categories", get(path))["categories"]
    assert green["parent_category_id"] == tree["Tea"].pk and green["description"] == "Unoxidised"
    assert [child["name"] for child in green["child_categories"]] == ["Sencha"]


@pytest.mark.parametrize(
    ("asked", "field"), [("nested_level=x", "nested_level"), ("limit=101", "limit"), ('sort_by={"x":"asc"}', "sort_by")]
)
@pytest.mark.usefixtures("tree")
def test_bad_questions_are_refused_by_name(get: Any, asked: str, field: str) -> None:
    assert_is_error(get(f"/catalog/categories?{asked}"), 400, field=field)


def test_an_inactive_category_hides_its_branch_but_not_the_products(
    store: Any, get: Any, tree: dict[str, Category]
) -> None:
    product = make_product(store, categories=(tree["Sencha"], tree["Cups"]))
    Category.objects.filter(pk=tree["Green"].pk).update(active=False)
    services.recount_categories(store=store)
    kernel.forget()
    assert listed(get("/catalog/categories")) == ["Cups", "Tea"]
    shown = assert_matches("get-product-detail", get(f"/catalog/products/{product.pk}"))["product"]
    assert shown["category_ids"] == [tree["Cups"].pk]
    assert [category["name"] for category in shown["categories"]] == ["Cups"]
    assert Category.objects.get(name="Tea").product_count == 0


def counts(store: Any) -> dict[str, int]:
    return dict(Category.objects.filter(store=store).values_list("name", "product_count"))


def test_counts_follow_what_the_lists_show(store: Any, get: Any, tree: dict[str, Category]) -> None:
    first = make_product(store, categories=(tree["Sencha"], tree["Green"]))
    make_product(store, categories=(tree["Tea"],))
    make_product(store, categories=(tree["Tea"],), active=False)
    assert counts(store) == {"Tea": 2, "Green": 1, "Sencha": 1, "Cups": 0}
    for category in assert_matches("list-categories", get("/catalog/categories"))["categories"]:
        products = get(f"/catalog/products?category_id={category['id']}").json()["content"]
        assert category["product_count"] == products["pagination"]["total_records"]
    ProductCategory.objects.filter(product=first).delete()
    ProductCategory.objects.create(store=store, product=first, category=tree["Cups"])
    services.publish(store=store, product_ids=[first.pk])
    assert counts(store)["Cups"] == 1 and counts(store)["Sencha"] == 0 and counts(store)["Tea"] == 1
    services.delete_product(store=store, product=Product.objects.get(pk=first.pk))
    assert counts(store)["Cups"] == 0


def test_a_category_cannot_lie_below_itself(tree: dict[str, Category]) -> None:
    tree["Tea"].parent = tree["Sencha"]
    with pytest.raises(ValidationError):
        tree["Tea"].full_clean()


def test_the_tree_of_another_store_is_not_shown(other_store: Any, get: Any, tree: dict[str, Category]) -> None:
    theirs = make_category(other_store, "Theirs")
    assert "Theirs" not in listed(get("/catalog/categories"))
    assert listed(get(f"/catalog/categories?parent_category_id={theirs.pk}")) == []


def test_of_two_moves_that_were_both_allowed_the_second_is_refused(tree: dict[str, Category]) -> None:
    first, second = Category.objects.get(name="Green"), Category.objects.get(name="Cups")
    first.parent, second.parent = tree["Cups"], tree["Green"]
    first.full_clean()
    second.full_clean()
    first.save()
    with pytest.raises(ValidationError) as refused:
        second.save()
    assert list(refused.value.message_dict) == ["parent"]
    parents = dict(Category.objects.values_list("name", "parent__name"))
    assert parents == {"Tea": None, "Green": "Cups", "Sencha": "Green", "Cups": None}


def test_branches_that_lie_below_each_other_are_still_counted(store: Any, tree: dict[str, Category]) -> None:
    """No form and no service makes such a pair; where somebody's SQL did, counting must come to an end all the same."""
    make_product(store, categories=(tree["Cups"],))
    Category.objects.filter(pk=tree["Tea"].pk).update(parent=tree["Cups"])
    Category.objects.filter(pk=tree["Cups"].pk).update(parent=tree["Tea"])
    services.recount_categories(store=store)
    assert counts(store)["Tea"] == counts(store)["Cups"] == 1
