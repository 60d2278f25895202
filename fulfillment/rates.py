"""`SHIPPING_RATES` over this app's zones."""

from __future__ import annotations


class ZoneRates:
    """See `storefront.contracts.ShippingRates`."""
