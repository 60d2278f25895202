"""What buyers say of products, and what they show."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront.ids import ID_LENGTH, new_id
from storefront.models import StoreScoped


class Review(StoreScoped):
    """One buyer's word on one line of a delivered order. Shown once staff have approved it (D-42)."""

    class Status(models.TextChoices):
        PENDING = "pending", _("Waiting")
        APPROVED = "approved", _("Approved")
        REJECTED = "rejected", _("Rejected")

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    product = models.ForeignKey("Product", on_delete=models.CASCADE, related_name="reviews", db_index=False)
    user_id = models.CharField(max_length=64, editable=False)
    order_number = models.CharField(max_length=64, editable=False)
    rating = models.DecimalField(
        max_digits=2, decimal_places=1, validators=[MinValueValidator(1), MaxValueValidator(5)], editable=False
    )
    review_text = models.TextField(blank=True, editable=False)
    name = models.CharField(max_length=120, blank=True, help_text=_("As shown beside the review."))
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.PENDING, editable=False)
    is_featured = models.BooleanField(default=False)
    tags = models.JSONField(default=list, blank=True)
    tag_line = models.CharField(max_length=600, blank=True, editable=False)  # |of|the|tags|, folded, to be searched
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store", "user_id", "order_number", "product"], name="%(app_label)s_review_once"
            ),
            models.CheckConstraint(condition=Q(rating__gte=1, rating__lte=5), name="%(app_label)s_review_rating"),
        ]
        indexes = [
            models.Index(fields=["product", "status", "-created_at"], name="sf_catalog_review_shown"),
            models.Index(fields=["store", "status", "-created_at"], name="sf_catalog_review_queue"),
        ]

    def __str__(self) -> str:
        return f"{self.product}: {self.rating}"


class ReviewMedia(StoreScoped):
    """A picture or a film of a review. `names` are in the storage: a picture's by size, a film's under "video"."""

    class Kind(models.TextChoices):
        IMAGE = "image", _("Picture")
        VIDEO = "video", _("Film")

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="media")
    kind = models.CharField(max_length=5, choices=Kind.choices)
    names = models.JSONField()
    sort_order = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["sort_order", "pk"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.sort_order}"
