"""States and postal codes, as far as addresses and taxes need them. Pure facts; no tables."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import NamedTuple


class State(NamedTuple):
    """A state or union territory. `gst_code` is the two digits that GSTINs of it begin with."""

    code: str  # ISO 3166-2 without the country
    name: str
    gst_code: str


INDIA = (
    State("JK", "Jammu and Kashmir", "01"),
    State("HP", "Himachal Pradesh", "02"),
    State("PB", "Punjab", "03"),
    State("CH", "Chandigarh", "04"),
    State("UK", "Uttarakhand", "05"),
    State("HR", "Haryana", "06"),
    State("DL", "Delhi", "07"),
    State("RJ", "Rajasthan", "08"),
    State("UP", "Uttar Pradesh", "09"),
    State("BR", "Bihar", "10"),
    State("SK", "Sikkim", "11"),
    State("AR", "Arunachal Pradesh", "12"),
    State("NL", "Nagaland", "13"),
    State("MN", "Manipur", "14"),
    State("MZ", "Mizoram", "15"),
    State("TR", "Tripura", "16"),
    State("ML", "Meghalaya", "17"),
    State("AS", "Assam", "18"),
    State("WB", "West Bengal", "19"),
    State("JH", "Jharkhand", "20"),
    State("OD", "Odisha", "21"),
    State("CG", "Chhattisgarh", "22"),
    State("MP", "Madhya Pradesh", "23"),
    State("GJ", "Gujarat", "24"),
    State("DH", "Dadra and Nagar Haveli and Daman and Diu", "26"),
    State("MH", "Maharashtra", "27"),
    State("KA", "Karnataka", "29"),
    State("GA", "Goa", "30"),
    State("LD", "Lakshadweep", "31"),
    State("KL", "Kerala", "32"),
    State("TN", "Tamil Nadu", "33"),
    State("PY", "Puducherry", "34"),
    State("AN", "Andaman and Nicobar Islands", "35"),
    State("TS", "Telangana", "36"),
    State("AP", "Andhra Pradesh", "37"),
    State("LA", "Ladakh", "38"),
)
STATES: dict[str, tuple[State, ...]] = {"IN": INDIA}
ALIASES = {  # other spellings that people and couriers use
    "IN": {
        "orissa": "OD",
        "or": "OD",
        "pondicherry": "PY",
        "uttaranchal": "UK",
        "ut": "UK",
        "ct": "CG",
        "tg": "TS",
        "dn": "DH",
        "dd": "DH",
        "new delhi": "DL",
        "nct of delhi": "DL",
        "daman and diu": "DH",
        "dadra and nagar haveli": "DH",
        "jammu kashmir": "JK",
        "andaman and nicobar": "AN",
    }
}
PINCODES = {"IN": re.compile(r"[1-9][0-9]{5}")}


@lru_cache(maxsize=4096)  # of texts that are as long as a state's name may be, or are refused anyway
def state_of(country: str, text: str) -> State | None:
    """The state meant by a name, an ISO code or a GST code, however it is spelt; None for an unknown one."""
    return _states(country).get(_plain(text))


def valid_pincode(country: str, text: str) -> bool:
    """Whether it can be a postal code there. Countries that are not known here accept any short text."""
    pattern = PINCODES.get(country)
    return pattern.fullmatch(text) is not None if pattern else 0 < len(text) <= 12


@cache
def _states(country: str) -> dict[str, State]:
    found: dict[str, State] = {}
    for state in STATES.get(country, ()):
        for spelling in (state.name, state.code, state.gst_code, f"{country}-{state.code}"):
            found[_plain(spelling)] = state
    codes = {state.code: state for state in STATES.get(country, ())}
    for alias, code in ALIASES.get(country, {}).items():
        found.setdefault(alias, codes[code])
    return found


def _plain(text: str) -> str:
    bare = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return " ".join(re.sub(r"[^a-z0-9]+", " ", bare.replace("&", " and ")).split())
