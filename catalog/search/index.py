"""Keeping the database's own index: rows, terms and words of what is listed."""
# ruff: noqa: S608 -- what is formatted into statements is names of tables and columns, never a value

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

import orjson
from django.db import connection, transaction
from django.utils import timezone

from storefront.models import Store
from storefront.plugs import plug

from ..models import Product
from . import words
from .listing import Listing, Texts, key_of, listings
from .models import SearchEntry, SearchTerm, SearchWord

CHUNK = 500
HALF = 32  # characters of a digest
_DIGIT = re.compile(r"\d")
ENTRY = SearchEntry._meta.db_table
TERM = SearchTerm._meta.db_table
WORD = SearchWord._meta.db_table
TEXT = "storefront_catalog_searchtext"  # SQLite
SPELLING = "storefront_catalog_searchspelling"  # SQLite
CONFIGURATION = "storefront_search"  # PostgreSQL

COLUMNS = (
    "store_id",
    "product_id",
    "variant_id",
    "is_standalone",
    "is_bundle",
    "sku",
    "sku_key",
    "product_name",
    "product_key",
    "variant_name",
    "variant_key",
    "rating",
    "terms",
    "prices",
    "digest",
    "created_at",
)


def published(*, store: Store, product_ids: Collection[str], **_: Any) -> None:
    """Listens to `catalog.published`: brings the configured engine up to date."""
    plug("SEARCH").index(store.pk, product_ids)


@transaction.atomic
def refresh(*, store: Store, product_ids: Iterable[str]) -> int:
    """Brings the entries of these products up to date, or takes them out; returns how many it wrote.

    Safe to repeat; entries that come out the same are not written. Four queries for each 500 products of which nothing
    changed, about a dozen otherwise.
    """
    ids = sorted(set(product_ids))
    return sum(_refresh(store, ids[start : start + CHUNK]) for start in range(0, len(ids), CHUNK))


def _refresh(store: Store, product_ids: Sequence[str]) -> int:
    fresh = {listing.variant_id: listing for listing in listings(store=store, product_ids=product_ids)}
    entries = SearchEntry.objects.filter(store=store, product__in=product_ids)
    stored = dict(entries.values_list("variant_id", "digest"))
    gone = stored.keys() - fresh.keys()
    if gone:
        entries.filter(variant__in=gone).delete()
    digests = {pk: _digest(listing) for pk, listing in fresh.items()}
    changed = [listing for pk, listing in sorted(fresh.items()) if stored.get(pk) != digests[pk]]
    if changed:
        ids = _term_ids(store, changed)
        same = {pk for pk, digest in digests.items() if stored.get(pk, "")[:HALF] == digest[:HALF]}
        reworded = [listing for listing in changed if listing.variant_id not in same]
        texts = [_words(listing.texts) for listing in reworded]
        _add_words(store, texts)
        _write(store, reworded, texts, ids, digests)
        _write_facts(store, [listing for listing in changed if listing.variant_id in same], ids, digests)
    return len(changed)


