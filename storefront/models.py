"""Stores and what belongs to a deployment rather than to one trade: channels, keys, groups, counters, records."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import nh3
from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.ids import ID_LENGTH, new_id
from storefront.money import Currency
from storefront.scope import StoreManager, StoresManager

STORE_ID = r"(?!storefront)[a-z0-9][a-z0-9-]{1,30}[a-z0-9]"


def default_countries() -> list[str]:
    return ["IN"]


def default_fallback() -> list[str]:
    return ["whatsapp", "sms", "email"]


class Store(models.Model):
    """One shop. Its id is the slug in every API address (D-67)."""

    id = models.CharField(
        max_length=32,
        primary_key=True,
        validators=[RegexValidator(rf"^{STORE_ID}$", _("3 to 32 lower-case letters, digits and dashes."))],
        help_text=_("Part of every API address; cannot be changed later."),
    )
    name = models.CharField(max_length=120)
    active = models.BooleanField(default=True)
    brand = models.JSONField(default=dict, blank=True, help_text=_("Client-safe: logo_url, colour, support contacts."))
    currency_code = models.CharField(max_length=3, default="INR")
    currency_name = models.CharField(max_length=40, default="Indian Rupee")
    currency_symbol = models.CharField(max_length=8, default="₹")
    currency_exponent = models.PositiveSmallIntegerField(default=2)
    countries = models.JSONField(default=default_countries, help_text=_("ISO codes; the first is the default (D-66)."))
    language = models.CharField(max_length=10, default="en")
    time_zone = models.CharField(max_length=40, default="Asia/Kolkata")

    debug_mode = models.BooleanField(
        default=False, help_text=_("For development: codes may be returned to x-debug-mode (D-7).")
    )
    reveal_unregistered_contacts = models.BooleanField(
        default=False, help_text=_("Answer 404 to a login of an unknown contact, so that strangers can probe (D-6).")
    )
    guest_orders = models.BooleanField(default=True, help_text=_("Visitors may order without an account (D-10)."))
    shopper_may_choose_group = models.BooleanField(
        default=False, help_text=_("A shopper may set their own customer group, and so their prices (D-11).")
    )
    cart_login_strategy = models.CharField(
        max_length=16,
        choices=[
            ("merge", _("Merge both carts")),
            ("guest_wins", _("Keep the visitor's cart")),
            ("account_wins", _("Keep the account's cart")),
        ],
        default="merge",
        help_text=_("When a visitor with a cart logs in to an account that has one (D-21)."),
    )
    cart_days = models.PositiveSmallIntegerField(default=30, help_text=_("Days after the last write (D-18)."))
    kyc_enabled = models.BooleanField(default=False, help_text=_("Customers are asked for documents."))
    kyc_required = models.BooleanField(
        default=False, help_text=_("Only customers whose mandatory documents are approved may order (D-43).")
    )
    customer_groups_enabled = models.BooleanField(
        default=False, help_text=_("Clients show customer groups. Prices by group hold in any case.")
    )
    cart_abandoned_hours = models.PositiveSmallIntegerField(
        default=24, help_text=_("Hours after its last change until a cart counts as abandoned; 0: never.")
    )
    cart_reminders = models.BooleanField(
        default=False, help_text=_("Remind shoppers who want promotional messages of a cart that they left.")
    )
    message_fallback = models.JSONField(
        default=default_fallback, help_text=_("Channels in the order in which a message tries them.")
    )
    analytics_enabled = models.BooleanField(
        default=True, help_text=_("Events are kept and forwarded; without it they are thanked for and thrown away.")
    )
    newsletter_double_opt_in = models.BooleanField(
        default=False, help_text=_("An address is subscribed once its owner clicks on a link (D-57).")
    )
    newsletter_text = models.TextField(
        max_length=2000,
        blank=True,
        help_text=_("The words beside the form; each wording that was consented to is kept."),
    )
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(auto_now=True)

    objects = StoresManager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> tzinfo:
        """Its time zone; UTC for a name that nobody knows."""
        try:
            return ZoneInfo(self.time_zone)
        except (ValueError, ZoneInfoNotFoundError):
            return UTC

    @property
    def currency(self) -> Currency:
        return Currency(
            code=self.currency_code,
            name=self.currency_name,
            symbol=self.currency_symbol,
            exponent=self.currency_exponent,
        )


class StoreScoped(models.Model):
    """A row of one store. Every index of such a model leads with the store, and every query names it."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="+", db_index=False)

    objects = StoreManager()

    class Meta:
        abstract = True


class Channel(StoreScoped):
    """A place of sale; embedded in every access token. A new store gets a default Web channel."""

    class Type(models.TextChoices):
        WEB = "web", _("Web")
        APP = "app", _("App")
        POS = "pos", _("Point of sale")
        MARKETPLACE = "marketplace", _("Marketplace")

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=60)
    type = models.CharField(max_length=16, choices=Type.choices, default=Type.WEB)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "name"], name="%(app_label)s_channel_name")]

    def __str__(self) -> str:
        return self.name


