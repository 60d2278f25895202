"""Uses are held, confirmed and released, and no limit is ever passed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from promotions import audit, selectors, services
from promotions.claims import OfferClaims
from promotions.errors import CouponLimitReached, PromotionLimitReached
from promotions.models import Code, CustomerUses, Offer, OfferUse
from storefront import claims, privacy
from storefront import services as kernel
from storefront.errors import Invalid
from storefront.models import Store
from storefront.pricing import Quote
from storefront.testing import ClaimsContract
from tests.carts.fakes import FakeCatalog
from tests.promotions.conftest import TENTH, NewOffer, Till
from tests.threads import in_parallel

pytestmark = pytest.mark.django_db


def order(quote: Quote, owner: str) -> None:
    """As an order is made: all claims or none, in one transaction."""
    with transaction.atomic():
        found = [claim for claim in claims.of_quote(quote, owner=owner) if claim.resource != claims.STOCK]
        claims.hold(store_id=quote.store_id, claims=found)


def counted(offer: Offer) -> tuple[int, int, dict[str, int]]:
    """The counters of an offer, of its codes together, and of its customers, up to date."""
    assert selectors.redemption_counts(store=offer.store, offer_ids=[offer.pk])[offer.pk] == (
        OfferUse.objects.filter(offer=offer, state__in=["held", "confirmed"]).count()
    )
    services.add_up_uses(batch=100)
    offer.refresh_from_db()
    codes = sum(offer.codes.values_list("use_count", flat=True))
    return (
        offer.redemption_count,
        codes,
        dict(CustomerUses.objects.filter(offer=offer).values_list("customer_id", "count")),
    )


def logged_in(customer_id: str = "C1") -> dict[str, Any]:
    return {"customer_id": customer_id, "user_id": f"U-{customer_id}", "is_logged_in": True}


def test_a_use_is_held_once_however_often_it_is_asked_for(till: Till, offer: NewOffer) -> None:
    made = offer(customer_limit=1, total_limit=1, code_limit=1)
    quote = till("SAVE", TEA=2, **logged_in())
    order(quote, "O1")
    order(quote, "O1")
    assert counted(made) == (1, 1, {"C1": 1})
    use = OfferUse.objects.get()
    assert (use.owner, use.state, use.saving, use.revenue) == ("O1", "held", 20, 180)
    assert (use.customer_id, use.user_id, use.code.text if use.code else None) == ("C1", "U-C1", "SAVE")


def test_an_order_of_any_size_can_be_held(store: Store, till: Till, offer: NewOffer) -> None:
    offer()
    FakeCatalog.put(store.pk, "MINE", price="99999999999.99", available=None)
    quote = till("SAVE", MINE=1_000_000, **logged_in())
    order(quote, "O1")
    use = OfferUse.objects.get()
    assert use.saving + use.revenue == quote.totals().amount > 10**16


def test_confirming_keeps_and_releasing_gives_back(store: Store, till: Till, offer: NewOffer) -> None:
    made = offer(total_limit=2)
    quote = till("SAVE", TEA=1, **logged_in())
    order(quote, "O1")
    order(quote, "O2")
    for _again in range(2):
        claims.confirm(store_id=store.pk, owner="O1")
        claims.release(store_id=store.pk, owner="O1")  # spent already
        claims.release(store_id=store.pk, owner="O2")
        claims.confirm(store_id=store.pk, owner="O2")  # given back already
    assert counted(made) == (1, 1, {"C1": 1})
    assert dict(OfferUse.objects.values_list("owner", "state")) == {"O1": "confirmed", "O2": "released"}
    assert all(use.settled_at for use in OfferUse.objects.all())


def test_a_released_use_can_be_held_again(store: Store, till: Till, offer: NewOffer) -> None:
    made = offer(total_limit=1)
    quote = till("SAVE", TEA=1)
    order(quote, "O1")
    claims.release(store_id=store.pk, owner="O1")
    order(quote, "O1")
    assert counted(made)[0] == 1
    assert OfferUse.objects.get().state == "held"


@pytest.mark.parametrize("limit", ["total_limit", "customer_limit", "code_limit"])
def test_each_limit_holds_and_the_refused_order_leaves_no_trace(till: Till, offer: NewOffer, limit: str) -> None:
    made = offer(**{limit: 1}, codes=["SAVE", "OTHER"])
    first, second = (till("SAVE", TEA=1, **logged_in()) for _number in range(2))
    order(first, "O1")
    before = counted(made)
    with pytest.raises(CouponLimitReached) as refusal:
        order(second, "O2")
    assert set(refusal.value.errors) == {"coupon_code"}
    assert counted(made) == before
    assert OfferUse.objects.count() == 1
    assert till("SAVE", TEA=1, **logged_in()).refusals["coupon"].code == "coupon_limit_reached"
    fresh = till("OTHER", TEA=1, **logged_in("C2"))
    assert ("coupon" in fresh.refusals) == (limit == "total_limit")


def test_a_coupon_that_was_stopped_a_moment_ago_is_not_held(store: Store, till: Till, offer: NewOffer) -> None:
    made = offer()
    quote = till("SAVE", TEA=1)
    services.stop_offer(store=store, offer_id=made.pk)
    with pytest.raises(CouponLimitReached):
        order(quote, "O1")
    assert not OfferUse.objects.exists()


def test_a_promotion_that_is_used_up_applies_no_more(till: Till, offer: NewOffer) -> None:
    made = offer("promotion", total_limit=1)
    quote = till(TEA=1)
    order(quote, "O1")
    with pytest.raises(PromotionLimitReached):
        order(quote, "O2")
    assert till(TEA=1).totals().discount == 0
    assert counted(made)[0] == 1


def test_one_stores_release_does_not_touch_anothers(
    store: Store, other_store: Store, till: Till, offer: NewOffer
) -> None:
    made = offer()
    order(till("SAVE", TEA=1), "O1")
    claims.release(store_id=other_store.pk, owner="O1")
    claims.confirm(store_id=other_store.pk, owner="O1")
    assert OfferUse.objects.get().state == "held"
    assert counted(made)[0] == 1


def test_a_shopper_gets_their_uses_with_their_data(store: Store, till: Till, offer: NewOffer) -> None:
    offer()
    order(till("SAVE", TEA=1, **logged_in()), "O1")
    order(till("SAVE", TEA=1, **logged_in("C2")), "O2")
    found = privacy.export(store=store, user_id="U-C1", customer_id="C1")["offers"]
    assert [(use["code"], use["order"]) for use in found] == [("SAVE", "O1")]


def test_what_the_ledger_says_is_what_is_counted(till: Till, store: Store, offer: NewOffer) -> None:
    made = offer(code_limit=9)
    for number in range(6):
        order(till("SAVE", TEA=1, **logged_in(f"C{number % 2}")), f"O{number}")
    claims.release(store_id=store.pk, owner="O3")
    claims.confirm(store_id=store.pk, owner="O4")
    taken = OfferUse.objects.filter(offer=made).exclude(state="released")
    assert counted(made) == (taken.count(), taken.count(), {"C0": 3, "C1": 2})


class TestContract(ClaimsContract):
    resource = "coupon"
    unit = Decimal(1)

    @pytest.fixture(autouse=True)
    def _shop(self, till: Till, offer: NewOffer) -> None:
        self.till, self.offer = till, offer
        self.made: dict[str, Offer] = {}

    def claims(self) -> OfferClaims:
        return OfferClaims()

    def put(self, amount: Decimal) -> str:
        code = f"SAVE{len(self.made)}"
        made = self.offer(codes=[code], total_limit=int(amount), code_limit=int(amount), customer_limit=int(amount))
        (key,) = (claim.key for claim in self.till(code, TEA=1, **logged_in()).claims if claim.resource == "coupon")
        self.made[key] = made
        return key

    def free(self, key: str) -> Decimal:
        made = self.made[key]
        uses, of_code, of_customers = counted(made)
        assert uses == of_code == sum(of_customers.values())
        return Decimal((made.total_limit or 0) - uses)


def test_a_use_that_came_back_is_in_no_figure(store: Store, till: Till, offer: NewOffer) -> None:
    made = offer()
    for owner in ("O1", "O2"):
        order(till("SAVE", TEA=1, **logged_in()), owner)
        claims.confirm(store_id=store.pk, owner=owner)
    counted(made)
    claims.give_back(store_id=store.pk, owner="O1")
    assert dict(OfferUse.objects.values_list("owner", "state")) == {"O1": "returned", "O2": "confirmed"}
    assert counted(made) == (1, 1, {"C1": 1})
    assert list(audit.mismatches()) == []


# --- at once --------------------------------------------------------------------------------------------------------
@pytest.fixture
def race(configure: Any) -> Iterator[Till]:
    configure(CATALOG="tests.carts.fakes.FakeCatalog")
    FakeCatalog.clear()
    store = kernel.create_store(store_id="race", name="Race")
    for product_id in ("TEA", "CUP"):
        FakeCatalog.put("race", product_id, price="100")
    yield Till(store)
    FakeCatalog.clear()


def live(store: Store, kind: str = "coupon", **fields: Any) -> Offer:
    codes = ["SAVE"] if kind == "coupon" else []
    made = services.create_offer(
        store=store, kind=kind, type="discount", name="Race", details=TENTH, codes=codes, **fields
    )
    return services.publish_offer(store=store, offer_id=made.pk, now=timezone.now() - timedelta(seconds=1))


@pytest.mark.django_db(transaction=True)
def test_of_three_hundred_checkouts_at_once_fifty_get_the_coupon(race: Till) -> None:
    """R-04: a limit of 50, one a customer, half of them trying twice; a winner's retry changes nothing."""
    made = live(race.store, total_limit=50, customer_limit=1)
    quotes = [race("SAVE", TEA=1, **logged_in(f"C{number % 150}")) for number in range(300)]

    def check_out(number: int) -> str:
        try:
            order(quotes[number], f"O{number}")
        except CouponLimitReached:
            return ""
        return f"O{number}"

    winners = [owner for owner in in_parallel(check_out, 300, workers=12) if owner]
    assert len(winners) == 50
    assert [check_out(int(owner[1:])) for owner in winners[:5]] == winners[:5]
    total, of_code, of_customers = counted(made)
    assert (total, of_code, len(of_customers)) == (50, 50, 50)
    assert set(of_customers.values()) == {1}
    assert sorted(OfferUse.objects.values_list("owner", flat=True)) == sorted(winners)


