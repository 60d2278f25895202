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