class StockLocation(StoreScoped):
    """Where goods lie: a warehouse that sends them, a shop where they are collected, or both. Kept in the kernel, for
    stock, delivery and points of sale all name it. Every store has exactly one default location."""

    class Type(models.TextChoices):
        WAREHOUSE = "warehouse", _("Warehouse")
        STORE = "store", _("Shop")

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=120)
    type = models.CharField(max_length=12, choices=Type.choices, default=Type.WAREHOUSE)
    active = models.BooleanField(default=True)
    is_default = models.BooleanField(default=False, editable=False)
    can_deliver = models.BooleanField(default=True, help_text=_("Sends goods to shoppers."))
    can_collect = models.BooleanField(default=False, help_text=_("Shoppers can collect goods here."))
    sort_order = models.IntegerField(default=0, help_text=_("Which one sends first where several could."))
    address_line1 = models.CharField(max_length=200, blank=True)
    address_line2 = models.CharField(max_length=200, blank=True)
    landmark = models.CharField(max_length=120, blank=True)
    city = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=80, blank=True)
    pincode = models.CharField(max_length=12, blank=True)
    country = models.CharField(max_length=2, default="IN", help_text=_("ISO code."))
    latitude = models.DecimalField(max_digits=9, decimal_places=6, null=True, blank=True)
    longitude = models.DecimalField(max_digits=9, decimal_places=6, null=True, blank=True)
    phone = models.CharField(max_length=20, blank=True, help_text=_("E.164"))
    collect_minutes = models.PositiveIntegerField(
        default=120, help_text=_("How long goods take until they can be collected.")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("stock location")
        ordering = ["sort_order", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["store", "name"], name="%(app_label)s_location_name"),
            models.UniqueConstraint(
                fields=["store"], condition=Q(is_default=True), name="%(app_label)s_location_one_default"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class CustomerGroup(StoreScoped):
    """Who gets which prices. Kept in the kernel, for prices, promotions and accounts all name it."""

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=60)
    slug = models.SlugField(max_length=60)
    description = models.CharField(max_length=200, blank=True)
    is_default = models.BooleanField(default=False)
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "slug"], name="%(app_label)s_group_slug"),
            models.UniqueConstraint(
                fields=["store"], condition=Q(is_default=True), name="%(app_label)s_group_one_default"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class StoreTemplate(StoreScoped):
    """A text of the store that clients show as it is. HTML keeps what an article needs and nothing that runs."""

    class Kind(models.TextChoices):
        TERMS = "terms_of_service", _("Terms of service")
        REFUNDS = "refund_policy", _("Refund policy")

    class Format(models.TextChoices):
        HTML = "html", _("HTML")
        MARKDOWN = "markdown", _("Markdown")
        PLAINTEXT = "plaintext", _("Plain text")

    kind = models.CharField(max_length=20, choices=Kind.choices)
    title = models.CharField(max_length=200, blank=True)
    content_type = models.CharField(_("format"), max_length=10, choices=Format.choices, default=Format.MARKDOWN)
    content = models.TextField(max_length=100_000, blank=True)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("text")
        constraints = [models.UniqueConstraint(fields=["store", "kind"], name="%(app_label)s_template_kind")]

    def __str__(self) -> str:
        return self.get_kind_display()

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.content_type == self.Format.HTML:
            self.content = nh3.clean(self.content)
        super().save(*args, **kwargs)


class CountryState(models.Model):
    """A state or province of a country that is not built in (see `storefront.places`).

    Reference data: the same for every store, so it belongs to none. Its id is the ISO 3166-2 code and so outlives
    every new import.
    """

    id = models.CharField(max_length=9, primary_key=True, editable=False)
    country = models.CharField(max_length=2, help_text=_("ISO code."))
    code = models.CharField(
        max_length=6,
        validators=[RegexValidator(r"^[A-Z0-9]{1,6}$", _("Capital letters and digits."))],
        help_text=_("ISO 3166-2 without the country."),
    )
    name = models.CharField(max_length=80)
    other_name = models.CharField(max_length=80, blank=True)
    gst_code = models.CharField(_("tax code"), max_length=4, blank=True)

    class Meta:
        verbose_name = _("state")
        ordering = ["country", "name", "pk"]
        constraints = [models.UniqueConstraint(fields=["country", "code"], name="%(app_label)s_state_code")]
        indexes = [models.Index(fields=["country", "name"], name="%(app_label)s_state_name")]

    def __str__(self) -> str:
        return f"{self.name} ({self.country})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.pk = self.pk or f"{self.country}-{self.code}"
        super().save(*args, **kwargs)


class Pincode(models.Model):
    """A postal code with a place that it delivers to; a code may have several.

    Reference data: the same for every store, so it belongs to none. Filled by `manage.py import_pincodes`.
    """

    country = models.CharField(max_length=2, help_text=_("ISO code."))
    pincode = models.CharField(_("postal code"), max_length=12)
    city = models.CharField(max_length=80)
    state_name = models.CharField(_("state"), max_length=80)

    class Meta:
        verbose_name = _("postal code")
        ordering = ["country", "pincode", "city"]
        constraints = [
            # The pattern operators serve "begins with" on PostgreSQL, whatever its collation; SQLite has no need.
            models.UniqueConstraint(
                fields=["country", "pincode", "city"],
                name="%(app_label)s_pincode_place",
                opclasses=["varchar_pattern_ops", "varchar_pattern_ops", "varchar_pattern_ops"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.pincode} {self.city}"


class ApiKey(StoreScoped):
    """A publishable key of one store and channel. Shown once; stored as a keyed hash with its prefix in clear."""

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=60)
    prefix = models.CharField(max_length=16, editable=False)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("API key")
        indexes = [models.Index(fields=["store", "channel"], name="%(app_label)s_key_store")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def live(self) -> bool:
        now = timezone.now()
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


class RateCounter(models.Model):
    """A brake's count where there is no Redis, or where the count must commit with what it counts."""

    key = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField()
    resets_at = models.DateTimeField(db_index=True)


class IdempotencyRecord(StoreScoped):
    """The first answer to an Idempotency-Key, replayed to repeats (D-63)."""

    key_hash = models.CharField(max_length=64)  # scope: store, caller, route, key
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)  # null while the first call runs
    body = models.BinaryField(default=bytes)
    effect_id = models.CharField(max_length=ID_LENGTH, blank=True)  # of what the call makes, where it asks others
    claimed_until = models.DateTimeField(null=True)  # then a call that asks others counts as dead
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "key_hash"], name="%(app_label)s_idempotency_once")]


