"""Every change of how many of a variant there are at a location, kept for good."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.models import StockLocation, StoreScoped
from storefront.scope import StoreManager


class Reason(models.TextChoices):
    OPENING = "opening", _("Opening count")
    RECEIVED = "received", _("Received")
    COUNTED = "counted", _("Counted")
    DAMAGED = "damaged", _("Damaged or lost")
    RETURNED = "returned", _("Came back")
    IMPORTED = "imported", _("Imported")
    CORRECTED = "corrected", _("Corrected")
    SOLD = "sold", _("Sold")
    MOVED = "moved", _("Moved to another place")


BY_HAND = tuple(reason for reason in Reason if reason not in (Reason.SOLD, Reason.MOVED))


class MovementQuerySet(models.QuerySet["StockMovement"]):
    def update(self, **fields: Any) -> int:
        raise TypeError("movements are written once")


class StockMovement(StoreScoped):
    """One change of a variant's `on_hand` at a location, which is the sum of its movements. Rows are only ever added."""

    variant = models.ForeignKey(
        "storefront_catalog.Variant", on_delete=models.CASCADE, related_name="movements", db_index=False
    )
    location = models.ForeignKey(
        StockLocation, on_delete=models.RESTRICT, related_name="+", db_index=False, verbose_name=_("location")
    )
    delta = models.IntegerField(_("change"))
    on_hand = models.IntegerField(_("on hand after it"))  # at that location
    reason = models.CharField(max_length=10, choices=Reason.choices)
    note = models.CharField(max_length=200, blank=True)
    made_by = models.CharField(_("by"), max_length=150, blank=True)  # a name: it outlives the member of staff
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = StoreManager.from_queryset(MovementQuerySet)()  # type: ignore[misc]

    class Meta:
        verbose_name = _("stock movement")
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["variant", "-created_at"], name="sf_catalog_movement_variant")]
        constraints = [
            models.CheckConstraint(condition=~models.Q(delta=0), name="%(app_label)s_movement_moves"),
            models.CheckConstraint(condition=models.Q(on_hand__gte=0), name="%(app_label)s_movement_on_hand"),
        ]

    def __str__(self) -> str:
        return f"{self.delta:+d}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("movements are written once")
        super().save(*args, **kwargs)
