"""Addresses as the API speaks of them (the contract's `CustomerAddress`): one shape and one set of rules for address
books, carts and orders. An address is a plain dictionary; who keeps it adds an id and flags."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from babel import Locale
from django.utils.translation import gettext as _
from rest_framework import serializers

from storefront import tax_ids
from storefront.contacts import parse_email, parse_phone
from storefront.contracts import Place, Shopper
from storefront.errors import Invalid
from storefront.models import Store
from storefront.places import State, state_of, valid_pincode

TEXTS = {  # name: longest, required
    "first_name": (80, True),
    "last_name": (80, False),
    "address_line1": (200, True),
    "address_line2": (200, False),
    "landmark": (120, False),
    "city": (80, True),
    "tax_identification_number": (30, False),
    "business_name": (160, False),
    "nickname": (60, False),
}
LONGEST_STATE = 80
MEMBERS = (  # what an address says, in the contract's order
    "first_name",
    "last_name",
    "country_code",
    "phone",
    "email",
    "address_line1",
    "address_line2",
    "landmark",
    "pincode",
    "city",
    "state",
    "country",
    "tax_identification_number",
    "business_name",
    "nickname",
)
OPTIONAL = frozenset(name for name, (_longest, required) in TEXTS.items() if not required)  # null when empty


class DefaultFlag(serializers.BooleanField):
    """True or false; null is the same as leaving it out."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, **kwargs)


class AddressIn(serializers.Serializer[Any]):
    """What a client sends. The rules that depend on the store are `cleaned`'s."""

    first_name = serializers.CharField(max_length=80)
    last_name = serializers.CharField(max_length=80, required=False, allow_null=True, allow_blank=True)
    country_code = serializers.CharField(max_length=5, required=False, allow_null=True, allow_blank=True)
    phone = serializers.CharField(max_length=20)
    email = serializers.CharField(max_length=254, required=False, allow_null=True, allow_blank=True)
    address_line1 = serializers.CharField(max_length=200)
    address_line2 = serializers.CharField(max_length=200, required=False, allow_null=True, allow_blank=True)
    landmark = serializers.CharField(max_length=120, required=False, allow_null=True, allow_blank=True)
    pincode = serializers.CharField(max_length=12)
    city = serializers.CharField(max_length=80)
    state = serializers.CharField(max_length=80)
    country = serializers.CharField(max_length=60, required=False, allow_null=True, allow_blank=True)
    tax_identification_number = serializers.CharField(max_length=30, required=False, allow_null=True, allow_blank=True)
    business_name = serializers.CharField(max_length=160, required=False, allow_null=True, allow_blank=True)
    nickname = serializers.CharField(max_length=60, required=False, allow_null=True, allow_blank=True)
    is_default_billing = DefaultFlag()
    is_default_shipping = DefaultFlag()


class AddressChangesIn(AddressIn):
    """Those members that a client wants changed; the others stay as they are."""

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        for member in fields.values():
            member.required = False
        return fields


def country_of(*, store: Store, text: str | None) -> str:
    """The ISO code of a country that the store serves, from its English name or code; "" and None mean the first.

    Raises KeyError for any other.
    """
    wanted = (text or "").strip().lower()
    if not wanted:
        return str(store.countries[0])
    for code in store.countries:
        if wanted in (str(code).lower(), country_name(code).lower()):
            return str(code)
    raise KeyError(text)


@lru_cache(maxsize=512)  # reading a locale takes longer than anything else that a cart's address needs
def country_name(code: str) -> str:
    """The English name, as the contract writes it: IN is India."""
    return str(Locale("en").territories.get(code, code))


