"""Searching the database's own index. Statements are SQL: the two databases share all but a few expressions."""
# ruff: noqa: S608 -- what is formatted into statements is names and expressions of this module, never a value

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from django.db import connection

from storefront import selectors as kernel
from storefront.contracts import SearchQuery, SearchResult, Sku
from storefront.models import Store

from .. import selectors
from ..models import Attribute
from . import grammar, words
from .fields import (
    ATTRIBUTE,
    CATEGORY_IDS,
    CATEGORY_NAMES,
    EVERY_FACET,
    PRICES,
    Field,
    Kind,
    find,
    number,
    shown,
    sortable,
)
from .index import CONFIGURATION, ENTRY, SPELLING, TERM, TEXT, WORD
from .listing import ANYONE, key_of

MAX_FACET_VALUES = 100  # of one facet: the most frequent ones
MAX_COMPLETIONS = 60  # of a half-typed word
MAX_SPELLINGS = 8  # of a misspelt one
MAX_CANDIDATES = 100  # to compare it with
SLOW_SECONDS = 0.25  # counting facets or ranking hits longer than this is worth remembering
REMEMBERED_SECONDS = 15
RELEVANCE = "'{0.02, 0.08, 0.3, 1.0}'"  # of D, C, B, A


class Sql(NamedTuple):
    """A piece of a statement and the parameters in it."""

    text: str
    parameters: tuple[Any, ...] = ()


class Key(NamedTuple):
    """What hits are sorted by."""

    text: str
    parameters: tuple[Any, ...] = ()
    down: bool = False

    @property
    def direction(self) -> str:
        return " DESC" if self.down else ""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the query: as typed, what else it may mean, and whether it may go on."""

    text: str
    others: tuple[str, ...] = ()
    unfinished: bool = False


def _fetch(sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()  # type: ignore[no-any-return]


def _marks(values: Collection[Any]) -> str:
    return ",".join(["%s"] * len(values))


def _postgresql() -> bool:
    return connection.vendor == "postgresql"


def find_skus(*, store: Store, query: SearchQuery) -> SearchResult:
    """One page of what matches, best first.

    One query without text and facets. Text takes one more, a second one when a word looks misspelt, and another when
    no entry has all words, for then those with some of them are found. Facets take one more, or none when they are slow
    to count and were counted a moment ago.
    """
    statement = _Statement(store, query, read_words(store=store, text=query.text))
    total, rows = statement.page()
    if not total and len(statement.words) > 1:
        statement = _Statement(store, query, statement.words, all_words=False)
        total, rows = statement.page()
    counts, ranges = statement.facets() if query.facets else ({}, {})
    skus = tuple(Sku(product_id, "" if standalone else variant_id) for product_id, variant_id, standalone in rows)
    return SearchResult(skus=skus, total=total, facet_counts=counts, facet_ranges=ranges)


_counts: kernel.ShortMemory[list[tuple[Any, ...]]] = kernel.ShortMemory(size=256, seconds=lambda: REMEMBERED_SECONDS)


def _fetch_remembering(store: Store, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows; what took long is believed for a while, so that a huge shop's first page is not counted at each visit.

    Small shops are always read as they are at this moment, and what is no longer sold is left out of any page.
    """
    key = hashlib.blake2b(f"{store.pk} {sql} {parameters!r}".encode(), digest_size=16).hexdigest()
    rows = _counts.get(key)
    if rows is None:
        started = time.monotonic()
        rows = _fetch(sql, parameters)
        if time.monotonic() - started > SLOW_SECONDS:
            _counts.put(key, rows)
    return rows


