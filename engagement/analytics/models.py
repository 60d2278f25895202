"""What shoppers do, counted by day, and whom it is told to."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.crypto import EncryptedJSONField
from storefront.ids import ID_LENGTH, new_id
from storefront.models import StoreScoped
from storefront.outbox import OutboxQuerySet, OutboxRow
from storefront.scope import StoreManager


class AnalyticsEvent(StoreScoped):
    """One thing that somebody did. Written once, in batches; deleted when it is ANALYTICS_DAYS old (D-56)."""

    class Origin(models.TextChoices):
        CLIENT = "client", _("Client")
        SERVER = "server", _("Server")

    message_id = models.CharField(max_length=100)
    name = models.CharField(_("event"), max_length=100)
    user_id = models.CharField(max_length=64, blank=True)
    anonymous = models.BooleanField(default=True, help_text=_("Nobody was logged in."))
    origin = models.CharField(max_length=8, choices=Origin.choices, default=Origin.CLIENT)
    properties = models.JSONField(default=dict)
    context = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("event")
        ordering = ["-occurred_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["store", "message_id"], name="%(app_label)s_event_once")]
        indexes = [
            models.Index(fields=["store", "-occurred_at"], name="sf_engagement_event_at"),
            models.Index(fields=["store", "name", "-occurred_at"], name="sf_engagement_event_name"),
            models.Index(
                fields=["store", "user_id", "-occurred_at"],
                condition=~Q(user_id=""),
                name="sf_engagement_event_user",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class FunnelVisitor(StoreScoped):
    """How far one visitor came on one day, as bits of `funnel.STEPS`. Kept for a few days, to count nobody twice."""

    date = models.DateField()
    user_id = models.CharField(max_length=64)
    steps = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "date", "user_id"], name="%(app_label)s_visitor_once_a_day")
        ]


class FunnelDay(StoreScoped):
    """How many visitors came how far on one day of the store's own calendar. Kept for good: one small row a day."""

    date = models.DateField()
    visitors = models.PositiveIntegerField(default=0)
    viewed = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    checkout = models.PositiveIntegerField(default=0)
    ordered = models.PositiveIntegerField(default=0)
    events = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "date"], name="%(app_label)s_funnel_day")]


class AnalyticsErasure(StoreScoped):
    """Somebody whose events must not be written any more: some may still be on their way when they are forgotten."""

    user_id = models.CharField(max_length=64)
    erased_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "user_id"], name="%(app_label)s_erasure_once")]


class AnalyticsProvider(StoreScoped):
    """An analytics service whose script the client runs itself. Holds what every visitor may read, nothing secret."""

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    kind = models.CharField(_("service"), max_length=30)
    credentials = models.JSONField(default=dict, help_text=_("Published to every visitor."))
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("analytics service")
        ordering = ["kind"]
        constraints = [models.UniqueConstraint(fields=["store", "kind"], name="%(app_label)s_provider_kind")]

    def __str__(self) -> str:
        return self.kind


class AnalyticsSink(StoreScoped):
    """Where the server forwards events to."""

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=60)
    kind = models.CharField(_("kind"), max_length=30, default="webhook")
    url = models.URLField(_("address"), max_length=500)
    secrets = EncryptedJSONField(default=dict, editable=False)  # signing_secret, write_key
    event_names = models.JSONField(default=list, blank=True)  # empty: all
    active = models.BooleanField(default=True)
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    paused_reason = models.CharField(max_length=120, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("forwarding")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["store", "name"], name="%(app_label)s_sink_name")]

    def __str__(self) -> str:
        return self.name


class AnalyticsBatch(OutboxRow, StoreScoped):
    """Some events on their way to one sink. Written with the events themselves."""

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    sink = models.ForeignKey(AnalyticsSink, on_delete=models.CASCADE, related_name="+", db_index=False)
    events = models.JSONField()
    size = models.PositiveSmallIntegerField(_("events"))

    objects: ClassVar[Any] = StoreManager.from_queryset(OutboxQuerySet)()

    class Meta:
        verbose_name = _("forwarded batch")
        verbose_name_plural = _("forwarded batches")
        ordering = ["-created_at", "-pk"]
        indexes = [
            # The queue is read across stores; everything else about a batch leads with its store.
            models.Index(
                fields=["next_attempt_at", "id"], condition=Q(state="pending"), name="sf_engagement_batch_due"
            ),
            models.Index(fields=["store", "-created_at"], name="sf_engagement_batch_created"),
            models.Index(fields=["sink", "state"], name="sf_engagement_batch_sink"),
            models.Index(fields=["created_at"], condition=~Q(state="pending"), name="sf_engagement_batch_old"),
        ]

    def __str__(self) -> str:
        return self.pk
