"""Providers of a store, what they keep of its customers, mandates with their debits, and credit lines.

No column can hold the number of a card: texts about cards are short or refused by a constraint when they hold twelve
digits, and tokens are kept encrypted. Bank accounts of mandates are encrypted too.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront import crypto
from storefront.ids import ID_LENGTH, new_id
from storefront.models import StoreScoped
from storefront.outbox import OutboxRow

from .states import WAITING, DebitStatus, MandateStatus

TWELVE_DIGITS = r"([0-9][ .-]?){12}"
HASH = r"^[0-9a-f]{64}$"


def amount_field(**options: Any) -> models.DecimalField[Any, Any]:
    """Money. Three decimals hold every currency's smallest unit (D-3)."""
    return models.DecimalField(max_digits=14, decimal_places=3, validators=[MinValueValidator(0)], **options)


def no_card_number(*fields: str) -> Q:
    """That none of these texts holds twelve digits in a row, spaces and dashes or not."""
    held = Q()
    for field in fields:
        held &= ~Q(**{f"{field}__regex": TWELVE_DIGITS})
    return held


class PaymentProvider(StoreScoped):
    """A store's account with a gateway. Several of one gateway are fine; clients name them by `slug`."""

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(_("slug"), max_length=40, db_index=False, help_text=_("What clients call it."))
    gateway = models.CharField(_("gateway"), max_length=40, help_text=_("A code of PAYMENT_GATEWAYS."))
    name = models.CharField(_("name"), max_length=80)
    short_description = models.CharField(_("short description"), max_length=200, blank=True)
    logo_light = models.URLField(_("logo, light"), max_length=300, blank=True)
    logo_dark = models.URLField(_("logo, dark"), max_length=300, blank=True)
    config = models.JSONField(
        _("settings for clients"),
        default=dict,
        blank=True,
        help_text=_("Public: every client of the store can read it. Keys that a payment page needs, for example."),
    )
    credentials = crypto.EncryptedJSONField(
        default=dict, blank=True, help_text=_("Encrypted; cannot be read back here.")
    )
    active = models.BooleanField(_("active"), default=True)
    sort_order = models.PositiveSmallIntegerField(_("order"), default=10)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("payment provider")
        verbose_name_plural = _("payment providers")
        ordering = ["sort_order", "slug"]
        constraints = [models.UniqueConstraint(fields=["store", "slug"], name="%(app_label)s_provider_slug")]

    def __str__(self) -> str:
        return self.name


class GatewayCustomer(StoreScoped):
    """A customer as a provider knows them. `refreshed_at` is when the saved means below were last asked for."""

    provider = models.ForeignKey(PaymentProvider, on_delete=models.RESTRICT, related_name="+", db_index=False)
    customer_id = models.CharField(max_length=ID_LENGTH)
    reference = models.CharField(max_length=160)
    refreshed_at = models.DateTimeField(null=True, blank=True)
    merged = models.BooleanField(default=False, editable=False)  # came with another customer: nothing new is kept here
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store", "customer_id", "provider"],
                condition=Q(merged=False),
                name="%(app_label)s_holder_once",
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class SavedCard(StoreScoped):
    """What may be shown of a card that a provider keeps. Never its number: that stays with the provider."""

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    holder = models.ForeignKey(GatewayCustomer, on_delete=models.CASCADE, related_name="cards", db_index=False)
    reference = crypto.EncryptedJSONField(editable=False, help_text=_("The provider's token."))
    reference_hash = models.CharField(max_length=64, editable=False)
    fingerprint_hash = models.CharField(max_length=64, editable=False)
    brand = models.CharField(_("brand"), max_length=20, blank=True)
    kind = models.CharField(_("kind"), max_length=20, blank=True)
    last4 = models.CharField(_("last four"), max_length=4)
    bin = models.CharField(_("first six"), max_length=6, blank=True)
    expiry_month = models.PositiveSmallIntegerField(_("expiry month"))
    expiry_year = models.PositiveSmallIntegerField(_("expiry year"))
    holder_name = models.CharField(_("name on card"), max_length=60, blank=True, help_text=_("Masked."))
    nickname = models.CharField(_("nickname"), max_length=60, blank=True)
    issuer = models.CharField(_("issuer"), max_length=80, blank=True)
    issuer_country = models.CharField(max_length=60, blank=True)
    country_code = models.CharField(max_length=3, blank=True)
    bank_code = models.CharField(max_length=20, blank=True)
    can_have_mandate = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("saved card")
        verbose_name_plural = _("saved cards")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["store", "holder", "reference_hash"], name="%(app_label)s_card_once"),
            models.CheckConstraint(
                condition=Q(last4__regex=r"^[0-9]{4}$") & Q(bin__regex=r"^([0-9]{6})?$"),
                name="%(app_label)s_card_digits",
            ),
            models.CheckConstraint(
                condition=Q(reference_hash__regex=HASH) & Q(fingerprint_hash__regex=HASH),
                name="%(app_label)s_card_hashes",
            ),
            models.CheckConstraint(
                condition=Q(expiry_month__gte=1, expiry_month__lte=12, expiry_year__gte=2000, expiry_year__lte=2199),
                name="%(app_label)s_card_expiry",
            ),
            models.CheckConstraint(
                condition=no_card_number(
                    "brand", "kind", "holder_name", "nickname", "issuer", "issuer_country", "country_code", "bank_code"
                ),
                name="%(app_label)s_card_no_number",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand or self.kind} •••• {self.last4}"

    def expired(self, now: datetime) -> bool:
        """A card is good until the end of its month."""
        return (self.expiry_year, self.expiry_month) < (now.year, now.month)


