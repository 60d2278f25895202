"""The filter language of product search: text in, an immutable tree out. Asks nothing of the database.

    condition := attribute ("=" | "!=" | ">" | ">=" | "<" | "<=") value
               | attribute value "TO" value            both ends belong to the range
               | attribute ["NOT"] "IN" "[" [value {"," value} [","]] "]"
               | attribute ["NOT"] "EXISTS"
               | attribute "IS" ["NOT"] ("NULL" | "EMPTY")
    unary     := "NOT" unary | "(" or ")" | condition
    and       := unary {"AND" unary}
    or        := and {"OR" and}

Operators are upper-case. A value or an attribute stands bare, or in single or double quotes with `\\` before a quote or
a backslash. A list is a conjunction, a list within it a disjunction. Numbers stay text here: only the attribute says
whether a value is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from storefront.errors import Invalid

CODE = "invalid_filter"
FIELD = "filter"
MAX_LENGTH = 10_000  # characters in all
MAX_CONDITIONS = 200
MAX_VALUES = 500  # in the lists of a whole filter
MAX_DEPTH = 24  # parentheses and NOTs within each other

KEYWORDS = frozenset({"AND", "OR", "NOT", "IN", "TO", "EXISTS", "IS", "NULL", "EMPTY"})
COMPARISONS = frozenset({"=", ">", ">=", "<", "<="})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a condition was written: the input (`filter`, `filter.0.1`) and the character in it, from 1."""

    path: str = FIELD
    at: int = 1


NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class Compare:
    name: str
    operator: str  # one of COMPARISONS; `!=` is a Not around `=`
    value: str
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`, both included."""

    name: str
    low: str
    high: str
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class In:
    name: str
    values: tuple[str, ...]
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Exists:
    """Has a value."""

    name: str
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class IsNull:
    name: str
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class IsEmpty:
    name: str
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    part: Node


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Node, ...]


Condition = Compare | Range | In | Exists | IsNull | IsEmpty
Node = Condition | Not | And | Or


def refusal(message: str, place: Place) -> Invalid:
    """What is wrong with a filter, and where."""
    text = _("%(problem)s (character %(position)d)") % {"problem": message, "position": place.at}
    return Invalid(text, code=CODE, field=place.path)


def parse(value: Any) -> Node | None:
    """The tree of a `filter` input: a text, a list of texts, or a list of those lists. None: it does not narrow.

    Raises Invalid with the code `invalid_filter`, naming the input and the character.
    """
    if value is None:
        return None
    budget = _Budget()
    if isinstance(value, str):
        return _parse_text(value, FIELD, budget)
    if not isinstance(value, list):
        raise Invalid(_("Use a text or a list of texts."), code=CODE, field=FIELD)
    if len(value) > MAX_CONDITIONS:
        raise Invalid(_too_many_conditions(), code=CODE, field=FIELD)
    every: list[Node] = []
    for index, entry in enumerate(value):
        path = f"{FIELD}.{index}"
        if isinstance(entry, str):
            node = _parse_text(entry, path, budget)
        elif isinstance(entry, list):
            node = _parse_alternatives(entry, path, budget)
        else:
            raise Invalid(_("Use a text or a list of texts."), code=CODE, field=path)
        if node is not None:
            every.append(node)
    return _joined(And, every)


def _parse_alternatives(entries: Sequence[Any], path: str, budget: _Budget) -> Node | None:
    if len(entries) > MAX_CONDITIONS:
        raise Invalid(_too_many_conditions(), code=CODE, field=path)
    found: list[Node] = []
    for index, entry in enumerate(entries):
        inner = f"{path}.{index}"
        if isinstance(entry, list):
            raise Invalid(_("Lists go two levels deep at most."), code=CODE, field=inner)
        if not isinstance(entry, str):
            raise Invalid(_("Use a text."), code=CODE, field=inner)
        node = _parse_text(entry, inner, budget)
        if node is not None:
            found.append(node)
    return _joined(Or, found)


def _joined(kind: type[And | Or], parts: list[Node]) -> Node | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return kind(tuple(parts))


def _too_many_conditions() -> str:
    return _("A filter may hold at most %(count)d conditions.") % {"count": MAX_CONDITIONS}


class _Budget:
    """What is left of the limits, over all texts of one filter."""

    def __init__(self) -> None:
        self.length = MAX_LENGTH
        self.conditions = MAX_CONDITIONS
        self.values = MAX_VALUES

    def spend_length(self, length: int, path: str) -> None:
        self.length -= length
        if self.length < 0:
            message = _("A filter may be at most %(count)d characters long.") % {"count": MAX_LENGTH}
            raise Invalid(message, code=CODE, field=path)

    def spend_condition(self, place: Place) -> None:
        self.conditions -= 1
        if self.conditions < 0:
            raise refusal(_too_many_conditions(), place)

    def spend_value(self, place: Place) -> None:
        self.values -= 1
        if self.values < 0:
            message = _("The lists of a filter may hold at most %(count)d values.") % {"count": MAX_VALUES}
            raise refusal(message, place)


# --- tokens ---------------------------------------------------------------------------------------------------------
class Token(NamedTuple):
    kind: str  # a keyword or sign as written; "value" for the rest; "end"
    text: str
    at: int  # from 1


_BLANK = re.compile(r"\s*")
_SIGN = re.compile(r"!=|>=|<=|[=<>()\[\],]")
_BARE = re.compile(r"""[^\s=!<>()\[\],'"]+""")
_QUOTED = {quote: re.compile(rf"(?:[^{quote}\\]|\\.)*", re.DOTALL) for quote in "'\""}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def tokens(text: str, path: str = FIELD) -> Iterator[Token]:
    """The words and signs of a filter, ending with one of kind "end"."""
    position = 0
    while True:
        position = _BLANK.match(text, position).end()  # type: ignore[union-attr]
        at = position + 1
        if position == len(text):
            yield Token("end", "", at)
            return
        sign = text[position]
        if sign in _QUOTED:
            body = _QUOTED[sign].match(text, position + 1)
            end = body.end() if body else position + 1
            if end >= len(text):
                raise refusal(_("This quote is never closed."), Place(path, at))
            yield Token("value", _ESCAPE.sub(r"\1", text[position + 1 : end]), at)
            position = end + 1
            continue
        if found := _SIGN.match(text, position):
            yield Token(found[0], found[0], at)
        elif found := _BARE.match(text, position):
            yield Token(found[0] if found[0] in KEYWORDS else "value", found[0], at)
        else:
            raise refusal(_("Unexpected %(found)s.") % {"found": sign}, Place(path, at))
        position = found.end()


def _parse_text(text: str, path: str, budget: _Budget) -> Node | None:
    budget.spend_length(len(text), path)
    if not text or text.isspace():
        return None
    return _Parser(list(tokens(text, path)), path, budget).whole()


class _Parser:
    """Recursive descent. Never deeper than MAX_DEPTH, so no input can exhaust the stack."""

    def __init__(self, found: list[Token], path: str, budget: _Budget) -> None:
        self._tokens = found
        self._next = 0
        self._path = path
        self._budget = budget

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self, kind: str) -> Token | None:
        token = self._token
        if token.kind != kind:
            return None
        self._next += 1
        return token

    def _place(self, token: Token) -> Place:
        return Place(self._path, token.at)

    def _unexpected(self, wanted: str) -> Invalid:
        token = self._token
        if token.kind == "end":
            message = _("The filter ends where %(wanted)s should follow.") % {"wanted": wanted}
        else:
            message = _("Found %(found)s where %(wanted)s should stand.") % {"found": token.text[:60], "wanted": wanted}
        return refusal(message, self._place(token))

    def whole(self) -> Node:
        node = self._any_of(0)
        if self._token.kind == ")":
            raise refusal(_("This parenthesis was never opened."), self._place(self._token))
        if self._token.kind != "end":
            raise self._unexpected(_("AND, OR or the end"))
        return node

    def _any_of(self, depth: int) -> Node:
        parts = [self._all_of(depth)]
        while self._take("OR"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all_of(self, depth: int) -> Node:
        parts = [self._unary(depth)]
        while self._take("AND"):
            parts.append(self._unary(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _unary(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            message = _("A filter may be nested at most %(count)d deep.") % {"count": MAX_DEPTH}
            raise refusal(message, self._place(self._token))
        if self._take("NOT"):
            return Not(self._unary(depth + 1))
        opened = self._take("(")
        if opened is None:
            return self._condition()
        node = self._any_of(depth + 1)
        if self._take(")") is None:
            if self._token.kind == "end":
                raise refusal(_("This parenthesis is never closed."), self._place(opened))
            raise self._unexpected(_("AND, OR or a closing parenthesis"))
        return node

    def _condition(self) -> Node:
        token = self._take("value")
        if token is None:
            raise self._unexpected(_("an attribute"))
        place = self._place(token)
        self._budget.spend_condition(place)
        name = token.text
        sign = self._token.kind
        if sign in COMPARISONS or sign == "!=":
            self._next += 1
            value = self._value()
            return Not(Compare(name, "=", value, place)) if sign == "!=" else Compare(name, sign, value, place)
        if self._take("IN"):
            return self._in(name, place)
        if self._take("EXISTS"):
            return Exists(name, place)
        if self._take("NOT"):
            if self._take("IN"):
                return Not(self._in(name, place))
            if self._take("EXISTS"):
                return Not(Exists(name, place))
            raise self._unexpected(_("IN or EXISTS"))
        if self._take("IS"):
            negated = self._take("NOT") is not None
            if not (self._token.kind == "NULL" or self._token.kind == "EMPTY"):
                raise self._unexpected(_("NULL or EMPTY"))
            kind = IsNull if self._token.kind == "NULL" else IsEmpty
            self._next += 1
            node = kind(name, place)
            return Not(node) if negated else node
        if self._token.kind == "value":
            low = self._value()
            if self._take("TO") is None:
                raise self._unexpected("TO")
            return Range(name, low, self._value(), place)
        raise self._unexpected(_("an operator"))

    def _in(self, name: str, place: Place) -> In:
        if self._take("[") is None:
            raise self._unexpected("[")
        values: list[str] = []
        while self._take("]") is None:
            self._budget.spend_value(self._place(self._token))
            values.append(self._value())
            if self._take(",") is None and self._token.kind != "]":
                raise self._unexpected(_("a comma or ]"))
        return In(name, tuple(values), place)

    def _value(self) -> str:
        token = self._take("value")
        if token is None:
            raise self._unexpected(_("a value"))
        return token.text


# --- back to text ---------------------------------------------------------------------------------------------------
def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def written(node: Node) -> str:
    """The tree as text; `parse` makes the same tree of it."""
    match node:
        case Compare():
            return f"{quoted(node.name)} {node.operator} {quoted(node.value)}"
        case Range():
            return f"{quoted(node.name)} {quoted(node.low)} TO {quoted(node.high)}"
        case In():
            return f"{quoted(node.name)} IN [{', '.join(quoted(value) for value in node.values)}]"
        case Exists():
            return f"{quoted(node.name)} EXISTS"
        case IsNull():
            return f"{quoted(node.name)} IS NULL"
        case IsEmpty():
            return f"{quoted(node.name)} IS EMPTY"
        case Not():
            inner = written(node.part)
            return f"NOT ({inner})" if isinstance(node.part, And | Or) else f"NOT {inner}"
        case And():
            return " AND ".join(
                f"({written(part)})" if isinstance(part, And | Or) else written(part) for part in node.parts
            )
        case Or():
            return " OR ".join(f"({written(part)})" if isinstance(part, Or) else written(part) for part in node.parts)


def conditions(node: Node | None) -> Iterator[Condition]:
    """Every condition of a tree."""
    waiting: list[Node] = [node] if node is not None else []
    while waiting:
        found = waiting.pop()
        match found:
            case Not():
                waiting.append(found.part)
            case And() | Or():
                waiting.extend(reversed(found.parts))
            case _:
                yield found
