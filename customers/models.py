"""Who buys: a person or a business with one or several users."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.ids import ID_LENGTH
from storefront.models import CustomerGroup, StoreScoped


class Customer(StoreScoped):
    """The party behind orders, addresses and balances. Its id is that of its primary user.

    `business` is None for a private person, else `{"type", "name", "metadata"}`.
    """

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, editable=False)
    group = models.ForeignKey(
        CustomerGroup,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text=_("Decides prices; empty means the store's default group."),
    )
    business = models.JSONField(null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        indexes = [
            models.Index(fields=["store", "group"], name="sf_customer_group"),
            models.Index(fields=["store", "-created_at"], name="sf_customer_created"),
        ]

    def __str__(self) -> str:
        return str((self.business or {}).get("name") or self.pk)
