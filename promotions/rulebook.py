"""The live offers of a store, compiled and kept in the process.

A book belongs to one version of the store's offers. Whoever prices a cart reads that version, which is one cheap query,
so a change counts at once in every process; what it costs is the rows that changed. Thousands of rules cost a cart
nothing: a book knows by product, variant and category which of them may matter.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from storefront.contracts import Sku
from storefront.money import ZERO

from . import rules, sql
from .engine.basket import Basket, Limit
from .engine.rules import EVERYTHING, Rule, needs
from .engine.sequence import Candidate
from .models import Eligibility, Kind, Offer, OfferAudience, State

logger = logging.getLogger(__name__)

MAX_BOOKS = 512  # in one process
_COLUMNS = (
    "id", "kind", "type", "applies_to", "name", "description", "terms", "tags", "details", "minimum_order_total",
    "starts_at", "expires_at", "eligibility", "first_order_only", "requires_login", "total_limit", "customer_limit",
    "code_limit", "max_items", "item_priority", "combinable", "priority", "public", "revision", "created_at",
    "modified_at",
)  # fmt: skip
_FEW = 500  # as many changed rows are fetched by id; more of them as a whole


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveOffer:
    """A live offer with its rule read. Its uses are not here: they change with every order."""

    id: str
    kind: str
    type: str
    applies_to: str
    name: str
    description: str
    terms: str
    tags: tuple[str, ...]
    details: Mapping[str, Any]
    rule: Rule
    minimum: Decimal
    starts_at: datetime
    expires_at: datetime | None
    eligibility: str
    audience: frozenset[str]  # of segments and groups; customers are looked up
    first_order_only: bool
    requires_login: bool  # also where it could not be checked otherwise
    total_limit: int | None
    customer_limit: int | None
    code_limit: int | None
    limit: Limit | None
    combinable: bool
    priority: int
    public: bool
    revision: int
    created_at: datetime
    modified_at: datetime
    # made of the above once, for every cart asks
    source: str = field(init=False)  # how discounts in a quote name this offer
    candidate: Candidate = field(init=False)
    for_everybody: bool = field(init=False)  # nothing about who asks, and nothing counted, can refuse it

    def __post_init__(self) -> None:
        found = Candidate(self.id, self.rule, self.priority, self.combinable, self.limit, self.minimum)
        asks = self.eligibility != Eligibility.ALL or self.requires_login or self.first_order_only or self.counted
        object.__setattr__(self, "source", f"{self.kind}:{self.id}")
        object.__setattr__(self, "candidate", found)
        object.__setattr__(self, "for_everybody", not asks)

    @property
    def for_the_asking(self) -> bool:
        """Whether nothing but the products and the customer's group decides: no minimum, limit or login."""
        return (
            self.public
            and not self.minimum
            and not self.requires_login
            and self.total_limit is None
            and self.limit is None
            and self.eligibility in (Eligibility.ALL, Eligibility.GROUP)
        )

    @property
    def counted(self) -> bool:
        """Whether its rows must be asked before somebody may have it."""
        return (
            self.total_limit is not None or self.customer_limit is not None or self.eligibility == Eligibility.CUSTOMER
        )

    def runs(self, now: datetime) -> bool:
        return self.starts_at <= now and (self.expires_at is None or now < self.expires_at)


class _Index:
    """Offers by what their rules name."""

    def __init__(self, offers: Iterable[LiveOffer]) -> None:
        self._everything: list[LiveOffer] = []
        self._products: dict[str, list[LiveOffer]] = {}
        self._variants: dict[str, list[LiveOffer]] = {}
        self._categories: dict[str, list[LiveOffer]] = {}
        for offer in offers:
            for target in set(needs(offer.rule)):
                if target == EVERYTHING:
                    self._everything.append(offer)
                elif target.variant_id:
                    self._variants.setdefault(target.variant_id, []).append(offer)
                elif target.product_id:
                    self._products.setdefault(target.product_id, []).append(offer)
                else:
                    self._categories.setdefault(target.category_id, []).append(offer)

    def about(
        self, product_ids: Iterable[str], variant_ids: Iterable[str], category_ids: Iterable[str], now: datetime
    ) -> list[LiveOffer]:
        found = {offer.id: offer for offer in self._everything}
        for index, ids in (
            (self._products, product_ids),
            (self._variants, variant_ids),
            (self._categories, category_ids),
        ):
            if index:
                for pk in ids:
                    for offer in index.get(pk, ()):
                        found[offer.id] = offer
        return [offer for offer in found.values() if offer.runs(now)]


