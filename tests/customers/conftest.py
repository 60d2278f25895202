"""Customers through the API, as a client makes them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from storefront.models import Store
from tests.api import shoppers
from tests.conftest import Api

ADDRESS = {
    "first_name": "Asha",
    "last_name": "Rao",
    "country_code": "+91",
    "phone": "9876543210",
    "email": "asha@example.com",
    "address_line1": "12 MG Road",
    "address_line2": None,
    "landmark": "Opposite the park",
    "pincode": "560001",
    "city": "Bengaluru",
    "state": "Karnataka",
    "country": "India",
    "tax_identification_number": None,
    "business_name": None,
}


@pytest.fixture
def shopper(store: Store, configure: Any) -> Api:
    """Logged in by code, with the verified e-mail address asha@example.com."""
    configure(OTP_DEBUG=True)
    return shoppers.registered(store, "asha@example.com")


@pytest.fixture
def stranger(store: Store, configure: Any) -> Api:
    configure(OTP_DEBUG=True)
    return shoppers.registered(store, "mallory@example.com")


@pytest.fixture
def addresses(shopper: Api) -> str:
    """The path of the shopper's address book."""
    return f"/customers/{shopper.user_id}/addresses"


@pytest.fixture
def count_queries() -> Any:
    """`count_queries(call)`: how many queries the call made."""

    def count(call: Any) -> int:
        with CaptureQueriesContext(connection) as queries:
            call()
        return len([query for query in queries if "SAVEPOINT" not in query["sql"]])

    return count
