"""What goes out, in the contract's words."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from .models import Entry
from .selectors import Standing

Kind = Entry.Kind
ACTIVITY = {
    Kind.EARN: "order-placed",
    Kind.SPEND: "order-placed",
    Kind.REFUND: "credit-note-issued",
    Kind.REVERSE: "credit-note-issued",
    Kind.GRANT: "credit-note-issued",
    Kind.TIER_UP: "tier-upgrade",
    Kind.TIER_DOWN: "tier-downgrade",
    Kind.EXPIRE: "points-expired",
    Kind.CARRY_OUT: "points-carryforward",
    Kind.CARRY_IN: "points-carryforward",
    Kind.SIGNUP: "signup",
    Kind.BONUS: "bonus",
}
_REMOVES = {Kind.TIER_DOWN}  # of no points, but not an addition


def loyalty(standing: Standing) -> dict[str, Any]:
    """The contract's `CustomerLoyalty`."""
    return {
        "membership_number": standing.membership_number,
        "date_of_join": standing.joined_at,
        "date_of_assign": standing.assigned_at,
        "date_of_reset": standing.resets_at,
        "current_tier": standing.tier,
        "points_earned": int(standing.points_earned),
        "points_redeemed": int(standing.points_redeemed),
        "points_balance": int(standing.points_balance),
        "total_orders": standing.total_orders,
        "lifetime_orders": standing.lifetime_orders,
        "total_spent": float(standing.total_spent),
        "lifetime_spent": float(standing.lifetime_spent),
        "lifetime_savings": float(standing.lifetime_savings),
    }


def activity(entry: Entry) -> dict[str, Any]:
    """The contract's `LoyaltyPointActivity`. Entries never change, so they are modified when they are made."""
    kind = Kind(entry.kind)
    return {
        "action": "remove" if entry.amount < 0 or kind in _REMOVES else "add",
        "activity": ACTIVITY.get(kind, "other"),
        "reference_number": entry.reference or None,
        "title": title(entry),
        "loyalty_points": int(abs(entry.amount)),
        "remarks": entry.remarks or None,
        "created_at": entry.created_at,
        "modified_at": entry.created_at,
    }


def title(entry: Entry) -> str:
    """What happened, for the shopper."""
    order = {"order": entry.reference or _("an order")}
    match Kind(entry.kind):
        case Kind.EARN:
            return _("Earned by %(order)s") % order
        case Kind.SPEND:
            return _("Used for %(order)s") % order
        case Kind.REFUND | Kind.GRANT:
            return _("Given back for %(order)s") % order
        case Kind.REVERSE:
            return _("Taken back for goods returned from %(order)s") % order
        case Kind.TIER_UP:
            return _("You rose to %(tier)s") % {"tier": entry.remarks}
        case Kind.TIER_DOWN:
            return _("You are now in %(tier)s") % {"tier": entry.remarks}
        case Kind.EXPIRE:
            return _("Points expired")
        case Kind.CARRY_OUT:
            return _("Carried out of the last period")
        case Kind.CARRY_IN:
            return _("Carried forward from the last period")
        case Kind.SIGNUP:
            return _("Welcome bonus")
        case Kind.BONUS:
            return _("Bonus points")
        case _:
            return _("Correction")
