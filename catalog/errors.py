"""What the catalogue refuses. Each code is part of the API."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from storefront.errors import DomainError


class OutOfStock(DomainError):
    """Fewer are left than an order needs. `errors` names what is short, under `items`."""

    code = "out_of_stock"
    default_message = _("This product is out of stock.")
