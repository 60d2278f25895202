"""Products, what varies about them, what they cost whom and how many there are.

Every product has at least one variant. One that does not vary has a single standalone variant, whose id is the
product's own: so a sku is always one primary key. Price and stock hang on variants only.

`document` columns hold JSON that the API shows as it is; `services.publish` alone writes them and `visible`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.ids import ID_LENGTH, new_id
from storefront.models import CustomerGroup, StoreScoped

from .changes import CatalogChange  # noqa: F401 -- and here
from .ledger import StockMovement  # noqa: F401 -- and here
from .places import LocationStock, StockReservation  # noqa: F401 -- and here
from .reviews.models import Review, ReviewMedia  # noqa: F401 -- Django finds an app's models here
from .search.models import SearchEntry, SearchTerm, SearchWord  # noqa: F401 -- Django finds an app's models here

RESERVED_SLUGS = ("cross-sell", "recommended", "search", "similar", "up-sell")  # they are addresses of the API
MIDDLING, DOUBT = 3.0, 5.0  # the rating that says nothing, and how many of it every product is thought to have
PERCENT = [MinValueValidator(0), MaxValueValidator(100)]
AMOUNT = [MinValueValidator(0)]


def refuse_reserved(slug: str) -> None:
    if slug in RESERVED_SLUGS:
        raise ValidationError(_("This word is part of the API's own addresses."), code="reserved")


def amount_field(**options: Any) -> models.DecimalField[Any, Any]:
    """Money per unit. Three decimals hold every currency's smallest unit (D-3)."""
    return models.DecimalField(max_digits=14, decimal_places=3, validators=AMOUNT, **options)


def percent_field(**options: Any) -> models.DecimalField[Any, Any]:
    return models.DecimalField(max_digits=5, decimal_places=2, validators=PERCENT, default=Decimal(0), **options)


