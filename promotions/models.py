"""Coupons and promotions, their codes, and the ledger of their uses.

Both kinds are offers of one table, for they share rules, limits and ledger; `Coupon` and `Promotion` are its halves.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.ids import ID_LENGTH, new_id
from storefront.models import StoreScoped
from storefront.scope import StoreManager

CODE_LENGTH = 64


class Kind(models.TextChoices):
    COUPON = "coupon", _("Coupon")
    PROMOTION = "promotion", _("Promotion")


class OfferType(models.TextChoices):
    """What an offer gives. A promotion is of any type but the last."""

    DISCOUNT = "discount", _("Discount")
    FREE_GOODS = "free-goods", _("Free goods")
    FIXED_PRICE = "fixed-price", _("Fixed price")
    FREE_SHIPPING = "free-shipping", _("Free shipping")
    BUY_X_GET_Y = "buy-x-get-y", _("Buy X, get Y")
    VOLUME_BASED = "volume-based", _("Volume discount")
    ACCELERATED_REWARDS = "accelerated-rewards", _("Bonus points")


class State(models.TextChoices):
    DRAFT = "draft", _("Draft")
    LIVE = "live", _("Live")
    STOPPED = "stopped", _("Stopped")
    EXPIRED = "expired", _("Expired")


class AppliesTo(models.TextChoices):
    ALL = "all", _("Everything")
    PRODUCT = "product", _("Products")
    CATEGORY = "category", _("Categories")


class Eligibility(models.TextChoices):
    ALL = "all", _("Everybody")
    CUSTOMER = "customer", _("Some customers")
    SEGMENT = "segment", _("Segments of customers")
    GROUP = "group", _("Customer groups")


class ItemPriority(models.TextChoices):
    CHEAPEST = "cheapest_first", _("Cheapest first")
    MOST_EXPENSIVE = "most_expensive_first", _("Most expensive first")
    FIRST_ADDED = "first_added", _("First added")


class OfferManager(StoreManager[Any]):
    """All offers, or those of the kind that a proxy stands for."""

    def get_queryset(self) -> models.QuerySet[Any]:
        kind = getattr(self.model, "KIND", None)
        found = super().get_queryset()
        return found if kind is None else found.filter(kind=kind)


class Offer(StoreScoped):
    """A coupon, which a shopper asks for by a code, or a promotion, which applies by itself.

    `details` is the rule in the words of the API (docs/promotions.md), checked by `rules.parse` at every write.
    Only services write these rows: they keep `revision` and tell running processes of a change.
    """

    KIND: ClassVar[Kind | None] = None

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=9, choices=Kind.choices, editable=False)
    type = models.CharField(max_length=20, choices=OfferType.choices)
    state = models.CharField(max_length=7, choices=State.choices, default=State.DRAFT, editable=False)
    name = models.CharField(max_length=120, help_text=_("Shoppers see it."))
    description = models.TextField(blank=True, help_text=_("Shoppers see it."))
    terms = models.TextField(_("terms and conditions"), blank=True, help_text=_("One a line. Shoppers see them."))
    tags = models.JSONField(default=list, blank=True)
    applies_to = models.CharField(max_length=8, choices=AppliesTo.choices, default=AppliesTo.ALL)
    details = models.JSONField(default=dict, blank=True)
    minimum_order_total = models.DecimalField(
        max_digits=14,
        decimal_places=3,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("Of the lines that are paid; for a coupon, after promotions."),
    )
    starts_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True, help_text=_("Empty: it does not end by itself."))
    eligibility = models.CharField(max_length=8, choices=Eligibility.choices, default=Eligibility.ALL)
    first_order_only = models.BooleanField(
        default=False, help_text=_("For customers without an order that is neither cancelled nor unpaid (D-27).")
    )
    requires_login = models.BooleanField(default=False)
    total_limit = models.PositiveIntegerField(
        _("uses in all"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    customer_limit = models.PositiveIntegerField(
        _("uses per customer"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    code_limit = models.PositiveIntegerField(
        _("uses per code"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    redemption_count = models.PositiveIntegerField(default=0, editable=False)  # uses that are in it: OfferUse.counted
    max_items = models.PositiveIntegerField(
        _("units at most"), null=True, blank=True, validators=[MinValueValidator(1)],
        help_text=_("How many units in a cart it may touch."),
    )  # fmt: skip
    item_priority = models.CharField(
        max_length=20, choices=ItemPriority.choices, default=ItemPriority.CHEAPEST, help_text=_("Which units first.")
    )
    combinable = models.BooleanField(
        default=False, help_text=_("Together with promotions (a coupon) or other promotions (a promotion).")
    )
    priority = models.PositiveSmallIntegerField(default=100, help_text=_("The lowest number applies first (D-34)."))
    public = models.BooleanField(default=True, help_text=_("Listed for shoppers; otherwise a secret that works."))
    revision = models.PositiveIntegerField(default=1, editable=False)  # raised by each change of the rule
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(default=timezone.now, editable=False)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[Any] = OfferManager()

    class Meta:
        verbose_name = _("offer")
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["store", "kind", "state", "priority"], name="sf_promotions_offer_live"),
            models.Index(fields=["store", "kind", "-created_at"], name="sf_promotions_offer_created"),
            # The sweep works across stores; everything else about an offer leads with its store.
            models.Index(fields=["expires_at"], condition=Q(state="live"), name="sf_promotions_offer_expiry"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=F("starts_at")), name="%(app_label)s_offer_ends_later"
            ),
            models.CheckConstraint(
                condition=Q(total_limit=None) | Q(redemption_count__lte=F("total_limit")),
                name="%(app_label)s_offer_within_limit",
            ),
            models.CheckConstraint(
                condition=Q(kind=Kind.COUPON) | ~Q(type=OfferType.ACCELERATED_REWARDS),
                name="%(app_label)s_offer_type_of_kind",
            ),
            models.CheckConstraint(
                condition=Q(kind=Kind.COUPON) | Q(code_limit=None), name="%(app_label)s_offer_codes_of_coupon"
            ),
            models.CheckConstraint(
                condition=Q(minimum_order_total=None) | Q(minimum_order_total__gte=0),
                name="%(app_label)s_offer_minimum_positive",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.KIND is not None:
            self.kind = self.KIND
        super().save(*args, **kwargs)

    @property
    def source(self) -> str:
        """How discounts in a quote name this offer."""
        return f"{self.kind}:{self.pk}"


class Coupon(Offer):
    KIND = Kind.COUPON

    class Meta:
        proxy = True
        verbose_name = _("coupon")
        verbose_name_plural = _("coupons")


class Promotion(Offer):
    KIND = Kind.PROMOTION

    class Meta:
        proxy = True
        verbose_name = _("promotion")
        verbose_name_plural = _("promotions")


class OfferAudience(StoreScoped):
    """One customer, segment or customer group, as the offer's `eligibility` says, that an offer is for."""

    offer = models.ForeignKey(Offer, on_delete=models.CASCADE, related_name="audience", db_index=False)
    target_id = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("audience")
        constraints = [models.UniqueConstraint(fields=["offer", "target_id"], name="%(app_label)s_audience_once")]
        indexes = [models.Index(fields=["store", "target_id"], name="sf_promotions_audience_target")]

    def __str__(self) -> str:
        return self.target_id