@pytest.mark.django_db(transaction=True)
def test_the_same_order_made_twice_at_once_is_one_use(race: Till) -> None:
    made = live(race.store, total_limit=9)
    quote = race("SAVE", TEA=1, **logged_in())
    in_parallel(lambda number: order(quote, "O1"), 8)
    assert counted(made) == (1, 1, {"C1": 1})


@pytest.mark.django_db(transaction=True)
def test_orders_with_the_same_offers_never_wait_for_each_other_in_a_circle(race: Till) -> None:
    offers = [live(race.store, combinable=True, total_limit=99, code_limit=99)]
    offers += [
        live(race.store, "promotion", combinable=True, priority=number, total_limit=limit)
        for number, limit in ((3, 99), (1, None), (2, 98))
    ]
    quotes = [race("SAVE", TEA=1, CUP=2, **logged_in(f"C{number % 3}")) for number in range(24)]

    def come_and_go(number: int) -> None:
        order(quotes[number], f"O{number}")
        if number % 2:
            claims.release(store_id="race", owner=f"O{number}")

    in_parallel(come_and_go, 24, workers=8)
    for made in offers:
        assert counted(made)[0] == 12
    assert OfferUse.objects.filter(state="held").count() == 12 * 4
    assert Code.objects.get().use_count == 12