# --- words ----------------------------------------------------------------------------------------------------------
def read_words(*, store: Store, text: str) -> tuple[Word, ...]:
    """What the words of a query may mean, by the words that the store's texts have: none, one or two queries."""
    typed = words.query_words(text)
    if not typed:
        return ()
    last = typed[-1]
    wanted = sorted({spelling for word in typed for spelling in words.inflections(word)})
    beginnings = words.beginnings(last)
    begins = " OR ".join(["word LIKE %s" if _postgresql() else "(word >= %s AND word < %s)"] * len(beginnings))
    ends = ["%"] if _postgresql() else ["", "\U0010ffff"]
    bounds = [beginning + end for beginning in beginnings for end in ends]
    rows = _fetch(
        f"""SELECT word, 0 FROM {WORD} WHERE store_id = %s AND word IN ({_marks(wanted)})
            UNION ALL
            SELECT word, 1 FROM (SELECT word FROM {WORD} WHERE store_id = %s AND ({begins})
                                 ORDER BY length(word), word LIMIT {MAX_COMPLETIONS}) completions""",
        [store.pk, *wanted, store.pk, *bounds],
    )
    known = {word for word, completes in rows if not completes}
    completions = tuple(word for word, completes in rows if completes and word != last)
    found = []
    strange = []
    for word in typed:
        unfinished = word is last
        found.append(Word(word, completions if unfinished else (), unfinished))
        if words.allowed_typos(word) and known.isdisjoint(words.inflections(word)) and not (unfinished and completions):
            strange.append(word)
    meant = _spellings(store, strange) if strange else {}
    return tuple(replace(word, others=meant[word.text]) if word.text in meant else word for word in found)


