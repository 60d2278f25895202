"""Where the units of a variant lie, and which of them orders have been promised.

`Stock` is the sum of a variant's `LocationStock`, kept beside it because every page of products joins it. Whoever
changes either locks the variant's `Stock` first, several in the order of their variants; `stock` and `claims` do.
"""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.models import StockLocation, StoreScoped


class LocationStock(StoreScoped):
    """How many units of a variant lie at one location. There is no row where there never were any."""

    variant = models.ForeignKey(
        "storefront_catalog.Variant", on_delete=models.CASCADE, related_name="places", db_index=False
    )
    location = models.ForeignKey(
        StockLocation, on_delete=models.RESTRICT, related_name="+", db_index=False, verbose_name=_("location")
    )
    on_hand = models.IntegerField(_("on hand"), default=0, validators=[MinValueValidator(0)])
    reserved = models.IntegerField(_("reserved"), default=0, editable=False)
    backorder = models.BooleanField(default=False, editable=False)  # as its Stock says; the constraint needs it here
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("stock at a location")
        verbose_name_plural = _("stock by location")
        constraints = [
            models.UniqueConstraint(fields=["variant", "location"], name="%(app_label)s_place_once"),
            models.CheckConstraint(condition=Q(on_hand__gte=0), name="%(app_label)s_place_on_hand"),
            models.CheckConstraint(
                condition=Q(reserved__gte=0) & (Q(reserved__lte=F("on_hand")) | Q(backorder=True)),
                name="%(app_label)s_place_reserved",
            ),
        ]
        indexes = [models.Index(fields=["location", "variant"], name="sf_catalog_place_location")]

    def __str__(self) -> str:
        return str(self.on_hand)


class StockReservation(StoreScoped):
    """Units of a variant at one location that an order was promised, by the claim that asked for them.

    `sold` of them have left the stock. A confirmed order on backorder waits for the others, which are sold to it when
    units come in. What was released is no longer here; what a paid order gave back is no longer in `quantity` and
    `sold`, but counted in `returned`.
    """

    owner = models.CharField(_("order"), max_length=64)
    key = models.CharField(max_length=200)  # of the claim
    variant = models.ForeignKey(
        "storefront_catalog.Variant", on_delete=models.CASCADE, related_name="reservations", db_index=False
    )
    location = models.ForeignKey(
        StockLocation, on_delete=models.RESTRICT, related_name="+", db_index=False, verbose_name=_("location")
    )
    quantity = models.PositiveIntegerField()
    sold = models.PositiveIntegerField(default=0)
    returned = models.PositiveIntegerField(_("given back"), default=0)
    each = models.PositiveIntegerField(default=1, editable=False)  # units that one of the claim takes: of a bundle
    confirmed_at = models.DateTimeField(_("paid at"), null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("reservation")
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["store", "owner", "key", "variant", "location"], name="%(app_label)s_reservation_once"
            ),
            models.CheckConstraint(
                condition=Q(sold__lte=F("quantity")) & (Q(quantity__gte=1) | Q(returned__gte=1)),
                name="%(app_label)s_reservation_amounts",
            ),
            models.CheckConstraint(
                condition=Q(sold=0) | Q(confirmed_at__isnull=False), name="%(app_label)s_reservation_sold"
            ),
        ]
        indexes = [
            models.Index(
                fields=["variant", "location"], condition=Q(sold__lt=F("quantity")), name="sf_catalog_reservation_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.quantity - self.sold} x {self.owner}"
