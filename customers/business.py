"""What makes a customer a business: its name, and in India its PAN and GSTIN, which must fit each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from storefront import tax_ids
from storefront.errors import Invalid

TAX_NUMBERS = ("pan_number", "gstin")


def cleaned(
    *, sent: Mapping[str, Any], stored: Mapping[str, Any] | None, gst_state: str = "", prefix: str = "business."
) -> dict[str, Any]:
    """What to store: `stored` with the members that were sent; null and "" empty one. Pure.

    A GSTIN brings its PAN along. `gst_state`, two digits, is the state of the address that came with it. Raises Invalid
    naming every field that is wrong.
    """
    kept = {"type": "", "name": "", "metadata": {}, "pan_number": "", "gstin": ""} | dict(stored or {})
    for member, name in (("business_type", "type"), ("name", "name")):
        if member in sent:
            kept[name] = " ".join(str(sent[member] or "").split())
    for name in TAX_NUMBERS:
        if name in sent:
            kept[name] = tax_ids.compact(sent[name] or "")
    if "gstin" in sent and "pan_number" not in sent and tax_ids.valid_gstin(kept["gstin"]):
        kept["pan_number"] = tax_ids.pan_of(kept["gstin"])
    wrong: dict[str, list[object]] = {}
    if not kept["name"]:
        wrong["name"] = [_("Enter the name of the business.")]
    if kept["pan_number"] and not tax_ids.valid_pan(kept["pan_number"]):
        wrong["pan_number"] = [_("Enter a valid PAN.")]
    if kept["gstin"]:
        if not tax_ids.valid_gstin(kept["gstin"]):
            wrong["gstin"] = [_("Enter a valid GSTIN.")]
        elif kept["pan_number"] and tax_ids.pan_of(kept["gstin"]) != kept["pan_number"]:
            wrong["gstin"] = [_("This GSTIN belongs to another PAN.")]
        elif gst_state and not tax_ids.gstin_is_of_state(kept["gstin"], gst_state):
            wrong["gstin"] = [_("This GSTIN belongs to another state than the address.")]
    if wrong:
        first = next(iter(wrong.values()))[0]
        raise Invalid(first, errors={f"{prefix}{name}": messages for name, messages in wrong.items()})
    return kept
