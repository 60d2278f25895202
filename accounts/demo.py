"""The demo shopper: a registered one, so that login by password and by code can be tried at once."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q

from customers import services as customers
from storefront.ids import new_id
from storefront.models import Store

from . import passwords
from .models import User

METHODS = ["email", "phone", "whatsapp", "password"]


def build(*, store: Store, email: str, phone: str, password: str) -> User:
    """The shopper with these contacts, both verified, and this password. Safe to repeat; keeps id, cart and orders."""
    encoded = passwords.hashed(password)
    with transaction.atomic():
        held = Q(email=email, is_email_verified=True) | Q(phone=phone, is_phone_verified=True)
        user = User.objects.select_for_update().filter(held, store=store).order_by("created_at").first()
        if user is None:
            user_id = new_id()
            customer = customers.create_customer(store=store, customer_id=user_id)
            user = User(pk=user_id, store=store, customer=customer, first_name="Asha", last_name="Rao")
        User.objects.filter(held, store=store).exclude(pk=user.pk).update(
            is_email_verified=False, is_phone_verified=False
        )
        user.email, user.is_email_verified = email, True
        user.phone, user.is_phone_verified = phone, True
        user.password, user.login_methods = encoded, METHODS
        user.deactivated_at = None
        user.save()
    return user
