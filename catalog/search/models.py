"""The index that the database itself searches. Everything here can be made anew from the catalogue."""

from __future__ import annotations

from typing import Any

import orjson
from django.db import models
from django.utils.translation import gettext_lazy as _

from storefront.models import StoreScoped


class TermIds(models.Field):  # type: ignore[type-arg]
    """Ids of `SearchTerm`: a bigint[] with a GIN index on PostgreSQL, a JSON list on SQLite."""

    def db_type(self, connection: Any) -> str:
        return "bigint[]" if connection.vendor == "postgresql" else "text"

    def get_placeholder(self, value: Any, compiler: Any, connection: Any) -> str:
        return "%s::bigint[]" if connection.vendor == "postgresql" else "%s"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return list(value) if connection.vendor == "postgresql" else orjson.dumps(list(value)).decode()

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> list[int]:
        found: list[int] = orjson.loads(value) if isinstance(value, str) else value
        return found


class SearchEntry(StoreScoped):
    """One sku that is listed. PostgreSQL has a column more, `document`; SQLite keeps the words in a table of its own."""

    product = models.ForeignKey("Product", on_delete=models.CASCADE, related_name="+", db_index=False)
    variant = models.OneToOneField("Variant", on_delete=models.CASCADE, related_name="+")
    is_standalone = models.BooleanField()
    is_bundle = models.BooleanField()
    sku = models.CharField(max_length=64, blank=True)
    sku_key = models.CharField(max_length=80, blank=True)  # the keys are for comparing: without case
    product_name = models.CharField(max_length=200)
    product_key = models.CharField(max_length=400)
    variant_name = models.CharField(max_length=400, blank=True)
    variant_key = models.CharField(max_length=800, blank=True)
    rating = models.FloatField(null=True)
    terms = TermIds(default=list)
    prices = models.JSONField(default=dict)  # group: [listing, selling, tax rate]; "*": the highest of all
    digest = models.CharField(max_length=64)  # of everything indexed; the same again is not written again
    created_at = models.DateTimeField()

    class Meta:
        app_label = "storefront_catalog"
        verbose_name_plural = _("search entries")
        indexes = [
            models.Index(fields=["product"], name="sf_search_entry_product"),
            models.Index(fields=["store", "sku_key"], name="sf_search_entry_sku"),
            models.Index(fields=["store", "-created_at", "-variant"], name="sf_search_entry_newest"),
        ]

    def __str__(self) -> str:
        return self.sku or self.product_name


class SearchTerm(StoreScoped):
    """A value that entries can have, by the name under which filters and facets know it."""

    name = models.CharField(max_length=80)
    key = models.CharField(max_length=200)  # for comparing: without case
    value = models.CharField(max_length=200)  # as facets show it
    number = models.FloatField(null=True)  # what it is as a number, or as seconds for a date

    class Meta:
        app_label = "storefront_catalog"
        constraints = [models.UniqueConstraint(fields=["store", "name", "key"], name="%(app_label)s_search_term")]

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


class SearchWord(StoreScoped):
    """A word that occurs in a store's texts: what a half-typed or misspelt one may have meant."""

    word = models.CharField(max_length=40)

    class Meta:
        app_label = "storefront_catalog"
        constraints = [models.UniqueConstraint(fields=["store", "word"], name="%(app_label)s_search_word")]

    def __str__(self) -> str:
        return self.word