class Book:
    """The live offers of one kind, begun or not."""

    def __init__(self, version: str, offers: Iterable[LiveOffer]) -> None:
        self.version = version
        self.offers: dict[str, LiveOffer] = {offer.id: offer for offer in offers}
        self._boundaries = sorted(
            moment for offer in self.offers.values() for moment in (offer.starts_at, offer.expires_at) if moment
        )
        self._all = _Index(self.offers.values())
        self._shown = _Index(offer for offer in self.offers.values() if offer.for_the_asking)

    def with_trial(self, offer: LiveOffer) -> Book:
        """The same book with one more offer, in the place of what it has of it; in memory only."""
        return Book("", (self.offers | {offer.id: offer}).values())

    def candidates(self, basket: Basket, now: datetime) -> list[LiveOffer]:
        """Those that run and whose rule names something that is in the basket."""
        return self._all.about(basket.product_ids, basket.variant_ids, basket.category_ids, now)

    def shown(self, sku: Sku, category_ids: Iterable[str], now: datetime) -> list[LiveOffer]:
        """Those that run, name this sku, and that everybody, or everybody of a group, has for the asking."""
        return self._shown.about((sku.product_id,), (sku.variant_id,), category_ids, now)

    def running(self, now: datetime) -> list[LiveOffer]:
        """All that run, in sequence."""
        found = [offer for offer in self.offers.values() if offer.runs(now)]
        return sorted(found, key=lambda offer: (offer.priority, offer.id))

    def boundaries_passed(self, now: datetime) -> int:
        """How many beginnings and ends of its offers have passed."""
        return bisect_right(self._boundaries, now)


_books: dict[tuple[str, str], Book] = {}


def version(store_id: str) -> str:
    """The version of the store's offers, "" when it never had any: one query."""
    return sql.version(store_id=store_id)


def book(store_id: str, kind: Kind, version: str) -> Book:
    """The store's live offers at a version that was just read. No query when this process knows them already, else
    one for what there is, one for what changed, and one for whom it is for."""
    known = _books.get((store_id, kind))
    if known is not None and known.version == version:
        return known
    made = Book(version, _load(store_id, kind, known) if version else ())
    if len(_books) >= MAX_BOOKS:
        _books.clear()
    _books[store_id, kind] = made
    return made


def _load(store_id: str, kind: Kind, known: Book | None) -> list[LiveOffer]:
    live = Offer.objects.filter(store=store_id, kind=kind, state=State.LIVE)
    kept: dict[str, LiveOffer] = {}
    if known is not None and known.offers:
        revisions = dict(live.values_list("id", "revision"))
        kept = {pk: offer for pk, offer in known.offers.items() if revisions.get(pk) == offer.revision}
        changed = [pk for pk in revisions if pk not in kept]
        if not changed:
            return list(kept.values())
        if len(changed) <= _FEW:
            live = live.filter(pk__in=changed)
    rows = [dict(zip(_COLUMNS, row, strict=True)) for row in live.values_list(*_COLUMNS)]
    audiences = _audiences(store_id, [row["id"] for row in rows if row["eligibility"] in _IN_MEMORY])
    for row in rows:
        offer = _compiled(row, audiences.get(row["id"], frozenset()))
        if offer is not None:
            kept[offer.id] = offer
    return list(kept.values())


_IN_MEMORY = (Eligibility.SEGMENT, Eligibility.GROUP)


def _audiences(store_id: str, offer_ids: list[str]) -> dict[str, frozenset[str]]:
    if not offer_ids:
        return {}
    found: dict[str, set[str]] = {}
    rows = OfferAudience.objects.filter(store=store_id, offer__eligibility__in=_IN_MEMORY, offer__state=State.LIVE)
    for offer_id, target_id in rows.values_list("offer_id", "target_id"):
        found.setdefault(offer_id, set()).add(target_id)
    return {offer_id: frozenset(ids) for offer_id, ids in found.items()}


def compiled(offer: Offer, audience: Iterable[str] = ()) -> LiveOffer | None:
    """The same of one row, live or not, for trying it out. None when its rule cannot be read."""
    return _compiled({name: getattr(offer, name) for name in _COLUMNS}, frozenset(audience))


def _compiled(row: dict[str, Any], audience: frozenset[str]) -> LiveOffer | None:
    try:
        parsed = rules.parse(type=row["type"], applies_to=row["applies_to"], details=row["details"])
    except rules.RuleError as error:  # somebody wrote past the services; the shop goes on without it
        logger.error("offer_unreadable", extra={"offer": row["id"], "fields": sorted(error.errors)})
        return None
    units = row.pop("max_items")
    order = row.pop("item_priority")
    minimum = row.pop("minimum_order_total")
    needs_login = (
        row["first_order_only"]
        or row["customer_limit"] is not None
        or row["eligibility"] in (Eligibility.CUSTOMER, Eligibility.SEGMENT)
    )
    return LiveOffer(
        **row
        | {
            "details": parsed.details,
            "rule": parsed.rule,
            "tags": tuple(row["tags"]),
            "requires_login": row["requires_login"] or needs_login,
            "limit": None if units is None else Limit(units, order),
            "minimum": minimum or ZERO,
            "audience": audience,
        }
    )