class SavedMethod(StoreScoped):
    """A UPI address or wallet that a provider keeps; shown masked."""

    class Kind(models.TextChoices):
        UPI = "upi_collect", _("UPI")
        WALLET = "wallet", _("Wallet")

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    holder = models.ForeignKey(GatewayCustomer, on_delete=models.CASCADE, related_name="methods", db_index=False)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    reference = crypto.EncryptedJSONField(editable=False, help_text=_("The provider's token, or the UPI address."))
    reference_hash = models.CharField(max_length=64, editable=False)
    label = models.CharField(_("label"), max_length=80, help_text=_("Masked."))
    phone = models.CharField(_("phone"), max_length=24, blank=True, help_text=_("Masked."))
    linked = models.BooleanField(_("linked"), default=False)
    balance = amount_field(null=True, blank=True)
    use_count = models.PositiveIntegerField(default=0)
    last_used_at = models.DateTimeField(null=True, blank=True)
    refreshed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("saved payment method")
        verbose_name_plural = _("saved payment methods")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["store", "holder", "reference_hash"], name="%(app_label)s_method_once"),
            models.CheckConstraint(condition=no_card_number("label", "phone"), name="%(app_label)s_method_no_number"),
        ]

    def __str__(self) -> str:
        return self.label


class Mandate(StoreScoped):
    """A customer's standing permission to debit their bank account. `max_amount` is for one debit.

    `version` grows with every change, so that a change that was decided on older facts is noticed. The bank account is
    encrypted; what is shown of it is masked.
    """

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    customer_id = models.CharField(_("customer"), max_length=ID_LENGTH)
    provider = models.ForeignKey(
        PaymentProvider, on_delete=models.RESTRICT, related_name="+", db_index=False, verbose_name=_("provider")
    )
    status = models.CharField(_("status"), max_length=8, choices=MandateStatus, default=MandateStatus.CREATED)
    reason = models.CharField(_("reason"), max_length=60, blank=True)
    reference = models.CharField(_("provider's id"), max_length=160)
    gateway_reference_id = models.CharField(_("gateway reference"), max_length=160, blank=True)
    mandate_type = models.CharField(_("type"), max_length=40, blank=True)
    payment_method_type = models.CharField(max_length=40)
    payment_method = models.CharField(max_length=40)
    frequency = models.CharField(max_length=40, blank=True)
    currency = models.CharField(max_length=3)
    max_amount = amount_field(verbose_name=_("largest debit"))
    start_at = models.DateTimeField(_("starts"))
    end_at = models.DateTimeField(_("ends"))
    block_fund = models.BooleanField(default=False)
    revokable_by_customer = models.BooleanField(default=True)
    bank = crypto.EncryptedJSONField(default=dict, editable=False)
    account_last4 = models.CharField(_("account"), max_length=4, blank=True)
    ifsc = models.CharField(_("IFSC"), max_length=11, blank=True)
    bank_name = models.CharField(_("bank"), max_length=80, blank=True)
    bank_account_type = models.CharField(max_length=40, blank=True)
    beneficiary = models.CharField(_("account holder"), max_length=120, blank=True, help_text=_("Masked."))
    version = models.PositiveIntegerField(default=1, editable=False)
    activated_at = models.DateTimeField(_("activated"), null=True, blank=True)
    last_activated_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("mandate")
        verbose_name_plural = _("mandates")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=MandateStatus.values), name="%(app_label)s_mandate_status_known"
            ),
            models.CheckConstraint(
                condition=Q(max_amount__gt=0) & Q(end_at__gt=F("start_at")), name="%(app_label)s_mandate_terms"
            ),
            models.CheckConstraint(
                condition=~Q(status=MandateStatus.ACTIVE) | Q(activated_at__isnull=False),
                name="%(app_label)s_mandate_activated",
            ),
            models.CheckConstraint(
                condition=Q(account_last4__regex=r"^([0-9A-Za-z]{1,4})?$") & no_card_number("beneficiary", "bank_name"),
                name="%(app_label)s_mandate_no_number",
            ),
            models.UniqueConstraint(fields=["store", "provider", "reference"], name="%(app_label)s_mandate_reference"),
        ]
        indexes = [
            models.Index(fields=["store", "customer_id", "-id"], name="sf_pay_mandate_customer"),
            models.Index(fields=["store", "status", "-id"], name="sf_pay_mandate_status"),
        ]

    def __str__(self) -> str:
        return f"{self.bank_name or self.payment_method} ••{self.account_last4}"


