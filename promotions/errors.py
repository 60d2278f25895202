"""What offers refuse. Each code is part of the API."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from storefront.errors import DomainError, NotFound


class CouponLimitReached(DomainError):
    """Somebody else had the last use, of all or of this code, or this customer had their own."""

    code = "coupon_limit_reached"
    default_message = _("This coupon has been used as often as it can be.")


class PromotionLimitReached(DomainError):
    code = "promotion_limit_reached"
    default_message = _("An offer in your cart has just ended. Please look at your cart again.")


class OfferNotFound(NotFound):
    code = "offer_not_found"
    default_message = _("There is no such coupon or promotion.")


class OfferChanged(DomainError):
    """Somebody else changed it since it was read. Nothing was written."""

    code = "offer_changed"
    default_message = _("Somebody else has changed this meanwhile. Please look at it again.")


class OfferInUse(DomainError):
    code = "offer_in_use"
    default_message = _("This has been used already, so it can be stopped but not deleted.")


class CodeTaken(DomainError):
    code = "coupon_code_taken"
    default_message = _("Another coupon of this store has this code.")


# --- why a coupon does not count --------------------------------------------------------------------------------------
class CouponNotFound(DomainError):
    """No such code, or a draft, or stopped: a shopper is told the same."""

    code = "coupon_not_found"
    default_message = _("There is no such coupon.")


class CouponExpired(DomainError):
    code = "coupon_expired"
    default_message = _("This coupon has expired.")


class CouponNotStarted(DomainError):
    code = "coupon_not_started"
    default_message = _("This coupon cannot be used yet.")


class CouponLoginRequired(DomainError):
    code = "coupon_login_required"
    default_message = _("Please log in to use this.")


class CouponNotEligible(DomainError):
    code = "coupon_not_eligible"
    default_message = _("This is for other customers.")


class CouponFirstOrderOnly(DomainError):
    code = "coupon_first_order_only"
    default_message = _("This is for a first order only.")


class CouponMinimumNotReached(DomainError):
    code = "coupon_minimum_not_reached"
    default_message = _("Your cart is not large enough for this.")


class CouponNotCombinable(DomainError):
    code = "coupon_not_combinable"
    default_message = _("This coupon cannot be used together with the promotions in your cart.")


class CouponNotApplicable(DomainError):
    code = "coupon_not_applicable"
    default_message = _("Nothing in your cart fits this.")
