"""Countries as the API names them. Pure facts of CLDR and of the telephone plans; no tables, no network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from urllib.parse import quote

import phonenumbers
from babel import Locale, UnknownLocaleError
from babel.languages import get_official_languages
from babel.numbers import get_currency_name, get_currency_symbol, get_territory_currencies

from storefront.places import ALIASES, STATES, State

CONTINENTS = {
    "Africa": "AC AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW KE KM LR LS LY MA MG ML MR MU "
    "MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TA TD TG TN TZ UG YT ZA ZM ZW",
    "Asia": "AE AF AM AZ BD BH BN BT CC CN CX CY GE HK ID IL IN IO IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN MO MV "
    "MY NP OM PH PK PS QA SA SG SY TH TJ TL TM TR TW UZ VN YE",
    "Europe": "AD AL AT AX BA BE BG BY CH CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT LU LV MC MD "
    "ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK",
    "North America": "AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX NI PA PM "
    "PR SV SX TC TT US VC VG VI",
    "Oceania": "AS AU CK FJ FM GU KI MH MP NC NF NR NU NZ PF PG PW SB TK TO TV VU WF WS",
    "South America": "AR BO BR CL CO EC FK GF GY PE PY SR UY VE",
}
_CONTINENT = {code: name for name, codes in CONTINENTS.items() for code in codes.split()}


@dataclass(frozen=True, slots=True)
class Country:
    """A country or territory with a telephone plan. Its ISO 3166-1 code is its id."""

    iso_code: str
    name: str  # in English, as addresses hold it
    native_name: str  # in the first of its own languages
    dial_code: str  # with its plus
    currency_code: str
    currency_name: str
    currency_symbol: str
    continent: str

    @property
    def flag(self) -> str:
        """A picture as a data address: the flag of the reader's own emoji font, so nothing has to be fetched."""
        letters = "".join(chr(0x1F1E6 + ord(letter) - ord("A")) for letter in self.iso_code)
        drawing = (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 36 36">'
            f'<text x="18" y="29" font-size="30" text-anchor="middle">{letters}</text></svg>'
        )
        return f"data:image/svg+xml,{quote(drawing)}"


@cache
def country(iso_code: str) -> Country | None:
    """The country of an ISO code in capitals; None where there is none with a telephone plan."""
    if iso_code not in phonenumbers.SUPPORTED_REGIONS:
        return None
    english = Locale("en").territories
    name = english.get(iso_code, iso_code)
    currencies = get_territory_currencies(iso_code) or ["USD"]
    return Country(
        iso_code=iso_code,
        name=name,
        native_name=_native_name(iso_code) or name,
        dial_code=f"+{phonenumbers.country_code_for_region(iso_code)}",
        currency_code=currencies[0],
        currency_name=get_currency_name(currencies[0], locale="en"),
        currency_symbol=get_currency_symbol(currencies[0], locale="en"),
        continent=_CONTINENT[iso_code],
    )


def _native_name(iso_code: str) -> str:
    for language in get_official_languages(iso_code, de_facto=True):
        try:
            name = Locale.parse(language).territories.get(iso_code)
        except (UnknownLocaleError, ValueError):
            continue
        if name:
            return str(name)
    return ""


def built_in_states(iso_code: str) -> tuple[State, ...]:
    """The states that need no table, by name."""
    return tuple(sorted(STATES.get(iso_code, ()), key=lambda state: state.name))


@cache
def other_name(iso_code: str, state: State) -> str:
    """The longest other name by which people know a state; its own where there is none."""
    others = [
        alias.title() for alias, code in ALIASES.get(iso_code, {}).items() if code == state.code and len(alias) > 2
    ]
    return max(others, key=len, default=state.name)
