"""What wallets refuse."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from storefront.errors import DomainError


class InsufficientPoints(DomainError):
    code = "insufficient_points"
    default_message = _("You do not have that many points.")


class InsufficientCredit(DomainError):
    code = "insufficient_credit"
    default_message = _("You do not have that much store credit.")


class InvalidGiftCard(DomainError):
    """One answer whatever is wrong with a card, so that nobody learns which codes exist (D-38)."""

    code = "invalid_gift_card"
    default_message = _("This gift card cannot be used. Please check the code and the PIN.")


class NoLoyalty(DomainError):
    status = 404
    code = "not_found"
    default_message = _("This shop has no loyalty programme.")
