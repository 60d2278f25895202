"""Providers, mandates with their debits, credit lines with their ledgers, and saved means, for staff."""

from . import credit, mandates, providers, saved

__all__ = ["credit", "mandates", "providers", "saved"]
