"""`manage.py verify_offers`."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from promotions import services
from promotions.models import Code, CustomerUses, Offer
from storefront import claims
from storefront.models import Store
from tests.promotions.conftest import NewOffer, Till
from tests.promotions.test_claims import logged_in, order

pytestmark = pytest.mark.django_db


def verify(**options: Any) -> str:
    out = StringIO()
    call_command("verify_offers", stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def used(store: Store, till: Till, offer: NewOffer) -> Offer:
    made = offer(total_limit=9, combinable=True)
    offer("promotion", combinable=True)
    for number in range(4):
        order(till("SAVE", TEA=1, **logged_in(f"C{number % 2}")), f"O{number}")
    claims.confirm(store_id=store.pk, owner="O1")
    claims.release(store_id=store.pk, owner="O2")
    return made


def test_what_orders_did_adds_up_before_and_after_the_housekeeping(used: Offer) -> None:
    assert "adds up" in verify()
    services.add_up_uses(batch=10)
    assert "adds up" in verify()


@pytest.mark.parametrize("what", ["offer", "code", "customer"])
def test_a_counter_that_somebody_changed_is_named(store: Store, other_store: Store, used: Offer, what: str) -> None:
    if what == "offer":
        Offer.objects.filter(pk=used.pk).update(redemption_count=7)
    elif what == "code":
        Code.objects.filter(offer=used).update(use_count=0)
    else:
        CustomerUses.objects.filter(offer=used, customer_id="C1").delete()
    out = StringIO()
    with pytest.raises(CommandError, match="1 counters"):
        call_command("verify_offers", stdout=out)
    assert f"{store.pk}  {used.pk}  {what} " in out.getvalue()
    assert "adds up" in verify(store=other_store.pk)


def test_an_unknown_store_is_refused(store: Store) -> None:
    with pytest.raises(CommandError):
        verify(store="nowhere")