def _spellings(store: Store, strange: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The closest words of the store to each of these: one query."""
    parts, parameters = [], list[Any]()
    for word in strange:
        swapped = words.swaps(word)
        near = f"""word IN ({_marks(swapped)})
                   OR (word >= %s AND word < %s AND length(word) BETWEEN %s AND %s)"""
        bounds = [*swapped, word[0], word[0] + "\U0010ffff", len(word) - 1, len(word) + 2]
        if _postgresql():
            near = near.replace("word >=", "word ~>=~").replace("word <", "word ~<~")
            parts.append(
                f"""(SELECT %s AS asked, word FROM {WORD} WHERE store_id = %s AND (word %% %s OR {near})
                     ORDER BY similarity(word, %s) DESC, word LIMIT {MAX_CANDIDATES})"""
            )
            parameters += [word, store.pk, word, *bounds, word]
        else:
            padded = f"  {word} "
            pieces = dict.fromkeys(padded[start : start + 3] for start in range(len(padded) - 2))
            parts.append(
                f"""SELECT * FROM (SELECT %s AS asked, w.word AS word FROM {SPELLING} s JOIN {WORD} w ON w.id = s.rowid
                     WHERE s.{SPELLING} MATCH %s AND w.store_id = %s ORDER BY s.rank, w.word LIMIT {MAX_CANDIDATES})
                    UNION ALL
                    SELECT * FROM (SELECT %s, word FROM {WORD} WHERE store_id = %s AND ({near}) LIMIT 1000)"""
            )
            match = " OR ".join(f'"{piece}"' for piece in pieces)
            parameters += [word, match, store.pk, word, store.pk, *bounds]
    close: dict[str, set[tuple[int, str]]] = {}
    for asked, word in _fetch(" UNION ALL ".join(parts), parameters):
        most = words.allowed_typos(asked)
        far = min(words.distance(asked, form, most) for form in {word, word.removesuffix("s")})
        if far <= most:
            close.setdefault(asked, set()).add((far, word))
    return {
        asked: tuple(word for far, word in sorted(near) if far == min(near)[0])[:MAX_SPELLINGS]
        for asked, near in close.items()
    }


# --- statements -----------------------------------------------------------------------------------------------------
class _Statement:
    """The statements of one query for the database that is connected."""

    def __init__(self, store: Store, query: SearchQuery, found: tuple[Word, ...], *, all_words: bool = True) -> None:
        self.words = found
        self._store = store
        self._query = query
        self._all_words = all_words
        self._groups = (*kernel.price_group_ids(store=store, asked=query.group_id), ANYONE)
        self._joins_stock = False
        self._match = self._matched() if found else None
        self._source = self._hits()

    def page(self) -> tuple[int, list[tuple[Any, ...]]]:
        """How many there are, and (product id, variant id, standalone) of the page: one query, two past the end."""
        source, order, query = self._source, self._order(), self._query
        keys = [value for key in order for value in key.parameters]
        if self._match is not None and _postgresql():
            # All hits are ranked, so that they are counted on the way. OFFSET 0 has the keys made before rows are put
            # aside for the count, which would keep whole documents otherwise.
            columns = ", ".join(f"{key.text} AS k{place}" for place, key in enumerate(order))
            by = ", ".join(f"k{place}{key.direction}" for place, key in enumerate(order))
            statement = f"""
                SELECT COUNT(*) OVER (), product_id, variant_id, is_standalone
                FROM (SELECT e.product_id, e.variant_id, e.is_standalone, {columns} {source.text} OFFSET 0) hits
                ORDER BY {by} LIMIT %s OFFSET %s"""
            parameters = [*keys, *source.parameters]
        elif self._match is None:
            # The page is found by its keys, which an index alone may hold, however deep it is; then its rows are read.
            columns = ", ".join(f"{key.text} AS k{place}" for place, key in enumerate(order))
            by = ", ".join(f"k{place}{key.direction}" for place, key in enumerate(order))
            statement = f"""
                SELECT (SELECT COUNT(*) {source.text}), r.product_id, r.variant_id, r.is_standalone
                FROM (SELECT {columns} {source.text} ORDER BY {by} LIMIT %s OFFSET %s) page
                JOIN {ENTRY} r ON r.variant_id = page.k{len(order) - 1} ORDER BY {by}"""
            parameters = [*source.parameters, *keys, *source.parameters]
        else:
            by = ", ".join(f"{key.text}{key.direction}" for key in order)
            statement = f"""
                SELECT (SELECT COUNT(*) {source.text}), e.product_id, e.variant_id, e.is_standalone {source.text}
                ORDER BY {by} LIMIT %s OFFSET %s"""
            parameters = [*source.parameters, *source.parameters, *keys]
        fetch = _fetch if self._match is None else partial(_fetch_remembering, self._store)
        rows = fetch(statement, [*parameters, query.limit, query.offset])
        if rows or not query.offset:
            return (rows[0][0] if rows else 0), [row[1:] for row in rows]
        return _fetch(f"SELECT COUNT(*) {source.text}", source.parameters)[0][0], []

    def _hits(self) -> Sql:
        """FROM and WHERE."""
        query, parameters = self._query, list[Any]()
        condition = self._condition(query.filter) if query.filter is not None else None
        stock = self._joins_stock or "stock_available" in _facet_names(query.facets)
        text = f"FROM {ENTRY} e"
        if self._match is not None and not _postgresql():
            # In this order: SQLite would rather look every entry of the store up in the text index.
            text = f"FROM {TEXT} CROSS JOIN {ENTRY} e ON e.id = {TEXT}.rowid"
        if stock:
            text += f" LEFT JOIN {selectors.STOCK} s ON s.variant_id = e.variant_id"
        text += " WHERE e.store_id = %s"
        parameters.append(self._store.pk)
        if self._match is not None:
            text += f" AND e.document @@ ({self._match.text})" if _postgresql() else f" AND {TEXT} MATCH %s"
            parameters += self._match.parameters
        if condition is not None:
            text += f" AND ({condition.text})"
            parameters += condition.parameters
        return Sql(text, tuple(parameters))

    # -- text --
    def _matched(self) -> Sql:
        return self._tsquery() if _postgresql() else Sql("", (self._fts5(),))

    def _tsquery(self) -> Sql:
        texts, parameters = [], list[Any]()
        for word in self.words:
            text = f"to_tsquery('{CONFIGURATION}', %s)"
            parameters.append(" | ".join(f"'{spelling}'" for spelling in (word.text, *word.others)))
            if word.unfinished:
                text = f"({text} || to_tsquery('simple', %s))"
                parameters.append(f"'{word.text}':*")
            texts.append(text)
        return Sql((" && " if self._all_words else " || ").join(texts), tuple(parameters))

    def _fts5(self) -> str:
        each = []
        for word in self.words:
            spellings = [f'"{spelling}"' for spelling in (word.text, *word.others)]
            if word.unfinished:
                spellings.append(f'"{word.text}" *')
            each.append(f"({' OR '.join(spellings)})")
        return (" AND " if self._all_words else " OR ").join(each)

    def _order(self) -> list[Key]:
        keys = []
        for name, down in self._query.sort:
            part = self._sorted_by(name)
            if name == "rating":
                keys.append(Key("e.rating IS NULL"))
            keys.append(Key(part.text, part.parameters, down=down))
        if self._match is not None:
            keys.append(Key("e.sku_key = %s", (key_of(self._query.text.strip()),), down=True))
            if _postgresql():
                rank = f"ts_rank({RELEVANCE}, e.document, {self._match.text})"
                keys.append(Key(rank, self._match.parameters, down=True))
            else:
                in_name = f"e.id IN (SELECT rowid FROM {TEXT} WHERE {TEXT} MATCH %s)"
                keys.append(Key(in_name, (f"name : ({self._fts5()})",), down=True))
                keys.append(Key(f"bm25({TEXT}, 10.0, 3.0, 3.0, 1.0)"))
        return [*keys, Key("e.created_at", down=True), Key("e.variant_id", down=True)]

    def _sorted_by(self, name: str) -> Sql:
        if name in PRICES:
            return self._price(name)
        return Sql({"product_name": "e.product_key", "created_at": "e.created_at", "rating": "e.rating"}[name])

    # -- live values --
    def _price(self, name: str) -> Sql:
        """An amount of the price that the caller would see: of the first of their groups that has one (D-41)."""
        place = PRICES.index(name)
        if _postgresql():
            each = ", ".join(["e.prices -> %s::text"] * len(self._groups))
            return Sql(f"((COALESCE({each})) ->> {place})::numeric", self._groups)
        each = ", ".join(["json_extract(e.prices, %s)"] * len(self._groups))
        return Sql(f"COALESCE({each})", tuple(f'$."{group}"[{place}]' for group in self._groups))

    def _stock(self) -> Sql:
        """Whether it is there, as it is at this moment."""
        self._joins_stock = True
        return Sql(
            f"""(CASE WHEN e.is_bundle THEN COALESCE((
                    SELECT MIN(CASE WHEN cv.visible = FALSE THEN 0
                                    WHEN cs.tracked = FALSE OR cs.backorder = TRUE THEN NULL
                                    ELSE (cs.on_hand - cs.reserved) / c.quantity END)
                    FROM {selectors.COMPONENT} c JOIN {selectors.VARIANT} cv ON cv.id = c.component_id
                    JOIN {selectors.STOCK} cs ON cs.variant_id = cv.id WHERE c.bundle_id = e.product_id), 1) > 0
                WHEN s.tracked = FALSE THEN TRUE ELSE COALESCE(s.on_hand - s.reserved, 0) > 0 END)"""
        )

    # -- filter --
    def _condition(self, node: grammar.Node) -> Sql:
        """A filter whose names `fields.check_filter` has let pass, as SQL that is never NULL."""
        match node:
            case grammar.Not():
                inner = self._condition(node.part)
                return Sql(f"NOT ({inner.text})", inner.parameters)
            case grammar.And() | grammar.Or():
                parts = [self._condition(part) for part in node.parts]
                between = " AND " if isinstance(node, grammar.And) else " OR "
                return Sql(
                    between.join(f"({part.text})" for part in parts),
                    tuple(value for part in parts for value in part.parameters),
                )
        field = find(node.name)
        assert field is not None
        match node:
            case grammar.Exists():
                return self._present(field)
            case grammar.IsNull() | grammar.IsEmpty():
                present = self._present(field)
                return Sql(f"NOT ({present.text})", present.parameters)
        match field.kind:
            case Kind.TERM:
                return self._has_term(field, node)
            case Kind.TEXT:
                return _text_is(field, node.values if isinstance(node, grammar.In) else (_value(node),))
            case Kind.BOOLEAN:
                return self._is_there(node)
        return self._numeric(field, node)

    def _present(self, field: Field) -> Sql:
        match field.kind:
            case Kind.TERM:
                return self._term(*((CATEGORY_IDS,) if field.key.startswith("categories.") else (field.key,)))
            case Kind.TEXT:
                always = {
                    "variant_id": "NOT e.is_standalone",
                    "variant_name": "e.variant_key <> ''",
                    "sku": "e.sku_key <> ''",
                }
                return Sql(always.get(field.key, "TRUE"))
        return Sql("e.rating IS NOT NULL" if field.key == "rating" else "TRUE")

    def _is_there(self, node: grammar.Condition) -> Sql:
        asked = {value.lower() for value in (node.values if isinstance(node, grammar.In) else (_value(node),))}
        there = self._stock().text
        if len(asked) != 1:
            return Sql("TRUE" if asked else "FALSE")
        return Sql(there if "true" in asked else f"NOT {there}")

    def _numeric(self, field: Field, node: grammar.Condition) -> Sql:
        left = Sql("e.rating") if field.key == "rating" else self._price(field.key)
        match node:
            case grammar.Compare():
                test, values = f"{node.operator} %s", [node.value]
            case grammar.Range():
                test, values = "BETWEEN %s AND %s", [node.low, node.high]
            case grammar.In():
                if not node.values:
                    return Sql("FALSE")
                test, values = f"IN ({_marks(node.values)})", list(node.values)
        amounts = [number(value) for value in values]
        if not _postgresql():
            amounts = [float(amount) for amount in amounts if amount is not None]  # type: ignore[misc]
        return Sql(f"({left.text} {test}) IS TRUE", (*left.parameters, *amounts))

    def _has_term(self, field: Field, node: grammar.Condition) -> Sql:
        match node:
            case grammar.Range():
                return self._term(field.key, test="t.number BETWEEN %s AND %s", values=_bounds(node.low, node.high))
            case grammar.Compare() if node.operator != "=":
                return self._term(field.key, test=f"t.number {node.operator} %s", values=_bounds(node.value))
        values = node.values if isinstance(node, grammar.In) else (_value(node),)
        if field.key in (CATEGORY_NAMES, "categories.slug"):
            return self._keys(CATEGORY_IDS, self._category_ids(field.key, {key_of(value) for value in values}))
        return self._keys(field.key, values)

    def _keys(self, name: str, values: Collection[str]) -> Sql:
        if not values:
            return Sql("FALSE")
        test, parameters = f"t.key IN ({_marks(values)})", [key_of(value) for value in values]
        numbers = [found for found in map(sortable, values) if found is not None] if name.startswith(ATTRIBUTE) else []
        if numbers:
            test = f"({test} OR t.number IN ({_marks(numbers)}))"
        return self._term(name, test=test, values=[*parameters, *numbers])

    def _category_ids(self, name: str, wanted: Collection[str]) -> list[str]:
        """The categories so named. Entries name those above them too, so a branch finds what lies below it."""
        tree = selectors.tree(store=self._store)
        return [
            branch.id
            for branch in tree.by_id.values()
            if key_of(branch.name if name == CATEGORY_NAMES else branch.slug) in wanted
        ]

    def _term(self, name: str, *, test: str = "TRUE", values: Iterable[Any] = ()) -> Sql:
        """Entries with a term of that name that passes the test on `t`."""
        ids = f"SELECT t.id FROM {TERM} t WHERE t.store_id = %s AND t.name = %s AND {test}"
        parameters = (self._store.pk, name, *values)
        if _postgresql():
            return Sql(f"e.terms && ARRAY({ids})", parameters)
        return Sql(f"EXISTS (SELECT 1 FROM json_each(e.terms) j WHERE j.value IN ({ids}))", parameters)

    # -- facets --
    def facets(self) -> tuple[dict[str, dict[str, int]], dict[str, tuple[float, float]]]:
        """How often each value occurs among all hits, and from where to where the numbers go: one query."""
        asked = _facet_names(self._query.facets)
        columns: dict[str, Sql] = {}
        for name in asked:
            field = find(name)
            if field is not None and field.kind is not Kind.TERM:
                columns[name] = self._facet_column(field)
        selected = ["e.terms", *(f"{column.text} AS f{index}" for index, column in enumerate(columns.values()))]
        parameters = [value for column in columns.values() for value in column.parameters]
        parameters += self._source.parameters
        arms = []
        term_names = self._term_names(asked)
        if term_names or "*" in self._query.facets:
            arms.append(self._term_arm(len(term_names)))
            parameters += [self._store.pk, *term_names, "*" in self._query.facets]
        for index, name in enumerate(columns):
            arms.append(_column_arm(index, numeric=_is_number(name)))
        statement = f"""
            WITH hits AS MATERIALIZED (SELECT {", ".join(selected)} {self._source.text}),
                 counted AS MATERIALIZED (SELECT id, COUNT(*) AS n FROM ({_each_term()}) u GROUP BY id)
            {" UNION ALL ".join(arms)}"""
        rows = _fetch_remembering(self._store, statement, parameters)
        return self._counted(rows, asked, list(columns))

    def _facet_column(self, field: Field) -> Sql:
        if field.key in PRICES:
            return self._price(field.key)
        if field.kind is Kind.BOOLEAN:
            return Sql(f"CASE WHEN {self._stock().text} THEN 'true' ELSE 'false' END")
        if field.key == "variant_id":
            return Sql("CASE WHEN e.is_standalone THEN '' ELSE e.variant_id END")
        return Sql(f"e.{field.key}")

    def _term_names(self, asked: Iterable[str]) -> list[str]:
        found = {}
        for name in asked:
            field = find(name)
            if field is not None and field.kind is Kind.TERM:
                found[CATEGORY_IDS if field.key.startswith("categories.") else field.key] = True
        return list(found)

    def _term_arm(self, names: int) -> str:
        wanted = f"t.name IN ({','.join(['%s'] * names)})" if names else "FALSE"
        joined = f"counted c JOIN {TERM} t ON t.id = c.id"
        if _postgresql():
            # By primary key, one by one: what the planner takes for the size of a CTE and of terms that are new makes
            # it scan one of them again for each row of the other.
            joined = f"counted c CROSS JOIN LATERAL (SELECT * FROM {TERM} WHERE id = c.id OFFSET 0) t"
        return f"""
            SELECT name, value, n, low, high FROM (
                SELECT t.name AS name, t.value AS value, c.n AS n,
                       MIN(t.number) OVER (PARTITION BY t.name) AS low, MAX(t.number) OVER (PARTITION BY t.name) AS high,
                       ROW_NUMBER() OVER (PARTITION BY t.name ORDER BY c.n DESC, t.value) AS place
                FROM {joined}
                WHERE t.store_id = %s AND ({wanted} OR (%s AND t.name LIKE 'attribute.%%'))) ranked
            WHERE place <= {MAX_FACET_VALUES} OR name = '{CATEGORY_IDS}'"""

    def _counted(
        self, rows: Iterable[tuple[Any, ...]], asked: Sequence[str], columns: Sequence[str]
    ) -> tuple[dict[str, dict[str, int]], dict[str, tuple[float, float]]]:
        by_key: dict[str, dict[str, int]] = {}
        ranges: dict[str, tuple[float, float]] = {}
        for label, value, count, low, high in rows:
            text = str(value)
            is_column = label.startswith("#")
            name = columns[int(label[1:])] if is_column else label
            is_number = low is not None and (is_column or number(text) is not None)  # else it is a date
            by_key.setdefault(name, {})[shown(float(text)) if is_column and is_number else text] = count
            if is_number:
                ranges[name] = (float(low), float(high))
        counts: dict[str, dict[str, int]] = {}
        spans: dict[str, tuple[float, float]] = {}
        names = [*asked, *(key for key in by_key if "*" in self._query.facets and key.startswith(ATTRIBUTE))]
        for name in dict.fromkeys(names):
            field = find(name)
            assert field is not None
            key = field.key if field.kind is Kind.TERM else name
            if key.startswith("categories."):
                counts[name] = self._categories(key, by_key.get(CATEGORY_IDS, {}))
                continue
            counts[name] = by_key.get(key, {})
            if key in ranges:
                spans[name] = ranges[key]
        return counts, spans

    def _categories(self, name: str, by_id: dict[str, int]) -> dict[str, int]:
        """Counts of categories under what they are called now."""
        known = selectors.tree(store=self._store).by_id
        found: dict[str, int] = {}
        for pk, count in sorted(by_id.items(), key=lambda pair: -pair[1]):
            if pk in known:
                branch = known[pk]
                label = {CATEGORY_NAMES: branch.name, "categories.slug": branch.slug}.get(name, pk)
                found[label] = found.get(label, 0) + count
        return dict(list(found.items())[:MAX_FACET_VALUES])


def _each_term() -> str:
    if _postgresql():
        return "SELECT unnest(terms) AS id FROM hits"
    return "SELECT j.value AS id FROM hits, json_each(hits.terms) j"


def _column_arm(index: int, *, numeric: bool) -> str:
    """The most frequent values of a column of `hits`; its name goes out as a number, for it may be spelt in two ways."""
    column = f"f{index}"
    present = f"{column} IS NOT NULL" if numeric else f"{column} <> ''"
    low, high = (f"MIN({column}) OVER ()", f"MAX({column}) OVER ()") if numeric else ("NULL", "NULL")
    real = "double precision" if _postgresql() else "real"
    return f"""
        SELECT * FROM (
            SELECT '#{index}' AS name, CAST({column} AS text) AS value, COUNT(*) AS n,
                   CAST({low} AS {real}) AS low, CAST({high} AS {real}) AS high
            FROM hits WHERE {present} GROUP BY {column} ORDER BY n DESC, value LIMIT {MAX_FACET_VALUES}) c{index}"""


def _facet_names(facets: Sequence[str]) -> list[str]:
    """The names that are asked for, `*` being all but the attributes, which the terms themselves tell."""
    found = dict.fromkeys(name for name in facets if name != "*")
    if "*" in facets:
        found |= dict.fromkeys(EVERY_FACET)
    return list(found)


def _value(node: grammar.Condition) -> str:
    assert isinstance(node, grammar.Compare)
    return node.value


def _bounds(*values: str) -> list[float]:
    return [found for found in map(sortable, values) if found is not None]


def _text_is(field: Field, values: Sequence[str]) -> Sql:
    if not values:
        return Sql("FALSE")
    if field.key in ("product_id", "variant_id"):
        spellings = sorted({spelling for value in values for spelling in (value, value.upper(), value.lower())})
        sold = " AND NOT e.is_standalone" if field.key == "variant_id" else ""
        return Sql(f"e.{field.key} IN ({_marks(spellings)}){sold}", tuple(spellings))
    column = {"product_name": "product_key", "variant_name": "variant_key", "sku": "sku_key"}[field.key]
    return Sql(f"e.{column} IN ({_marks(values)})", tuple(key_of(value) for value in values))


# --- attributes -----------------------------------------------------------------------------------------------------
_keys: kernel.ShortMemory[frozenset[str]] = kernel.ShortMemory(size=1024, seconds=lambda: 5)


def attribute_keys(*, store: Store, wanted: Collection[str]) -> frozenset[str]:
    """The keys of a store's attributes; none or one query. Read again when one of `wanted` is not among those known."""
    if not wanted:
        return frozenset()
    known = _keys.get(store.pk)
    if known is None or not known.issuperset(wanted):
        known = _keys.put(store.pk, frozenset(Attribute.objects.filter(store=store).values_list("key", flat=True)))
    return known


def _is_number(name: str) -> bool:
    field = find(name)
    return field is not None and field.kind is Kind.NUMBER
