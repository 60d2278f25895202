"""Roughly where India's postal codes lie: the middle of each postal region, to the nearest few kilometres.

Good enough to tell which shop is near; nothing is charged by these distances. Pure facts; no tables.
"""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple

from storefront.places import state_of


class Point(NamedTuple):
    latitude: float
    longitude: float


# The first digits of a code: the state (ISO) and where its middle lies. The longest beginning wins.
_REGIONS: dict[str, tuple[str, float, float]] = {
    "11": ("DL", 28.65, 77.20),
    "12": ("HR", 28.60, 76.60),
    "121": ("HR", 28.40, 77.30),
    "122": ("HR", 28.45, 77.03),
    "13": ("HR", 29.90, 76.90),
    "14": ("PB", 31.10, 75.60),
    "15": ("PB", 30.40, 75.00),
    "16": ("CH", 30.73, 76.78),
    "17": ("HP", 31.60, 77.10),
    "18": ("JK", 33.00, 75.00),
    "19": ("JK", 34.10, 74.80),
    "194": ("LA", 34.15, 77.58),
    "20": ("UP", 27.80, 78.20),
    "201": ("UP", 28.60, 77.40),
    "208": ("UP", 26.45, 80.33),
    "21": ("UP", 25.50, 81.30),
    "22": ("UP", 26.20, 81.90),
    "221": ("UP", 25.32, 83.00),
    "226": ("UP", 26.85, 80.95),
    "23": ("UP", 25.30, 83.20),
    "24": ("UP", 28.70, 79.30),
    "246": ("UK", 30.10, 78.80),
    "248": ("UK", 30.32, 78.03),
    "249": ("UK", 29.95, 78.16),
    "25": ("UP", 29.00, 77.60),
    "26": ("UP", 27.90, 80.60),
    "263": ("UK", 29.40, 79.60),
    "27": ("UP", 27.00, 83.20),
    "28": ("UP", 26.60, 78.50),
    "282": ("UP", 27.18, 78.01),
    "30": ("RJ", 26.80, 75.60),
    "302": ("RJ", 26.91, 75.79),
    "31": ("RJ", 24.90, 74.10),
    "32": ("RJ", 25.50, 76.30),
    "33": ("RJ", 28.10, 74.50),
    "34": ("RJ", 26.30, 72.60),
    "36": ("GJ", 22.00, 70.80),
    "37": ("GJ", 23.30, 69.80),
    "38": ("GJ", 23.20, 72.60),
    "380": ("GJ", 23.03, 72.58),
    "39": ("GJ", 21.80, 73.00),
    "390": ("GJ", 22.31, 73.18),
    "395": ("GJ", 21.17, 72.83),
    "40": ("MH", 19.00, 73.10),
    "400": ("MH", 19.07, 72.88),
    "403": ("GA", 15.40, 73.90),
    "41": ("MH", 18.00, 74.60),
    "411": ("MH", 18.52, 73.86),
    "416": ("MH", 16.70, 74.20),
    "42": ("MH", 20.30, 74.40),
    "422": ("MH", 20.00, 73.79),
    "43": ("MH", 19.60, 76.10),
    "44": ("MH", 20.90, 78.60),
    "440": ("MH", 21.15, 79.09),
    "45": ("MP", 22.80, 75.80),
    "46": ("MP", 23.00, 77.60),
    "47": ("MP", 25.00, 78.40),
    "48": ("MP", 23.60, 80.60),
    "49": ("CG", 21.30, 81.90),
    "50": ("TS", 17.60, 78.80),
    "500": ("TS", 17.39, 78.48),
    "51": ("AP", 14.60, 78.20),
    "52": ("AP", 15.80, 80.20),
    "520": ("AP", 16.51, 80.65),
    "53": ("AP", 17.50, 82.50),
    "530": ("AP", 17.70, 83.25),
    "56": ("KA", 13.20, 77.40),
    "560": ("KA", 12.97, 77.59),
    "57": ("KA", 13.00, 75.90),
    "570": ("KA", 12.31, 76.65),
    "575": ("KA", 12.90, 74.85),
    "58": ("KA", 15.60, 75.70),
    "59": ("KA", 16.10, 74.70),
    "60": ("TN", 12.50, 79.80),
    "600": ("TN", 13.06, 80.24),
    "605": ("PY", 11.94, 79.80),
    "61": ("TN", 10.90, 79.40),
    "62": ("TN", 9.60, 78.00),
    "63": ("TN", 11.90, 78.50),
    "64": ("TN", 11.00, 77.00),
    "67": ("KL", 11.50, 75.80),
    "68": ("KL", 10.10, 76.40),
    "682": ("KL", 9.97, 76.28),
    "68255": ("LD", 10.57, 72.64),
    "69": ("KL", 8.90, 76.80),
    "70": ("WB", 22.57, 88.36),
    "71": ("WB", 22.90, 87.80),
    "72": ("WB", 22.70, 87.20),
    "73": ("WB", 26.20, 88.60),
    "737": ("SK", 27.40, 88.50),
    "74": ("WB", 23.10, 88.50),
    "744": ("AN", 11.70, 92.70),
    "75": ("OD", 20.50, 85.90),
    "76": ("OD", 20.40, 83.90),
    "77": ("OD", 22.00, 84.40),
    "78": ("AS", 26.30, 92.20),
    "790": ("AR", 27.50, 93.20),
    "791": ("AR", 27.40, 94.00),
    "792": ("AR", 27.80, 96.00),
    "793": ("ML", 25.57, 91.88),
    "794": ("ML", 25.60, 90.40),
    "795": ("MN", 24.80, 93.90),
    "796": ("MZ", 23.50, 92.80),
    "797": ("NL", 25.80, 94.00),
    "798": ("NL", 26.30, 94.60),
    "799": ("TR", 23.80, 91.40),
    "80": ("BR", 25.40, 85.00),
    "81": ("BR", 25.20, 86.60),
    "814": ("JH", 24.50, 86.90),
    "815": ("JH", 24.30, 86.30),
    "816": ("JH", 24.90, 87.60),
    "82": ("BR", 24.70, 84.70),
    "822": ("JH", 24.00, 84.10),
    "825": ("JH", 24.10, 85.40),
    "826": ("JH", 23.80, 86.43),
    "827": ("JH", 23.67, 86.15),
    "828": ("JH", 23.80, 86.40),
    "829": ("JH", 23.70, 85.80),
    "83": ("JH", 22.90, 85.60),
    "84": ("BR", 26.20, 85.40),
    "85": ("BR", 25.80, 86.80),
}
_LONGEST = max(map(len, _REGIONS))
_EARTH = 6371.0  # kilometres


def _region(pincode: str) -> tuple[str, float, float] | None:
    for length in range(_LONGEST, 1, -1):
        found = _REGIONS.get(pincode[:length])
        if found is not None:
            return found
    return None


def point_of(country: str, pincode: str) -> Point | None:
    """About where a postal code lies; None where that is not known."""
    found = _region(pincode) if country == "IN" else None
    return Point(found[1], found[2]) if found else None


def gst_state_of(country: str, pincode: str) -> str:
    """The GST code of the state that most codes beginning so belong to; "" where that is not known."""
    found = _region(pincode) if country == "IN" else None
    state = state_of("IN", found[0]) if found else None
    return state.gst_code if state else ""


def kilometres(first: Point, second: Point) -> float:
    """Along the surface of the earth, as the crow flies."""
    lat1, lat2 = radians(first.latitude), radians(second.latitude)
    half_lat, half_lon = (lat2 - lat1) / 2, radians(second.longitude - first.longitude) / 2
    chord = sin(half_lat) ** 2 + cos(lat1) * cos(lat2) * sin(half_lon) ** 2
    return 2 * _EARTH * asin(sqrt(min(1.0, chord)))
