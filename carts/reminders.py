"""Carts that their shoppers left: told once as an event, and by a message where the store wants that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet, Sum

from storefront import events
from storefront.models import Store

from .models import Cart, CartLine

TEMPLATE = "cart_reminder"
PERIOD = timedelta(days=2)  # a cart is not told later than this: a store that begins to ask does not wake all old ones
MOST = 200  # carts in one go, so that no lock is held for long


def tell_abandoned(*, now: datetime, batch: int, **_: Any) -> None:
    """Sends `cart.abandoned` for current carts with lines that nobody has changed for the store's number of hours.

    Once in a cart's life, by whichever process comes first. Up to MOST carts for each number of hours that stores have,
    all stores together. Each number costs a query, and four more where there is something to tell. Safe to repeat.
    """
    stores = Store.objects.filter(active=True, cart_abandoned_hours__gt=0)
    for hours in sorted(set(stores.values_list("cart_abandoned_hours", flat=True).distinct())):
        _tell(stores.filter(cart_abandoned_hours=hours), now - timedelta(hours=hours), now, min(batch, MOST))


def _tell(stores: QuerySet[Store], since: datetime, now: datetime, limit: int) -> None:
    with transaction.atomic():
        newer = Cart.objects.filter(
            store=OuterRef("store"), user_id=OuterRef("user_id"), closed_at=None, pk__gt=OuterRef("pk")
        )
        left = (
            Cart.objects.filter(
                Exists(CartLine.objects.filter(cart=OuterRef("pk"))),
                ~Exists(newer),
                store__in=stores,
                closed_at=None,
                abandoned_at=None,
                expires_at__gt=now,
                modified_at__lte=since,
                modified_at__gt=since - PERIOD,
            )
            .order_by("modified_at")
            .select_related("store")[:limit]
        )
        if connection.features.has_select_for_update_skip_locked:
            left = left.select_for_update(skip_locked=True, of=("self",))
        carts = list(left)
        if not carts:
            return
        Cart.objects.filter(pk__in=[cart.pk for cart in carts]).update(abandoned_at=now)
        for cart in carts:
            events.send("cart.abandoned", store=cart.store, cart_id=cart.pk, user_id=cart.user_id)
        _remind([cart for cart in carts if cart.store.cart_reminders])


def _remind(carts: Sequence[Cart]) -> None:
    """A message to each owner who has an account, a contact that is theirs, and wants such messages there (D-15)."""
    if not carts or not (apps.is_installed("accounts") and apps.is_installed("messaging")):
        return
    from accounts.models import User
    from messaging import services as messages

    owners = {(user.store_id, user.pk): user for user in User.objects.filter(pk__in={cart.user_id for cart in carts})}
    units: dict[str, int] = dict(
        CartLine.objects.filter(cart__in=carts).values_list("cart").annotate(units=Sum("quantity")).order_by()
    )
    for cart in carts:
        user = owners.get((cart.store_id, cart.user_id))
        if user is None or not user.live:
            continue
        wanted = user.preferences["promotional"]
        contacts = {
            "email": user.email if user.is_email_verified else "",
            "sms": user.phone if user.is_phone_verified else "",
            "whatsapp": user.phone if user.is_phone_verified else "",
        }
        channel = next((name for name in cart.store.message_fallback if wanted.get(name) and contacts.get(name)), None)
        if channel is None:
            continue
        messages.queue(
            store=cart.store,
            to=contacts[channel],
            channel=channel,
            template=TEMPLATE,
            values={"name": user.first_name, "count": str(units.get(cart.pk, 0))},
            category="promotional",
            dedupe_key=f"cart-reminder:{cart.pk}",
        )


def register_template() -> None:
    """What the message says, unless the store has its own words; from the app's `ready`."""
    from messaging.wording import Wording, register

    register(
        TEMPLATE,
        samples={"name": "Asha", "count": "2"},
        wording={
            "en": Wording(
                subject="Your cart at {store} is waiting",
                text="Hello {name}, what you chose at {store} is still in your cart. Number of items: {count}.",
            ),
            "hi": Wording(
                subject="{store} में आपका कार्ट आपकी प्रतीक्षा कर रहा है",
                text="नमस्ते {name}, {store} में आपने जो चुना था वह अब भी आपके कार्ट में है। वस्तुओं की संख्या: {count}।",
            ),
        },
        variables=("name", "count"),
    )
