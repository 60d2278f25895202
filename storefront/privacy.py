"""What is known about a shopper, gathered from every app that knows something (data portability; GDPR art. 20, DPDP s. 11).

An app names its part from `ready`; the event `shopper.erased` is how the same apps forget it. Who a contact or an id
belongs to, and how somebody is erased, the app with the accounts says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.utils import timezone

from storefront.errors import NotFound
from storefront.models import Store

# (store, user_id, customer_id) to JSON-ready data, or nothing. Everything is scoped to the store by the collector.
Collector = Callable[..., Any]
_collectors: dict[str, Collector] = {}
FORMAT = "shopper-export/1"


@dataclass(frozen=True, slots=True)
class Person:
    """A user, or a guest, with the customer that they buy for."""

    user_id: str
    customer_id: str


class People(Protocol):
    """Whoever keeps accounts."""

    def find(self, *, store: Store, who: str) -> Sequence[Person]:
        """The users of a customer's id, or the one of a user's id or proven contact; the primary user first."""

    def erase(self, *, store: Store, person: Person, now: datetime) -> None:
        """Removes the person's data in one transaction (D-14). Raises NotFound, also the second time."""


_people: list[People] = []


def register(section: str, collector: Collector) -> None:
    """Adds a section to a shopper's export. `collector(store=, user_id=, customer_id=)` answers JSON-ready data."""
    _collectors[section] = collector


def register_people(people: People) -> None:
    """Names who knows persons; the last one counts."""
    _people[:] = [people]


def export(*, store: Store, user_id: str, customer_id: str | None) -> dict[str, Any]:
    """Everything that any app keeps about a shopper, by section; empty ones left out."""
    found = {
        section: collect(store=store, user_id=user_id, customer_id=customer_id)
        for section, collect in sorted(_collectors.items())
    }
    return {section: data for section, data in found.items() if data}


def find(*, store: Store, who: str) -> list[Person]:
    """The users of a customer (its id), or one user (an id, or a contact that they proved). Raises NotFound."""
    found = [person for people in _people for person in people.find(store=store, who=who.strip())]
    if not found:
        raise NotFound
    return found


def export_people(*, store: Store, people: Sequence[Person]) -> dict[str, Any]:
    """A document for these persons of one customer: what is the customer's once, under the first of them."""
    return {
        "format": FORMAT,
        "store_id": store.pk,
        "exported_at": timezone.now().isoformat(),
        "people": [
            {
                "user_id": person.user_id,
                "customer_id": person.customer_id,
                "data": export(store=store, user_id=person.user_id, customer_id=None if number else person.customer_id),
            }
            for number, person in enumerate(people)
        ],
    }


def erase(*, store: Store, person: Person, now: datetime) -> None:
    """Erases a person; the primary user takes the customer and all its users along. Raises NotFound."""
    for people in _people:
        people.erase(store=store, person=person, now=now)
