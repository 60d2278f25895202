from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storefront import selectors as kernel
from tests.contract import assert_is_error, assert_matches


@pytest.fixture
def search(api: Any) -> Callable[..., dict[str, Any]]:
    """`search("red shirt", filter="...")`: the content of a good answer, with the store's key alone."""

    def ask(query: str = "", *, group: str | None = None, **body: Any) -> dict[str, Any]:
        kernel.forget()
        headers = {"X_Api_Key": api.key} | ({"x_customer_group_id": group} if group else {})
        response = api.post("/catalog/products/search", {"query": query} | body, **headers)
        return assert_matches("search-products", response)

    return ask


@pytest.fixture
def refused(api: Any) -> Callable[..., dict[str, Any]]:
    """`refused(code, field, filter="...")`: the body of a 400."""

    def ask(code: str | None, field: str, **body: Any) -> dict[str, Any]:
        response = api.post("/catalog/products/search", {"query": ""} | body, X_Api_Key=api.key)
        return assert_is_error(response, 400, code, field)

    return ask


@pytest.fixture
def names(search: Any) -> Callable[..., list[str]]:
    """The same search as names of products, in the order found."""

    def ask(query: str = "", **body: Any) -> list[str]:
        return [item["product_name"] for item in search(query, **body)["skus"]]

    return ask
