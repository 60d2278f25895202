"""Where a store delivers, by which methods and at what price. What a process has read of these is believed for a few
seconds: every write of a row here raises the version of its store (`services.changed`)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from storefront.ids import ID_LENGTH, new_id
from storefront.models import StoreScoped

from .patterns import BadPattern, Pincodes


def _percent(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(**{f"{name}__gte": 0, f"{name}__lte": 100}) | Q(**{name: None}), name="%(app_label)s_%(class)s_tax"
    )


class DeliverySettings(StoreScoped):
    """How a store delivers, one row a store. Without one the defaults hold."""

    free_shipping_threshold = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("Shipping is free when the items cost this much, after discounts and with tax. Empty: never."),
    )
    shipping_tax_rate = models.DecimalField(
        _("tax on shipping"),
        max_digits=5,
        decimal_places=2,
        default=Decimal(18),
        help_text=_("Percent, for methods that do not say otherwise."),
    )
    auto_preference = models.BooleanField(
        _("choose delivery for the shopper"),
        default=False,
        help_text=_("Takes the cheapest way, then the fastest, as long as the shopper has not chosen one."),
    )
    split_shipments = models.BooleanField(
        default=True, help_text=_("Send a cart from several locations when no single one has all of it.")
    )
    maximum_collect_kilometres = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Shops farther away than this are not offered. Empty: all of them.")
    )
    version = models.CharField(max_length=ID_LENGTH, default=new_id, editable=False)  # another one after each change

    class Meta:
        verbose_name = verbose_name_plural = _("delivery settings")
        constraints = [
            models.UniqueConstraint(fields=["store"], name="%(app_label)s_settings_once"),
            models.CheckConstraint(
                condition=Q(free_shipping_threshold__gte=0) | Q(free_shipping_threshold=None),
                name="%(app_label)s_threshold_not_negative",
            ),
            _percent("shipping_tax_rate"),
        ]

    def __str__(self) -> str:
        return str(_("Delivery settings"))


class ShippingZone(StoreScoped):
    """Places that pay the same. A place belongs to the first zone that holds it, the lowest priority number first."""

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=80)
    active = models.BooleanField(default=True)
    priority = models.IntegerField(default=100, help_text=_("Where zones overlap, the smallest number wins."))
    country = models.CharField(max_length=2, default="IN", help_text=_("ISO code."))
    states = models.JSONField(default=list, blank=True, help_text=_("States that belong to it as a whole."))
    pincodes = models.TextField(
        _("PIN codes"),
        blank=True,
        help_text=_(
            "One a line or with commas: a number (560001), a beginning (5600*), a range (560001-560099). "
            "Without states and PIN codes the zone is the whole country."
        ),
    )

    class Meta:
        verbose_name = _("shipping zone")
        ordering = ["priority", "pk"]
        constraints = [models.UniqueConstraint(fields=["store", "name"], name="%(app_label)s_zone_name")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        self.country = self.country.upper()
        try:
            Pincodes.read(self.pincodes, country=self.country)
        except BadPattern as error:
            raise ValidationError(
                {"pincodes": _("%(text)s is no PIN code, beginning or range.") % {"text": error.text[:40]}}
            ) from error


class ShippingMethod(StoreScoped):
    """A way to send, as a shopper chooses it. What it costs is said zone by zone."""

    class Kind(models.TextChoices):
        FLAT = "flat", _("Flat")
        WEIGHT = "weight", _("By weight")
        VALUE = "value", _("By value")
        CARRIER = "carrier", _("By a carrier's couriers")

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=80)
    kind = models.CharField(_("price"), max_length=10, choices=Kind.choices, default=Kind.FLAT)
    carrier = models.CharField(max_length=40, blank=True, help_text=_("Who asks the couriers."))
    active = models.BooleanField(default=True)
    sort_order = models.IntegerField(default=0)
    tax_rate = models.DecimalField(
        max_digits=5, decimal_places=2, null=True, blank=True, help_text=_("Percent. Empty: as in the settings.")
    )
    sac_code = models.CharField(
        _("SAC"), max_length=8, default="996812", help_text=_("The service's accounting code, for invoices.")
    )
    can_be_free = models.BooleanField(
        default=True, help_text=_("Free shipping, by threshold, coupon or promotion, counts for it.")
    )
    cash_on_delivery = models.BooleanField(default=True, help_text=_("The courier takes cash at the door."))

    class Meta:
        verbose_name = _("shipping method")
        ordering = ["sort_order", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["store", "name"], name="%(app_label)s_method_name"),
            models.CheckConstraint(
                condition=(Q(kind="carrier") & ~Q(carrier="")) | (~Q(kind="carrier") & Q(carrier="")),
                name="%(app_label)s_method_names_its_carrier",
            ),
            _percent("tax_rate"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        if self.kind != self.Kind.CARRIER:
            self.carrier = ""
        elif not self.carrier:
            raise ValidationError({"carrier": _("Choose who asks the couriers.")})


class ZoneRate(StoreScoped):
    """What a method costs in a zone, before tax. A method without one is not offered there."""

    method = models.ForeignKey(ShippingMethod, on_delete=models.CASCADE, related_name="rates", db_index=False)
    zone = models.ForeignKey(ShippingZone, on_delete=models.CASCADE, related_name="rates")
    active = models.BooleanField(default=True)
    amount = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        default=Decimal(0),
        help_text=_("Before tax. Comes on top of the slab's amount, or of what the courier asks."),
    )
    further_step = models.DecimalField(
        _("each further"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("Beyond the last slab, each further so many grams (or so much value) …"),
    )
    further_amount = models.DecimalField(
        _("costs"), max_digits=12, decimal_places=2, null=True, blank=True, help_text=_("… costs this much more.")
    )
    free_from = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("Costs nothing when the goods are worth this much."),
    )
    days = models.PositiveSmallIntegerField(
        _("days, at least"), null=True, blank=True, help_text=_("Carriers say it themselves.")
    )
    days_to = models.PositiveSmallIntegerField(_("days, at most"), null=True, blank=True)
    minimum_weight = models.PositiveIntegerField(null=True, blank=True, help_text=_("Grams a parcel."))
    maximum_weight = models.PositiveIntegerField(null=True, blank=True, help_text=_("Grams a parcel."))
    minimum_value = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    maximum_value = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)

    class Meta:
        verbose_name = _("rate")
        ordering = ["method__sort_order", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["method", "zone"], name="%(app_label)s_rate_once_per_zone"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="%(app_label)s_rate_amount_not_negative"),
            models.CheckConstraint(
                condition=Q(further_step=None, further_amount=None)
                | Q(
                    further_step__isnull=False, further_amount__isnull=False, further_step__gt=0, further_amount__gte=0
                ),
                name="%(app_label)s_rate_further_both",
            ),
            models.CheckConstraint(
                condition=Q(days_to=None) | Q(days_to__gte=F("days")), name="%(app_label)s_rate_days_in_order"
            ),
            models.CheckConstraint(
                condition=Q(maximum_weight=None) | Q(minimum_weight=None) | Q(maximum_weight__gte=F("minimum_weight")),
                name="%(app_label)s_rate_weights_in_order",
            ),
            models.CheckConstraint(
                condition=Q(maximum_value=None) | Q(minimum_value=None) | Q(maximum_value__gte=F("minimum_value")),
                name="%(app_label)s_rate_values_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.method} · {self.zone}"

    def clean(self) -> None:
        super().clean()
        wrong: dict[str, Any] = {}
        for name in ("amount", "further_amount", "free_from", "minimum_value", "maximum_value"):
            value = getattr(self, name)
            if value is not None and value < 0:
                wrong[name] = _("Must not be negative.")
        if (self.further_step is None) != (self.further_amount is None):
            wrong["further_amount" if self.further_amount is None else "further_step"] = _("Enter both, or neither.")
        elif self.further_step is not None and self.further_step <= 0:
            wrong["further_step"] = _("Must be more than zero.")
        for least, most in (
            ("days", "days_to"),
            ("minimum_weight", "maximum_weight"),
            ("minimum_value", "maximum_value"),
        ):
            first, second = getattr(self, least), getattr(self, most)
            if first is not None and second is not None and first > second:
                wrong[most] = _("Must not be less than the other one.")
        if wrong:
            raise ValidationError(wrong)


class RateSlab(StoreScoped):
    """A step of a rate: parcels of at most `up_to` grams, or of that value, cost `amount`. The smallest that fits."""

    rate = models.ForeignKey(ZoneRate, on_delete=models.CASCADE, related_name="slabs", db_index=False)
    up_to = models.DecimalField(max_digits=12, decimal_places=2, help_text=_("Grams, or value; this much included."))
    amount = models.DecimalField(max_digits=12, decimal_places=2, help_text=_("Before tax."))

    class Meta:
        verbose_name = _("slab")
        ordering = ["up_to"]
        constraints = [
            models.UniqueConstraint(fields=["rate", "up_to"], name="%(app_label)s_slab_once"),
            models.CheckConstraint(condition=Q(up_to__gt=0, amount__gte=0), name="%(app_label)s_slab_not_negative"),
        ]

    def clean(self) -> None:
        super().clean()
        if self.up_to is not None and self.up_to <= 0:
            raise ValidationError({"up_to": _("Must be more than zero.")})
        if self.amount is not None and self.amount < 0:
            raise ValidationError({"amount": _("Must not be negative.")})

    def __str__(self) -> str:
        return f"≤ {self.up_to.normalize():f}: {self.amount}"


RULE_MODELS: tuple[Any, ...] = (DeliverySettings, ShippingZone, ShippingMethod, ZoneRate, RateSlab)