class MandateDebit(StoreScoped):
    """One debit of a mandate for an order: when, how much, and what came of it.

    `due_at` is when somebody has to look at it: the moment of the debit, of the next try, or of the next question to
    the provider about one that is under way. None when it is settled.
    """

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    mandate = models.ForeignKey(Mandate, on_delete=models.RESTRICT, related_name="debits", db_index=False)
    customer_id = models.CharField(max_length=ID_LENGTH)
    order_id = models.CharField(_("order id"), max_length=64)
    order_number = models.CharField(_("order"), max_length=64, blank=True)
    amount = amount_field()
    currency = models.CharField(max_length=3)
    status = models.CharField(_("status"), max_length=14, choices=DebitStatus, default=DebitStatus.SCHEDULED)
    reason = models.CharField(_("reason"), max_length=60, blank=True)
    scheduled_at = models.DateTimeField(_("scheduled for"))
    picked_at = models.DateTimeField(null=True, blank=True)
    executed_at = models.DateTimeField(_("settled"), null=True, blank=True)
    next_retry_at = models.DateTimeField(_("next try"), null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True, editable=False)
    external_reference_id = models.CharField(max_length=160, blank=True)
    gateway_order_id = models.CharField(max_length=64, blank=True, help_text=_("Our id of the present try."))
    retry_attempt = models.PositiveSmallIntegerField(_("tries again"), default=0)
    max_retries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("mandate debit")
        verbose_name_plural = _("mandate debits")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=DebitStatus.values), name="%(app_label)s_debit_status_known"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="%(app_label)s_debit_amount_min"),
            models.CheckConstraint(
                condition=Q(status__in=[*WAITING, DebitStatus.PENDING], due_at__isnull=False)
                | Q(status__in=[DebitStatus.SUCCESS, DebitStatus.FAILED, DebitStatus.CANCELLED], due_at=None),
                name="%(app_label)s_debit_due_while_open",
            ),
            # An order is debited once; what was cancelled or failed for good may be scheduled again.
            models.UniqueConstraint(
                fields=["store", "order_id"],
                condition=~Q(status__in=[DebitStatus.CANCELLED, DebitStatus.FAILED]),
                name="%(app_label)s_debit_once_per_order",
            ),
        ]
        indexes = [
            # What is due is read across stores; everything else about a debit leads with its store.
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="sf_pay_debit_due"),
            models.Index(fields=["store", "customer_id", "-id"], name="sf_pay_debit_customer"),
            models.Index(fields=["store", "mandate", "status"], name="sf_pay_debit_mandate"),
            models.Index(fields=["store", "status", "-id"], name="sf_pay_debit_status"),
        ]

    def __str__(self) -> str:
        return f"{self.order_number or self.order_id}: {self.amount}"


class CreditLine(StoreScoped):
    """What a customer may owe. Without limits it is not provisioned yet: eligible, but nothing to spend.

    `utilised` is owed, `held` is promised to orders that are not paid yet; both count against the limit, and no
    statement can bring them above it. The limit is never above what one debit of a mandate may take, so that any order
    paid by the line can be debited at once.
    """

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    customer_id = models.CharField(_("customer"), max_length=ID_LENGTH)
    is_eligible = models.BooleanField(
        _("eligible"), default=True, help_text=_("Without it: no new mandates, no orders on credit.")
    )
    total_credit_limit = amount_field(null=True, blank=True, verbose_name=_("credit limit"))
    mandate_per_order_limit = amount_field(
        null=True,
        blank=True,
        verbose_name=_("limit of one order"),
        help_text=_("What one debit of a mandate may take; at least the credit limit."),
    )
    utilised = amount_field(default=Decimal(0), editable=False, verbose_name=_("utilised"))
    held = amount_field(default=Decimal(0), editable=False, verbose_name=_("held for orders"))
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("credit line")
        verbose_name_plural = _("credit lines")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["store", "customer_id"], name="%(app_label)s_credit_once"),
            models.CheckConstraint(
                condition=Q(total_credit_limit=None, mandate_per_order_limit=None)
                | Q(
                    total_credit_limit__isnull=False,  # a comparison with NULL would pass
                    mandate_per_order_limit__isnull=False,
                    total_credit_limit__gte=0,
                    total_credit_limit__lte=F("mandate_per_order_limit"),
                ),
                name="%(app_label)s_credit_limits",
            ),
            models.CheckConstraint(
                condition=Q(utilised__gte=0, held__gte=0)
                & (
                    Q(total_credit_limit=None, utilised=0, held=0)
                    | Q(total_credit_limit__isnull=False, total_credit_limit__gte=F("utilised") + F("held"))
                ),
                name="%(app_label)s_credit_never_below_zero",
            ),
        ]

    def __str__(self) -> str:
        return self.customer_id

    @property
    def provisioned(self) -> bool:
        return self.total_credit_limit is not None

    @property
    def used(self) -> Decimal:
        return Decimal(self.utilised + self.held)

    @property
    def balance(self) -> Decimal:
        """What is left to spend; 0 while not provisioned."""
        return Decimal(self.total_credit_limit or 0) - self.used


