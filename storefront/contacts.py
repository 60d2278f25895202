"""Phones and e-mail addresses: parsed per the countries that a store serves (D-66), masked for eyes and logs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.translation import gettext as _

from storefront.errors import Invalid

if TYPE_CHECKING:
    from storefront.models import Store

_check_email = EmailValidator(allowlist=[])  # not even localhost


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone number: `country_code` with its plus, `national` digits without it, `e164` as stored."""

    country_code: str
    national: str

    @property
    def e164(self) -> str:
        return f"{self.country_code}{self.national}"


def parse_phone(*, store: Store, phone: str, country_code: str | None = None, field: str = "phone") -> Phone:
    """The phone of a store's shopper. Without `country_code` it is of the store's first country.

    Blanks, dashes and a leading zero are dropped. Raises Invalid naming the field: an impossible number, or a country
    that the store doesn't serve.
    """
    regions = tuple(store.countries)
    try:
        return _parse(phone, (country_code or "").strip(), regions)
    except KeyError as error:
        raise Invalid(
            _("This store does not serve that country."), code="country_not_served", field="country_code"
        ) from error
    except (phonenumbers.NumberParseException, ValueError) as error:
        raise Invalid(_("Enter a valid phone number."), field=field) from error


@lru_cache(maxsize=4096)
def _parse(phone: str, country_code: str, regions: tuple[str, ...]) -> Phone:
    region = regions[0]
    if country_code:
        digits = country_code.lstrip("+")
        if not digits.isascii() or not digits.isdigit():
            raise KeyError(country_code)
        served = {phonenumbers.country_code_for_region(code): code for code in reversed(regions)}
        region = served[int(digits)]
    if any(character.isalpha() for character in phone):  # else read as the keys of a telephone, and somebody else's
        raise ValueError("letters")
    number = phonenumbers.parse(phone, region)
    if number.country_code not in {phonenumbers.country_code_for_region(code) for code in regions}:
        raise KeyError(phone)
    if country_code and number.country_code != int(country_code.lstrip("+")):
        raise ValueError("country code and number disagree")
    # As long as a mobile of that country: codes go to mobiles, and validity data ages faster than lengths.
    possible = phonenumbers.is_possible_number_for_type_with_reason(number, phonenumbers.PhoneNumberType.MOBILE)
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE or number.extension or number.italian_leading_zero:
        raise ValueError("impossible number")
    return Phone(f"+{number.country_code}", phonenumbers.national_significant_number(number))


@lru_cache(maxsize=4096)
def split_e164(e164: str) -> Phone:
    """The parts of a stored number."""
    number = phonenumbers.parse(e164, None)
    return Phone(f"+{number.country_code}", phonenumbers.national_significant_number(number))


def parse_email(email: str, *, field: str = "email") -> str:
    """Trimmed and lower-cased, with one spelling of its domain, however it was typed. Raises Invalid naming the field."""
    address = email.strip().lower()
    try:
        if len(address) > 254 or address.endswith("]"):  # a host's number leads into our own network
            raise ValidationError("too long, or no name")
        name, at, domain = address.rpartition("@")
        if not domain.isascii() or "xn--" in domain:
            # What mail servers take for one mailbox must be one contact: full-width letters, invisible characters and
            # the letters' coded form all lead to the same place.
            address = f"{name}{at}{domain.encode('idna').decode('idna')}"
        _check_email(address)
    except (ValidationError, UnicodeError) as error:
        raise Invalid(_("Enter a valid e-mail address."), field=field) from error
    return address


def mask_phone(e164: str) -> str:
    """+919876543210 as +91******3210."""
    return f"{e164[:3]}{'*' * max(len(e164) - 7, 0)}{e164[-4:]}" if e164 else ""


def mask_email(email: str) -> str:
    """someone@example.com as s***@example.com."""
    name, _at, domain = email.partition("@")
    return f"{name[:1]}***@{domain}" if domain else ""


def mask(contact: str) -> str:
    return mask_email(contact) if "@" in contact else mask_phone(contact)
