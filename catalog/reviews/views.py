"""`/catalog/products/{product_id}/reviews`: everybody reads, buyers write."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request

from storefront import query
from storefront import selectors as kernel
from storefront.api import Access, Reply, StoreViewSet, UploadViewSet
from storefront.errors import Invalid, NotFound

from ..caching import cacheable
from ..models import Product
from . import selectors, serializers, services

LONGEST = 100


class Reviews(UploadViewSet):
    access = {"list": Access.KEY_OR_TOKEN, "create": Access.LOGGED_IN}
    inputs = {"create": serializers.ReviewIn}

    @property
    def group_ids(self) -> tuple[str, ...]:
        return ()  # nobody's prices are shown here

    @cacheable
    def list(self, request: Request, product_id: str, **url: Any) -> Reply:
        asked = request.query_params
        page = query.page(asked)
        sort = query.sort_by(asked, selectors.SORT_FIELDS)
        product = self._product(product_id)
        found = selectors.shown(
            store=self.store,
            product_id=product.pk,
            search=self._short(asked, "search"),
            tag=self._short(asked, "review_tag"),
            sort=sort,
            page=page,
        )
        return Reply(
            {
                "reviews": [serializers.review(row) for row in found.rows],
                "review_tags": product.review_tags or None,
                "pagination": page.pagination(found.total),
            },
            message=_("Reviews."),
        )

    def create(self, request: Request, product_id: str, **url: Any) -> Any:
        self.brake("upload", self.shopper.user_id)
        product = self._product(product_id)
        data = self.read(request)
        if data["user_id"] != self.shopper.user_id:
            raise Invalid(_("You can write reviews in your own name only."), field="user_id")

        def write(_id: str) -> Reply:
            services.write(
                store=self.store,
                product_id=product.pk,
                user_id=self.shopper.user_id,
                name=serializers.shown_name(self.shopper.claims),
                order_number=data["order_number"],
                rating=data["rating"],
                review_text=data.get("review_text") or "",
                images=data.get("images") or [],
                videos=data.get("videos") or [],
            )
            return Reply(message=_("Thank you. Your review is shown once we have read it."))

        return self.once(write, outside=True)

    def _product(self, reference: str) -> Product:
        found = selectors.product(store=self.store, reference=reference)
        if found is None:
            raise NotFound(_("We could not find this product."), code="product_not_found")
        return found

    def _short(self, asked: Any, name: str) -> str:
        value: str = asked.get(name, "").strip()
        if len(value) > LONGEST:
            raise Invalid(_("At most %(count)d characters.") % {"count": LONGEST}, field=name)
        return value


class CustomerReviews(StoreViewSet):
    """`/customers/{customer_id}/reviews`: what the caller wrote, and what they could still write about."""

    access = Access.LOGGED_IN

    def list(self, request: Request, customer_id: str, **url: Any) -> Reply:
        if customer_id not in (self.shopper.customer_id, self.shopper.user_id):
            raise NotFound
        group_ids = kernel.price_group_ids(store=self.store, asked=self.group_id)
        found = selectors.of_shopper(store=self.store, user_id=self.shopper.user_id, group_ids=group_ids)
        return Reply(
            {
                "reviews": [serializers.own_review(row, found.goods.get(row.product_id)) for row in found.reviews],
                "ready_for_review": [
                    serializers.ready(line, found.goods[line.sku.product_id])
                    for line in found.ready
                    if line.sku.product_id in found.goods
                ],
            },
            message=_("Reviews."),
        )