class CodeBatch(StoreScoped):
    """Codes that were generated together, each to be given to somebody; they are never listed."""

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    offer = models.ForeignKey(Offer, on_delete=models.CASCADE, related_name="batches", db_index=False)
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=20, blank=True)
    size = models.PositiveIntegerField()
    made_by = models.CharField(_("by"), max_length=150, blank=True)  # a name: it outlives the member of staff
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("batch of codes")
        verbose_name_plural = _("batches of codes")
        ordering = ["-pk"]
        indexes = [models.Index(fields=["offer", "-id"], name="sf_promotions_batch_offer")]

    def __str__(self) -> str:
        return self.name


class Code(StoreScoped):
    """What a shopper types to get a coupon. In clear: it is handed out to be shared. `key` is what is compared."""

    offer = models.ForeignKey(Offer, on_delete=models.CASCADE, related_name="codes", db_index=False)
    batch = models.ForeignKey(
        CodeBatch, on_delete=models.CASCADE, null=True, blank=True, related_name="codes", db_index=False
    )
    text = models.CharField(_("code"), max_length=CODE_LENGTH)
    key = models.CharField(max_length=CODE_LENGTH, editable=False)
    use_count = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("code")
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="%(app_label)s_code_once")]
        indexes = [
            models.Index(fields=["offer", "batch", "id"], name="sf_promotions_code_offer"),
            models.Index(fields=["batch"], condition=Q(batch__isnull=False), name="sf_promotions_code_batch"),
        ]

    def __str__(self) -> str:
        return self.text


