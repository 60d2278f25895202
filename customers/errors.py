"""What customers refuse. Each code is part of the API."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from storefront.errors import DomainError, NotFound


class CustomerNotFound(NotFound):
    """No such customer, an erased one, or another's."""

    code = "customer_not_found"
    default_message = _("There is no such customer.")


class AddressNotFound(NotFound):
    code = "address_not_found"
    default_message = _("There is no such address.")


class TooManyAddresses(DomainError):
    code = "too_many_addresses"
    default_message = _("An address book cannot hold more addresses.")
