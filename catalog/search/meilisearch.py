"""`SEARCH` by a Meilisearch server: one index a store, documents sent after commit.

    STOREFRONT = {
        "SEARCH": "catalog.search.meilisearch.MeilisearchSearch",
        "SEARCH_OPTIONS": {"url": "http://127.0.0.1:7700", "key": "...", "timeout": 2.0, "prefix": "shop_"},
    }

Run `manage.py rebuild_search` once, and again after customer groups were added or the default one changed, for a
document holds the price that each group sees. A document that could not be sent is logged and is right again after its
product's next change, or after a rebuild. Its `stock_available` is of the moment of indexing.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import httpx2
import orjson
from django.db import transaction
from django.utils import timezone

from storefront import selectors as kernel
from storefront.conf import conf
from storefront.contracts import SearchQuery, SearchResult, Sku
from storefront.errors import Unavailable
from storefront.models import Store
from storefront.plugs import plug

from . import grammar, words
from .fields import ATTRIBUTE, EVERY_FACET, PRICES, Kind, attribute_key, find, sortable
from .listing import ANYONE, Listing, listings

logger = logging.getLogger(__name__)

BATCH = 500
MAX_ANSWER_BYTES = 8_000_000
MAX_HITS = 1_000_000
SETTINGS = {
    "searchableAttributes": ["product_name", "sku", "variant_name", "facts", "description"],
    "filterableAttributes": [
        "product_type",
        "categories",
        "attributes",
        "attribute",
        "attribute_number",
        "brand",
        "tags",
        "prices",
        "product_id",
        "variant_id",
        "product_name",
        "variant_name",
        "sku",
        "stock_available",
        "rating",
        "indexed_at",
    ],
    "sortableAttributes": ["prices", "product_name", "created_at", "rating"],
    "rankingRules": ["sort", "words", "typo", "proximity", "attribute", "exactness", "created_at:desc"],
    "pagination": {"maxTotalHits": MAX_HITS},
    "faceting": {"maxValuesPerFacet": 100, "sortFacetValuesBy": {"*": "count"}},
}


class MeilisearchSearch:
    """See `storefront.contracts.Search`. One kept connection pool; every call has the configured limit on time."""

    def __init__(self) -> None:
        options = conf().SEARCH_OPTIONS
        timeout = float(options.get("timeout", 2.0))
        self._prefix = str(options.get("prefix", ""))
        self._client = httpx2.Client(
            base_url=options["url"],
            timeout=httpx2.Timeout(timeout, connect=min(1.0, timeout), pool=timeout),
            follow_redirects=False,
            trust_env=False,
            headers={"Authorization": f"Bearer {options['key']}"} if options.get("key") else {},
        )

    # -- reading --
    def find(self, store_id: str, query: SearchQuery) -> SearchResult:
        names = _Names(kernel.price_group_ids(store=kernel.store(store_id), asked=query.group_id))
        facets = self._facets(query.facets, names)
        body: dict[str, Any] = {
            "q": " ".join(words.words(query.text)[: words.MAX_WORDS]),
            "attributesToRetrieve": ["product_id", "variant_id"],
            **_page(query.offset, query.limit),
        }
        if query.sort:
            body["sort"] = [f"{names.sort(name)}:{'desc' if down else 'asc'}" for name, down in query.sort]
        if query.filter is not None:
            body["filter"] = grammar.written(translated(query.filter, names))
        if facets:
            body["facets"] = list(facets)
        found = self._call("POST", f"/indexes/{self._index(store_id)}/search", body)
        return SearchResult(
            skus=tuple(Sku(hit["product_id"], hit.get("variant_id") or "") for hit in found["hits"]),
            total=int(found.get("totalHits", found.get("estimatedTotalHits", 0))),
            facet_counts=_renamed(facets, found.get("facetDistribution") or {}),
            facet_ranges={
                name: (ends["min"], ends["max"])
                for name, ends in _renamed(facets, found.get("facetStats") or {}).items()
            },
        )

    def _facets(self, asked: Sequence[str], names: _Names) -> dict[str, list[str]]:
        """The names of the documents' own fields, each with the spellings under which it was asked for."""
        found: dict[str, list[str]] = {}
        for name in dict.fromkeys([*asked, *(EVERY_FACET if "*" in asked else ())]):
            if name != "*":
                found.setdefault(names.field(name), []).append(name)
        if "*" in asked:
            found.setdefault("attribute", [])
        return found

    # -- writing --
    def index(self, store_id: str, product_ids: Collection[str]) -> None:
        """Reads and sends after commit, so that what is sent is what was committed."""
        ids = sorted(set(product_ids))
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            if transaction.get_connection().in_atomic_block:
                transaction.on_commit(partial(self._try_to_send, store_id, batch), robust=True)
            else:
                self._send(store_id, batch)

    def _try_to_send(self, store_id: str, product_ids: Sequence[str]) -> None:
        try:
            self._send(store_id, product_ids)
        except Unavailable:
            logger.exception("search_not_indexed", extra={"store": store_id, "products": len(product_ids)})

    def _send(self, store_id: str, product_ids: Sequence[str]) -> None:
        store = Store(pk=store_id)
        rows = listings(store=store, product_ids=product_ids)
        skus = [_sku(row) for row in rows]
        there = plug("CATALOG").sellables(store_id, skus) if rows else {}
        groups = list(kernel.groups(store=store))
        order = {group: kernel.price_group_ids(store=store, asked=group) for group in groups}
        order[ANYONE] = kernel.price_group_ids(store=store, asked=None)
        now = int(timezone.now().timestamp() * 1000)
        documents = [
            document(row, order, available=bool(found.in_stock) if (found := there.get(sku)) else False, now=now)
            for row, sku in zip(rows, skus, strict=True)
        ]
        uid = self._index(store_id)
        quoted = ", ".join(grammar.quoted(pk) for pk in product_ids)
        # Tasks of one index are carried out in the order in which they were sent.
        self._call("POST", f"/indexes/{uid}/documents/delete", {"filter": f"product_id IN [{quoted}]"})
        if documents:
            self._call("POST", f"/indexes/{uid}/documents?primaryKey=id", documents)

    def prepare(self, store_id: str) -> None:
        uid = self._index(store_id)
        self._call("POST", "/indexes", {"uid": uid, "primaryKey": "id"})
        self._call("PATCH", f"/indexes/{uid}/settings", SETTINGS)

    def prune(self, store_id: str, before: datetime) -> None:
        moment = int(before.timestamp() * 1000)
        self._call("POST", f"/indexes/{self._index(store_id)}/documents/delete", {"filter": f"indexed_at < {moment}"})

    def _index(self, store_id: str) -> str:
        return f"{self._prefix}{store_id}"

    def _call(self, method: str, path: str, body: Any) -> dict[str, Any]:
        """The JSON object of a 2xx answer. Raises Unavailable for everything else; bodies and keys are never logged."""
        content = orjson.dumps(body)
        try:
            response = self._client.request(method, path, content=content, headers={"Content-Type": "application/json"})
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            logger.warning("search_unreachable", extra={"reason": type(error).__name__})
            raise Unavailable(retry_after=1) from error
        if not response.is_success or len(response.content) > MAX_ANSWER_BYTES:
            logger.warning("search_refused", extra={"status": response.status_code, "reason": _reason(response)})
            raise Unavailable(retry_after=1)
        try:
            found = orjson.loads(response.content)
        except orjson.JSONDecodeError as error:
            logger.warning("search_answered_nonsense")
            raise Unavailable(retry_after=1) from error
        if not isinstance(found, dict):
            raise Unavailable(retry_after=1)
        return found


