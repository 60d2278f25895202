"""The Tax step without a database: goods leave from Maharashtra, and go where the quote's address says."""

from __future__ import annotations

from carts import steps, tax
from carts.steps import TaxFacts
from storefront.contracts import Place
from storefront.places import state_of
from storefront.pricing import Quote

ORIGIN = Place(country="IN", state="27", pincode="411001")


class Tax(steps.Tax):
    def gather(self, quote: Quote) -> TaxFacts:
        state = state_of("IN", (quote.shipping_address or {}).get("state", ""))
        to = Place(country="IN", state=state.gst_code) if state else None
        rates = [line.sellable.tax_rate if line.sellable else line.tax_rate for line in quote.lines]
        return TaxFacts(rates, tax.parts_of(rates, origin=ORIGIN, to=to), (ORIGIN, to))