@pytest.mark.django_db(transaction=True)
def test_a_limit_lowered_during_the_rush_is_kept(race: Till) -> None:
    made = live(race.store)
    quotes = [race("SAVE", TEA=1) for _number in range(40)]

    def check_out(number: int) -> bool:
        if number == 10:
            fresh = Offer.objects.get(pk=made.pk)
            used = selectors.redemption_counts(store=race.store, offer_ids=[made.pk])[made.pk]
            with suppress(Invalid):  # more than that were used meanwhile
                services.update_offer(
                    store=race.store, offer_id=made.pk, revision=fresh.revision, total_limit=used + 20
                )
        try:
            order(quotes[number], f"O{number}")
        except CouponLimitReached:
            return False
        return True

    won = sum(in_parallel(check_out, 40, workers=6))
    assert won == counted(made)[0]
    assert made.total_limit is not None
    assert 20 <= won <= made.total_limit


@pytest.mark.django_db(transaction=True)
def test_the_housekeeping_counts_each_use_once_while_orders_come_and_go(race: Till) -> None:
    made = live(race.store)
    quotes = [race("SAVE", TEA=1, **logged_in(f"C{number}")) for number in range(40)]

    def work(number: int) -> None:
        order(quotes[number], f"O{number}")
        if number % 4 == 0:
            services.add_up_uses(batch=10)
        if number % 3 == 0:
            claims.release(store_id="race", owner=f"O{number}")

    in_parallel(work, 40, workers=8)
    left = OfferUse.objects.exclude(state="released").count()
    assert left == 26
    assert counted(made)[:2] == (left, left)
    for use in OfferUse.objects.exclude(state="released"):
        claims.release(store_id="race", owner=use.owner)
    assert counted(made)[:2] == (0, 0)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_orders_with_an_unlimited_offer_do_not_wait_for_each_other(race: Till) -> None:
    live(race.store, combinable=True)
    live(race.store, "promotion", combinable=True)
    first, second = (race("SAVE", TEA=1, **logged_in(f"C{number}")) for number in range(2))
    with transaction.atomic():
        claims.hold(store_id="race", claims=[replace(claim, owner="O1") for claim in first.claims])
        in_parallel(lambda number: order(second, "O2"), 1)  # it would wait for good
        assert OfferUse.objects.filter(owner="O2").count() == 2


