"""Points, store credit and gift cards: one kind of account, one ledger, one kind of hold.

An account's `balance` is the sum of its entries, its `held` the sum of what holds still hold, and the entries'
`remaining` add up to the balance too; `manage.py verify_ledger` checks all three. Rows of the ledger are only added:
nothing but `remaining` ever changes. Every write goes through `wallets.services`.
"""

from __future__ import annotations

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.ids import ID_LENGTH, new_id
from storefront.models import StoreScoped

from .fields import ExactField

NOT_NEGATIVE = [MinValueValidator(Decimal(0))]


class Account(StoreScoped):
    """What somebody has. Points are whole numbers; credit and gift cards are money in the store's currency."""

    class Kind(models.TextChoices):
        POINTS = "points", _("Points")
        CREDIT = "credit", _("Store credit")
        GIFT_CARD = "gift_card", _("Gift card")

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices, editable=False)
    # The shop's own id of a customer, no key into any table; "" for a gift card, which belongs to its bearer.
    customer_id = models.CharField(_("customer"), max_length=64, blank=True, editable=False)
    balance = ExactField(_("balance"), default=Decimal(0), editable=False)
    held = ExactField(
        _("held"), default=Decimal(0), editable=False, help_text=_("Promised to orders that are not paid yet.")
    )
    merged_into = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        db_index=False,
        help_text=_("Where all of it went, and what comes later goes: the account of the customer it was merged into."),
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("account")
        constraints = [
            models.UniqueConstraint(
                fields=["store", "customer_id", "kind"],
                condition=~Q(customer_id=""),
                name="%(app_label)s_account_once",
            ),
            models.CheckConstraint(condition=Q(balance__gte=0), name="%(app_label)s_account_not_negative"),
            models.CheckConstraint(condition=Q(held__gte=0), name="%(app_label)s_account_held_min"),
            models.CheckConstraint(condition=Q(held__lte=F("balance")), name="%(app_label)s_account_held_max"),
        ]
        indexes = [
            models.Index(fields=["store", "kind", "balance"], condition=Q(balance__gt=0), name="sf_wallet_outstanding"),
            models.Index(fields=["store", "kind", "-created_at"], name="sf_wallet_newest"),
            # The unique index is partial, and a prepared plan cannot know that a customer's id is not "".
            models.Index(fields=["store", "customer_id"], name="sf_wallet_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.customer_id or self.pk}"

    @property
    def available(self) -> Decimal:
        """What is not held; some of it may have expired since the last sweep."""
        return self.balance - self.held


class CreditAccount(Account):
    """The store credit of a customer."""

    class Meta:
        proxy = True
        verbose_name = _("store credit")
        verbose_name_plural = _("store credit")


class Entry(StoreScoped):
    """One change of a balance. The same account, owner and kind again is the same change."""

    class Kind(models.TextChoices):
        ISSUE = "issue", _("Issued")
        EARN = "earn", _("Earned by an order")
        SPEND = "spend", _("Spent on an order")
        REFUND = "refund", _("Given back")
        REVERSE = "reverse", _("Taken back for returned goods")
        GRANT = "grant", _("Granted")
        SIGNUP = "signup", _("Welcome bonus")
        BONUS = "bonus", _("Bonus")
        TIER_UP = "tier-up", _("Rose to a higher tier")
        TIER_DOWN = "tier-down", _("Fell to a lower tier")
        EXPIRE = "expire", _("Expired")
        CARRY_OUT = "carry-out", _("Carried out of the last period")
        CARRY_IN = "carry-in", _("Carried forward")
        ADJUST = "adjust", _("Adjusted")

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="entries", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    owner = models.CharField(max_length=80, help_text=_("The order, refund or act that caused it."))
    amount = ExactField(_("amount"), help_text=_("Negative where the balance went down."))
    remaining = ExactField(_("left of it"), default=Decimal(0), help_text=_("What of an addition is not used up."))
    expires_at = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=80, blank=True, help_text=_("The order whose payment this gives back."))
    reference = models.CharField(max_length=64, blank=True, help_text=_("The order's number, as shoppers know it."))
    remarks = models.CharField(max_length=200, blank=True)
    made_by = models.CharField(max_length=150, blank=True, help_text=_("The member of staff."))
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        constraints = [
            models.UniqueConstraint(fields=["account", "owner", "kind"], name="%(app_label)s_entry_once"),
            models.CheckConstraint(condition=Q(remaining__gte=0), name="%(app_label)s_entry_remaining_min"),
            models.CheckConstraint(
                condition=Q(remaining=0) | Q(remaining__lte=F("amount")), name="%(app_label)s_entry_remaining_max"
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="sf_wallet_entry_account"),
            models.Index(fields=["account", "expires_at"], condition=Q(remaining__gt=0), name="sf_wallet_entry_open"),
            models.Index(fields=["store", "owner"], name="sf_wallet_entry_owner"),
            models.Index(fields=["store", "-created_at"], name="sf_wallet_entry_newest"),
            # The sweep works across stores; everything else about an entry leads with its store or account.
            models.Index(fields=["expires_at"], condition=Q(remaining__gt=0), name="sf_wallet_entry_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount:+.2f}"


class Hold(StoreScoped):
    """What an order has been promised of an account, from the moment it is made until it is paid or given up."""

    class State(models.TextChoices):
        HELD = "held", _("Held")
        SPENT = "spent", _("Spent")
        RELEASED = "released", _("Released")

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="holds", db_index=False)
    owner = models.CharField(max_length=80, help_text=_("The order."))
    amount = ExactField(_("amount"))
    state = models.CharField(max_length=8, choices=State.choices, default=State.HELD)
    created_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("hold")
        constraints = [
            models.UniqueConstraint(fields=["account", "owner"], name="%(app_label)s_hold_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="%(app_label)s_hold_amount_min"),
        ]
        indexes = [models.Index(fields=["store", "owner"], name="sf_wallet_hold_owner")]

    def __str__(self) -> str:
        return f"{self.amount:.2f} {self.owner}"


# --- loyalty --------------------------------------------------------------------------------------------------------
class Programme(StoreScoped):
    """A store's loyalty programme (D-36). Shoppers see it once it is active."""

    name = models.CharField(max_length=80, default="Rewards")
    active = models.BooleanField(default=True)
    base_tier = models.CharField(
        _("name of the first tier"), max_length=60, default="Member", help_text=_("Where everybody begins.")
    )
    points_per_unit = models.DecimalField(
        _("points per unit of currency"),
        max_digits=10,
        decimal_places=4,
        default=Decimal(1),
        validators=NOT_NEGATIVE,
        help_text=_("Points for each unit of currency spent in the first tier, before tax and after discounts."),
    )
    point_value = models.DecimalField(
        _("value of a point"),
        max_digits=10,
        decimal_places=4,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.0001"))],
        help_text=_("What one point pays, in the store's currency."),
    )
    minimum_points = models.PositiveIntegerField(
        _("fewest points an order"), default=0, help_text=_("The fewest points that an order may use.")
    )
    maximum_points = models.PositiveIntegerField(
        _("most points an order"),
        null=True,
        blank=True,
        help_text=_("The most points that an order may use; empty for no limit."),
    )
    maximum_percent = models.DecimalField(
        _("most percent of an order"),
        max_digits=5,
        decimal_places=2,
        default=Decimal(100),
        validators=[*NOT_NEGATIVE, MaxValueValidator(Decimal(100))],
        help_text=_("How much of an order's total points may pay, in percent."),
    )
    post_days = models.PositiveSmallIntegerField(
        _("days until points post"),
        default=0,
        help_text=_("Days after delivery until points can be used; the time in which goods may come back."),
    )
    expiry_days = models.PositiveIntegerField(
        _("days until points expire"), null=True, blank=True, help_text=_("Days until points expire; empty for never.")
    )
    signup_points = models.PositiveIntegerField(_("welcome points"), default=0, help_text=_("For whoever registers."))
    reset_months = models.PositiveSmallIntegerField(
        _("months of a period"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("After how many months a member's period ends and the next begins; empty for never."),
    )
    carry_percent = models.DecimalField(
        _("percent carried forward"),
        max_digits=5,
        decimal_places=2,
        default=Decimal(100),
        validators=[*NOT_NEGATIVE, MaxValueValidator(Decimal(100))],
        help_text=_("How much of the points goes on into the next period, in percent; the rest expires."),
    )
    tiers_fall = models.BooleanField(
        _("members can fall"),
        default=True,
        help_text=_("Members fall to a lower tier when they spent too little or returned goods."),
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("loyalty programme")
        constraints = [models.UniqueConstraint(fields=["store"], name="%(app_label)s_programme_once")]

    def __str__(self) -> str:
        return self.name


class Tier(StoreScoped):
    """A step of the programme above the first, reached by what a member spends in a period."""

    programme = models.ForeignKey(Programme, on_delete=models.CASCADE, related_name="tiers", db_index=False)
    name = models.CharField(max_length=60)
    threshold = models.DecimalField(
        max_digits=14,
        decimal_places=4,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text=_("Spend in a period, before tax and after discounts and points."),
    )
    points_per_unit = models.DecimalField(
        _("points per unit of currency"), max_digits=10, decimal_places=4, validators=NOT_NEGATIVE
    )
    bonus_points = models.PositiveIntegerField(_("bonus points"), default=0, help_text=_("For reaching it."))

    class Meta:
        verbose_name = _("tier")
        ordering = ["threshold"]
        constraints = [
            models.UniqueConstraint(fields=["programme", "name"], name="%(app_label)s_tier_name"),
            models.UniqueConstraint(fields=["programme", "threshold"], name="%(app_label)s_tier_threshold"),
        ]

    def __str__(self) -> str:
        return self.name


class Member(StoreScoped):
    """A customer in the programme. Points are in the account; orders and spend are sums of earnings."""

    account = models.OneToOneField(Account, on_delete=models.PROTECT, primary_key=True, related_name="member")
    membership_number = models.CharField(max_length=20, editable=False)
    tier = models.ForeignKey(
        Tier,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text=_("Empty for the first one."),
    )
    joined_at = models.DateTimeField(default=timezone.now, editable=False)
    assigned_at = models.DateTimeField(
        default=timezone.now, editable=False, help_text=_("When the present period began.")
    )
    resets_at = models.DateTimeField(null=True, blank=True, editable=False, help_text=_("When it ends."))
    previous_spent = ExactField(
        _("spent in the last period"), default=Decimal(0), editable=False, help_text=_("It earned the present tier.")
    )
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("loyalty member")
        constraints = [
            models.UniqueConstraint(fields=["store", "membership_number"], name="%(app_label)s_member_number")
        ]
        indexes = [
            models.Index(fields=["store", "tier"], name="sf_wallet_member_tier"),
            models.Index(fields=["store", "-joined_at"], name="sf_wallet_member_newest"),
            # The sweep works across stores.
            models.Index(fields=["resets_at"], condition=Q(resets_at__isnull=False), name="sf_wallet_member_reset"),
        ]

    def __str__(self) -> str:
        return self.membership_number


class Earning(StoreScoped):
    """What one order earns: promised when it is paid, posted some days after delivery, less what comes back."""

    class State(models.TextChoices):
        PROMISED = "promised", _("Waiting")
        POSTED = "posted", _("Posted")
        CANCELLED = "cancelled", _("Cancelled")

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="earnings", db_index=False)
    owner = models.CharField(max_length=80, help_text=_("The order."))
    reference = models.CharField(max_length=64, blank=True, help_text=_("The order's number."))
    points = models.PositiveIntegerField()
    points_back = models.PositiveIntegerField(default=0, help_text=_("Lost with returned goods."))
    spent = ExactField(_("spent"), help_text=_("Before tax and after discounts and points."))
    spent_back = ExactField(_("returned"), default=Decimal(0))
    savings = ExactField(_("saved"), default=Decimal(0))
    state = models.CharField(max_length=10, choices=State.choices, default=State.PROMISED)
    placed_at = models.DateTimeField(default=timezone.now)
    posts_at = models.DateTimeField(null=True, blank=True, help_text=_("Empty until it is delivered."))

    class Meta:
        verbose_name = _("earned points")
        verbose_name_plural = _("earned points")
        constraints = [
            models.UniqueConstraint(fields=["account", "owner"], name="%(app_label)s_earning_once"),
            models.CheckConstraint(
                condition=Q(points_back__lte=F("points")), name="%(app_label)s_earning_points_back_max"
            ),
            models.CheckConstraint(
                condition=Q(spent_back__lte=F("spent")), name="%(app_label)s_earning_spent_back_max"
            ),
        ]
        indexes = [
            models.Index(fields=["account", "placed_at"], name="sf_wallet_earning_account"),
            models.Index(fields=["store", "owner"], name="sf_wallet_earning_owner"),
            models.Index(fields=["store", "-placed_at"], name="sf_wallet_earning_newest"),
            # The sweep works across stores.
            models.Index(fields=["posts_at"], condition=Q(state="promised"), name="sf_wallet_earning_due"),
        ]

    def __str__(self) -> str:
        return self.reference or self.owner


# --- gift cards -----------------------------------------------------------------------------------------------------
class GiftCardBatch(StoreScoped):
    """Cards that were made together."""

    name = models.CharField(max_length=80)
    count = models.PositiveIntegerField()
    amount = ExactField(_("amount"), help_text=_("Of each card."))
    expires_at = models.DateTimeField(null=True, blank=True)
    made_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("batch of gift cards")
        verbose_name_plural = _("batches of gift cards")
        constraints = [models.UniqueConstraint(fields=["store", "name"], name="%(app_label)s_batch_name")]
        indexes = [models.Index(fields=["store", "-created_at"], name="sf_wallet_batch_newest")]

    def __str__(self) -> str:
        return self.name


class GiftCard(StoreScoped):
    """A card that pays whoever knows its code. Code and PIN are keyed hashes; they are shown once, when it is made."""

    class State(models.TextChoices):
        INACTIVE = "inactive", _("Not activated")
        ACTIVE = "active", _("Active")
        FROZEN = "frozen", _("Frozen")

    account = models.OneToOneField(Account, on_delete=models.PROTECT, primary_key=True, related_name="gift_card")
    batch = models.ForeignKey(
        GiftCardBatch, on_delete=models.PROTECT, null=True, blank=True, related_name="cards", db_index=False
    )
    code_hash = models.CharField(max_length=64, unique=True, editable=False)
    last4 = models.CharField(_("last four"), max_length=4, editable=False)
    pin_hash = models.CharField(max_length=64, blank=True, editable=False)
    state = models.CharField(max_length=8, choices=State.choices, default=State.ACTIVE, editable=False)
    issued = ExactField(_("issued with"), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=200, blank=True, help_text=_("For staff; shoppers never see it."))
    made_by = models.CharField(max_length=150, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("gift card")
        indexes = [
            models.Index(fields=["store", "last4"], name="sf_wallet_card_last4"),
            models.Index(fields=["store", "batch"], name="sf_wallet_card_batch"),
            models.Index(fields=["store", "-created_at"], name="sf_wallet_card_newest"),
        ]

    def __str__(self) -> str:
        return f"…{self.last4}"

    def is_live(self, now: object) -> bool:
        """Whether it may pay at that moment, whatever is left on it."""
        return self.state == self.State.ACTIVE and (self.expires_at is None or self.expires_at > now)  # type: ignore[operator]
