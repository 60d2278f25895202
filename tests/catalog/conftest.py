from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Get = Callable[..., Any]


@pytest.fixture(autouse=True)
def _own_addresses(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.catalog.urls"
    settings.STOREFRONT = settings.STOREFRONT | {"PRODUCT_PROMOTIONS": ""}  # statements are counted without them


@pytest.fixture
def get(api: Any) -> Get:
    """`get("/catalog/products", x_customer_group_id=...)` with the store's key alone, as public pages ask."""

    def ask(path: str, **headers: str) -> Any:
        return api.get(path, **{"X_Api_Key": api.key, **headers})

    return ask
