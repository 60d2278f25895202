"""`FULFILLMENT` over this app's zones, rates and shops."""

from __future__ import annotations


class StoreFulfillment:
    """See `storefront.contracts.FulfillmentPlug`."""
