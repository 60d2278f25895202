"""How customers are called, for lists and pages of rows that hold their ids alone.

A page class names the way to the id (`customer_path = "account.customer_id"`) and shows "customer_name" or `known_as`.
Who may not see customers sees the ids.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import reduce
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from storefront import provided
from storefront.admin_base.admin_site import site
from storefront.admin_base.links import masked
from storefront.models import Store

PERMISSION = "storefront_customers.view_customer"


def customer_id(row: Any, path: str) -> str:
    return str(reduce(getattr, path.split("."), row) or "")


def introduce(request: HttpRequest, rows: Iterable[Any], path: str) -> None:
    """Tells the rows how their customers are called: one query for each store among them."""
    if not request.user.has_perm(PERMISSION):
        return
    rows = list(rows)
    ids: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        ids[row.store_id].add(customer_id(row, path))
    names: dict[str, str] = {}
    for store_id, wanted in ids.items():
        found = provided.ask(
            "people_of_customers", default={}, store=Store(pk=store_id), customer_ids=sorted(wanted - {""})
        )
        for pk, (name, email, phone) in found.items():
            names[pk] = name or (masked(email or phone) if email or phone else "")
    for row in rows:
        row._customer_names = names


def known_as(row: Any, path: str) -> str:
    """The name of the row's customer; the id where nobody has one, or may not know it; "" without a customer."""
    pk = customer_id(row, path)
    return getattr(row, "_customer_names", {}).get(pk) or pk


def customer_link(row: Any, path: str) -> str:
    """The same as a link to the customer's page, where there is one; no query."""
    pk, text = customer_id(row, path), known_as(row, path)
    if not pk:
        return "–"
    try:
        address = reverse(f"{site.name}:storefront_customers_customer_change", args=[pk])
    except NoReverseMatch:
        return text
    return format_html('<a href="{}" class="text-primary-600 dark:text-primary-500">{}</a>', address, text)
