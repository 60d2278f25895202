"""What this app refuses. As refusals of a chosen delivery they stand in the cart's `status_error_message`."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from storefront.errors import DomainError


class ShipmentsChanged(DomainError):
    code = "shipments_changed"
    default_message = _("Your cart has changed. Please choose the delivery again.")


class MethodUnavailable(DomainError):
    code = "shipping_method_unavailable"
    default_message = _("This way of delivery is not available for your order. Please choose another one.")


class CourierUnavailable(DomainError):
    code = "courier_unavailable"
    default_message = _("This courier is not available for your order. Please choose another one.")


class NotDeliverable(DomainError):
    code = "not_deliverable"
    default_message = _("We cannot deliver this order to your address.")


class AddressMissing(DomainError):
    code = "shipping_address_missing"
    default_message = _("Please add a shipping address first.")


class PickupUnavailable(DomainError):
    code = "pickup_unavailable"
    default_message = _("Orders cannot be collected at this shop. Please choose another one.")


class PickupOutOfStock(DomainError):
    code = "pickup_out_of_stock"
    default_message = _("This shop does not have everything that you ordered.")


class ItemsDiffer(DomainError):
    code = "fulfillment_items_differ"
    default_message = _("What is collected and what is delivered must add up to your cart. Please choose again.")


class NothingToDeliver(DomainError):
    code = "nothing_to_deliver"
    default_message = _("Nothing in your cart has to be delivered or collected.")
