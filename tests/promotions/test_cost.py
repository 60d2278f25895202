"""What offers cost a cart, with a thousand live ones."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from promotions import rulebook, services, steps
from promotions.engine.sequence import Candidate
from promotions.models import Kind, Offer, State
from storefront.conf import DEFAULT_PRICING_STEPS
from storefront.contracts import Sku
from storefront.models import Store
from storefront.plugs import plug
from storefront.pricing import Line, Quote
from tests.carts.fakes import FakeCatalog
from tests.promotions.conftest import TENTH, NewOffer, Till

pytestmark = pytest.mark.django_db
LINES = 50


@pytest.fixture(autouse=True)
def _our_steps_alone(configure: Any, shop: Any) -> None:
    """So that what is counted is ours."""
    found = tuple(path for path in DEFAULT_PRICING_STEPS if path.split(".")[0] in ("carts", "promotions"))
    configure(PRICING_STEPS=found)


@pytest.fixture
def thousand(store: Store, shop: type[FakeCatalog]) -> list[Offer]:
    """Live promotions of as many products, of which a cart of 50 lines has every twentieth."""
    rows = Offer.objects.bulk_create(
        Offer(
            store=store,
            kind=Kind.PROMOTION,
            type="discount",
            state=State.LIVE,
            name=f"Promotion {number}",
            applies_to="product",
            details=TENTH | {"products": [{"product_id": f"P{number}"}]},
            combinable=True,
        )
        for number in range(1000)
    )
    services.touch(store_id=store.pk)
    for number in range(0, 1000, 1000 // LINES):
        shop.put(store.pk, f"P{number}", price="100")
    return rows


def cart(till: Till, coupon: str = "", lines: int = LINES, **facts: Any) -> Quote:
    return till(coupon, **{f"P{number * 20}": 1 for number in range(lines)}, **facts)


def test_one_statement_for_promotions_and_one_for_a_coupon(
    thousand: list[Offer], till: Till, offer: NewOffer, django_assert_num_queries: Any
) -> None:
    offer(combinable=True)
    assert cart(till, "SAVE").totals().promotion_discount == 500  # the process learns the rules
    with django_assert_num_queries(1):
        cart(till)
    with django_assert_num_queries(2):
        assert cart(till, "SAVE").totals().coupon_discount == 450
    with django_assert_num_queries(2):
        assert cart(till, "NOPE").totals().coupon_discount == 0


def test_limits_cost_one_more_however_many_promotions_have_one(
    store: Store, thousand: list[Offer], till: Till, django_assert_num_queries: Any
) -> None:
    Offer.objects.update(total_limit=5, customer_limit=2, revision=2)
    services.touch(store_id=store.pk)
    facts = {"customer_id": "C1", "user_id": "U1", "is_logged_in": True}
    assert cart(till, **facts).totals().promotion_discount == 500
    for lines in (1, LINES):
        with django_assert_num_queries(2):
            assert cart(till, lines=lines, **facts).totals().promotion_discount == 10 * lines
    Offer.objects.update(redemption_count=5)
    with django_assert_num_queries(2):
        assert cart(till, **facts).totals().promotion_discount == 0


def test_only_promotions_that_may_fit_are_looked_at(
    store: Store, thousand: list[Offer], till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[Candidate] = []
    real = steps.choose
    monkeypatch.setattr(
        steps, "choose", lambda found, *rest, **more: looked_at.extend(found) or real(found, *rest, **more)
    )
    cart(till)
    assert len(looked_at) == LINES


def test_a_change_costs_the_rows_that_changed(
    store: Store, thousand: list[Offer], till: Till, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    cart(till)
    changed = thousand[0]
    services.update_offer(
        store=store, offer_id=changed.pk, revision=1, details=changed.details | {"discount_percent": 50}
    )
    services.stop_offer(store=store, offer_id=thousand[20].pk)
    read: list[str] = []
    real = rulebook._compiled
    monkeypatch.setattr(rulebook, "_compiled", lambda row, audience: read.append(row["id"]) or real(row, audience))
    with django_assert_num_queries(3):  # the version, the revisions, the changed row
        assert cart(till).totals().promotion_discount == 48 * 10 + 50
    assert read == [changed.pk]


def test_an_empty_store_costs_the_version_alone(till: Till, django_assert_num_queries: Any) -> None:
    till(TEA=1)  # the process learns about the store
    with django_assert_num_queries(1):
        till(TEA=1)


def test_the_steps_ask_the_catalogue_nothing_when_offers_fit(till: Till, offer: NewOffer) -> None:
    offer(combinable=True)
    offer("promotion")
    FakeCatalog.asked.clear()
    till("SAVE", TEA=1)
    assert len(FakeCatalog.asked) == 1  # by the list price
    sellables = plug("CATALOG").sellables("demo", [Sku("TEA")])
    quote = Quote(
        store_id="demo",
        currency=till.store.currency,
        now=timezone.now(),
        lines=(Line(Sku("TEA"), 1, sellable=sellables[Sku("TEA")]),),
    )
    assert steps.Coupon().gather(quote) is None
