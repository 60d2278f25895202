"""`POST /catalog/products/search`."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request

from storefront.api import Access, Reply, StoreViewSet
from storefront.contracts import SearchQuery
from storefront.plugs import plug
from storefront.query import Page

from . import fields, grammar, serializers
from .database import attribute_keys


class Searches(StoreViewSet):
    access = Access.KEY_OR_TOKEN
    inputs = {"search": serializers.SearchIn}

    def search(self, request: Request, **url: Any) -> Reply:
        asked = self.read(request)
        page = Page(asked["page"], asked["limit"])
        facets, sort = asked["facets"] or [], asked["sort"] or []
        condition = grammar.parse(asked["filter"])
        names = [*(part.name for part in grammar.conditions(condition)), *facets]
        keys = attribute_keys(store=self.store, wanted=fields.attribute_keys(names))
        fields.check_filter(condition, keys)
        fields.check_facets(facets, keys)
        group_id = self.group_id
        query = SearchQuery(
            text=asked["query"] or "",
            filter=condition,
            facets=tuple(dict.fromkeys(facets)),
            sort=fields.sort_order(sort),
            offset=page.offset,
            limit=page.limit,
            group_id=group_id,
        )
        found = plug("SEARCH").find(self.store.pk, query)
        items = plug("CATALOG").items(self.store.pk, found.skus, group_id=group_id)
        return Reply(
            {
                "skus": [items[sku] for sku in found.skus if sku in items],
                "facet_distribution": found.facet_counts,
                "facet_stats": serializers.facet_stats(found),
                "pagination": page.pagination(found.total),
            },
            message=_("Products."),
        )