def _digest(listing: Listing) -> str:
    """Of its words, then of everything else: where the first half is the same, no word is looked at again."""
    facts = orjson.dumps(
        [
            listing.product_id,
            listing.is_standalone,
            listing.product_type,
            listing.sku,
            listing.product_name,
            listing.variant_name,
            listing.rating,
            [tuple(term) for term in listing.terms],
            listing.prices,
            listing.created_at,
        ],
        option=orjson.OPT_SORT_KEYS,
    )
    parts = (orjson.dumps(tuple(listing.texts)), facts)
    return "".join(hashlib.blake2b(part, digest_size=HALF // 2).hexdigest() for part in parts)


def _words(texts: Texts) -> Texts:
    """The same cut into folded words, so that both databases see the same ones."""
    return Texts(*(" ".join(words.words(text)) for text in texts))


def _term_ids(store: Store, changed: Iterable[Listing]) -> dict[tuple[str, str], int]:
    """The ids of all terms of these, made where they are missing; in one order, so that two writers cannot deadlock."""
    wanted = {(term.name, term.key): term for listing in changed for term in listing.terms}
    found = _stored_terms(store, wanted)
    missing = sorted(wanted.keys() - found.keys())
    if missing:
        SearchTerm.objects.bulk_create(
            [
                SearchTerm(
                    store=store, name=name, key=key, value=wanted[name, key].value, number=wanted[name, key].number
                )
                for name, key in missing
            ],
            ignore_conflicts=True,
        )
        found |= _stored_terms(store, missing)
    return found


def _stored_terms(store: Store, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    rows = SearchTerm.objects.filter(
        store=store, name__in={name for name, _key in wanted}, key__in={key for _name, key in wanted}
    ).values_list("name", "key", "pk")
    return {(name, key): pk for name, key, pk in rows if (name, key) in wanted}


def _add_words(store: Store, texts: Iterable[Texts]) -> None:
    """Notes new words. Those with digits are codes: a misspelt one is not to find another."""
    seen = {
        word for text in texts for part in text for word in part.split() if len(word) > 1 and not _DIGIT.search(word)
    }
    known = set(SearchWord.objects.filter(store=store, word__in=seen).values_list("word", flat=True))
    SearchWord.objects.bulk_create(
        [SearchWord(store=store, word=word) for word in sorted(seen - known)], ignore_conflicts=True
    )


def _write(
    store: Store,
    changed: Sequence[Listing],
    texts: Sequence[Texts],
    ids: dict[tuple[str, str], int],
    digests: dict[str, str],
) -> None:
    if not changed:
        return
    postgresql = connection.vendor == "postgresql"
    columns, values = [*COLUMNS], _marks()
    if postgresql:
        columns.append("document")
        values.append(
            f"setweight(to_tsvector('{CONFIGURATION}', %s), 'A')"
            f" || setweight(to_tsvector('{CONFIGURATION}', %s), 'B')"
            f" || setweight(to_tsvector('{CONFIGURATION}', %s), 'C')"
        )
    updates = ", ".join(f"{column} = excluded.{column}" for column in columns if column != "variant_id")
    statement = f"""INSERT INTO {ENTRY} ({", ".join(columns)}) VALUES ({", ".join(values)})
                    ON CONFLICT (variant_id) DO UPDATE SET {updates}"""
    rows = []
    for listing, text in zip(changed, texts, strict=True):
        row = _row(store, listing, [ids[term.name, term.key] for term in listing.terms], digests[listing.variant_id])
        rows.append([*row, text.name, f"{text.codes} {text.facts}", text.description] if postgresql else row)
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)
        if not postgresql:
            pks = [(listing.variant_id,) for listing in changed]
            cursor.executemany(f"DELETE FROM {TEXT} WHERE rowid = (SELECT id FROM {ENTRY} WHERE variant_id = %s)", pks)
            cursor.executemany(
                f"""INSERT INTO {TEXT} (rowid, name, codes, facts, description)
                    SELECT id, %s, %s, %s, %s FROM {ENTRY} WHERE variant_id = %s""",
                [(*text, listing.variant_id) for listing, text in zip(changed, texts, strict=True)],
            )


def _write_facts(
    store: Store, changed: Sequence[Listing], ids: dict[tuple[str, str], int], digests: dict[str, str]
) -> None:
    """Entries whose words are the same: the text index is left alone."""
    if not changed:
        return
    values = ", ".join(f"{column} = {mark}" for column, mark in zip(COLUMNS, _marks(), strict=True))
    rows = [
        _row(store, listing, [ids[term.name, term.key] for term in listing.terms], digests[listing.variant_id])
        for listing in changed
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {ENTRY} SET {values} WHERE variant_id = %s",
            [(*row, listing.variant_id) for row, listing in zip(rows, changed, strict=True)],
        )


def _marks() -> list[str]:
    """A place for the value of each of COLUMNS."""
    types = {"terms": "::bigint[]", "prices": "::jsonb"} if connection.vendor == "postgresql" else {}
    return [f"%s{types.get(column, '')}" for column in COLUMNS]


def _row(store: Store, listing: Listing, term_ids: list[int], digest: str) -> list[Any]:
    terms: Any = sorted(term_ids)
    return [
        store.pk,
        listing.product_id,
        listing.variant_id,
        listing.is_standalone,
        listing.product_type == Product.Type.BUNDLE,
        listing.sku,
        key_of(listing.sku)[:80],
        listing.product_name,
        key_of(listing.product_name),
        listing.variant_name[:400],
        key_of(listing.variant_name),
        listing.rating,
        terms if connection.vendor == "postgresql" else orjson.dumps(terms).decode(),
        orjson.dumps(listing.prices).decode(),
        digest,
        connection.ops.adapt_datetimefield_value(listing.created_at),
    ]


# --- all of it ------------------------------------------------------------------------------------------------------
def product_batches(*, store: Store, size: int = CHUNK) -> Iterator[list[str]]:
    """The ids of all products of a store, visible or not, in batches: one query each, none of them larger."""
    last = ""
    while True:
        ids = list(Product.objects.filter(store=store, pk__gt=last).order_by("pk").values_list("pk", flat=True)[:size])
        if not ids:
            return
        yield ids
        last = ids[-1]


def rebuild(*, store: Store, progress: Callable[[int], None] | None = None) -> int:
    """Indexes every product of a store with the configured engine, then drops what was not there any more.

    Returns how many products. Searches go on meanwhile, and it may be broken off and repeated. Raises Unavailable.
    """
    engine = plug("SEARCH")
    started = timezone.now()
    engine.prepare(store.pk)
    count = 0
    for ids in product_batches(store=store):
        engine.index(store.pk, ids)
        count += len(ids)
        if progress:
            progress(count)
    engine.prune(store.pk, started)
    return count


@transaction.atomic
def forget(*, store: Store) -> None:
    """Lets the next refresh write every entry again, and words that no text has any more be gone."""
    SearchWord.objects.filter(store=store).delete()
    SearchEntry.objects.filter(store=store).update(digest="")


@transaction.atomic
def prune(*, store: Store) -> None:
    """Deletes terms that no entry has."""
    each = (
        f"SELECT DISTINCT unnest(e.terms) FROM {ENTRY} e WHERE e.store_id = %s"
        if connection.vendor == "postgresql"
        else f"SELECT DISTINCT j.value FROM {ENTRY} e, json_each(e.terms) j WHERE e.store_id = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {TERM} WHERE store_id = %s AND id NOT IN ({each})", [store.pk, store.pk])
        if connection.vendor == "postgresql":
            cursor.execute(f"ANALYZE {ENTRY}, {TERM}, {WORD}")  # plans for an index that has just grown