def test_a_limit_counts_what_was_used_before_there_was_one(store: Store, till: Till, offer: NewOffer) -> None:
    made = offer()
    quote = till("SAVE", TEA=1)
    for number in range(3):
        order(quote, f"O{number}")
    call = {"store": store, "offer_id": made.pk, "revision": made.revision}
    with pytest.raises(Invalid):
        services.update_offer(**call, total_limit=2)
    services.update_offer(**call, total_limit=3)
    with pytest.raises(CouponLimitReached):
        order(quote, "O4")
    assert counted(made)[:2] == (3, 3)


@pytest.mark.django_db(transaction=True)
def test_cancellations_and_payments_at_once_give_each_use_back_once(race: Till) -> None:
    """Whichever comes first, an order that is called off leaves its use to others; told twice, it gives one."""
    made = live(race.store, total_limit=20, customer_limit=4, code_limit=20)
    for number in range(20):
        order(race("SAVE", TEA=1, **logged_in(f"C{number % 5}")), f"O{number}")

    def end(number: int) -> None:
        owner = f"O{number % 20}"
        act = (claims.give_back, claims.confirm, claims.give_back, claims.release)[number // 20]
        act(store_id="race", owner=owner)

    in_parallel(end, 80, workers=8)
    assert counted(made) == (0, 0, {f"C{number}": 0 for number in range(5)})
    assert set(OfferUse.objects.values_list("state", flat=True)) <= {"released", "returned"}
    assert list(audit.mismatches()) == []