class Category(StoreScoped):
    """A branch of the tree. The list of a category also shows what its branches below hold."""

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    parent = models.ForeignKey(
        "self", on_delete=models.RESTRICT, null=True, blank=True, related_name="children", verbose_name=_("parent")
    )
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=120, db_index=False)
    description = models.TextField(blank=True)
    image_url = models.CharField(max_length=500, blank=True)
    sort_order = models.IntegerField(default=0)
    active = models.BooleanField(default=True, help_text=_("An inactive category hides its branches too."))
    product_count = models.PositiveIntegerField(default=0, editable=False)  # visible ones, branches included
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = _("categories")
        ordering = ["sort_order", "name"]
        constraints = [models.UniqueConstraint(fields=["store", "slug"], name="%(app_label)s_category_slug")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuses a parent that lies below, which would cut both off the tree.

        Locks the store's categories in id order, as counting them does, until the transaction around it ends: of two
        that move at once, the later one sees where the earlier one went.
        """
        if self._state.adding or self.parent_id is None:  # nothing lies below what is new
            return
        rows = Category.objects.select_for_update(no_key=True).filter(store=self.store_id).order_by("pk")
        with transaction.atomic():
            parents = dict(rows.values_list("pk", "parent_id"))
        above: str | None = self.parent_id
        seen = {self.pk}
        while above is not None:
            if above in seen:
                raise ValidationError({"parent": _("A category cannot lie below itself.")})
            seen.add(above)
            above = parents.get(above)

    @transaction.atomic
    def save(self, *args: Any, **kwargs: Any) -> None:
        """Raises ValidationError for a parent that has come to lie below since the form was looked at."""
        self.clean()
        super().save(*args, **kwargs)


class Brand(StoreScoped):
    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=120, db_index=False)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["store", "slug"], name="%(app_label)s_brand_slug")]

    def __str__(self) -> str:
        return self.name


class Attribute(StoreScoped):
    """Something said of products (material, care) or by which variants differ (colour, size)."""

    class Type(models.TextChoices):
        COLOR = "color", _("Colour")
        SINGLE = "single-select", _("One of a list")
        MULTIPLE = "multi-select", _("Some of a list")
        TEXT = "text", _("Text")
        DATE = "date", _("Date")
        NUMBER = "number", _("Number")
        BOOLEAN = "boolean", _("Yes or no")

    OF_CHOICES = (Type.COLOR, Type.SINGLE, Type.MULTIPLE)
    OF_VARIANTS = (Type.COLOR, Type.SINGLE)

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=60)
    key = models.CharField(
        max_length=60,
        validators=[
            RegexValidator(r"^[a-z0-9]+(_[a-z0-9]+)*$", _("Lower-case letters, digits and single underscores."))
        ],
    )
    type = models.CharField(max_length=16, choices=Type.choices, default=Type.TEXT)
    sort_order = models.IntegerField(default=0, help_text=_("Options of variants are shown in this order."))

    class Meta:
        ordering = ["sort_order", "name"]
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="%(app_label)s_attribute_key")]

    def __str__(self) -> str:
        return self.name


class AttributeChoice(StoreScoped):
    """One entry of an attribute's list."""

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    attribute = models.ForeignKey(Attribute, on_delete=models.CASCADE, related_name="choices", db_index=False)
    name = models.CharField(max_length=60)
    hexcode = models.CharField(
        max_length=7,
        blank=True,
        validators=[RegexValidator(r"^#[0-9A-Fa-f]{6}$", _("A colour such as #1E6F5C."))],
        help_text=_("Of a colour."),
    )
    sort_order = models.IntegerField(default=0)

    class Meta:
        ordering = ["sort_order", "name"]
        constraints = [models.UniqueConstraint(fields=["attribute", "name"], name="%(app_label)s_choice_name")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.attribute_id and self.attribute.type == Attribute.Type.COLOR and not self.hexcode:
            raise ValidationError({"hexcode": _("A colour needs its code.")})


class Product(StoreScoped):
    """What a shopper sees as one thing. `visible` means: active, and some active variant of it has a price."""

    class Type(models.TextChoices):
        PHYSICAL = "physical", _("Physical")
        DIGITAL = "digital", _("Digital")
        BUNDLE = "bundle", _("Bundle")

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=200, db_index=False, validators=[refuse_reserved])
    type = models.CharField(max_length=8, choices=Type.choices, default=Type.PHYSICAL)
    active = models.BooleanField(default=True)
    brand = models.ForeignKey(Brand, on_delete=models.SET_NULL, null=True, blank=True, related_name="products")
    categories = models.ManyToManyField(Category, through="ProductCategory", related_name="products")
    short_description = models.CharField(max_length=500, blank=True)
    description = models.TextField(blank=True, help_text=_("May hold HTML."))
    tags = models.JSONField(default=list, blank=True)
    hsn_code = models.CharField(_("HSN code"), max_length=8, blank=True)
    weight = models.PositiveIntegerField(
        _("weight"), default=0, help_text=_("In grams, as it is sent; 0: not known, or nothing to send.")
    )
    seo_title = models.CharField(_("SEO title"), max_length=200, blank=True)
    seo_description = models.CharField(_("SEO description"), max_length=500, blank=True)
    seo_keywords = models.JSONField(_("SEO keywords"), default=list, blank=True)
    metadata = models.JSONField(default=dict, blank=True, help_text=_("Texts by name, shown by the API."))
    reviews_count = models.PositiveIntegerField(default=0, editable=False)
    reviews_rating_sum = models.DecimalField(max_digits=12, decimal_places=1, default=Decimal(0), editable=False)
    review_tags = models.JSONField(default=list, editable=False)
    # Above zero when reviewers like it, below when they do not; a few reviews say less than many. See recommendations.
    rating_rank = models.GeneratedField(
        expression=(Cast("reviews_rating_sum", models.FloatField()) - MIDDLING * F("reviews_count"))
        / (F("reviews_count") + DOUBT),
        output_field=models.FloatField(),
        db_persist=True,
    )

    visible = models.BooleanField(default=False, editable=False)
    category_ids = models.TextField(default="", editable=False)  # space-separated, in the order shown
    document = models.TextField(default="{}", editable=False)  # Product, less what is read live
    detail_document = models.TextField(default="{}", editable=False)  # what ProductDetail adds, less what is read live
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        permissions = [("import_product", "Can import products")]
        constraints = [models.UniqueConstraint(fields=["store", "slug"], name="%(app_label)s_product_slug")]
        indexes = [
            models.Index(fields=["store", "visible", "-created_at", "-id"], name="sf_catalog_product_newest"),
            models.Index(fields=["store", "visible", "name", "id"], name="sf_catalog_product_by_name"),
            models.Index(
                fields=["store", "visible", "-rating_rank", "-created_at", "-id"], name="sf_catalog_product_best"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ProductCategory(StoreScoped):
    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="placings", db_index=False)
    category = models.ForeignKey(Category, on_delete=models.CASCADE, related_name="placings", db_index=False)
    sort_order = models.IntegerField(default=0)

    class Meta:
        verbose_name = _("category of a product")
        verbose_name_plural = _("categories of products")
        ordering = ["sort_order", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["product", "category"], name="%(app_label)s_product_category"),
        ]
        indexes = [models.Index(fields=["category", "product"], name="sf_catalog_category_products")]

    def __str__(self) -> str:
        return str(self.category)


class Variant(StoreScoped):
    """One sku. Options, price and stock are its own; what it does not say is the product's."""

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="variants", db_index=False)
    is_standalone = models.BooleanField(default=False, editable=False)  # the product itself, and nothing varies
    sku = models.CharField(_("SKU"), max_length=64, blank=True)
    name = models.CharField(max_length=200, blank=True, help_text=_("Such as Indigo, M. Empty: made of the options."))
    slug = models.SlugField(max_length=200, blank=True, db_index=False)
    short_description = models.CharField(max_length=500, blank=True)
    weight = models.PositiveIntegerField(
        _("weight"), null=True, blank=True, help_text=_("In grams; empty: the product's.")
    )
    is_default = models.BooleanField(default=False, help_text=_("The one shown first; else it is the first in order."))
    active = models.BooleanField(default=True)
    sort_order = models.IntegerField(default=0)

    visible = models.BooleanField(default=False, editable=False)
    document = models.TextField(default="{}", editable=False)  # Variant, less what is read live
    item_document = models.TextField(default="{}", editable=False)  # Item, likewise
    line_document = models.TextField(default="{}", editable=False)  # what a cart shows of it
    own_attributes = models.TextField(default="[]", editable=False)  # its attributes without the product's
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["sort_order", "created_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["store", "sku"], condition=~Q(sku=""), name="%(app_label)s_variant_sku"),
            models.UniqueConstraint(
                fields=["product", "slug"], condition=~Q(slug=""), name="%(app_label)s_variant_slug"
            ),
            models.UniqueConstraint(
                fields=["product"], condition=Q(is_default=True), name="%(app_label)s_variant_one_default"
            ),
            models.CheckConstraint(
                condition=(Q(is_standalone=True) & Q(id=F("product"))) | (Q(is_standalone=False) & ~Q(id=F("product"))),
                name="%(app_label)s_variant_standalone_id",
            ),
        ]
        indexes = [
            models.Index(fields=["product", "sort_order"], name="sf_catalog_variant_product"),
            models.Index(fields=["store", "visible", "-created_at", "-id"], name="sf_catalog_variant_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.product} – {self.name}" if self.name else str(self.product)


class VariantChoice(StoreScoped):
    """Which entry of an option a variant is: its colour, its size."""

    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="options", db_index=False)
    attribute = models.ForeignKey(Attribute, on_delete=models.RESTRICT, related_name="+", verbose_name=_("option"))
    choice = models.ForeignKey(AttributeChoice, on_delete=models.RESTRICT, related_name="+")

    class Meta:
        verbose_name = _("option")
        constraints = [
            models.UniqueConstraint(fields=["variant", "attribute"], name="%(app_label)s_variant_option_once")
        ]

    def __str__(self) -> str:
        return f"{self.attribute}: {self.choice}"

    def clean(self) -> None:
        if not (self.attribute_id and self.choice_id):
            return
        if self.attribute.type not in Attribute.OF_VARIANTS:
            raise ValidationError({"attribute": _("Variants differ by colours and by lists of which one is chosen.")})
        if self.choice.attribute_id != self.attribute_id:
            raise ValidationError({"choice": _("This is no entry of that option.")})


class ProductAttribute(StoreScoped):
    """A fact about a product, or about one variant of it. Lists use `choices`, the other types `value`."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="facts", db_index=False)
    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, null=True, blank=True, related_name="facts")
    attribute = models.ForeignKey(Attribute, on_delete=models.RESTRICT, related_name="+")
    value = models.JSONField(null=True, blank=True, help_text=_("A text, a number, true or false, or a date."))
    choices = models.ManyToManyField(AttributeChoice, blank=True, related_name="+")
    sort_order = models.IntegerField(default=0)

    class Meta:
        verbose_name = _("attribute")
        ordering = ["sort_order", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["product", "attribute"],
                condition=Q(variant__isnull=True),
                name="%(app_label)s_product_attribute",
            ),
            models.UniqueConstraint(
                fields=["variant", "attribute"],
                condition=Q(variant__isnull=False),
                name="%(app_label)s_variant_attribute",
            ),
        ]

    def __str__(self) -> str:
        return str(self.attribute)

    def clean(self) -> None:
        """Holds `value` against the attribute's type."""
        if not self.attribute_id or self.attribute.type in Attribute.OF_CHOICES:
            return
        fits = {
            Attribute.Type.TEXT: lambda value: isinstance(value, str),
            Attribute.Type.NUMBER: lambda value: isinstance(value, int | float) and not isinstance(value, bool),
            Attribute.Type.BOOLEAN: lambda value: isinstance(value, bool),
            Attribute.Type.DATE: _is_date,
        }[Attribute.Type(self.attribute.type)]
        if not fits(self.value):
            raise ValidationError({"value": _("This does not fit the type of the attribute.")})


def _is_date(value: Any) -> bool:
    from django.utils.dateparse import parse_date, parse_datetime

    try:
        return isinstance(value, str) and bool(parse_date(value[:10]) and (len(value) == 10 or parse_datetime(value)))
    except ValueError:
        return False


class ProductImage(StoreScoped):
    """A picture. `renditions` maps tiny, thumbnail, standard and zoom to names in the storage, or is empty for a `url`."""

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="images", db_index=False)
    variants = models.ManyToManyField(
        Variant, blank=True, related_name="images", help_text=_("Which variants it shows; none: all of them.")
    )
    url = models.URLField(max_length=500, blank=True, help_text=_("Of a picture that is kept elsewhere."))
    renditions = models.JSONField(default=dict, blank=True, editable=False)
    source = models.CharField(max_length=500, blank=True, editable=False)  # what an import fetched it from
    title = models.CharField(max_length=120, blank=True)
    alternate_text = models.CharField(max_length=200, blank=True)
    sort_order = models.IntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["sort_order", "created_at", "pk"]
        indexes = [models.Index(fields=["product", "sort_order"], name="sf_catalog_image_product")]
        constraints = [
            models.CheckConstraint(condition=~Q(url="") | ~Q(renditions={}), name="%(app_label)s_image_has_a_picture")
        ]

    def __str__(self) -> str:
        return self.title or self.alternate_text or _("Picture %(number)d") % {"number": self.sort_order}


