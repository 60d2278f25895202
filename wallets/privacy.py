"""What wallets know of a shopper, for their export."""

from __future__ import annotations

from typing import Any

from storefront.models import Store

from . import serializers
from .models import Account, Earning, Entry, Member


def collect(*, store: Store, user_id: str, customer_id: str | None) -> dict[str, Any]:
    """The customer's points and credit with every entry, JSON-ready; {} for who has neither. Five queries at most."""
    if not customer_id:
        return {}
    found: dict[str, Any] = {}
    for account in Account.objects.filter(store=store, customer_id=customer_id).order_by("kind"):
        entries = Entry.objects.filter(store=store, account=account).order_by("pk")
        found[account.kind] = {
            "balance": float(account.balance),
            "entries": [
                {
                    "what": serializers.title(entry),
                    "amount": float(entry.amount),
                    "reference": entry.reference,
                    "remarks": entry.remarks,
                    "at": entry.created_at.isoformat(),
                    "expires_at": entry.expires_at.isoformat() if entry.expires_at else None,
                }
                for entry in entries
            ],
        }
    members = Member.objects.select_related("tier").filter(store=store, account__customer_id=customer_id)
    member = members.first() if found else None
    if member is not None:
        found["membership_number"] = member.membership_number
        found["joined_at"] = member.joined_at.isoformat()
        found["tier"] = member.tier.name if member.tier else None
        earnings = Earning.objects.filter(store=store, account=member.account_id).order_by("pk")
        found["earnings"] = list(earnings.values("reference", "points", "spent", "placed_at"))
    return found
