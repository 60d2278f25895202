"""What creates, pays or sends can be repeated with a key; each POST of the API is decided on here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.urls import URLPattern, URLResolver, get_resolver

from customers.models import Address, BankAccount, Document, KycDocumentType
from storefront.models import IdempotencyRecord, Store
from tests.api import shoppers
from tests.conftest import Api
from tests.contract import assert_is_error

CUSTOMER = "customers/<str:customer_id>"
KEYED = {  # they take an Idempotency-Key
    "carts",
    "customers",
    f"{CUSTOMER}/addresses",
    f"{CUSTOMER}/bank-accounts",
    f"{CUSTOMER}/documents",
    f"{CUSTOMER}/mandates",
    f"{CUSTOMER}/mandates/<str:mandate_id>/pause",
    f"{CUSTOMER}/mandates/<str:mandate_id>/resume",
    f"{CUSTOMER}/mandates/<str:mandate_id>/revoke",
    "catalog/products/<str:product_id>/reviews",
}
READ = {  # they change nothing
    "catalog/products/search",
    "shipping/fulfillment-options",
    "carts/fulfillment-options",
    "fulfillment/serviceability",
    "auth/verified-email-phone",
}
SET = {  # they say how something shall be; saying it twice changes nothing
    "carts/<str:cart_id>/items",
    "carts/<str:cart_id>/coupon",
    "carts/<str:cart_id>/loyalty-points",
    "carts/<str:cart_id>/credit-balance",
    "carts/<str:cart_id>/gift-card",
    "carts/<str:cart_id>/address",
    "carts/<str:cart_id>/fulfillment-preference",
    "wishlist/<str:user_id>",
    f"{CUSTOMER}/documents/verify",
    f"{CUSTOMER}/bank-accounts/<str:account_id>/verify",
    "auth/user/<str:user_id>/profile-image",
    "auth/user/<str:user_id>/notification-preferences",
    "analytics/track",  # by messageId
    "campaigns/newsletter-subscribe",  # D-57
}


def posts(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        address = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from posts(entry, address)
        elif isinstance(entry, URLPattern) and "post" in getattr(entry.callback, "actions", {}):
            yield address


def test_every_post_of_the_api_is_decided() -> None:
    base = "api/v1/<str:store_id>/storefront/"
    found = {address.removeprefix(base) for address in posts(get_resolver())}
    # Tokens and codes: an answer that holds secrets is not kept for repeats. Codes have their pause, refreshing its
    # grace, and whatever sets a password or opens a session does so again.
    found -= {address for address in found if address.startswith("auth/") and address not in SET | READ}
    assert found == KEYED | READ | SET


@pytest.fixture
def shopper(store: Store, configure: Any) -> Api:
    configure(OTP_DEBUG=True)
    return shoppers.registered(store, "asha@example.com")


@pytest.mark.django_db
def test_an_address_and_a_bank_account_are_made_once_for_a_key(shopper: Api) -> None:
    address = {
        "first_name": "Asha",
        "last_name": "Rao",
        "phone": "9876543210",
        "country_code": "+91",
        "address_line1": "1 MG Road",
        "city": "Bengaluru",
        "state": "Karnataka",
        "pincode": "560001",
        "country": "India",
    }
    account = {
        "account_type": "outbound",
        "account_name": "Asha Rao",
        "account_number": "501000123456",
        "ifsc_code": "HDFC0000123",
        "bank_name": "HDFC Bank",
    }
    opened = {"account_type": "inbound", "service_provider_slug": "sandbox"}
    base = f"/customers/{shopper.user_id}"
    for path, body in (
        ("addresses", address),
        ("bank-accounts", account),
        ("bank-accounts", opened),
    ):
        key = f"{path}-{len(body)}"
        first = shopper.post(f"{base}/{path}", body, Idempotency_Key=key)
        assert first.status_code == 200, first.content
        assert shopper.post(f"{base}/{path}", body, Idempotency_Key=key).content == first.content
        changed = shopper.post(f"{base}/{path}", body | {"is_default": True}, Idempotency_Key=key)
        assert_is_error(changed, 400, "idempotency_key_reused")
    assert (Address.objects.count(), BankAccount.objects.count()) == (1, 2)


@pytest.mark.django_db
def test_a_document_is_taken_in_once_for_a_key_and_its_file_counts(
    shopper: Api, store: Store, settings: Any, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    kind = KycDocumentType.objects.create(store=store, title="Trade licence", kind="other")

    def send(content: bytes) -> Any:
        members = {
            "kyc_document_id": kind.pk,
            "document_number": "A1",
            "file": SimpleUploadedFile("a.pdf", content, "application/pdf"),
        }
        return shopper.client.generic(
            "POST",
            f"/api/v1/demo/storefront/customers/{shopper.user_id}/documents",
            encode_multipart(BOUNDARY, members),
            content_type=MULTIPART_CONTENT,
            headers={"Authorization": f"Bearer {shopper.token}", "Idempotency-Key": "d-1"},
        )

    pdf = b"%PDF-1.4\n1 0 obj\n<</Type/Catalog>>\nendobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    first = send(pdf)
    assert first.status_code == 200, first.content
    assert send(pdf).content == first.content
    assert_is_error(send(pdf + b"%"), 400, "idempotency_key_reused")
    assert Document.objects.count() == IdempotencyRecord.objects.count() == 1
