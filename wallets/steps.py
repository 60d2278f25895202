"""Pricing steps: what pays, in the order points, credit, gift card (D-25)."""

from __future__ import annotations

from storefront.pricing import Quote


class Points:
    """Loyalty points."""

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: None) -> Quote:
        return quote


class Credit:
    """Store credit."""

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: None) -> Quote:
        return quote


class GiftCard:
    """The gift card."""

    def gather(self, quote: Quote) -> None:
        return None

    def apply(self, quote: Quote, facts: None) -> Quote:
        return quote
