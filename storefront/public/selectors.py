"""Reads of what everybody with the store's key may see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext as _

from storefront import provided
from storefront import selectors as kernel
from storefront.errors import NotFound
from storefront.models import CountryState, CustomerGroup, Pincode, Store, StoreTemplate
from storefront.query import Page

from .countries import Country, built_in_states, country, other_name


def countries(*, store: Store) -> list[Country]:
    """The countries that the store serves, its default first (D-66); no query."""
    found = (country(str(code).upper()) for code in store.countries)
    return [known for known in found if known is not None]


def served_country(*, store: Store, iso_code: str) -> Country:
    """The served country of that code, however it is cased; no query. Raises NotFound `country_not_found`."""
    wanted = iso_code.upper()
    for known in countries(store=store):
        if known.iso_code == wanted:
            return known
    raise NotFound(_("This store does not serve that country."), code="country_not_found")


def states(*, country: Country) -> list[dict[str, str]]:
    """The states of a country by name, as the contract's CountryState; one query, none for a built-in country.

    An id is the ISO 3166-2 code, so it outlives every new import.
    """
    built_in = built_in_states(country.iso_code)
    if built_in:
        return [
            {
                "id": f"{country.iso_code}-{state.code}",
                "name": state.name,
                "iso_code": state.code,
                "gst_code": state.gst_code,
                "state_alias": other_name(country.iso_code, state),
            }
            for state in built_in
        ]
    rows = CountryState.objects.filter(country=country.iso_code).order_by("name", "pk")
    return [
        {
            "id": row.pk,
            "name": row.name,
            "iso_code": row.code,
            "gst_code": row.gst_code,
            "state_alias": row.other_name or row.name,
        }
        for row in rows
    ]


def pincodes(*, country: Country, beginning: str, page: Page) -> list[dict[str, str]]:
    """A page of a country's postal codes that begin with `beginning`, in order; one query over an index."""
    rows = Pincode.objects.filter(_begins_with(beginning), country=country.iso_code).order_by("pincode", "city")
    return [
        {
            "pincode": pincode,
            "city": city,
            "state_name": state_name,
            "country_name": country.name,
            "country_iso_code": country.iso_code,
        }
        for pincode, city, state_name in rows.values_list("pincode", "city", "state_name")[
            page.offset : page.offset + page.limit
        ]
    ]


def _begins_with(beginning: str) -> Q:
    """LIKE finds the index on PostgreSQL (varchar_pattern_ops); on SQLite, where LIKE folds case, a range does."""
    if not beginning:
        return Q()
    if connection.vendor == "sqlite":
        return Q(pincode__gte=beginning, pincode__lt=beginning[:-1] + chr(ord(beginning[-1]) + 1))
    return Q(pincode__startswith=beginning)


def groups(*, store: Store) -> list[CustomerGroup]:
    """The store's active customer groups, the default first; none or one query."""
    return sorted(kernel.groups(store=store).values(), key=lambda group: (not group.is_default, group.name, group.pk))


def templates(*, store: Store) -> dict[str, StoreTemplate]:
    """The store's own texts by kind; one query."""
    return {row.kind: row for row in StoreTemplate.objects.filter(store=store)}


def kyc_documents(*, store: Store) -> Sequence[dict[str, Any]]:
    """The kinds of document that the store asks for, from the app that keeps them; its cost is that app's."""
    found: Sequence[dict[str, Any]] = provided.ask("kyc_documents", default=(), store=store)
    return found


def providers(name: str, *, store: Store) -> Sequence[dict[str, Any]]:
    """What another app tells clients about its providers: "payment_providers" or "analytics_providers"."""
    found: Sequence[dict[str, Any]] = provided.ask(name, default=(), store=store)
    return found
