"""Text as search sees it: folded, cut into words, and how far one word is from another. Pure."""

from __future__ import annotations

import html
import re
import unicodedata

MAX_WORDS = 10  # of a query, as the contract says
LONGEST = 40  # characters of a word
LEAST_FOR_TYPOS = 4

# Letters that do not come apart into a plain one and a mark.
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"})
# Accents; joiners, which only shape letters; and the dots of Indian scripts that writers leave out.
_MARKS = re.compile("[\u0300-\u036f\u200c\u200d\u093c\u09bc\u0a3c\u0abc\u0b3c\u0cbc]")
# A nasal before a consonant of its own row is as often written as a dot: हिन्दी and हिंदी, चाँद and चांद.
_NASAL = re.compile(
    "\u0901|\u0919\u094d(?=[\u0915-\u0918])|\u091e\u094d(?=[\u091a-\u091d])|\u0923\u094d(?=[\u091f-\u0922])"
    "|\u0928\u094d(?=[\u0924-\u0927])|\u092e\u094d(?=[\u092a-\u092d])"
)
_LAST_NASAL = re.compile("[\u0919\u091e\u0923\u0928\u092e]\u094d?\\Z")
# Vowel signs of the Indic, Thai and Lao scripts and the marks of Arabic belong to words, though they are no letters.
_WORD = re.compile("(?:[^\\W_]|[\u064b-\u065f\u0900-\u0963\u0970-\u0dff\u0e31-\u0eff])+")
_TAG = re.compile(r"<[^<>]{0,500}>")
# What English texts are full of. Dropped from queries that say something else too.
_ENGLISH = "a an and are as at be by for from in is it its of on or that the this to was with"
STOP_WORDS = frozenset(_ENGLISH.split())


def folded(text: str) -> str:
    """Without case, accents and other ways to write the same, for comparing."""
    plain = unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS)
    return unicodedata.normalize("NFC", _NASAL.sub("\u0902", _MARKS.sub("", plain)))


def words(text: str) -> list[str]:
    """The folded words of a text, in order."""
    return [word[:LONGEST] for word in _WORD.findall(folded(text))]


def plain(markup: str) -> str:
    """A description without its HTML."""
    return html.unescape(_TAG.sub(" ", markup))


def query_words(text: str) -> list[str]:
    """The words of a query that count: of its first ten, those that are no stop words, each once."""
    found = list(dict.fromkeys(words(text[:2000])[:MAX_WORDS]))
    return [word for word in found if word not in STOP_WORDS] or found


def inflections(word: str) -> list[str]:
    """Spellings that the engines' stemmers most likely take for the same word."""
    stem = word
    for ending in ("ing", "ies", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word[: -len(ending)]
            break
    return [word, *(stem + ending for ending in ("", "s", "es", "ed", "ing", "e", "y", "ies"))]


def beginnings(word: str) -> list[str]:
    """How words may begin that somebody is still typing: a nasal at the end is one of those that are a dot before more."""
    dotted = _LAST_NASAL.sub("\u0902", word)
    return [word] if dotted == word else [word, dotted]


def allowed_typos(word: str) -> int:
    if len(word) < LEAST_FOR_TYPOS or any(sign.isdigit() for sign in word):
        return 0
    return 1 if len(word) < 8 else 2


def swaps(word: str) -> list[str]:
    """The word with two neighbours changed over: what looks least alike of all that a hasty hand types."""
    found = [word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1)]
    return [*found, *(spelling + "s" for spelling in found)]


def distance(one: str, other: str, most: int) -> int:
    """How many letters to insert, drop, change or swap with their neighbour; `most` + 1 when it is more than `most`."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        now = [row]
        for column, against in enumerate(other, 1):
            best = min(last[column] + 1, now[column - 1] + 1, last[column - 1] + (letter != against))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == against:
                best = min(best, before[column - 2] + 1)
            now.append(best)
        if min(now) > most:
            return most + 1
        before, last = last, now
    return min(last[-1], most + 1)