class CreditHold(StoreScoped):
    """What an order has of a credit line: held until it is paid for, then utilised or given back."""

    class State(models.TextChoices):
        HELD = "held", _("Held")
        CONFIRMED = "confirmed", _("Utilised")
        RELEASED = "released", _("Given back")

    line = models.ForeignKey(CreditLine, on_delete=models.RESTRICT, related_name="holds", db_index=False)
    owner = models.CharField(_("order"), max_length=64)
    amount = amount_field()
    state = models.CharField(max_length=10, choices=State, default=State.HELD)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "owner", "line"], name="%(app_label)s_hold_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="%(app_label)s_hold_amount_min"),
        ]
        indexes = [models.Index(fields=["store", "line", "state"], name="sf_pay_hold_line")]


class CreditEntry(StoreScoped):
    """A line of the ledger of a credit line, only ever added. The amounts of a line add up to what is utilised.

    `key` names what caused the entry, so that the same cause counts once.
    """

    class Kind(models.TextChoices):
        UTILISE = "utilise", _("Utilised")
        REPAY = "repay", _("Repaid")
        RETURN = "return", _("Given back")
        ADJUST = "adjust", _("Adjusted")
        LIMIT = "limit", _("Limit changed")

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    line = models.ForeignKey(CreditLine, on_delete=models.RESTRICT, related_name="entries", db_index=False)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    amount = models.DecimalField(
        _("amount"), max_digits=14, decimal_places=3, help_text=_("Added to what is utilised; negative when repaid.")
    )
    utilised_after = amount_field(verbose_name=_("utilised afterwards"))
    limit_after = amount_field(null=True, verbose_name=_("limit"))
    order_id = models.CharField(_("order"), max_length=64, blank=True)
    key = models.CharField(max_length=120)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    staff_name = models.CharField(_("by"), max_length=150, blank=True)
    created_at = models.DateTimeField(_("when"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["store", "line", "key"], name="%(app_label)s_entry_once"),
            models.CheckConstraint(
                condition=Q(kind="utilise", amount__gt=0)
                | Q(kind="repay", amount__lt=0)
                | Q(kind="return", amount__lt=0)
                | (Q(kind="adjust") & ~Q(amount=0) & ~Q(reason=""))
                | (Q(kind="limit", amount=0) & ~Q(reason="")),
                name="%(app_label)s_entry_signs",
            ),
        ]
        indexes = [models.Index(fields=["store", "line", "-created_at"], name="sf_pay_entry_made")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A ledger is only added to.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("A ledger is only added to.")


class Errand(OutboxRow, StoreScoped):
    """Something that a provider must be told although nobody waits for it: that a shopper is gone, for example."""

    class Kind(models.TextChoices):
        REVOKE_MANDATE = "revoke_mandate", _("Revoke a mandate")
        FORGET_CUSTOMER = "forget_customer", _("Forget a customer")

    provider = models.ForeignKey(PaymentProvider, on_delete=models.RESTRICT, related_name="+", db_index=False)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    reference = models.CharField(max_length=160)

    class Meta(OutboxRow.Meta):
        verbose_name = _("message to a provider")
        verbose_name_plural = _("messages to providers")
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(state="pending"), name="sf_pay_errand_due"),
            models.Index(fields=["store", "state", "-id"], name="sf_pay_errand_store"),
        ]


class SandboxRecord(StoreScoped):
    """What the sandbox gateway remembers, as a real one would on its own machines. Empty in production."""

    kind = models.CharField(max_length=10)  # customer | card | method | mandate | debit | payment | refund
    reference = models.CharField(max_length=160)
    parent = models.CharField(max_length=160, blank=True)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "kind", "reference"], name="%(app_label)s_sandbox_once"),
        ]
        indexes = [models.Index(fields=["store", "kind", "parent"], name="sf_pay_sandbox_parent")]