def cleaned(*, store: Store, data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A validated address in the contract's shape, spelt in one way: trimmed, the state by its official name, phone
    without country code, a GSTIN in capitals. Without id and flags. `prefix` ("billing_address.") goes before the
    fields named.

    In India a tax number of fifteen letters and digits is a GSTIN: its check character must fit, and its state must be
    the address's. Any other text stays as it is. Raises Invalid naming every field that is wrong.
    """
    wrong: dict[str, list[object]] = {}
    out: dict[str, Any] = {}
    for name, (longest, required) in TEXTS.items():
        out[name] = " ".join(str(data.get(name) or "").split()) or None
        if required and out[name] is None:
            wrong[name] = [_("This field may not be blank.")]
        elif len(out[name] or "") > longest:
            wrong[name] = [_("Use at most %(longest)d characters.") % {"longest": longest}]
    try:
        country = country_of(store=store, text=data.get("country"))
    except KeyError:
        country = str(store.countries[0])
        wrong["country"] = [_("This store does not serve that country.")]
    out["country"] = country_name(country)
    try:
        phone = parse_phone(store=store, phone=str(data.get("phone") or ""), country_code=data.get("country_code"))
        out["country_code"], out["phone"] = phone.country_code, phone.national
    except Invalid as error:
        wrong |= {name: list(messages) for name, messages in error.errors.items()}
    out["email"] = ""
    if data.get("email"):
        try:
            out["email"] = parse_email(str(data["email"]))
        except Invalid as error:
            wrong |= {name: list(messages) for name, messages in error.errors.items()}
    out["pincode"] = "".join(str(data.get("pincode") or "").split())
    if not valid_pincode(country, out["pincode"]):
        wrong["pincode"] = [_("Enter a valid PIN code.")]
    out["state"] = str(data.get("state") or "").strip()
    state = state_of(country, out["state"])
    if state is not None:
        out["state"] = state.name
    elif country == "IN" or not out["state"]:
        wrong["state"] = [_("Enter the state or union territory.")]
    elif len(out["state"]) > LONGEST_STATE:
        wrong["state"] = [_("Use at most %(longest)d characters.") % {"longest": LONGEST_STATE}]
    if country == "IN" and out["tax_identification_number"]:
        out["tax_identification_number"], mistake = _tax_number(out["tax_identification_number"], state)
        if mistake:
            wrong["tax_identification_number"] = [mistake]
    if wrong:
        first = next(iter(wrong.values()))[0]
        raise Invalid(first, errors={f"{prefix}{name}": messages for name, messages in wrong.items()})
    return out


def _tax_number(text: str, state: State | None) -> tuple[str, object]:
    """An Indian tax number as it is stored, and what is wrong with it ("" for nothing)."""
    number = tax_ids.compact(text)
    if not tax_ids.looks_like_gstin(number):
        return text, ""
    if not tax_ids.valid_gstin(number):
        return number, _("Enter a valid GSTIN.")
    if state is not None and not tax_ids.gstin_is_of_state(number, state.gst_code):
        return number, _("This GSTIN belongs to another state than the address.")
    return number, ""


def contact_flags(*, address: Mapping[str, Any], shopper: Shopper | None) -> dict[str, bool]:
    """The contract's `is_phone_verified` and `is_email_verified`: whether a contact of the address is one that the
    caller has proved to be theirs, as their token says. No queries. False for visitors and for None."""
    claims: Mapping[str, Any] = shopper.claims if shopper is not None and shopper.is_logged_in else {}
    email, phone = str(address.get("email") or ""), f"{address.get('country_code') or ''}{address.get('phone') or ''}"
    own_phone = f"{claims.get('country_code') or ''}{claims.get('phone') or ''}"
    return {
        "is_phone_verified": bool(claims.get("is_phone_verified")) and bool(own_phone) and phone == own_phone,
        "is_email_verified": bool(claims.get("is_email_verified")) and bool(email) and email == claims.get("email"),
    }


def place_of(*, store: Store, address: Mapping[str, Any] | None) -> Place | None:
    """Where an address is, for taxes and rates: the state by its GST code in India, else by its name."""
    if not address:
        return None
    try:
        country = country_of(store=store, text=address.get("country"))
    except KeyError:
        country = str(store.countries[0])
    text = str(address.get("state") or "")
    state = state_of(country, text)
    return Place(country=country, state=state.gst_code if state else text, pincode=str(address.get("pincode") or ""))
