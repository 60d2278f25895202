"""Points, credit and a gift card for the demo store and its shopper."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction

from storefront.models import Store

from . import selectors
from .models import Programme, Tier
from .services import credit, gift_cards, loyalty

CODE, PIN = "GIFT-DEMO-1000", "1234"
TIERS = ((Decimal(5_000), "Gold", Decimal(2), 100), (Decimal(20_000), "Platinum", Decimal(3), 500))


def build(*, store: Store, user_id: str, customer_id: str) -> None:
    """A programme of three tiers in which a point is worth one unit of currency, 1,000 points and 500 of credit for the
    shopper, and a gift card of 1,000. Safe to repeat: what is there stays as it is."""
    with transaction.atomic():
        programme, made = Programme.objects.get_or_create(
            store=store, defaults={"base_tier": "Silver", "signup_points": 50, "post_days": 7, "expiry_days": 365}
        )
        if made:
            Tier.objects.bulk_create(
                Tier(
                    store=store,
                    programme=programme,
                    name=name,
                    threshold=threshold,
                    points_per_unit=points,
                    bonus_points=bonus,
                )
                for threshold, name, points, bonus in TIERS
            )
        selectors.forget()
        if programme.active:
            loyalty.give_bonus(
                store=store, customer_id=customer_id, points=1000, owner="demo", remarks="For trying it out"
            )
        credit.grant(
            store=store, customer_id=customer_id, amount=Decimal(500), owner="demo", remarks="For trying it out"
        )
        if gift_cards.by_code(store_id=store.pk, code=CODE) is None:
            gift_cards.issue(store=store, amount=Decimal(1000), code=CODE, pin=PIN, note="Demo", made_by="demo")
