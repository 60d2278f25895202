"""Outgoing messages: the queue itself, what was tried, whom the store sends through, and its own wording."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Case, CharField, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront import crypto
from storefront.ids import ID_LENGTH, new_id
from storefront.models import StoreScoped
from storefront.outbox import OutboxQuerySet, OutboxRow
from storefront.scope import StoreManager

QUEUE = "messages"  # by which the outbox wakes whoever delivers


class ChannelName(models.TextChoices):
    WHATSAPP = "whatsapp", _("WhatsApp")
    SMS = "sms", _("SMS")
    EMAIL = "email", _("E-mail")


class Category(models.TextChoices):
    TRANSACTIONAL = "transactional", _("Transactional")
    PROMOTIONAL = "promotional", _("Promotional")
    NEWSLETTER = "newsletter", _("Newsletter")


class Status(models.TextChoices):
    """What became of a message, in one word. `manage.py messages` prints these."""

    QUEUED = "queued", _("Queued")  # waits for its first or its next attempt, or is being sent now
    SENT = "sent", _("Sent")  # a provider accepted it
    DELIVERED = "delivered", _("Delivered")  # the provider reported its arrival
    FAILED = "failed", _("Failed")  # given up; `reason` says why


class MessageQuerySet(OutboxQuerySet):
    def with_status(self) -> MessageQuerySet:
        """Adds `status_value`, the same as `Message.status`, to filter and sort by."""
        found: MessageQuerySet = self.annotate(
            status_value=Case(
                When(state=OutboxRow.State.DEAD, then=Value(Status.FAILED.value)),
                When(state=OutboxRow.State.PENDING, then=Value(Status.QUEUED.value)),
                When(delivered_at__isnull=False, then=Value(Status.DELIVERED.value)),
                default=Value(Status.SENT.value),
                output_field=CharField(),
            )
        )
        return found


class Message(OutboxRow, StoreScoped):
    """One message to one person. The text is made at delivery, so neither it nor a one-time code is ever stored.

    `attempts` counts claims, so it also counts attempts that a dying worker cut off; those leave no `MessageAttempt`.
    A message walks along a route of steps (a channel and an account); `current_channel` and `account` say where it is.
    """

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    to = models.CharField(_("to"), max_length=254, help_text=_("E.164 or an e-mail address; masked when it is old."))
    alternatives = models.JSONField(
        default=dict, blank=True, help_text=_("Other contacts of the same person: email, phone.")
    )
    channel = models.CharField(_("channel"), max_length=16, choices=ChannelName, help_text=_("As asked."))
    current_channel = models.CharField(_("current channel"), max_length=16, choices=ChannelName)
    template = models.CharField(_("template"), max_length=40)
    language = models.CharField(max_length=10)
    values = models.JSONField(default=dict, blank=True, help_text=_("What the template shows; nothing secret."))
    secret_ref = models.CharField(max_length=80, blank=True, help_text=_("Names what only delivery may know."))
    category = models.CharField(max_length=16, choices=Category, default=Category.TRANSACTIONAL)
    dedupe_key = models.CharField(max_length=80, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    account = models.ForeignKey(
        "ProviderAccount", null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    provider = models.CharField(_("provider"), max_length=40, blank=True)
    provider_message_id = models.CharField(max_length=160, blank=True)
    answers = models.PositiveSmallIntegerField(default=0, help_text=_("Attempts that ended with a result."))
    step_failures = models.PositiveSmallIntegerField(default=0, help_text=_("Failures on the current step."))
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    masked = models.BooleanField(default=False, help_text=_("Personal data has been removed."))

    objects: ClassVar[Any] = StoreManager.from_queryset(MessageQuerySet)()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["store", "dedupe_key"], condition=~Q(dedupe_key=""), name="%(app_label)s_message_once"
            ),
        ]
        indexes = [
            # The queue is read across stores; everything else about a message leads with its store.
            models.Index(fields=["next_attempt_at", "id"], condition=Q(state="pending"), name="sf_msg_due"),
            models.Index(fields=["store", "-created_at"], name="sf_msg_created"),
            models.Index(fields=["store", "to"], name="sf_msg_to"),
            models.Index(fields=["created_at"], condition=Q(masked=False) & ~Q(state="pending"), name="sf_msg_to_mask"),
        ]

    def __str__(self) -> str:
        return f"{self.template} {self.pk}"

    @property
    def status(self) -> Status:
        if self.state == self.State.DEAD:
            return Status.FAILED
        if self.state == self.State.PENDING:
            return Status.QUEUED
        return Status.DELIVERED if self.delivered_at else Status.SENT

    def expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def address_for(self, channel: str) -> str:
        """Where a channel reaches the recipient, or "".

        A one-time code proves the contact that was asked for, so a message with a secret never goes to another one.
        """
        is_email = channel == ChannelName.EMAIL
        if is_email == (self.channel == ChannelName.EMAIL):
            return self.to
        if self.secret_ref:
            return ""
        return str(self.alternatives.get("email" if is_email else "phone") or "")


class MessageAttempt(StoreScoped):
    """What one attempt came to. Written once, when the attempt ends, and never changed.

    `number` is the claim's; a gap in the numbers is an attempt that a dying worker cut off.
    """

    class Outcome(models.TextChoices):
        SENT = "sent", _("Accepted")
        RETRY = "retry", _("Failed for now")
        FAILED = "failed", _("Failed for good")
        REPORTED = "reported", _("Reported")  # by the recipient, through the provider

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="tries")
    account = models.ForeignKey(
        "ProviderAccount", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    number = models.PositiveSmallIntegerField()
    channel = models.CharField(max_length=16, choices=ChannelName)
    driver = models.CharField(max_length=40, blank=True)
    outcome = models.CharField(max_length=8, choices=Outcome)
    reason = models.CharField(max_length=120, blank=True)
    provider_message_id = models.CharField(max_length=160, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["started_at", "pk"]
        indexes = [
            models.Index(
                fields=["store", "account", "provider_message_id"],
                condition=~Q(provider_message_id=""),
                name="sf_msg_attempt_provider",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.driver} {self.outcome}"


class UnmatchedReport(StoreScoped):
    """A provider's report that came before the worker had written down the provider's id. Kept for a day."""

    account = models.ForeignKey("ProviderAccount", on_delete=models.CASCADE, related_name="+", db_index=False)
    provider_message_id = models.CharField(max_length=160)
    status = models.CharField(max_length=16)
    reason = models.CharField(max_length=120, blank=True)
    permanent = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        indexes = [models.Index(fields=["store", "account", "provider_message_id"], name="sf_msg_report")]


class UnreachableAddress(StoreScoped):
    """An address that gets nothing but what is essential: its mail server refused it for good, or its owner complained.

    Kept as a keyed hash, so the mark outlives what else is known of its owner. Staff lift it.
    """

    channel = models.CharField(_("channel"), max_length=16, choices=ChannelName)
    address_hash = models.CharField(max_length=64, editable=False)
    shown = models.CharField(_("address"), max_length=120, help_text=_("Masked; search for it in full."))
    reason = models.CharField(_("reason"), max_length=120, blank=True)
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("unreachable address")
        verbose_name_plural = _("unreachable addresses")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["store", "channel", "address_hash"], name="%(app_label)s_unreachable_once"),
        ]
        indexes = [models.Index(fields=["store", "-created_at"], name="sf_msg_unreachable")]

    def __str__(self) -> str:
        return self.shown


class ProviderAccount(StoreScoped):
    """Whom a store sends through on one channel. Several of one channel are tried in the order of `priority`."""

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    name = models.CharField(_("name"), max_length=60)
    channel = models.CharField(_("channel"), max_length=16, choices=ChannelName)
    driver = models.CharField(_("driver"), max_length=40)
    sender = models.CharField(
        _("sender"),
        max_length=120,
        blank=True,
        help_text=_("Number, sender id or From address, as the provider has it."),
    )
    credentials = crypto.EncryptedJSONField(
        default=dict, blank=True, help_text=_("Encrypted; cannot be read back here.")
    )
    options = models.JSONField(_("options"), default=dict, blank=True)
    active = models.BooleanField(_("active"), default=True)
    priority = models.PositiveSmallIntegerField(_("priority"), default=10, help_text=_("The lowest is tried first."))
    daily_budget = models.PositiveIntegerField(
        _("daily budget"), null=True, blank=True, help_text=_("Messages in 24 hours; empty for no limit.")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("provider account")
        verbose_name_plural = _("provider accounts")
        ordering = ["channel", "priority", "name"]
        constraints = [
            models.UniqueConstraint(fields=["store", "channel", "name"], name="%(app_label)s_account_name"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.driver})"


class MessageTemplate(StoreScoped):
    """A store's own wording of one built-in template, for one channel and language."""

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    code = models.CharField(_("template"), max_length=40)
    channel = models.CharField(_("channel"), max_length=16, choices=ChannelName)
    language = models.CharField(_("language"), max_length=10, default="en")
    subject = models.CharField(_("subject"), max_length=200, blank=True, help_text=_("E-mail only."))
    text = models.TextField(_("text"), max_length=4000, help_text=_("Placeholders in braces, such as {code}."))
    html = models.TextField(_("HTML"), max_length=60_000, blank=True, help_text=_("E-mail only; values are escaped."))
    provider_template = models.CharField(
        _("provider's template"),
        max_length=120,
        blank=True,
        help_text=_("Name or id under which the provider approved it (DLT template id, WhatsApp template name)."),
    )
    provider_options = models.JSONField(
        _("provider's options"), default=dict, blank=True, help_text=_("Such as entity_id, language, button.")
    )
    variables = models.JSONField(
        _("order of variables"), default=list, blank=True, help_text=_('As the provider counts them: ["code"].')
    )
    active = models.BooleanField(_("active"), default=True)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("message template")
        verbose_name_plural = _("message templates")
        ordering = ["code", "channel", "language"]
        constraints = [
            models.UniqueConstraint(
                fields=["store", "code", "channel", "language"], name="%(app_label)s_template_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.channel} {self.language}"

    def clean(self) -> None:
        from .rendering import check_template

        check_template(self)
