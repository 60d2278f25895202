"""Loyalty, store credit and gift cards in the back office. No balance is typed in: every change is an entry."""

from . import cards, ledgers, loyalty

__all__ = ["cards", "ledgers", "loyalty"]
