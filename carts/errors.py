"""What carts refuse. Each code is part of the API."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from storefront.errors import DomainError, NotFound


class CartNotFound(NotFound):
    """No such cart, or another shopper's, or one that has become an order."""

    code = "cart_not_found"
    default_message = _("There is no such cart.")


class CartExpired(NotFound):
    code = "cart_expired"
    default_message = _("This cart has expired. Please start a new one.")


class ProductNotFound(NotFound):
    """The catalogue does not know the sku, or no longer sells it."""

    code = "product_not_found"
    default_message = _("This product is not available.")


class VariantRequired(DomainError):
    code = "variant_required"
    default_message = _("Please choose a variant of this product.")


class BelowMinimum(DomainError):
    code = "below_minimum"
    default_message = _("This is less than can be ordered.")


class AboveMaximum(DomainError):
    code = "above_maximum"
    default_message = _("This is more than can be ordered.")


class WrongStep(DomainError):
    code = "wrong_step"
    default_message = _("This quantity cannot be ordered.")


class OutOfStock(DomainError):
    code = "out_of_stock"
    default_message = _("This product is out of stock.")


class TooManyLines(DomainError):
    code = "too_many_lines"
    default_message = _("A cart cannot hold more different products.")


class AddressNotFound(NotFound):
    """No such address, or another customer's, or the shopper has no address book."""

    code = "address_not_found"
    default_message = _("There is no such address.")


class CouponNotFound(DomainError):
    """The store has no coupons at all."""

    code = "coupon_not_found"
    default_message = _("This coupon is not valid.")


class PointsNotAvailable(DomainError):
    code = "points_not_available"
    default_message = _("Loyalty points cannot be used for this cart.")


class CreditNotAvailable(DomainError):
    code = "credit_not_available"
    default_message = _("Store credit cannot be used for this cart.")


class GiftCardNotValid(DomainError):
    """Whatever is wrong with it (D-38)."""

    code = "invalid_gift_card"
    default_message = _("This gift card is not valid.")


class FulfillmentNotAvailable(DomainError):
    code = "fulfillment_not_available"
    default_message = _("This store cannot bring or hand out goods.")


class WishlistFull(DomainError):
    code = "wishlist_full"
    default_message = _("Your wishlist cannot hold more products.")
