"""The contract of `SEARCH`, held against the database and against Meilisearch's driver with a stub of its server."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from catalog import services
from catalog.models import Attribute, Product, ProductAttribute, Variant
from catalog.search import grammar, words
from catalog.search.meilisearch import MeilisearchSearch
from catalog.search.models import SearchEntry, SearchTerm, SearchWord
from catalog.search.plugs import DatabaseSearch
from storefront.contracts import Search, SearchQuery, Sku
from storefront.models import Store
from storefront.testing import Good, SearchContract, StubAnswer, StubRequest, StubServer
from tests.catalog.factories import choose, make_group, make_price, make_product, variants_of
from tests.contract import assert_is_error

pytestmark = pytest.mark.django_db


class FakeMeilisearch:
    """As much of the server as the driver uses: documents, filters in its own language, facets, order, pages.

    Typos, accents and plurals are as simple as can be; the real server is better at them.
    """

    def __init__(self) -> None:
        self.indexes: dict[str, dict[str, dict[str, Any]]] = {}

    def __call__(self, request: StubRequest) -> StubAnswer:
        path = urlsplit(request.path).path.strip("/").split("/")
        if len(path) == 1:
            self.indexes.setdefault(request.json["uid"], {})
            return StubAnswer(202, body={"taskUid": 1})
        documents = self.indexes.setdefault(path[1], {})
        match path[2:]:
            case ["settings"]:
                return StubAnswer(202, body={"taskUid": 2})
            case ["documents"]:
                documents.update({row["id"]: row for row in request.json})
                return StubAnswer(202, body={"taskUid": 3})
            case ["documents", "delete"]:
                condition = grammar.parse(request.json["filter"])
                for row in [row for row in documents.values() if _holds(row, condition)]:
                    del documents[row["id"]]
                return StubAnswer(202, body={"taskUid": 4})
        return StubAnswer(body=self.search(list(documents.values()), request.json))

    def search(self, rows: list[dict[str, Any]], asked: dict[str, Any]) -> dict[str, Any]:
        condition = grammar.parse(asked.get("filter"))
        hits = [(_rank(row, asked["q"]), row) for row in rows if _holds(row, condition)]
        found = [(rank, row) for rank, row in hits if rank is not None]
        found.sort(key=lambda hit: -hit[1]["created_at"])
        found.sort(key=lambda hit: hit[0])
        for entry in reversed(asked.get("sort", ())):
            name, _colon, direction = entry.partition(":")
            found.sort(key=lambda hit, name=name: _at(hit[1], name)[0], reverse=direction == "desc")
        kept = [row for _rank_, row in found]
        counts: dict[str, dict[str, int]] = {}
        stats: dict[str, dict[str, float]] = {}
        for name in asked.get("facets", ()):
            values = [value for row in kept for value in _at(row, name)]
            counts[name] = {_shown(value): values.count(value) for value in values}
            numbers = [value for value in values if isinstance(value, int | float)]
            if numbers:
                stats[name] = {"min": min(numbers), "max": max(numbers)}
        start, size = (asked["page"] - 1) * asked["hitsPerPage"], asked["hitsPerPage"]
        page = kept[start : start + size]
        return {
            "hits": [{name: row[name] for name in asked["attributesToRetrieve"]} for row in page],
            "totalHits": len(kept),
            "facetDistribution": counts,
            "facetStats": stats,
        }


def _shown(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) else str(value)


def _at(row: Any, name: str) -> list[Any]:
    found = [row]
    for part in name.split("."):
        found = [
            inner[part] for value in found for inner in (value if isinstance(value, list) else [value]) if part in inner
        ]
    flat = [inner for value in found for inner in (value if isinstance(value, list) else [value])]
    return [value for value in flat if value is not None]


def _rank(row: dict[str, Any], query: str) -> int | None:
    fields = [words.words(str(row[name] or "")) for name in ("product_name", "sku", "facts", "description")]
    ranks = []
    for word in words.words(query):
        near = [
            place
            for place, texts in enumerate(fields)
            if any(
                text.startswith(word)
                or words.distance(word.removesuffix("s"), text, words.allowed_typos(word)) <= words.allowed_typos(word)
                for text in texts
            )
        ]
        if not near:
            return None
        ranks.append(near[0])
    return sum(ranks)


def _holds(row: dict[str, Any], node: Any) -> bool:
    match node:
        case None:
            return True
        case grammar.Not():
            return not _holds(row, node.part)
        case grammar.And():
            return all(_holds(row, part) for part in node.parts)
        case grammar.Or():
            return any(_holds(row, part) for part in node.parts)
    values = _at(row, node.name)
    match node:
        case grammar.Exists():
            return bool(values)
        case grammar.IsNull() | grammar.IsEmpty():
            return not [value for value in values if value != ""]
        case grammar.In():
            return any(_same(value, wanted) for value in values for wanted in node.values)
        case grammar.Range():
            return any(float(node.low) <= float(value) <= float(node.high) for value in values)
    compare: dict[str, Callable[[Any, str], bool]] = {
        "=": _same,
        ">": lambda value, wanted: float(value) > float(wanted),
        ">=": lambda value, wanted: float(value) >= float(wanted),
        "<": lambda value, wanted: float(value) < float(wanted),
        "<=": lambda value, wanted: float(value) <= float(wanted),
    }
    return any(compare[node.operator](value, node.value) for value in values)


def _same(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return str(value).lower() == wanted
    if isinstance(value, int | float):
        return float(value) == float(wanted)
    return str(value).casefold() == wanted.casefold()


class ShopOfTests(SearchContract):
    """The goods of the contract as products of our catalogue."""

    @pytest.fixture(autouse=True)
    def _shop(self, store: Store) -> None:
        self.shop = store

    def stock(self, goods: Sequence[Good]) -> None:
        start = timezone.now() - dt.timedelta(hours=1)
        for number, good in enumerate(goods):
            product = make_product(
                self.shop,
                name=good.name,
                description=good.description,
                tags=list(good.tags),
                price=str(good.price),
                sku=good.sku,
                variants=good.sizes,
            )
            Variant.objects.filter(product=product).update(created_at=start + dt.timedelta(minutes=number))
            if good.material:
                choice = choose(self.shop, "Material", good.material)
                fact = ProductAttribute.objects.create(store=self.shop, product=product, attribute=choice.attribute)
                fact.choices.set([choice])
            services.publish(store=self.shop, product_ids=[product.pk])

    def withdraw(self, sku: str) -> None:
        product = Product.objects.get(variants__sku=sku)
        Product.objects.filter(pk=product.pk).update(active=False)
        services.publish(store=self.shop, product_ids=[product.pk])

    def parse(self, text: str) -> Any:
        return grammar.parse(text)

    def name_of(self, sku: Sku) -> str:
        return Product.objects.get(pk=sku.product_id).name


class TestDatabase(ShopOfTests):
    def engine(self) -> Search:
        return DatabaseSearch()


@pytest.fixture
def meilisearch(configure: Any) -> Iterator[StubServer]:
    with StubServer(FakeMeilisearch()) as stub:
        configure(
            SEARCH="catalog.search.meilisearch.MeilisearchSearch",
            SEARCH_OPTIONS={"url": stub.url, "key": "server-key", "timeout": 0.5, "prefix": "t_"},
        )
        yield stub


class TestMeilisearch(ShopOfTests):
    @pytest.fixture(autouse=True)
    def _server(self, meilisearch: StubServer, monkeypatch: Any) -> None:
        # What waits for a commit is sent at once: the transaction around a test never commits.
        monkeypatch.setattr("catalog.search.meilisearch.transaction.on_commit", lambda send, robust: send())
        self._engine = MeilisearchSearch()

    def engine(self) -> Search:
        return self._engine


# --- the driver -----------------------------------------------------------------------------------------------------
def test_the_server_is_asked_in_its_own_words(store: Store, meilisearch: StubServer) -> None:
    group = make_group(store)
    query = SearchQuery(
        text="Crème " * 12,
        filter=grammar.parse(
            "pricing.selling_price > 5 AND attribute.weight >= 2 AND attributes.material = 'A \\'b\\''"
        ),
        facets=("attributes.material", "pricing.tax_rate"),
        sort=(("selling_price", True),),
        offset=50,
        limit=10,
        group_id=group.pk,
    )
    MeilisearchSearch().find(store.pk, query)
    (request,) = meilisearch.requests
    assert request.path == "/indexes/t_demo/search"
    assert request.headers["Authorization"] == "Bearer server-key"
    assert request.json == {
        "q": " ".join(["creme"] * 10),
        "page": 6,
        "hitsPerPage": 10,
        "attributesToRetrieve": ["product_id", "variant_id"],
        "sort": [f"prices.{group.pk}.selling_price:desc"],
        "filter": f"'prices.{group.pk}.selling_price' > '5' AND 'attribute_number.weight' >= '2.0'"
        r" AND 'attribute.material' IN ['A \'b\'']",
        "facets": ["attribute.material", f"prices.{group.pk}.tax_rate"],
    }


@pytest.mark.parametrize(
    "answer",
    [
        StubAnswer(hang=True),
        StubAnswer(500, body={"code": "internal"}),
        StubAnswer(403, body={"code": "invalid_api_key", "message": "server-key is wrong"}),
        StubAnswer(302, headers={"Location": "http://127.0.0.1:9/"}),
        StubAnswer(200, body=b"<html>"),
        StubAnswer(200, body=[]),
        StubAnswer(200, body={"hits": []}, cut=True),
    ],
)
def test_a_server_that_fails_is_a_503_with_a_time_to_wait(
    store: Store, meilisearch: StubServer, api: Any, answer: StubAnswer, caplog: Any
) -> None:
    meilisearch.next.append(answer)
    response = api.post("/catalog/products/search", {"query": "cup"}, X_Api_Key=api.key)
    assert_is_error(response, 503, "temporarily_unavailable")
    assert response["Retry-After"] == "1"
    assert len(meilisearch.requests) == 1
    assert "server-key" not in caplog.text


def test_a_server_that_is_not_there_is_a_503(store: Store, api: Any, configure: Any) -> None:
    configure(
        SEARCH="catalog.search.meilisearch.MeilisearchSearch",
        SEARCH_OPTIONS={"url": "http://127.0.0.1:9", "timeout": 0.5},
    )
    assert_is_error(api.post("/catalog/products/search", {"query": "cup"}, X_Api_Key=api.key), 503)


@pytest.mark.django_db(transaction=True)
def test_products_are_sent_after_commit_and_a_lost_one_is_no_failure(store: Store, meilisearch: StubServer) -> None:
    group = make_group(store)
    product = make_product(store, name="Cup", price="100", sku="CUP")
    make_price(variants_of(product)[0], group, selling="60")
    meilisearch.requests.clear()
    services.publish(store=store, product_ids=[product.pk])
    dropped, sent = meilisearch.requests
    assert dropped.path == "/indexes/t_demo/documents/delete"
    assert re.fullmatch(rf"product_id IN \['{product.pk}'\]", dropped.json["filter"])
    (document,) = sent.json
    assert document["prices"][group.pk]["selling_price"] == 60
    assert document["prices"]["none"]["selling_price"] == 100
    assert document["variant_id"] is None
    assert document["stock_available"] is True

    meilisearch.next.append(StubAnswer(500))
    services.publish(store=store, product_ids=[product.pk])
    assert Product.objects.get(pk=product.pk).visible


@pytest.mark.django_db(transaction=True)
def test_a_rebuild_makes_the_index_and_drops_what_is_gone(store: Store, meilisearch: StubServer, capsys: Any) -> None:
    fake = meilisearch.default
    assert isinstance(fake, FakeMeilisearch)
    product = make_product(store, name="Cup")
    fake.indexes["t_demo"]["stray"] = {"id": "stray", "product_id": "stray", "indexed_at": 1}
    meilisearch.requests.clear()
    call_command("rebuild_search")
    assert set(fake.indexes["t_demo"]) == {product.pk}
    assert [request.method for request in meilisearch.requests[:2]] == ["POST", "PATCH"]
    assert "attribute" in meilisearch.requests[1].json["filterableAttributes"]
    assert "demo: 1 products" in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
def test_a_rebuild_that_fails_says_so_and_drops_nothing(store: Store, meilisearch: StubServer) -> None:
    fake = meilisearch.default
    assert isinstance(fake, FakeMeilisearch)
    product = make_product(store, name="Cup")
    meilisearch.next.extend([StubAnswer(202, body={}), StubAnswer(202, body={}), StubAnswer(500)])
    with pytest.raises(CommandError):
        call_command("rebuild_search")
    assert set(fake.indexes["t_demo"]) == {product.pk}


# --- rebuilding the database's own ----------------------------------------------------------------------------------
def test_a_rebuild_restores_what_was_lost(store: Store, other_store: Store, names: Any, capsys: Any) -> None:
    for number in range(3):
        make_product(store, name=f"Cup {number}", tags=["round"])
    make_product(other_store, name="Their Cup")
    SearchEntry.objects.all().delete()
    SearchTerm.objects.create(store=store, name="tags", key="old", value="Old")
    SearchWord.objects.create(store=store, word="forgotten")
    assert names("cup") == []
    call_command("rebuild_search", store="demo")
    assert len(names("cup")) == 3
    assert len(names(filter="tags = round")) == 3
    assert not SearchTerm.objects.filter(key="old").exists()
    assert not SearchWord.objects.filter(word="forgotten").exists()
    assert not SearchEntry.objects.filter(store=other_store).exists()
    assert "demo: 3 products" in capsys.readouterr().out


def test_a_rebuild_reads_in_batches(store: Store, django_assert_max_num_queries: Any) -> None:
    from catalog.search import index

    for number in range(5):
        make_product(store, name=f"Cup {number}")
    assert [len(batch) for batch in index.product_batches(store=store, size=2)] == [2, 2, 1]
    with django_assert_max_num_queries(30):
        assert index.rebuild(store=store) == 5


def test_a_rebuild_of_a_store_that_is_none_is_refused(store: Store) -> None:
    with pytest.raises(CommandError):
        call_command("rebuild_search", store="nowhere")


def test_sqlite_keeps_no_words_of_what_is_gone(store: Store) -> None:
    product = make_product(store, name="Cup")
    Product.objects.filter(pk=product.pk).delete()
    assert not SearchEntry.objects.exists()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM storefront_catalog_searchtext")
            assert cursor.fetchone() == (0,)


def test_attributes_are_searched_by_the_name_they_have_now(store: Store, names: Any) -> None:
    product = make_product(store, name="Cup")
    choice = choose(store, "Material", "Clay")
    fact = ProductAttribute.objects.create(store=store, product=product, attribute=choice.attribute)
    fact.choices.set([choice])
    services.publish(store=store, product_ids=[product.pk])
    assert names(filter="attribute.material = clay") == ["Cup"]
    Attribute.objects.filter(pk=choice.attribute_id).update(key="fabric")
    services.attribute_changed(store=store, attribute_id=choice.attribute_id)
    assert names(filter="attribute.fabric = clay") == ["Cup"]