def _page(offset: int, limit: int) -> dict[str, int]:
    """Whole pages are counted exactly, other stretches are estimated."""
    if offset % limit:
        return {"offset": offset, "limit": limit}
    return {"page": offset // limit + 1, "hitsPerPage": limit}


def _reason(response: httpx2.Response) -> str:
    """The server's own stable code."""
    try:
        found = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return ""
    return str(found.get("code", ""))[:60] if isinstance(found, dict) else ""


def _sku(listing: Listing) -> Sku:
    return Sku(listing.product_id, "" if listing.is_standalone else listing.variant_id)


class _Names:
    """Where the documents keep what the API names, for one requester."""

    def __init__(self, groups: Sequence[str]) -> None:
        self._group = groups[0] if groups else ANYONE

    def field(self, name: str, *, ordered: bool = False) -> str:
        """`ordered` asks for the numbers behind an attribute instead of its texts."""
        key = attribute_key(name)
        if key:
            return f"attribute_number.{key}" if ordered else f"attribute.{key}"
        field = find(name)
        if field is not None and field.key in PRICES:
            return self.price(field.key)
        return name

    def price(self, name: str) -> str:
        return f"prices.{_safe(self._group)}.{name}"

    def sort(self, name: str) -> str:
        return self.price(name) if name in PRICES else name


def _safe(group: str) -> str:
    """A group's id as part of a field's name, in which a star or a dot would mean something."""
    return "none" if group == ANYONE else group


def translated(node: grammar.Node, names: _Names) -> grammar.Node:
    """The filter over the fields of the documents."""
    match node:
        case grammar.Not():
            return grammar.Not(translated(node.part, names))
        case grammar.And():
            return grammar.And(tuple(translated(part, names) for part in node.parts))
        case grammar.Or():
            return grammar.Or(tuple(translated(part, names) for part in node.parts))
    field = find(node.name)
    is_attribute = attribute_key(node.name) is not None
    match node:
        case grammar.Exists():
            return _present(names.field(node.name))
        case grammar.IsNull() | grammar.IsEmpty():
            return grammar.Not(_present(names.field(node.name)))
        case grammar.Range():
            low, high = (_number(value) if is_attribute else value for value in (node.low, node.high))
            return grammar.Range(names.field(node.name, ordered=True), low, high)
        case grammar.Compare() if node.operator != "=":
            value = _number(node.value) if is_attribute else node.value
            return grammar.Compare(names.field(node.name, ordered=True), node.operator, value)
    values = node.values if isinstance(node, grammar.In) else (node.value,)
    if field is not None and field.kind is Kind.BOOLEAN:
        values = tuple(value.lower() for value in values)
    texts = grammar.In(names.field(node.name), values)
    numbers = tuple(_number(value) for value in values if sortable(value) is not None) if is_attribute else ()
    return grammar.Or((texts, grammar.In(names.field(node.name, ordered=True), numbers))) if numbers else texts


def _present(name: str) -> grammar.Node:
    """Has a value: Meilisearch tells apart what is missing, null and empty."""
    return grammar.And((grammar.Exists(name), grammar.Not(grammar.IsNull(name)), grammar.Not(grammar.IsEmpty(name))))


def _number(value: str) -> str:
    return repr(sortable(value))


def document(listing: Listing, order: Mapping[str, Sequence[str]], *, available: bool, now: int) -> dict[str, Any]:
    """What the server keeps of a sku. `order` says for each group whose prices it tries, one after the other."""
    attribute: dict[str, list[str]] = {}
    numbers: dict[str, list[float]] = {}
    for term in listing.terms:
        if term.name.startswith(ATTRIBUTE):
            key = term.name.removeprefix(ATTRIBUTE)
            attribute.setdefault(key, []).append(term.value)
            if term.number is not None:
                numbers.setdefault(key, []).append(term.number)
    return {
        "id": listing.variant_id,
        "product_id": listing.product_id,
        "variant_id": None if listing.is_standalone else listing.variant_id,
        "product_type": listing.product_type,
        "sku": listing.sku,
        "product_name": listing.product_name,
        "variant_name": listing.variant_name or None,
        "facts": listing.texts.facts,
        "description": listing.texts.description,
        "brand": _values(listing, "brand"),
        "tags": _values(listing, "tags"),
        "categories": [{"id": pk, "name": name, "slug": slug} for pk, name, slug in listing.categories],
        "attributes": [{"key": key} for key in attribute],
        "attribute": attribute,
        "attribute_number": numbers,
        "prices": {
            _safe(group): dict(zip(PRICES, _seen(listing.prices, tried), strict=True)) for group, tried in order.items()
        },
        "stock_available": available,
        "rating": listing.rating,
        "created_at": int(listing.created_at.timestamp() * 1000),
        "indexed_at": now,
    }


def _values(listing: Listing, name: str) -> list[str]:
    return [term.value for term in listing.terms if term.name == name]


def _seen(prices: Mapping[str, Sequence[float]], tried: Iterable[str]) -> Sequence[float]:
    return next((prices[group] for group in tried if group in prices), prices[ANYONE])


def _renamed(facets: Mapping[str, Sequence[str]], found: Mapping[str, Any]) -> dict[str, Any]:
    """The server's field names as the caller spelt them. What `attribute` holds is asked for as a whole."""
    renamed: dict[str, Any] = {}
    for field, value in found.items():
        for name in facets.get(field, (field,) if field.startswith(ATTRIBUTE) else ()):
            renamed[name] = value
    return renamed