class WorkerBeat(models.Model):
    """When each kind of worker last said that it lives; `doctor` and the readiness page read it."""

    name = models.CharField(max_length=40, primary_key=True)
    seen_at = models.DateTimeField()


class StaffStores(models.Model):
    """Which stores a member of staff sees in the back office (ADR 17). Who has no row sees all, as superusers do."""

    staff = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+")
    all_stores = models.BooleanField(
        _("all stores"), default=True, help_text=_("Those of later, too. Superusers always see all.")
    )
    stores = models.ManyToManyField(
        Store,
        blank=True,
        related_name="+",
        verbose_name=_("stores"),
        help_text=_("Which ones they see instead; none: no store at all."),
    )

    class Meta:
        verbose_name = _("stores of a member of staff")
        verbose_name_plural = verbose_name

    def __str__(self) -> str:
        return str(self.pk)


class StaffAccess(StoreScoped):
    """Who of the staff read or changed personal data, and when. Rows are only added, and go when they are old.

    Names fields, never values, so it stays as it is when a person is erased. `customer_id` is that of the customer whom
    the row is about, where there is one.
    """

    class Action(models.TextChoices):
        VIEW = "view", _("Read")
        EXPORT = "export", _("Exported")
        CHANGE = "change", _("Changed")
        ERASE = "erase", _("Erased")
        END_SESSION = "end_session", _("Ended sessions")

    id = models.BigAutoField(primary_key=True)
    staff_id = models.CharField(max_length=64, editable=False)
    staff_name = models.CharField(_("who"), max_length=150, editable=False)
    action = models.CharField(_("what"), max_length=12, choices=Action.choices, editable=False)
    kind = models.CharField(_("of what"), max_length=80, editable=False, help_text=_("The kind of row."))
    object_id = models.CharField(_("id"), max_length=64, editable=False)
    customer_id = models.CharField(_("customer"), max_length=64, blank=True, editable=False)
    fields = models.JSONField(default=list, editable=False, help_text=_("Names of what was changed, no values."))
    at = models.DateTimeField(_("when"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("access by staff")
        verbose_name_plural = _("access by staff")
        indexes = [
            models.Index(fields=["store", "-at"], name="sf_staff_access_at"),
            models.Index(fields=["store", "customer_id", "-at"], name="sf_staff_access_customer"),
            models.Index(fields=["store", "object_id", "-at"], name="sf_staff_access_object"),
            models.Index(fields=["at"], name="sf_staff_access_old"),  # the sweep works across stores
        ]

    def __str__(self) -> str:
        return f"{self.staff_name} {self.action} {self.kind} {self.object_id}"


from storefront.imports.models import ImportJob, ImportPart, ImportProblem  # noqa: E402, F401 -- they need StoreScoped
