"""Reads of the catalogue, for whoever holds the store's API key or a token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from rest_framework.request import Request

from storefront import query
from storefront import selectors as kernel
from storefront.api import Access, Reply, StoreViewSet
from storefront.errors import Invalid, NotFound

from . import promotions, recommendations, selectors, serializers
from .caching import cacheable
from .models import Product, ProductLink
from .promotions import Priced
from .selectors import Filters


class _Shown(NamedTuple):
    """Products on their way out."""

    writer: serializers.Writer
    variants: list[selectors.Row]
    components: list[selectors.Row]


class CatalogViewSet(StoreViewSet):
    """What the reads share: whose prices, and a writer for the store."""

    access = Access.KEY_OR_TOKEN

    @cached_property
    def group_ids(self) -> tuple[str, ...]:
        return kernel.price_group_ids(store=self.store, asked=self.group_id)

    def writer(self, *, priced: Iterable[Priced] = ()) -> serializers.Writer:
        """One for the store, which also writes the promotions of what is shown."""
        writer = serializers.Writer(currency=self.store.currency, tree=selectors.tree(store=self.store))
        writer.promotions = promotions.shown(store=self.store, group_ids=self.group_ids, priced=priced)
        return writer

    def with_lots(self, request: Request, writer: serializers.Writer, ids: Iterable[str]) -> serializers.Writer:
        """The same, which also writes the lots of these skus where the request asks for the inventory."""
        if request.META.get("QUERY_STRING") and query.flag(request.query_params, "inventory"):
            writer.lots = selectors.lots(store=self.store, variant_ids=sorted(set(ids)))
        return writer

    def products(self, request: Request, rows: Sequence[selectors.Row], *, lots: bool = True) -> _Shown:
        """What belongs to these products, of (id, document, category ids, type...): at most three queries."""
        group_ids = self.group_ids
        ids = [row[0] for row in rows]
        variants = selectors.variant_rows(store=self.store, product_ids=ids, group_ids=group_ids)
        components = selectors.component_rows(
            store=self.store, bundle_ids=[row[0] for row in rows if row[3] == "bundle"], group_ids=group_ids
        )
        categories = {row[0]: row[2] for row in rows}
        priced = chain(promotions.of_variants(variants, categories), promotions.of_components(components))
        writer = self.writer(priced=priced)
        if lots:
            writer = self.with_lots(request, writer, [*(row[3] for row in variants), *(row[2] for row in components)])
        return _Shown(writer, variants, components)

    def product_row(self, reference: str) -> selectors.Row:
        found = selectors.product_row(store=self.store, reference=reference)
        if found is None:
            raise NotFound(_("We could not find this product."), code="product_not_found")
        return found


def filters(request: Request) -> Filters:
    """The filters that lists of products and of skus share. Raises Invalid for a product type that there is not."""
    asked = request.query_params
    if not asked:
        return Filters()
    types = query.strings(asked, "product_type")
    unknown = [name for name in types if name not in Product.Type.values]
    if unknown:
        raise Invalid(_("Use one of: %(allowed)s.") % {"allowed": ", ".join(Product.Type.values)}, field="product_type")
    return Filters(
        category_ids=query.strings(asked, "category_id"),
        category_slugs=query.strings(asked, "category_slug"),
        types=types,
        skus=query.strings(asked, "sku"),
    )


class Products(CatalogViewSet):
    @cacheable
    def list(self, request: Request, **url: Any) -> Reply:
        page = query.page(request.query_params)
        sort = query.sort_by(request.query_params, selectors.SORT_FIELDS)
        found = selectors.product_page(store=self.store, filters=filters(request), sort=sort, page=page)
        rows = [row[1:] for row in found.rows]
        writer, variants, components = self.products(request, rows)
        return Reply(
            {
                "products": writer.products(rows, variants, components),
                "pagination": page.pagination(found.total),
            },
            message=_("Products."),
        )

    @cacheable
    def retrieve(self, request: Request, product_id: str, **url: Any) -> Reply:
        row = self.product_row(product_id)
        writer, variants, components = self.products(request, [row])
        product = writer.detail(row, variants, components)
        if product is None:
            raise NotFound(_("We could not find this product."), code="product_not_found")
        return Reply({"product": product}, message=_("Product."))


class Recommendations(CatalogViewSet):
    """Lists beside the products in `product_id`, which are those of a page or a cart. Unknown ones among them are
    passed over; without any known one there is nothing to recommend beside."""

    @cacheable
    def similar(self, request: Request, **url: Any) -> Reply:
        wanted = self._beside(request)
        return self._items(request, recommendations.similar(store=self.store, product_ids=wanted) if wanted else [])

    @cacheable
    def up_sell(self, request: Request, **url: Any) -> Reply:
        return self._linked(request, ProductLink.Kind.UP_SELL)

    @cacheable
    def cross_sell(self, request: Request, **url: Any) -> Reply:
        return self._linked(request, ProductLink.Kind.CROSS_SELL)

    @cacheable
    def recommended(self, request: Request, **url: Any) -> Reply:
        rows = recommendations.recommended(store=self.store, page=query.page(request.query_params))
        writer, variants, components = self.products(request, rows, lots=False)
        return Reply({"products": writer.products(rows, variants, components)}, message=_("Products."))

    def _linked(self, request: Request, kind: ProductLink.Kind) -> Reply:
        wanted = self._beside(request)
        return self._items(
            request, recommendations.linked(store=self.store, product_ids=wanted, kind=kind) if wanted else []
        )

    def _beside(self, request: Request) -> Sequence[str]:
        """The visible products of `product_id`; NotFound when none of those named is one."""
        named = query.strings(request.query_params, "product_id")
        found = recommendations.known(store=self.store, product_ids=named) if named else []
        if named and not found:
            raise NotFound(_("We could not find this product."), code="product_not_found")
        return found

    def _items(self, request: Request, product_ids: Sequence[str]) -> Reply:
        page = query.page(request.query_params)
        sort = query.sort_by(request.query_params, selectors.SORT_FIELDS)
        rows = recommendations.item_rows(
            store=self.store, product_ids=product_ids, sort=sort, page=page, group_ids=self.group_ids
        )
        return Reply(
            {
                "products": self.writer(priced=promotions.of_items(rows)).items(rows),
                "pagination": page.pagination(len(product_ids)),
            },
            message=_("Products."),
        )


class Variants(CatalogViewSet):
    @cacheable
    def list(self, request: Request, product_id: str, **url: Any) -> Reply:
        row = self.product_row(product_id)
        rows = selectors.variant_rows(store=self.store, product_ids=[row[0]], group_ids=self.group_ids)
        writer = self.writer(priced=promotions.of_variants(rows, {row[0]: row[2]}))
        writer = self.with_lots(request, writer, (variant[3] for variant in rows))
        return Reply({"variants": writer.variants(rows, row[3])}, message=_("Variants."))

    @cacheable
    def retrieve(self, request: Request, product_id: str, variant_id: str, **url: Any) -> Reply:
        product = self.product_row(product_id)
        row = selectors.variant_row(
            store=self.store, product_id=product[0], reference=variant_id, group_ids=self.group_ids
        )
        variant = None
        if row is not None:
            writer = self.writer(priced=[promotions.Priced(row[0], product[0], product[2], row[7])])
            variant = self.with_lots(request, writer, [row[0]]).variant_detail(product, row)
        if variant is None:
            raise NotFound(_("We could not find this variant."), code="variant_not_found")
        return Reply({"variant": variant}, message=_("Variant."))


class Skus(CatalogViewSet):
    @cacheable
    def list(self, request: Request, **url: Any) -> Reply:
        page = query.page(request.query_params)
        sort = query.sort_by(request.query_params, selectors.SORT_FIELDS)
        found = selectors.sku_page(
            store=self.store, filters=filters(request), sort=sort, page=page, group_ids=self.group_ids
        )
        rows = [row[1:] for row in found.rows]
        writer = self.writer(priced=promotions.of_items(rows))
        writer = self.with_lots(request, writer, (row[0] for row in rows))
        return Reply(
            {
                "skus": writer.items(rows),
                "pagination": page.pagination(found.total),
            },
            message=_("SKUs."),
        )


class Categories(CatalogViewSet):
    @cacheable
    def list(self, request: Request, **url: Any) -> Reply:
        asked = request.query_params
        page = query.page(asked)
        found = selectors.categories(
            store=self.store,
            search=asked.get("search", ""),
            parent_ids=query.strings(asked, "parent_category_id"),
            parent_slugs=query.strings(asked, "parent_category_slug"),
            levels=query.integer(asked, "nested_level", default=0, minimum=0, maximum=100),
            sort=query.sort_by(asked, selectors.CATEGORY_SORT_FIELDS),
        )
        shown = found[page.offset : page.offset + page.limit]
        return Reply(
            {
                "categories": [serializers.category(branch) for branch in shown],
                "pagination": page.pagination(len(found)),
            },
            message=_("Categories."),
        )
