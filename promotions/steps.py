"""Pricing steps: automatic promotions, the coupon, and what both say of themselves."""

from __future__ import annotations

from storefront.pricing import Quote


class Promotions:
    """Automatic promotions, in sequence (D-34)."""

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: None) -> Quote:
        return quote


class Coupon:
    """The cart's coupon, on what promotions left."""

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: None) -> Quote:
        return quote


class Applied:
    """Says what was applied, once shipping is known."""

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: None) -> Quote:
        return quote
