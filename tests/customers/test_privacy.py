"""What is exported of a customer, and that nothing of it is left after erasing (D-14)."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from customers import demo, invitations, selectors, services
from customers.kyc import services as kyc
from customers.models import Address, Customer, Document, KycDocumentType
from storefront import privacy, private_files
from storefront import selectors as kernel
from storefront.models import Store
from tests.conftest import Api
from tests.customers.conftest import ADDRESS
from tests.customers.test_bank_accounts import ACCOUNT
from tests.customers.test_documents import PDF

pytestmark = pytest.mark.django_db
SECRETS = ("Rao Spices", "AAPFU0931F", "MG Road", "501000123456", "friend@example.com", "L-77")


@pytest.fixture
def full(store: Store, shopper: Api, settings: Any, tmp_path: Any) -> Api:
    """A shopper of whom everything is known."""
    settings.MEDIA_ROOT = str(tmp_path / "media")
    licence = KycDocumentType.objects.create(store=store, title="Licence", kind="other")
    body = {"address": ADDRESS, "business": {"name": "Rao Spices", "pan_number": "AAPFU0931F"}}
    assert shopper.post("/customers", body).status_code == 200
    assert shopper.post(f"/customers/{shopper.user_id}/bank-accounts", ACCOUNT).status_code == 200
    now = timezone.now()
    file = SimpleUploadedFile("a", PDF)
    where = {"store": store, "customer_id": shopper.user_id, "now": now}
    kyc.submit(**where, by="x", type_id=licence.pk, number="L-77", file=file)
    invitations.invite(**where, contact="friend@example.com", invited_by="x")
    return shopper


def test_everything_is_exported_without_whole_account_numbers(store: Store, other_store: Store, full: Api) -> None:
    who = {"user_id": full.user_id, "customer_id": full.user_id}
    found = privacy.export(store=store, **who)
    assert found["customer"]["business"]["pan_number"] == "AAPFU0931F"
    assert [row["address_line1"] for row in found["addresses"]] == ["12 MG Road"]
    assert [(row["document_number"], row["has_file"]) for row in found["documents"]] == [("L-77", True)]
    assert [row["account_number"] for row in found["bank_accounts"]] == ["XXXXXXXX3456"]
    ours = {"customer", "addresses", "documents", "bank_accounts"}
    assert not ours & set(privacy.export(store=other_store, **who))


def test_erasing_the_account_leaves_nothing_of_the_person(
    store: Store, full: Api, django_capture_on_commit_callbacks: Any
) -> None:
    name = Document.objects.get().file
    with django_capture_on_commit_callbacks(execute=True):
        assert full.delete(f"/auth/user/{full.user_id}").status_code == 200
    assert not private_files.storage().exists(name)
    for model in apps.get_app_config("storefront_customers").get_models():
        rows = str(list(model._default_manager.values_list()))
        assert not [secret for secret in SECRETS if secret in rows], model
    assert Customer.objects.get().erased_at is not None
    assert not Document.objects.exists() and not Address.objects.exists()


def test_documents_stand_in_the_way_of_orders_only_where_the_store_says_so(
    store: Store, full: Api, django_assert_num_queries: Any
) -> None:
    def missing(customer_id: str | None) -> list[str]:
        return selectors.kyc_missing(store=Store.objects.get(pk=store.pk), customer_id=customer_id)

    KycDocumentType.objects.update(is_mandatory=True)
    with django_assert_num_queries(0):
        assert not selectors.kyc_missing(store=store, customer_id=full.user_id)
    Store.objects.filter(pk=store.pk).update(kyc_required=True)
    assert not missing(full.user_id)  # documents are not asked for at all
    Store.objects.filter(pk=store.pk).update(kyc_enabled=True)
    kernel.forget()
    title = KycDocumentType.objects.get().title
    assert missing(full.user_id) == missing(None) == [title]
    kyc.approve(store=store, document_id=Document.objects.get().pk, by="staff", now=timezone.now())
    assert not missing(full.user_id) and missing(None) == [title]


def test_the_demo_can_be_built_twice(store: Store) -> None:
    services.create_customer(store=store, customer_id="asha")
    for _ in range(2):
        demo.build(store=store, user_id="asha", customer_id="asha")
    book = selectors.address_book(store=store, customer_id="asha")
    assert sorted(row.city for row in book) == ["Bengaluru", "Mumbai"]
    assert [row["document_type"] for row in selectors.kyc_document_types(store=store)] == ["pan", "gst"]
