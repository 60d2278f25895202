"""What migrations do to rows that are there already."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

APP = "storefront_catalog"


def migrate(name: str) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate([(APP, name)])
    return executor.loader.project_state([(APP, name)]).apps


@pytest.mark.django_db(transaction=True)
def test_stock_that_was_there_lies_in_the_default_location(store: Any, other_store: Any) -> None:
    latest = max(name for app, name in MigrationExecutor(connection).loader.graph.leaf_nodes(APP))
    try:
        before = migrate("0009_reviews_by_product")
        for number, shop in enumerate((store, other_store)):
            scope = {"store_id": shop.pk}
            product = before.get_model(APP, "Product").objects.create(name="Tea", slug="tea", **scope)
            row = before.get_model(APP, "Variant").objects.create(
                id=product.pk, product=product, is_standalone=True, **scope
            )
            before.get_model(APP, "Stock").objects.create(variant=row, on_hand=5 + number, reserved=2, **scope)
            fields = {"variant": row, "delta": 5 + number, "on_hand": 5 + number, "reason": "opening"}
            before.get_model(APP, "StockMovement").objects.create(**fields, **scope)
        after = migrate(latest)
        for model, columns in (("LocationStock", ("on_hand", "reserved")), ("StockMovement", ("delta", "on_hand"))):
            found = after.get_model(APP, model).objects.order_by("store_id")
            rows = list(found.values_list("store_id", "location__store_id", "location__is_default", *columns))
            second = 2 if model == "LocationStock" else None
            assert rows == [
                ("demo", "demo", True, 5, second or 5),
                ("other", "other", True, 6, second or 6),
            ]
        back = migrate("0009_reviews_by_product")
        assert list(back.get_model(APP, "Stock").objects.order_by("store_id").values_list("on_hand", "reserved")) == [
            (5, 2),
            (6, 2),
        ]
    finally:
        migrate(latest)