def refuse_foreign(product_id: str | None, variant: Variant | None) -> None:
    if variant is not None and product_id and variant.product_id != product_id:
        raise ValidationError({"variant": _("This is no variant of the product.")})


class ProductVideo(StoreScoped):
    """A film of a product, kept where films are streamed from."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="videos", db_index=False)
    variant = models.ForeignKey(
        Variant, on_delete=models.CASCADE, null=True, blank=True, related_name="+", help_text=_("Empty: all of them.")
    )
    title = models.CharField(max_length=120, blank=True)
    alternate_text = models.CharField(max_length=200, blank=True)
    preview_url = models.URLField(max_length=500, help_text=_("Of a file that any browser plays."))
    hls_url = models.URLField(_("HLS stream"), max_length=500, blank=True)
    dash_url = models.URLField(_("DASH stream"), max_length=500, blank=True)
    thumbnail_url = models.URLField(_("still picture"), max_length=500, blank=True)
    duration = models.PositiveIntegerField(default=0, help_text=_("In seconds."))
    sort_order = models.IntegerField(default=0)

    class Meta:
        verbose_name = _("video")
        ordering = ["sort_order", "pk"]
        indexes = [models.Index(fields=["product", "sort_order"], name="sf_catalog_video_product")]

    def __str__(self) -> str:
        return self.title or self.preview_url

    def clean(self) -> None:
        refuse_foreign(self.product_id, self.variant)


class SubscriptionPlan(StoreScoped):
    """How a product can be bought again and again. Shown with it; selling by it is not part of the catalogue."""

    class Frequency(models.TextChoices):
        WEEKLY = "weekly", _("Weeks")
        MONTHLY = "monthly", _("Months")
        ANNUALLY = "annually", _("Years")

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="plans", db_index=False)
    variant = models.ForeignKey(
        Variant, on_delete=models.CASCADE, null=True, blank=True, related_name="+", help_text=_("Empty: all of them.")
    )
    name = models.CharField(max_length=120)
    price = amount_field(help_text=_("Of one billing."))
    billing_interval = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    billing_frequency = models.CharField(max_length=8, choices=Frequency.choices, default=Frequency.MONTHLY)
    billing_limit = models.PositiveSmallIntegerField(default=0, help_text=_("How many billings; 0: no end."))
    trial_days = models.PositiveSmallIntegerField(default=0)
    order_interval = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    order_frequency = models.CharField(max_length=8, choices=Frequency.choices, default=Frequency.MONTHLY)
    order_limit = models.PositiveSmallIntegerField(default=0, help_text=_("How many deliveries; 0: no end."))
    fulfill_separately = models.BooleanField(default=False)
    minimum_quantity = models.PositiveIntegerField(default=1, validators=[MinValueValidator(1)])
    sort_order = models.IntegerField(default=0)

    class Meta:
        ordering = ["sort_order", "pk"]
        indexes = [models.Index(fields=["product", "sort_order"], name="sf_catalog_plan_product")]
        constraints = [
            models.CheckConstraint(
                condition=Q(price__gte=0, billing_interval__gte=1, order_interval__gte=1, minimum_quantity__gte=1),
                name="%(app_label)s_plan_amounts",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        refuse_foreign(self.product_id, self.variant)


class ProductLink(StoreScoped):
    """A hand-picked recommendation."""

    class Kind(models.TextChoices):
        UP_SELL = "up-sell", _("Better instead")
        CROSS_SELL = "cross-sell", _("Goes with it")

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="links", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    target = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="+")
    sort_order = models.IntegerField(default=0)

    class Meta:
        verbose_name = _("recommendation")
        ordering = ["sort_order", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["product", "kind", "target"], name="%(app_label)s_link_once"),
            models.CheckConstraint(condition=~Q(product=F("target")), name="%(app_label)s_link_to_another"),
        ]

    def __str__(self) -> str:
        return str(self.target)


class BundleItem(StoreScoped):
    """What a bundle holds. A bundle can be sold as often as its scarcest component allows."""

    bundle = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="components", db_index=False)
    component = models.ForeignKey(Variant, on_delete=models.RESTRICT, related_name="+")
    quantity = models.PositiveIntegerField(default=1, validators=[MinValueValidator(1)])
    sort_order = models.IntegerField(default=0)

    class Meta:
        verbose_name = _("component")
        ordering = ["sort_order", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["bundle", "component"], name="%(app_label)s_component_once"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="%(app_label)s_component_quantity"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.component}"

    def clean(self) -> None:
        if self.component_id and self.component.product.type == Product.Type.BUNDLE:
            raise ValidationError({"component": _("A bundle cannot hold a bundle.")})


class Price(StoreScoped):
    """What one customer group pays for one variant, how it is taxed, and how many may be ordered."""

    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="prices", db_index=False)
    group = models.ForeignKey(CustomerGroup, on_delete=models.RESTRICT, related_name="+")
    listing_price = amount_field(help_text=_("Shown struck through; the printed maximum price."))
    selling_price = amount_field()
    cost_price = amount_field(null=True, blank=True, help_text=_("Never shown to shoppers."))
    price_including_tax = models.BooleanField(default=True)
    tax_rate = percent_field(help_text=_("Percent."))
    min_quantity = models.PositiveIntegerField(default=1, validators=[MinValueValidator(1)])
    max_quantity = models.PositiveIntegerField(null=True, blank=True, help_text=_("In one cart; empty: no limit."))
    step = models.PositiveIntegerField(default=1, validators=[MinValueValidator(1)], help_text=_("Sold by so many."))
    handling_charge = amount_field(default=Decimal(0), help_text=_("Per unit, without tax."))
    handling_tax_rate = percent_field(help_text=_("Percent."))
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["variant", "group"], name="%(app_label)s_price_once_per_group"),
            models.CheckConstraint(
                condition=Q(listing_price__gte=0)
                & Q(selling_price__gte=0)
                & (Q(cost_price__isnull=True) | Q(cost_price__gte=0))
                & Q(handling_charge__gte=0),
                name="%(app_label)s_price_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(tax_rate__gte=0, tax_rate__lte=100, handling_tax_rate__gte=0, handling_tax_rate__lte=100),
                name="%(app_label)s_price_tax_rates",
            ),
            models.CheckConstraint(
                condition=Q(min_quantity__gte=1, step__gte=1)
                & (Q(max_quantity__isnull=True) | Q(max_quantity__gte=F("min_quantity"))),
                name="%(app_label)s_price_quantities",
            ),
        ]

    def __str__(self) -> str:
        return str(self.group)

    def clean(self) -> None:
        if self.max_quantity is not None and self.max_quantity < self.min_quantity:
            raise ValidationError({"max_quantity": _("Must not be below the smallest quantity.")})


class Stock(StoreScoped):
    """How many of a variant there are, at all locations together. Untracked ones never run out.

    An order raises `reserved` when it is made and lowers both when it is paid; `places` says where the units lie.
    """

    variant = models.OneToOneField(Variant, on_delete=models.CASCADE, related_name="stock", primary_key=True)
    tracked = models.BooleanField(default=True)
    on_hand = models.IntegerField(default=0, validators=[MinValueValidator(0)])
    reserved = models.IntegerField(default=0, editable=False)
    backorder = models.BooleanField(default=False, help_text=_("Can be ordered when there are none left."))
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = _("stock")
        constraints = [
            models.CheckConstraint(condition=Q(on_hand__gte=0), name="%(app_label)s_stock_on_hand"),
            models.CheckConstraint(
                condition=Q(reserved__gte=0) & (Q(reserved__lte=F("on_hand")) | Q(backorder=True)),
                name="%(app_label)s_stock_reserved",
            ),
        ]

    def __str__(self) -> str:
        return str(self.on_hand)


class Lot(StoreScoped):
    """A batch of a variant, as printed on it. It tells what the units on hand are; `Stock` says how many are sold."""

    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="lots", db_index=False)
    lot_batch = models.CharField(_("lot or batch"), max_length=60)
    manufactured_on = models.DateField(null=True, blank=True)
    expires_on = models.DateField(null=True, blank=True)
    manufacturer = models.CharField(max_length=120, blank=True)
    quantity = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["expires_on", "lot_batch"]
        constraints = [models.UniqueConstraint(fields=["variant", "lot_batch"], name="%(app_label)s_lot_once")]

    def __str__(self) -> str:
        return self.lot_batch

    def clean(self) -> None:
        if self.manufactured_on and self.expires_on and self.expires_on < self.manufactured_on:
            raise ValidationError({"expires_on": _("Must not be before it was made.")})
