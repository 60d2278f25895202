"""Carts hold intents: which skus, how many, which coupon. Prices are never stored; each read computes them anew.

A wishlist holds less: which skus.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.contracts import Sku
from storefront.ids import ID_LENGTH, new_id
from storefront.models import StoreScoped
from storefront.money import ZERO


class Cart(StoreScoped):
    """What one shopper, visitor or registered, means to buy. The shopper's current cart is the newest open one.

    Every write raises `version` in a conditional UPDATE, which is also the lock: who finds the version that they read
    has the row, and everything that they computed from it still holds.
    """

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    user_id = models.CharField(_("shopper"), max_length=64, editable=False)  # a visitor has no row to point to
    channel_id = models.CharField(max_length=ID_LENGTH, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    metadata = models.JSONField(default=dict, blank=True, help_text=_("Names and texts that the client gave it."))
    customer_note = models.TextField(blank=True)
    billing_address = models.JSONField(null=True, blank=True)
    shipping_address = models.JSONField(null=True, blank=True)
    coupon_code = models.CharField(_("coupon"), max_length=64, blank=True, help_text=_("In capital letters (D-32)."))
    points_asked = models.PositiveIntegerField(_("points"), default=0, help_text=_("Loyalty points to pay with."))
    credit_asked = models.DecimalField(
        _("store credit"), max_digits=15, decimal_places=3, default=ZERO, help_text=_("Store credit to pay with.")
    )
    gift_card_id = models.CharField(max_length=64, blank=True, editable=False)  # the wallet's own; the code is nowhere
    gift_card_last4 = models.CharField(_("gift card"), max_length=4, blank=True)
    fulfillment = models.JSONField(
        _("delivery"), null=True, blank=True, help_text=_("How the shopper wants to get the order.")
    )
    expires_at = models.DateTimeField(help_text=_("Moves on with every change (D-18)."))
    abandoned_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("When it was told that the shopper left it.")
    )
    closed_at = models.DateTimeField(null=True, blank=True, editable=False, help_text=_("When it became an order."))
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("cart")
        indexes = [
            models.Index(fields=["store", "user_id", "-id"], name="sf_cart_user"),
            models.Index(fields=["store", "-modified_at"], name="sf_cart_modified"),
            # The housekeeping works across stores; everything else about a cart leads with its store.
            models.Index(fields=["expires_at"], condition=Q(closed_at=None), name="sf_cart_expiry"),
            models.Index(fields=["modified_at"], condition=Q(closed_at=None, abandoned_at=None), name="sf_cart_idle"),
        ]

    def __str__(self) -> str:
        return self.pk


class CartLine(StoreScoped):
    """How many units of one sku the cart should hold. The oldest line comes first."""

    cart = models.ForeignKey(Cart, on_delete=models.CASCADE, related_name="lines", db_index=False)
    product_id = models.CharField(max_length=64)  # the shop's own id; no key into any catalogue
    variant_id = models.CharField(max_length=64, blank=True)  # "" when the product has none
    quantity = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("cart line")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["cart", "product_id", "variant_id"], name="%(app_label)s_line_once_per_sku"
            ),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="%(app_label)s_line_quantity_min"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product_id} {self.variant_id}".rstrip()

    @property
    def sku(self) -> Sku:
        return Sku(self.product_id, self.variant_id)


class WishlistItem(StoreScoped):
    """A sku that one shopper, visitor or registered, likes to remember. A product may be wished for without a variant.

    A visitor's list expires some days after its last change; who has an account keeps it.
    """

    user_id = models.CharField(_("shopper"), max_length=64, editable=False)
    product_id = models.CharField(max_length=64)
    variant_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, editable=False)  # None: never

    class Meta:
        verbose_name = _("wishlist item")
        constraints = [
            models.UniqueConstraint(
                fields=["store", "user_id", "product_id", "variant_id"], name="%(app_label)s_wished_once"
            )
        ]
        indexes = [
            models.Index(fields=["store", "product_id"], name="sf_wish_product"),
            # The sweep works across stores; everything else about an item leads with its store.
            models.Index(fields=["expires_at"], condition=Q(expires_at__isnull=False), name="sf_wish_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.variant_id}".rstrip()

    @property
    def sku(self) -> Sku:
        return Sku(self.product_id, self.variant_id)
