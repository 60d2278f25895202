"""What a customer's page shows of what the customer owns, and of what staff remember about it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storefront import panels
from storefront.admin_base import change_link, list_link

from . import selectors
from .bank.services import masked
from .models import Address, BankAccount, CustomerNote, Document, SegmentMember

MOST = 10


def _rows(model: Any, customer: Any) -> Any:
    return model._default_manager.filter(store_id=customer.store_id, customer_id=customer.pk).order_by("-created_at")


def notes(request: HttpRequest, customer: Any) -> panels.Table:
    """One query."""
    return panels.Table(
        headers=(_("When"), _("Who"), _("Note")),
        rows=[(row.created_at, row.author, row.text) for row in _rows(CustomerNote, customer)[:MOST]],
        empty=_("No notes yet. Add one by the button above."),
    )


def addresses(request: HttpRequest, customer: Any) -> panels.Table:
    """One query."""
    found = selectors.address_book(store=customer.store_id, customer_id=customer.pk)[:MOST]
    return panels.Table(
        headers=(_("Address"), _("Recipient"), _("Default for")),
        rows=[(change_link(row), f"{row.first_name} {row.last_name}".strip(), _uses(row) or "–") for row in found],
        link=list_link(Address, q=customer.pk),
        empty=_("No addresses."),
    )


def _uses(row: Address) -> str:
    uses = [(row.is_default_billing, _("billing")), (row.is_default_shipping, _("shipping"))]
    return ", ".join(name for said, name in uses if said)


def documents(request: HttpRequest, customer: Any) -> panels.Table:
    """One query."""
    found = _rows(Document, customer).select_related("type")[:MOST]
    return panels.Table(
        headers=(_("Document"), _("State"), _("Sent"), _("Valid until")),
        rows=[(change_link(row), row.get_status_display(), row.created_at, row.expires_at) for row in found],
        link=list_link(Document, q=customer.pk),
        empty=_("No documents."),
    )


def bank_accounts(request: HttpRequest, customer: Any) -> panels.Table:
    """One query. Numbers are masked, as everywhere."""
    return panels.Table(
        headers=(_("Bank"), _("Number"), _("Kind"), _("Check")),
        rows=[
            (change_link(row, row.bank_name), masked(row), row.get_type_display(), row.get_check_state_display())
            for row in _rows(BankAccount, customer)[:MOST]
        ],
        link=list_link(BankAccount, q=customer.pk),
        empty=_("No bank accounts."),
    )


def segments(request: HttpRequest, customer: Any) -> panels.Table:
    """One query. Segments by conditions are not looked through."""
    found = _rows(SegmentMember, customer).select_related("segment")[:MOST]
    return panels.Table(
        headers=(_("Segment"), _("Since")),
        rows=[(change_link(row.segment), row.created_at) for row in found],
        empty=_("Nobody has put this customer into a segment."),
    )


for _title, _icon, _panel, _permission, _order in (
    (gettext_lazy("Notes"), "sticky_note_2", notes, "storefront_customers.view_customernote", 5),
    (gettext_lazy("Addresses"), "home_pin", addresses, "storefront_customers.view_address", 20),
    (gettext_lazy("Documents"), "description", documents, "storefront_customers.view_document", 62),
    (gettext_lazy("Bank accounts"), "account_balance", bank_accounts, "storefront_customers.view_bankaccount", 64),
    (gettext_lazy("Segments by hand"), "groups", segments, "storefront_customers.view_segment", 80),
):
    panels.register(
        "storefront_customers.customer", title=_title, icon=_icon, compute=_panel, permission=_permission, order=_order
    )
