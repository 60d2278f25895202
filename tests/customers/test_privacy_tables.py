"""Every table that holds anything of a shopper is read by their export and seen to by erasing.

The tables are found in the models: a new one that names a person, or hangs on a row that does, fails here until its app
exports it (`storefront.privacy.register`) or this file says why it need not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.reviews.models import Review, ReviewMedia
from customers import book, invitations, services
from customers.models import (
    AuthorizedSeller,
    BankAccount,
    Document,
    DocumentEvent,
    KycDocumentType,
    Segment,
    SegmentMember,
    Seller,
)
from engagement.newsletter import services as newsletter
from payments import credit as lines
from payments.models import GatewayCustomer, MandateDebit
from storefront import crypto, privacy
from storefront.addresses import cleaned
from storefront.models import CustomerGroup, StockLocation, Store
from tests.api import shoppers
from tests.catalog.factories import make_product
from tests.conftest import Api
from tests.customers.conftest import ADDRESS
from tests.payments import factories
from tests.wallets.conftest import make_programme, points_account
from wallets import selectors as wallet_selectors
from wallets.models import Earning
from wallets.services import credit

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_programmes() -> Iterator[None]:
    """What this process remembers of loyalty programmes outlives a rolled-back database."""
    wallet_selectors.forget()
    yield
    wallet_selectors.forget()


NAMES = {
    "customer", "customer_id", "user", "user_id", "anonymous_id", "to", "contact", "email", "phone", "address_line1",
}  # fmt: skip
# Tables that name a person, or hang on one that does, and are not in the export.
NOT_EXPORTED = {
    "storefront_accounts.RefreshToken": "keyed hashes of tokens; their session is exported",
    "storefront_accounts.OtpChallenge": "keyed hashes; the contact goes when the code does, minutes later",
    "storefront_engagement.AnalyticsErasure": "says that somebody was erased",
    "storefront_engagement.FunnelVisitor": "counts of the days on which the exported events happened",
    "storefront_engagement.NewsletterRequest": "waits a moment to become an exported subscription",
    "storefront_messaging.MessageAttempt": "what a provider answered; the message is exported",
    "storefront_promotions.CustomerUses": "a count of the exported uses",
    "storefront_wallets.Hold": "what an unpaid order holds, for minutes; the order's own",
    "storefront_wallets.GiftCard": "a card belongs to whoever holds its code; it names nobody",
    "storefront_payments.CreditHold": "what an unpaid order holds, for minutes; the order's own",
}


def _concrete() -> list[type[models.Model]]:
    ours = [model for model in apps.get_models() if model._meta.app_label.partition("_")[0] == "storefront"]
    return [model for model in ours if not model._meta.proxy]


def _personal() -> set[type[models.Model]]:
    named = {model for model in _concrete() if NAMES & {field.name for field in model._meta.fields}}
    found = named - {StockLocation}  # whose phone is the shop's own
    while True:
        more = {
            model
            for model in _concrete()
            if any(field.related_model in found for field in model._meta.fields if field.is_relation)
        }
        if more <= found:
            return found
        found |= more


@pytest.fixture
def everything(store: Store, configure: Any) -> Api:
    """Somebody of whom every table knows something."""
    configure(OTP_DEBUG=True)
    who = shoppers.registered(store, "asha@example.com")
    pk, now = who.user_id, timezone.now()
    customer: dict[str, Any] = {"store": store, "customer_id": pk}
    trade = CustomerGroup.objects.create(store=store, name="Trade", slug="trade")
    services.set_group(store=store, customer_id=pk, group=trade)
    book.add(**customer, content=cleaned(store=store, data=ADDRESS), wished={}, now=now)
    services.add_note(**customer, text="Likes tea", author="grace")
    kind = KycDocumentType.objects.create(store=store, title="Licence", kind="other")
    document = Document.objects.create(**customer, type=kind, number_encrypted=crypto.encrypt("L-77"))
    DocumentEvent.objects.create(**customer, document_id=document.pk, kind=DocumentEvent.Kind.SUBMITTED)
    BankAccount.objects.create(
        **customer, type="outbound", account_name="A", number_encrypted=crypto.encrypt("501000123456"), number_hash="x", last4="1234",
        ifsc_code="HDFC0000123", bank_name="HDFC",
    )  # fmt: skip
    SegmentMember.objects.create(**customer, segment=Segment.objects.create(store=store, name="Friends"))
    seller = Seller.objects.create(store=store, trade_name="Weavers", legal_name="W")
    AuthorizedSeller.objects.create(**customer, seller=seller)
    invitations.invite(**customer, contact="ravi@example.com", invited_by="grace", now=now)
    who.put(f"/auth/user/{pk}", {"notification_preferences": {"promotional": {"email": True}}})
    product = make_product(store, name="Tea")
    review = Review.objects.create(store=store, product=product, user_id=pk, order_number="O-1", rating=4)
    ReviewMedia.objects.create(store=store, review=review, kind="image", names={})
    newsletter.subscribe(store=store, email="asha@example.com")
    who.post("/carts", {"items": [{"product_id": product.pk, "variant_id": None, "quantity": 1}]})
    who.post(f"/wishlist/{pk}", {"product_id": product.pk, "variant_id": None})
    credit.grant(**customer, amount=Decimal(50))
    make_programme(store)
    account = points_account(store, 10, pk)
    Earning.objects.create(
        store=store, account=account, owner="o", reference="O-1", points=5, spent=1, savings=0, placed_at=now
    )
    holder = factories.card_row(store, 1).holder
    GatewayCustomer.objects.filter(pk=holder.pk).update(customer_id=pk)
    debit = factories.debit_row(store, 2)
    type(debit.mandate).objects.filter(pk=debit.mandate_id).update(customer_id=pk)
    MandateDebit.objects.filter(pk=debit.pk).update(customer_id=pk)
    lines.open_line(store=store, customer_id=pk)
    return who


def _tables(queries: CaptureQueriesContext, words: str) -> set[str]:
    return {name for query in queries for name in re.findall(rf'(?:{words}) "(\w+)"', query["sql"])}


def test_an_export_reads_every_table_that_holds_something_of_the_shopper(store: Store, everything: Api) -> None:
    with CaptureQueriesContext(connection) as queries:
        found = privacy.export(store=store, user_id=everything.user_id, customer_id=everything.user_id)
    json.dumps(found, default=str)
    read = _tables(queries, "FROM|JOIN")
    personal = {model._meta.label: model._meta.db_table for model in _personal()}
    missing = {label for label, table in personal.items() if table not in read}
    assert missing - set(NOT_EXPORTED) == set()
    assert set(NOT_EXPORTED) - missing == set()  # no reason for a table that is exported, or gone


# Tables that keep rows with an erased shopper's id: empty ones, ledgers, and the records of what happened.
KEPT = {
    "storefront.StaffAccess": "who of the staff did what, without its content",
    "storefront_accounts.User": "emptied: orders name it",
    "storefront_accounts.Session": "ended; ids and times only, gone 30 days after they would have expired",
    "storefront_accounts.SecurityEvent": "ids and words only, gone after SECURITY_EVENT_DAYS",
    "storefront_engagement.AnalyticsErasure": "says that somebody was erased",
    "storefront_payments.Mandate": "revoked and emptied: debits name it",
    "storefront_payments.MandateDebit": "bookkeeping",
    "storefront_payments.CreditLine": "bookkeeping",
    "storefront_wallets.Account": "bookkeeping",
}


def test_no_table_keeps_a_row_of_an_erased_shopper_but_for_a_reason(store: Store, everything: Api) -> None:
    pk = everything.user_id
    (person,) = privacy.find(store=store, who=pk)

    def named() -> set[str]:
        found = set()
        for model in _personal():
            fields = [
                field for field in model._meta.fields if field.name in {"customer", "customer_id", "user", "user_id"}
            ]
            if any(model._base_manager.filter(**{field.attname: pk}).exists() for field in fields):
                found.add(model._meta.label)
        return found

    before = named()
    privacy.erase(store=store, person=person, now=timezone.now())
    assert named() - set(KEPT) == set()
    assert len(before - set(KEPT)) > 10  # the shopper was in all of these
    assert privacy.export(store=store, user_id=pk, customer_id=pk).keys() <= {
        "access_by_staff", "payments", "security_log", "sessions", "wallets",
    }  # fmt: skip