class OfferUse(StoreScoped):
    """One order's use of one offer: held when the order is made, confirmed by its payment, or released; returned when
    an order that was paid is called off.

    The ledger behind the counters. Rows are never deleted, and no order has two of the same offer.

    Orders take turns at a counter, so only offers with a limit are counted at once. A use of another is in no counter
    until the housekeeping adds it; `selectors.redemption_counts` knows both.
    """

    class State(models.TextChoices):
        HELD = "held", _("Held")
        CONFIRMED = "confirmed", _("Confirmed")
        RELEASED = "released", _("Released")
        RETURNED = "returned", _("Given back")

    TAKEN = (State.HELD, State.CONFIRMED)  # what counts against limits

    offer = models.ForeignKey(Offer, on_delete=models.RESTRICT, related_name="uses", db_index=False)
    code = models.ForeignKey(
        Code, on_delete=models.RESTRICT, null=True, blank=True, related_name="uses", db_index=False
    )
    owner = models.CharField(_("order"), max_length=64)
    customer_id = models.CharField(_("customer"), max_length=64, blank=True)
    user_id = models.CharField(_("shopper"), max_length=64, blank=True)
    state = models.CharField(max_length=9, choices=State.choices, default=State.HELD)
    saving = models.DecimalField(max_digits=24, decimal_places=3, help_text=_("What the shopper saved by it."))
    revenue = models.DecimalField(max_digits=24, decimal_places=3, help_text=_("What the order came to."))
    counted = models.BooleanField(default=False, editable=False)  # in the counters of its offer and code
    held_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True, blank=True)  # when it came to its state

    class Meta:
        verbose_name = _("use")
        verbose_name_plural = _("uses")
        ordering = ["-held_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["store", "owner", "offer"], name="%(app_label)s_use_once_per_order"),
            models.CheckConstraint(
                condition=Q(saving__gte=0) & Q(revenue__gte=0), name="%(app_label)s_use_amounts_positive"
            ),
        ]
        indexes = [
            models.Index(fields=["offer", "-held_at"], name="sf_promotions_use_offer"),
            models.Index(fields=["store", "-held_at"], name="sf_promotions_use_day"),
            models.Index(fields=["code"], condition=Q(code__isnull=False), name="sf_promotions_use_code"),
            models.Index(fields=["offer"], condition=Q(counted=False), name="sf_promotions_use_uncounted"),
            models.Index(fields=["store", "customer_id", "-held_at"], name="sf_promotions_use_customer"),
            models.Index(fields=["store", "user_id", "-held_at"], name="sf_promotions_use_user"),
        ]

    def __str__(self) -> str:
        return self.owner


class CustomerUses(StoreScoped):
    """How often a customer uses an offer that limits it: held and confirmed uses."""

    offer = models.ForeignKey(Offer, on_delete=models.CASCADE, related_name="+", db_index=False)
    customer_id = models.CharField(max_length=64)
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["offer", "customer_id"], name="%(app_label)s_customer_uses_once")
        ]

    def __str__(self) -> str:
        return f"{self.customer_id}: {self.count}"


class Rulebook(models.Model):
    """The version of a store's offers: another text after each change, which running processes compare."""

    store = models.OneToOneField("storefront.Store", on_delete=models.CASCADE, primary_key=True, related_name="+")
    version = models.CharField(max_length=ID_LENGTH)

    objects = StoreManager()

    def __str__(self) -> str:
        return self.version
