"""Registered shoppers, their sessions, the codes sent to them, and what happened to their accounts."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from storefront.ids import ID_LENGTH, new_id
from storefront.models import StoreScoped

TOPICS = ("transactional", "promotional", "newsletter")
MEDIA = ("email", "sms", "whatsapp")


class User(StoreScoped):
    """A registered shopper; never staff, and not AUTH_USER_MODEL. A visitor has no row.

    A contact belongs to whoever verified it: unverified ones reserve nothing, and open nothing but an unclaimed account.
    """

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+", db_index=False)
    is_primary = models.BooleanField(default=True, help_text=_("Deleting the primary user deletes the customer."))
    host_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("The member of the surrounding shop, where there is one."),
    )
    first_name = models.CharField(_("first name"), max_length=80, blank=True)
    last_name = models.CharField(_("last name"), max_length=80, blank=True)
    email = models.CharField(_("e-mail"), max_length=254, blank=True)
    is_email_verified = models.BooleanField(default=False)
    phone = models.CharField(_("phone"), max_length=20, blank=True, help_text=_("E.164"))
    is_phone_verified = models.BooleanField(default=False)
    password = models.CharField(max_length=200, blank=True, editable=False)
    login_methods = models.JSONField(default=list, blank=True)
    notification_preferences = models.JSONField(
        default=dict, blank=True, help_text=_("What differs from the default: transactional on, the rest off.")
    )
    profile_image = models.CharField(max_length=200, blank=True, editable=False)
    metadata = models.JSONField(default=dict, blank=True)
    last_login_at = models.DateTimeField(null=True, blank=True, editable=False)
    deactivated_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        permissions = [("export_user", "Can export all data of a user")]
        constraints = [
            models.UniqueConstraint(
                fields=["store", "email"],
                condition=Q(is_email_verified=True),
                name="%(app_label)s_user_email_once",
            ),
            models.UniqueConstraint(
                fields=["store", "phone"],
                condition=Q(is_phone_verified=True),
                name="%(app_label)s_user_phone_once",
            ),
            models.CheckConstraint(
                condition=Q(is_email_verified=False) | ~Q(email=""), name="%(app_label)s_user_email_there"
            ),
            models.CheckConstraint(
                condition=Q(is_phone_verified=False) | ~Q(phone=""), name="%(app_label)s_user_phone_there"
            ),
        ]
        indexes = [
            models.Index(fields=["store", "customer"], name="sf_user_customer"),
            models.Index(fields=["store", "-created_at"], name="sf_user_created"),
            models.Index(fields=["store", "email"], name="sf_user_email"),
            models.Index(fields=["store", "phone"], name="sf_user_phone"),
        ]

    def __str__(self) -> str:
        return self.full_name or self.pk

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def live(self) -> bool:
        """Neither deactivated nor deleted: may log in."""
        return self.deactivated_at is None and self.deleted_at is None

    @property
    def unclaimed(self) -> bool:
        """Made by an import and of nobody yet: the first code that one of its contacts proves opens it (ADR 16)."""
        return self.deleted_at is None and not self.is_email_verified and not self.is_phone_verified

    @property
    def preferences(self) -> dict[str, dict[str, bool]]:
        """The whole matrix, defaults filled in (D-15)."""
        stored: dict[str, Any] = self.notification_preferences
        return {
            topic: {medium: bool(stored.get(topic, {}).get(medium, topic == "transactional")) for medium in MEDIA}
            for topic in TOPICS
        }


class Session(StoreScoped):
    """One login of one registered shopper on one device. Its tokens are worth something while it lives."""

    class End(models.TextChoices):
        LOGOUT = "logout", _("Logged out")
        PASSWORD = "password", _("Password changed")
        CONTACT = "contact", _("Contact changed")
        REUSE = "reuse", _("Used token presented again")
        DEACTIVATED = "deactivated", _("Account deactivated")
        DELETED = "deleted", _("Account deleted")
        STAFF = "staff", _("Ended by staff")

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions", db_index=False)
    anonymous_id = models.CharField(max_length=ID_LENGTH, blank=True, editable=False)
    channel = models.JSONField(default=dict, editable=False, help_text=_("As in the tokens: id, name, type."))
    method = models.CharField(_("how"), max_length=20, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)
    end_reason = models.CharField(max_length=16, blank=True, choices=End.choices, editable=False)

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, end_reason="") | (Q(ended_at__isnull=False) & ~Q(end_reason="")),
                name="%(app_label)s_session_end_has_reason",
            )
        ]
        indexes = [
            models.Index(fields=["store", "user", "-created_at"], name="sf_session_user"),
            models.Index(fields=["store", "-created_at"], name="sf_session_created"),
            models.Index(fields=["expires_at"], name="sf_session_purge"),  # housekeeping reads across stores
        ]

    def __str__(self) -> str:
        return self.pk

    @property
    def customer_id(self) -> str:
        return self.user.customer_id


class RefreshToken(StoreScoped):
    """One refresh token of a session, known by the keyed hash of its `jti`; the token itself is never stored.

    It is used once. The next token's `jti` follows from this row, so that parallel callers get the very same one, and
    a token has at most one successor.
    """

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="refresh_tokens", db_index=False)
    parent = models.OneToOneField(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="successor", editable=False
    )
    jti_hash = models.CharField(max_length=64, editable=False)
    issued_at = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField(editable=False)
    used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("refresh token")
        verbose_name_plural = _("refresh tokens")
        constraints = [
            models.UniqueConstraint(fields=["store", "jti_hash"], name="%(app_label)s_refresh_jti"),
            models.UniqueConstraint(
                fields=["store", "session"],
                condition=Q(used_at__isnull=True),
                name="%(app_label)s_refresh_one_live",
            ),
        ]
        indexes = [
            models.Index(fields=["session", "issued_at"], name="sf_refresh_session"),
            models.Index(fields=["expires_at"], name="sf_refresh_purge"),  # housekeeping reads across stores
        ]

    def __str__(self) -> str:
        return str(self.pk)


class ConsentRecord(StoreScoped):
    """That somebody turned messages of a topic on or off, by which way. Rows are only added, and go with the person."""

    class Source(models.TextChoices):
        API = "api", _("In the shop")
        ADMIN = "admin", _("By staff")
        LINK = "link", _("Newsletter form or link")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    topic = models.CharField(max_length=16, editable=False)
    medium = models.CharField(max_length=10, editable=False)
    granted = models.BooleanField(editable=False)
    source = models.CharField(max_length=8, choices=Source.choices, editable=False)
    network = models.CharField(max_length=45, blank=True, editable=False, help_text=_("The caller's, shortened."))
    at = models.DateTimeField(_("when"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        indexes = [models.Index(fields=["store", "user", "-at"], name="sf_consent_user")]

    def __str__(self) -> str:
        return f"{self.topic} {self.medium} {'+' if self.granted else '-'}"


class OtpChallenge(StoreScoped):
    """A one-time code that was sent, without the code: it is computed from the server's key and this row.

    Personal data (`contact`, `pending`) is emptied when the challenge ends. A decoy belongs to a contact without an
    account: it looks and ages like any other and cannot be passed.
    """

    class Action(models.TextChoices):
        LOGIN = "login", _("Log in")
        REGISTER = "register", _("Register")
        RESET_PASSWORD = "reset-password", _("Reset password")
        VERIFY_PHONE = "verify-phone", _("Verify phone")
        VERIFY_EMAIL = "verify-email", _("Verify e-mail")
        UPDATE_PHONE = "update-phone", _("Change phone")
        UPDATE_EMAIL = "update-email", _("Change e-mail")

    class Channel(models.TextChoices):
        SMS = "sms", _("SMS")
        WHATSAPP = "whatsapp", _("WhatsApp")
        EMAIL = "email", _("E-mail")

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    token_hash = models.CharField(max_length=64, editable=False)
    key_id = models.CharField(max_length=8, editable=False, help_text=_("Which server key the code comes from."))
    contact = models.CharField(max_length=254, blank=True, editable=False)
    contact_hash = models.CharField(max_length=64, editable=False)
    channel = models.CharField(max_length=10, choices=Channel.choices, editable=False)
    action = models.CharField(max_length=16, choices=Action.choices, editable=False)
    topic = models.CharField(max_length=16, editable=False, help_text=_("A new code voids older ones of its topic."))
    digits = models.PositiveSmallIntegerField(editable=False)
    user_id = models.CharField(max_length=ID_LENGTH, blank=True, editable=False)
    decoy = models.BooleanField(default=False, editable=False)
    pending = models.JSONField(default=dict, editable=False, help_text=_("What registering will write."))
    tries = models.PositiveSmallIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField(editable=False)
    consumed_at = models.DateTimeField(null=True, blank=True, editable=False)
    voided_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("one-time code")
        verbose_name_plural = _("one-time codes")
        constraints = [
            models.UniqueConstraint(fields=["store", "token_hash"], name="%(app_label)s_otp_token"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="%(app_label)s_otp_lives"),
        ]
        indexes = [
            models.Index(fields=["store", "contact_hash", "topic", "-created_at"], name="sf_otp_contact"),
            models.Index(fields=["store", "-created_at"], name="sf_otp_created"),
            # Housekeeping reads across stores.
            models.Index(fields=["expires_at"], name="sf_otp_purge"),
            models.Index(fields=["expires_at"], condition=Q(consumed_at=None, voided_at=None), name="sf_otp_open"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.pk}"

    @property
    def ended(self) -> bool:
        return self.consumed_at is not None or self.voided_at is not None

    @property
    def contact_kind(self) -> str:
        """email or phone"""
        return "email" if self.channel == self.Channel.EMAIL else "phone"


class SecurityEvent(StoreScoped):
    """What happened to an account. Append-only; holds ids and stable words, nothing personal."""

    class Kind(models.TextChoices):
        REGISTERED = "registered", _("Registered")
        LOGIN = "login", _("Logged in")
        LOGOUT = "logout", _("Logged out")
        TOKEN_REUSED = "token_reused", _("Used refresh token presented again")
        PASSWORD_CHANGED = "password_changed", _("Password changed")
        PASSWORD_RESET = "password_reset", _("Password reset")
        CONTACT_VERIFIED = "contact_verified", _("Contact verified")
        CONTACT_CHANGED = "contact_changed", _("Contact changed")
        SESSIONS_ENDED = "sessions_ended", _("Sessions ended by staff")
        DEACTIVATED = "deactivated", _("Account deactivated")
        REACTIVATED = "reactivated", _("Account reactivated")
        ERASED = "erased", _("Account deleted")

    kind = models.CharField(_("what"), max_length=20, choices=Kind.choices, editable=False)
    user_id = models.CharField(max_length=ID_LENGTH, blank=True, editable=False)
    session_id = models.CharField(max_length=ID_LENGTH, blank=True, editable=False)
    details = models.JSONField(default=dict, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("security event")
        verbose_name_plural = _("security events")
        indexes = [
            models.Index(fields=["store", "user_id", "-created_at"], name="sf_security_user"),
            models.Index(fields=["store", "-created_at"], name="sf_security_created"),
            models.Index(fields=["created_at"], name="sf_security_purge"),  # housekeeping reads across stores
        ]

    def __str__(self) -> str:
        return self.get_kind_display()
