"""`TAX`: the rates of the catalogue, split for India's GST."""

from __future__ import annotations


class GoodsAndServicesTax:
    """See `storefront.contracts.Tax`."""
