"""Offers from draft to end, and their codes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from promotions import demo, services
from promotions.errors import CodeTaken, OfferChanged, OfferInUse, OfferNotFound
from promotions.models import Code, Coupon, Offer, OfferUse, Promotion, Rulebook, State
from storefront import events
from storefront import services as kernel
from storefront.errors import DomainError, Invalid
from storefront.models import Store
from tests.promotions.conftest import TENTH, NewOffer
from tests.threads import in_parallel

pytestmark = pytest.mark.django_db


def version(store: Store) -> str | None:
    return Rulebook.objects.filter(store=store).values_list("version", flat=True).first()


def refused(call: Any) -> dict[str, list[Any]]:
    with pytest.raises(DomainError) as refusal:
        call()
    return dict(refusal.value.errors)


def test_an_offer_begins_as_a_draft_that_no_process_hears_of(store: Store, offer: NewOffer) -> None:
    made = offer(live=False)
    assert made.state == State.DRAFT
    assert made.published_at is None
    assert version(store) is None


def test_publishing_and_stopping_change_the_version_once_each(store: Store, offer: NewOffer) -> None:
    heard: list[str] = []
    for name in ("offer.published", "offer.stopped"):
        events.on(name, lambda name=name, **_more: heard.append(name))
    made = offer()
    first = version(store)
    services.publish_offer(store=store, offer_id=made.pk, now=timezone.now())
    assert version(store) == first
    services.stop_offer(store=store, offer_id=made.pk)
    second = version(store)
    assert second != first
    services.stop_offer(store=store, offer_id=made.pk)
    assert version(store) == second
    assert heard == ["offer.published", "offer.stopped"]


def test_a_change_of_what_was_read_before_another_change_is_refused(store: Store, offer: NewOffer) -> None:
    made = offer()
    services.update_offer(store=store, offer_id=made.pk, revision=made.revision, name="First")
    with pytest.raises(OfferChanged):
        services.update_offer(store=store, offer_id=made.pk, revision=made.revision, name="Second")
    assert Offer.objects.get(pk=made.pk).name == "First"


def test_a_live_offer_applies_as_changed_at_once(store: Store, offer: NewOffer) -> None:
    made = offer()
    before = version(store)
    details = TENTH | {"discount_percent": 20}
    changed = services.update_offer(store=store, offer_id=made.pk, revision=made.revision, details=details)
    assert changed.details["discount_percent"] == 20
    assert version(store) != before


def test_another_stores_offer_is_not_found_and_not_touched(other_store: Store, offer: NewOffer) -> None:
    made = offer()
    for call in (
        lambda: services.stop_offer(store=other_store, offer_id=made.pk),
        lambda: services.update_offer(store=other_store, offer_id=made.pk, revision=made.revision, name="Taken"),
        lambda: services.duplicate_offer(store=other_store, offer_id=made.pk),
        lambda: services.delete_offer(store=other_store, offer_id=made.pk),
        lambda: services.add_codes(store=other_store, offer_id=made.pk, codes=["X"]),
        lambda: services.generate_codes(store=other_store, offer_id=made.pk, count=1, name="x"),
    ):
        with pytest.raises(OfferNotFound):
            call()
    made.refresh_from_db()
    assert (made.state, made.name, Code.objects.count()) == (State.LIVE, "An offer", 1)


def test_every_field_at_fault_is_named(store: Store) -> None:
    now = timezone.now()
    found = refused(
        lambda: services.create_offer(
            store=store,
            kind="promotion",
            type="accelerated-rewards",
            name="",
            tags="sale",
            starts_at=now,
            expires_at=now,
            eligibility="segment",
            code_limit=2,
            details={},
            applies_to="product",
            minimum_order_total=Decimal(-1),
        )
    )
    assert set(found) >= {
        "name", "type", "tags", "expires_at", "audience", "code_limit", "minimum_order_total"
    }  # fmt: skip
    assert not Offer.objects.exists()


def test_a_coupon_without_a_code_is_not_published(store: Store, offer: NewOffer) -> None:
    made = offer(live=False, codes=[])
    assert "codes" in refused(lambda: services.publish_offer(store=store, offer_id=made.pk, now=timezone.now()))
    made.refresh_from_db()
    assert made.state == State.DRAFT


def test_a_limit_is_not_set_below_what_is_used(store: Store, offer: NewOffer) -> None:
    made = offer()
    Offer.objects.filter(pk=made.pk).update(redemption_count=3)
    call = {"store": store, "offer_id": made.pk, "revision": made.revision}
    assert "total_limit" in refused(lambda: services.update_offer(**call, total_limit=2))
    assert services.update_offer(**call, total_limit=3).total_limit == 3
    with pytest.raises(IntegrityError), transaction.atomic():
        Offer.objects.filter(pk=made.pk).update(redemption_count=4)


def test_the_sweep_ends_what_has_ended(store: Store, other_store: Store, offer: NewOffer) -> None:
    now = timezone.now()
    ended = offer(expires_at=now + timedelta(hours=1))
    stays = offer(codes=["STAYS"], expires_at=now + timedelta(hours=3))
    foreign = offer(store=other_store, expires_at=now + timedelta(hours=1))
    before = version(store)
    services.expire_offers(now=now + timedelta(hours=2), batch=100)
    services.expire_offers(now=now + timedelta(hours=2), batch=100)
    states = dict(Offer.objects.values_list("pk", "state"))
    assert states == {ended.pk: "expired", stays.pk: "live", foreign.pk: "expired"}
    assert version(store) != before
    assert "expires_at" in refused(
        lambda: services.publish_offer(store=store, offer_id=ended.pk, now=now + timedelta(hours=2))
    )


def test_a_prolonged_offer_waits_to_be_published_again(store: Store, offer: NewOffer) -> None:
    now = timezone.now()
    made = offer(expires_at=now + timedelta(hours=1))
    services.expire_offers(now=now + timedelta(hours=2), batch=10)
    made.refresh_from_db()
    later = services.update_offer(
        store=store, offer_id=made.pk, revision=made.revision, expires_at=now + timedelta(days=9)
    )
    assert later.state == State.STOPPED
    assert services.publish_offer(store=store, offer_id=made.pk, now=now).state == State.LIVE


def test_a_copy_has_the_rule_and_nothing_of_its_past(store: Store, offer: NewOffer) -> None:
    made = offer(eligibility="customer", audience=["A", "B"], total_limit=9, tags=["sale"])
    Offer.objects.filter(pk=made.pk).update(redemption_count=4)
    copy = services.duplicate_offer(store=store, offer_id=made.pk)
    assert (copy.state, copy.redemption_count, copy.codes.count(), copy.total_limit) == ("draft", 0, 0, 9)
    assert copy.details == made.details
    assert sorted(copy.audience.values_list("target_id", flat=True)) == ["A", "B"]


def test_what_was_used_is_not_deleted(store: Store, offer: NewOffer) -> None:
    used, unused = offer(), offer(codes=["OTHER"])
    OfferUse.objects.create(store=store, offer=used, owner="O1", saving=1, revenue=1)
    services.delete_offer(store=store, offer_id=unused.pk)
    with pytest.raises(OfferInUse):
        services.delete_offer(store=store, offer_id=used.pk)
    assert list(Offer.objects.values_list("pk", flat=True)) == [used.pk]


def test_each_half_of_the_table_sees_its_own(offer: NewOffer) -> None:
    coupon, promotion = offer(), offer("promotion")
    assert [found.pk for found in Coupon.objects.all()] == [coupon.pk]
    assert [found.pk for found in Promotion.objects.all()] == [promotion.pk]


# --- codes ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["save", " Save ", "SAVE", "ｓａｖｅ"])
def test_a_code_is_taken_however_it_is_written(store: Store, other_store: Store, offer: NewOffer, text: str) -> None:
    offer()
    second = offer(live=False, codes=[])
    with pytest.raises(CodeTaken):
        services.add_codes(store=store, offer_id=second.pk, codes=["NEW", text])
    assert not second.codes.exists()
    offer(store=other_store)  # the same code in another store


@pytest.mark.parametrize("text", ["", " ", "two words", "a,b", 'quo"te', "x" * 65, "nul\x00", "ﷺ" * 20])
def test_what_cannot_be_typed_is_no_code(store: Store, offer: NewOffer, text: str) -> None:
    made = offer(live=False, codes=[])
    with pytest.raises(Invalid):
        services.add_codes(store=store, offer_id=made.pk, codes=[text])
    assert not made.codes.exists()


def test_a_code_is_kept_as_it_was_typed(offer: NewOffer) -> None:
    assert offer(codes=["Diwali-26"]).codes.get().text == "Diwali-26"


def test_promotions_have_no_codes(store: Store, offer: NewOffer) -> None:
    made = offer("promotion")
    for call in (
        lambda: services.add_codes(store=store, offer_id=made.pk, codes=["X"]),
        lambda: services.generate_codes(store=store, offer_id=made.pk, count=1, name="x"),
    ):
        assert "codes" in refused(call)


def test_thousands_of_codes_are_made_in_few_statements(
    store: Store, offer: NewOffer, django_assert_max_num_queries: Any
) -> None:
    made = offer()
    with django_assert_max_num_queries(12):
        batch = services.generate_codes(store=store, offer_id=made.pk, count=6_000, name="Mailing", prefix="DIW-")
    texts = list(Code.objects.filter(batch=batch).values_list("text", flat=True))
    assert len(texts) == len(set(texts)) == 6_000
    assert all(text.startswith("DIW-") and len(text) == 12 for text in texts)


def test_codes_that_meet_existing_ones_are_drawn_again(
    store: Store, offer: NewOffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = offer(codes=["AAAAAA"])
    drawn = iter(["AAAAAA", "BBBBBB", "BBBBBB", "CCCCCC"])
    monkeypatch.setattr(services, "_random_code", lambda prefix, length: next(drawn))
    batch = services.generate_codes(store=store, offer_id=made.pk, count=2, name="x", length=6)
    assert set(Code.objects.filter(batch=batch).values_list("text", flat=True)) == {"BBBBBB", "CCCCCC"}


def test_only_unused_codes_are_deleted(store: Store, offer: NewOffer) -> None:
    made = offer(codes=["ONE", "TWO"])
    one, two = made.codes.all()
    OfferUse.objects.create(store=store, offer=made, code=one, owner="O1", saving=1, revenue=1)
    assert services.delete_codes(store=store, offer_id=made.pk, code_ids=[one.pk, two.pk]) == 1
    assert [code.pk for code in made.codes.all()] == [one.pk]


@pytest.mark.django_db(transaction=True)
def test_two_who_take_the_same_code_at_once_do_not_both_get_it() -> None:
    store = kernel.create_store(store_id="race", name="Race")
    offers = [
        services.create_offer(store=store, kind="coupon", type="discount", name=f"O{n}", details=TENTH)
        for n in range(4)
    ]

    def take(number: int) -> bool:
        try:
            services.add_codes(store=store, offer_id=offers[number].pk, codes=["SAME", f"OWN{number}"])
        except CodeTaken:
            return False
        return True

    assert sum(in_parallel(take, 4)) == 1
    assert Code.objects.filter(store=store).count() == 2


def test_the_demo_has_a_live_coupon_of_every_type(store: Store) -> None:
    from catalog import demo as catalog

    catalog.build(store=store, pictures=False)
    demo.build(store=store, user_id="u", customer_id="c")
    before = Offer.objects.count(), Code.objects.count()
    demo.build(store=store, user_id="u", customer_id="c")
    assert (Offer.objects.count(), Code.objects.count()) == before
    coupons = Coupon.objects.all()
    assert {coupon.type for coupon in coupons} == {
        "discount", "free-goods", "fixed-price", "free-shipping", "buy-x-get-y", "volume-based", "accelerated-rewards"
    }  # fmt: skip
    assert all(coupon.state == "live" and coupon.public and coupon.combinable for coupon in coupons)
    codes = set(Code.objects.values_list("text", flat=True))
    assert codes >= {"DISCOUNT10", "FLAT100", "FREEGOODS", "FIXED99", "FREESHIP", "BXGY", "VOLUME", "REWARDS", "LIMIT5"}


def test_an_erased_shopper_is_no_longer_named_and_the_ledger_stays(store: Store, offer: NewOffer) -> None:
    OfferUse.objects.create(
        store=store, offer=offer(), owner="O1", user_id="U1", customer_id="C1", saving=Decimal(7), revenue=Decimal(70)
    )
    events.send("shopper.erased", store=store, user_id="U1", customer_id="C1")
    use = OfferUse.objects.get()
    assert (use.user_id, use.customer_id, use.saving, use.owner) == ("", "C1", 7, "O1")
