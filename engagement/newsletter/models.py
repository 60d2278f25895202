"""Who wants the newsletter, and every word that they and others said about it."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.ids import ID_LENGTH, new_id
from storefront.models import StoreScoped
from storefront.outbox import OutboxRow
from storefront.scope import StoreManager


class NewsletterSubscription(StoreScoped):
    """One address of one store. Its state follows its history; a suppressed address stays so until staff lift it."""

    class State(models.TextChoices):
        PENDING = "pending", _("Waits for a click")  # double opt-in
        SUBSCRIBED = "subscribed", _("Subscribed")
        UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")
        SUPPRESSED = "suppressed", _("Not reachable")  # it bounced

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    email = models.EmailField(_("e-mail"), max_length=254)
    state = models.CharField(max_length=12, choices=State.choices, default=State.SUBSCRIBED)
    refuses_promotions = models.BooleanField(
        default=False, help_text=_("Unsubscribed from every message that is not about an order or an account.")
    )
    user_id = models.CharField(max_length=64, blank=True, help_text=_("The shopper who subscribed it, if signed in."))
    language = models.CharField(max_length=10, blank=True)
    state_since = models.DateTimeField(_("since"), default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("newsletter subscription")
        permissions = [("export_newslettersubscription", "Can export newsletter subscriptions")]
        ordering = ["-created_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["store", "email"], name="%(app_label)s_newsletter_email")]
        indexes = [
            models.Index(fields=["store", "state", "-state_since"], name="sf_engagement_news_state"),
            models.Index(fields=["store", "-created_at", "-id"], name="sf_engagement_news_created"),
            models.Index(fields=["store", "user_id"], condition=~models.Q(user_id=""), name="sf_engagement_news_user"),
        ]

    def __str__(self) -> str:
        return f"{self.get_state_display()} {self.pk}"


class ConsentQuerySet(models.QuerySet["NewsletterConsent"]):
    def update(self, **fields: Any) -> int:
        raise TypeError("consents are written once")


class NewsletterConsent(StoreScoped):
    """One thing that was said about an address: by whom, how, where from, and to which words. Written once.

    It goes with its subscription when a person is erased.
    """

    class Kind(models.TextChoices):
        ASKED = "asked", _("Asked to subscribe")
        SUBSCRIBED = "subscribed", _("Subscribed")
        UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")
        SUPPRESSED = "suppressed", _("Found unreachable")
        RESTORED = "restored", _("Made reachable again")

    class Source(models.TextChoices):
        STOREFRONT = "storefront", _("Form in the shop")
        LINK = "link", _("Link in a message")
        ONE_CLICK = "one_click", _("Button of the mail program")
        PREFERENCES = "preferences", _("Preferences of the account")
        BOUNCE = "bounce", _("The mail server's answer")
        STAFF = "staff", _("Staff")

    subscription = models.ForeignKey(
        NewsletterSubscription, on_delete=models.CASCADE, related_name="consents", db_index=False
    )
    kind = models.CharField(max_length=12, choices=Kind.choices)
    source = models.CharField(max_length=12, choices=Source.choices)
    network = models.CharField(max_length=50, blank=True, help_text=_("The caller's network, not the whole address."))
    text_version = models.CharField(max_length=12, blank=True)
    detail = models.CharField(max_length=150, blank=True)  # a member of staff, or the server's reason
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = StoreManager.from_queryset(ConsentQuerySet)()  # type: ignore[misc]

    class Meta:
        verbose_name = _("consent")
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["subscription", "created_at"], name="sf_engagement_consent_of"),
            models.Index(fields=["store", "created_at"], name="sf_engagement_consent_day"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.get_source_display()})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("consents are written once")
        super().save(*args, **kwargs)


class NewsletterRequest(OutboxRow, StoreScoped):
    """A form that was sent in, until it is worked off a moment later, and no longer.

    Whoever sends one in waits for this row alone, so the time of the answer tells nothing of what was there before.
    """

    id = models.BigAutoField(primary_key=True)
    email = models.EmailField(max_length=254)
    user_id = models.CharField(max_length=64, blank=True)
    network = models.CharField(max_length=50, blank=True)
    proven = models.BooleanField(default=False)
    base = models.CharField(max_length=300, blank=True)  # scheme and host, for the link in a message

    class Meta:
        verbose_name = _("waiting subscription")
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=models.Q(state="pending"), name="sf_engagement_news_due"
            ),
            models.Index(fields=["store", "email"], name="sf_engagement_news_waits"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class NewsletterText(StoreScoped):
    """The words that people consented to. Each wording that was ever in use is kept, under a version made of it."""

    version = models.CharField(max_length=12)
    text = models.TextField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("words of consent")
        ordering = ["-created_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["store", "version"], name="%(app_label)s_text_version")]

    def __str__(self) -> str:
        return self.version
