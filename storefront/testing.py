"""Contract tests that any replacement of a plug can run, and the stub server that they run against.

    class TestMyGateway(ChannelContract):
        def make(self, *, base_url, timeout, callback_url): return MyGateway(base_url=base_url, ...)
        def accepted(self, identifier): return StubAnswer(body={"id": identifier})
        ...

Needs no test framework but one that collects `Test...` classes and calls `setup_method` and `teardown_method`.
"""

from __future__ import annotations

import json
import sys
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from unittest import SkipTest
from urllib.parse import parse_qsl

from storefront.contracts import (
    BankCheck,
    BankVerification,
    Catalog,
    CategoryNames,
    Channel,
    DeliveryFailed,
    DeliveryReport,
    DocumentChecks,
    Place,
    RenderedMessage,
    Search,
    SearchQuery,
    SearchResult,
    Sellable,
    Sku,
    Tax,
    TaxedGoods,
    VirtualAccounts,
)
from storefront.testing_claims import ClaimsContract
from storefront.testing_gateways import GatewayCallback, GatewayContract
from storefront.testing_rates import ShippingRatesContract

__all__ = [
    "Callback",
    "CaseInsensitive",
    "CatalogContract",
    "ChannelContract",
    "ClaimsContract",
    "GatewayCallback",
    "GatewayContract",
    "Good",
    "SearchContract",
    "ShippingRatesContract",
    "StubAnswer",
    "StubRequest",
    "StubServer",
    "Ware",
]


@dataclass(frozen=True, slots=True)
class StubRequest:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class StubAnswer:
    """What a stub answers. `body` that is not bytes goes out as JSON. `hang`: no answer until the stub closes.
    `cut`: the connection breaks in the middle of the answer."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False
    cut: bool = False


Answering = Callable[[StubRequest], StubAnswer]


class StubServer:
    """A provider on a free loopback port, in threads of this process.

    Answers come from `next` in order, then from `default`. `requests` holds what arrived.
    """

    def __init__(self, default: Answering | StubAnswer | None = None) -> None:
        self.default: Answering | StubAnswer = default or StubAnswer(404)
        self.next: deque[StubAnswer] = deque()
        self.requests: list[StubRequest] = []
        self._closing = threading.Event()
        self._news = threading.Condition()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                request = StubRequest(self.command, self.path, dict(self.headers), self.rfile.read(length))
                answer = stub._choose(request)
                if answer.hang:
                    stub._closing.wait(120)
                    self.close_connection = True
                    return
                content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                if not isinstance(answer.body, bytes):
                    self.send_header("Content-Type", "application/json")
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content) + (10 if answer.cut else 0)))
                self.end_headers()
                self.wfile.write(content)
                if answer.cut:
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815  the names that the server looks for

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Silent: tests read `requests`."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *connection: Any) -> None:
                """A caller that was killed or gave up is no news; a fault of the answering is."""
                if not isinstance(sys.exc_info()[1], OSError):
                    super().handle_error(*connection)

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def _choose(self, request: StubRequest) -> StubAnswer:
        with self._news:
            self.requests.append(request)
            self._news.notify_all()
            if self.next:
                return self.next.popleft()
        return self.default(request) if callable(self.default) else self.default

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def arrived(self, count: int) -> int:
        """How many requests have come, once there are `count` of them: one that its caller gave up on may be read
        after that. Waits 10 seconds at most."""
        with self._news:
            self._news.wait_for(lambda: len(self.requests) >= count, timeout=10)
            return len(self.requests)

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Callback:
    """A provider's report as it arrives over HTTP."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


class ChannelContract(ABC):
    """What every `Channel` must do, whoever delivers. Subclass it as `Test...` and say how your provider talks."""

    callback_url: ClassVar[str] = "https://shop.example/hooks/messages/demo/account"
    message: ClassVar[RenderedMessage] = RenderedMessage(
        to="+919876543210",
        subject="Your code",
        text="482913 is your code.",
        template={"code": "otp_login", "name": "otp_login_v1", "language": "en"},
        values={"code": "482913"},
        ttl=300,
        key="01JABCDEFGHJKMNPQRSTVWXYZ0",
    )

    # -- what a provider's test says --
    @abstractmethod
    def make(self, *, base_url: str, timeout: float, callback_url: str) -> Channel:
        """The channel, sending to `base_url`, giving up after `timeout` seconds."""

    @abstractmethod
    def accepted(self, identifier: str) -> StubAnswer:
        """The provider's answer to a message that it accepts under that id."""

    @abstractmethod
    def dead_address(self) -> StubAnswer:
        """The provider's answer to an address that does not exist."""

    @abstractmethod
    def assert_request(self, request: StubRequest) -> None:
        """Checks that a request says all of `message`, to the right place, with the right credentials."""

    def callback(self, identifier: str, status: str) -> Callback | None:
        """A genuine report (status: delivered or failed); None for a provider without reports."""
        return None

    # -- the contract --
    def setup_method(self) -> None:
        self.stub = StubServer()
        self.channel = self._patient(10)

    def _patient(self, timeout: float) -> Channel:
        return self.make(base_url=self.stub.url, timeout=timeout, callback_url=self.callback_url)

    def teardown_method(self) -> None:
        self.stub.close()

    def _fail(self, answer: StubAnswer) -> DeliveryFailed:
        self.stub.next.append(answer)
        before = len(self.stub.requests)
        error = self._failure_of_a_send()
        shown = f"{error} {error.reason}"
        assert "482913" not in shown, "a failure must not repeat the text"
        assert self.message.to not in shown, "a failure must not name the person"
        assert len(error.reason) <= 60, "reasons are short"
        assert self.stub.arrived(before + 1) == before + 1, "one send is one request: repeating is the queue's business"
        return error

    def _failure_of_a_send(self) -> DeliveryFailed:
        try:
            self.channel.send(self.message)
        except DeliveryFailed as error:
            return error
        raise AssertionError("The channel took this for a success.")

    def test_a_success_returns_the_providers_id(self) -> None:
        self.stub.next.append(self.accepted("provider-id-1"))
        assert self.channel.send(self.message) == "provider-id-1"
        assert len(self.stub.requests) == 1
        self.assert_request(self.stub.requests[0])

    def test_a_provider_that_does_not_answer_in_time_is_tried_again(self) -> None:
        self.channel = self._patient(0.5)
        error = self._fail(StubAnswer(hang=True))
        assert error.retry
        assert error.reason == "timeout"

    def test_an_answer_that_breaks_off_is_tried_again(self) -> None:
        assert self._fail(StubAnswer(body={"cut": True}, cut=True)).retry

    def test_a_provider_that_is_down_is_tried_again(self) -> None:
        for status in (500, 502, 503):
            error = self._fail(StubAnswer(status, body={"message": "482913 down"}))
            assert error.retry, status

    def test_a_dead_address_is_not_tried_again(self) -> None:
        assert not self._fail(self.dead_address()).retry

    def test_refused_credentials_are_not_tried_again(self) -> None:
        assert not self._fail(StubAnswer(401, body={"message": "no"})).retry

    def test_a_rate_limit_says_how_long_to_wait(self) -> None:
        error = self._fail(StubAnswer(429, body={}, headers={"Retry-After": "17"}))
        assert error.retry
        assert error.retry_after == 17

    def test_a_redirect_is_not_followed(self) -> None:
        with StubServer() as elsewhere:
            self._fail(StubAnswer(302, headers={"Location": elsewhere.url + "/stolen"}))
            assert not elsewhere.requests

    def test_a_genuine_report_is_understood_each_time_it_comes(self) -> None:
        for status in ("delivered", "failed"):
            callback = self.callback("provider-id-1", status)
            if callback is None:
                return
            for _repeat in (1, 2):
                reports = self._reports(callback)
                assert [(report.provider_message_id, report.status) for report in reports] == [
                    ("provider-id-1", status)
                ]

    def test_a_report_that_is_not_genuine_is_refused(self) -> None:
        callback = self.callback("provider-id-1", "delivered")
        if callback is None:
            self._assert_refused(Callback(b"{}"))
            return
        self._assert_refused(Callback(callback.body))
        broken = {name: value[:-2] + ("AA" if value[-2:] != "AA" else "BB") for name, value in callback.headers.items()}
        spoilt = {name: value + "x" for name, value in callback.query.items()}
        self._assert_refused(Callback(callback.body, broken, spoilt))

    def test_a_report_of_something_else_is_passed_over(self) -> None:
        callback = self.callback("provider-id-1", "some-new-status")
        if callback is not None:
            assert self._reports(callback) == []

    def _reports(self, callback: Callback) -> list[DeliveryReport]:
        return self.channel.reports(headers=CaseInsensitive(callback.headers), body=callback.body, query=callback.query)

    def _assert_refused(self, callback: Callback) -> None:
        try:
            self._reports(callback)
        except PermissionError:
            return
        raise AssertionError("A forged report was accepted.")


class CaseInsensitive(dict[str, str]):
    """Headers as a server hands them over: found in any spelling."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in headers.items()})

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())


# --- search -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True, slots=True)
class Good:
    """A product for the tests of a search engine. Without `sizes` it does not vary."""

    sku: str
    name: str
    price: int
    description: str = ""
    tags: tuple[str, ...] = ()
    material: str = ""
    sizes: tuple[str, ...] = ()


class SearchContract(ABC):
    """What every `Search` must do. Subclass it as `Test...` and say how goods come into your catalogue and index.

    Goods are made in the order given, each a moment after the one before.
    """

    store_id: ClassVar[str] = "demo"
    goods: ClassVar[tuple[Good, ...]] = (
        Good(
            sku="KUR-1", name="Indigo Cotton Kurta", price=1200, tags=("Summer",), material="Cotton", sizes=("S", "M")
        ),
        Good(sku="KUR-2", name="Crème Silk Kurta", price=2500, tags=("Festive",), material="Silk"),
        Good(sku="BAG-1", name="Jute Bag", price=400, description="Carries a kurta or two.", material="Jute"),
        Good(sku="SHO-1", name="Running Shoes", price=3000, tags=("Summer", "Sport")),
    )

    # -- what an engine's test says --
    @abstractmethod
    def engine(self) -> Search:
        """The plug under test."""

    @abstractmethod
    def stock(self, goods: Sequence[Good]) -> None:
        """Puts these into the store's catalogue, priced for everybody, and has the engine index them."""

    @abstractmethod
    def withdraw(self, sku: str) -> None:
        """Makes that good inactive and has the engine told."""

    @abstractmethod
    def parse(self, text: str) -> Any:
        """A filter as the engine is given it."""

    @abstractmethod
    def name_of(self, sku: Sku) -> str:
        """What a hit is called."""

    # -- the contract --
    def found(self, text: str = "", *, where: str = "", **query: Any) -> SearchResult:
        parsed = self.parse(where) if where else None
        return self.engine().find(self.store_id, SearchQuery(text=text, filter=parsed, **query))

    def names(self, text: str = "", **query: Any) -> list[str]:
        return list(dict.fromkeys(self.name_of(sku) for sku in self.found(text, **query).skus))

    def test_without_words_everything_comes_newest_first(self) -> None:
        self.stock(self.goods)
        assert self.names() == [good.name for good in reversed(self.goods)]
        assert self.found().total == 5, "each variant is a hit"

    def test_words_are_found_as_people_type_them(self) -> None:
        self.stock(self.goods)
        for text in ("silk kurta", "SILK", "creme", "crème kurtas", "cre", "silk k", "slik", "kurtaa silk"):
            assert self.names(text)[:1] == ["Crème Silk Kurta"], text
        assert self.names("zzz") == []

    def test_names_count_more_than_descriptions(self) -> None:
        self.stock(self.goods)
        assert self.names("kurta")[-1] == "Jute Bag"
        assert len(self.names("kurta")) == 3

    def test_a_sku_is_found(self) -> None:
        self.stock(self.goods)
        assert self.names("BAG-1")[0] == "Jute Bag"

    def test_only_ten_words_count(self) -> None:
        self.stock(self.goods)
        assert self.names("silk " * 10 + "umbrella") == ["Crème Silk Kurta"]

    def test_filters_narrow(self) -> None:
        self.stock(self.goods)
        for text, wanted in {
            "attribute.material = silk": {"Crème Silk Kurta"},
            "attribute.material IN [Silk, jute]": {"Crème Silk Kurta", "Jute Bag"},
            "attribute.material NOT EXISTS": {"Running Shoes"},
            "tags = summer AND pricing.selling_price > 2000": {"Running Shoes"},
            "tags = sport OR pricing.selling_price 300 TO 400": {"Running Shoes", "Jute Bag"},
            "NOT (tags = summer OR tags = festive)": {"Jute Bag"},
            "tags != summer": {"Crème Silk Kurta", "Jute Bag"},
            "tags IS EMPTY": {"Jute Bag"},
            "variant_id IS NOT NULL": {"Indigo Cotton Kurta"},
            "product_name = 'jute bag'": {"Jute Bag"},
            "stock_available = true": {good.name for good in self.goods},
        }.items():
            assert set(self.names(where=text)) == wanted, text
        assert self.names("kurta", where="tags = festive") == ["Crème Silk Kurta"]

    def test_facets_count_all_hits_after_the_filter(self) -> None:
        self.stock(self.goods)
        facets = ("tags", "attribute.material", "pricing.selling_price")
        found = self.found(where="tags = summer", facets=facets, limit=1)
        assert found.total == 3
        assert {name: dict(counts) for name, counts in found.facet_counts.items()} == {
            "tags": {"Summer": 3, "Sport": 1},
            "attribute.material": {"Cotton": 2},
            "pricing.selling_price": {"1200": 2, "3000": 1},
        }
        assert tuple(found.facet_ranges["pricing.selling_price"]) == (1200, 3000)

    def test_a_wish_for_order_is_met(self) -> None:
        self.stock(self.goods)
        assert self.names(sort=(("selling_price", False),))[0] == "Jute Bag"
        assert self.names(sort=(("selling_price", True),))[0] == "Running Shoes"
        assert self.names(sort=(("product_name", False),))[0] == "Crème Silk Kurta"
        assert self.names(sort=(("created_at", False),))[0] == "Indigo Cotton Kurta"

    def test_pages_hold_every_hit_once(self) -> None:
        self.stock(self.goods)
        pages = [self.found(offset=offset, limit=2) for offset in (0, 2, 4)]
        hits = [sku for page in pages for sku in page.skus]
        assert len(hits) == len(set(hits)) == 5
        assert {page.total for page in pages} == {5}

    def test_what_is_withdrawn_is_not_found(self) -> None:
        self.stock(self.goods)
        self.withdraw("KUR-2")
        assert "Crème Silk Kurta" not in self.names("kurta")
        assert self.names("silk", where="attribute.material = silk") == []

    def test_indexing_again_changes_nothing(self) -> None:
        self.stock(self.goods)
        before = self.found()
        self.engine().index(self.store_id, {sku.product_id for sku in before.skus})
        assert self.found() == before


# --- catalogue --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True, slots=True)
class Ware:
    """A product for the tests of a catalogue. Without `sizes` it does not vary. `price` is what everybody pays."""

    name: str
    price: Decimal
    stock: int = 10
    sizes: tuple[str, ...] = ()


class CatalogContract(ABC):
    """What every `Catalog` must do. Subclass it as `Test...`, with the database that your rows need, and say how wares
    come into your tables. A subclass of unittest's TestCase works as well: nothing here needs a fixture."""

    store_id: ClassVar[str] = "demo"
    tea: ClassVar[Ware] = Ware(name="Assam", price=Decimal("420.50"), stock=7)
    shirt: ClassVar[Ware] = Ware(name="Shirt", price=Decimal(1180), stock=3, sizes=("S", "M"))
    varies: ClassVar[bool] = True  # False: no product of this shop comes in sizes
    # What callers send who guess: no catalogue may answer it, or break on it.
    nonsense: ClassVar[tuple[str, ...]] = (
        "",
        "0",
        "-1",
        "9" * 64,
        "\u0663",
        "x" * 64,
        "1e3",
        "%",
        "' OR 1=1 --",
        "null",
    )

    # -- what a catalogue's test says --
    @abstractmethod
    def catalog(self) -> Catalog:
        """The plug under test."""

    @abstractmethod
    def put(self, ware: Ware) -> Sequence[Sku]:
        """Puts it up for sale in `store_id`; its sku, or one for each of its sizes in order."""

    @abstractmethod
    def withdraw(self, product_id: str) -> None:
        """Takes that product off sale. Its row stays."""

    def put_elsewhere(self, ware: Ware) -> tuple[str, Sequence[Sku]]:
        """The same in another store: its id and the skus. As it stands: for a catalogue that serves one store only."""
        return "elsewhere", ()

    # -- the contract --
    def put_shirt(self) -> Sequence[Sku]:
        """What comes in two sizes; where nothing does, one more product."""
        skus = self.put(self.shirt if self.varies else replace(self.shirt, sizes=()))
        assert len(skus) == (2 if self.varies else 1), "a sku for each size"
        return skus

    def sold(self, *skus: Sku) -> dict[Sku, Sellable]:
        return self.catalog().sellables(self.store_id, skus)

    def test_it_keeps_the_protocol(self) -> None:
        assert isinstance(self.catalog(), Catalog)

    def test_what_is_sold_is_named_and_priced(self) -> None:
        (tea,) = self.put(self.tea)
        shirt = self.put_shirt()
        medium = shirt[-1]
        found = self.sold(tea, medium)
        assert set(found) == {tea, medium}, "a size that nobody asked for"
        for sku, ware, size in ((tea, self.tea, None), (medium, self.shirt, "M" if self.varies else None)):
            sellable = found[sku]
            assert isinstance(sellable, Sellable)
            assert sellable.sku == sku
            assert sellable.product_name == ware.name
            assert (sellable.variant_name is None) == (size is None)
            assert (sellable.active, sellable.needs_variant) == (True, False)
            assert sellable.selling_price == ware.price
            assert sellable.listing_price >= sellable.selling_price
            assert sellable.available == ware.stock
        assert len({sku.product_id for sku in shirt}) == 1
        assert len({sku.variant_id for sku in shirt}) == len(shirt)

    def test_amounts_are_decimals(self) -> None:
        (tea,) = self.put(self.tea)
        sellable = self.sold(tea)[tea]
        for name in ("listing_price", "selling_price", "tax_rate", "handling_charge", "handling_tax_rate"):
            assert type(getattr(sellable, name)) is Decimal, f"{name} is {getattr(sellable, name)!r}"

    def test_ids_are_texts_that_fit_a_cart(self) -> None:
        for sku in (*self.put(self.tea), *self.put_shirt()):
            assert all(isinstance(part, str) and len(part) <= 64 for part in sku)

    def test_what_does_not_exist_is_left_out(self) -> None:
        (tea,) = self.put(self.tea)
        small = self.put_shirt()[0]
        asked = [Sku(text) for text in self.nonsense]
        asked += [Sku(tea.product_id, text) for text in self.nonsense if text]
        asked += [Sku(small.product_id, text) for text in self.nonsense if text]
        asked += [Sku(tea.product_id, small.variant_id or small.product_id), Sku(tea.product_id, tea.product_id)]
        assert self.sold(*asked) == {}
        assert self.catalog().items(self.store_id, asked) == {}
        assert set(self.sold(*asked, tea)) == {tea}

    def test_a_product_has_one_name_only(self) -> None:
        """Else the same thing could stand in a cart twice, and be sold twice."""
        (tea,) = self.put(self.tea)
        pk = tea.product_id
        spellings = {f" {pk}", f"{pk} ", f"0{pk}", f"+{pk}", f"{pk}.0", pk.lower(), pk.upper()} - {pk}
        assert self.sold(*(Sku(text) for text in spellings)) == {}

    def test_what_is_withdrawn_is_named_but_not_sold(self) -> None:
        (tea,) = self.put(self.tea)
        self.withdraw(tea.product_id)
        sellable = self.sold(tea)[tea]
        assert sellable.active is False
        assert sellable.product_name == self.tea.name

    def test_a_product_that_varies_needs_a_variant(self) -> None:
        if not self.varies:
            raise SkipTest("No product of this shop comes in sizes.")
        small, _medium = self.put(self.shirt)
        product = Sku(small.product_id)
        sellable = self.sold(product)[product]
        assert sellable.needs_variant
        assert (sellable.sku, sellable.product_name) == (product, self.shirt.name)
        shown = self.catalog().items(self.store_id, [product])  # by one of its variants, or not at all
        assert [(sku, item["product_name"], item["variant_id"]) for sku, item in shown.items()] in (
            [],
            [(product, self.shirt.name, None)],
        )

    def test_stores_do_not_see_each_other(self) -> None:
        here = self.put(self.tea)
        other_id, there = self.put_elsewhere(self.tea)
        assert self.sold(*there) == {}
        assert self.catalog().sellables(other_id, here) == {}
        assert set(self.catalog().sellables(other_id, there)) == set(there)

    def test_queries_do_not_grow_with_the_skus(self) -> None:
        few = [*self.put(self.tea), *self.put_shirt()]
        many = [sku for _repeat in range(12) for sku in (*self.put(self.tea), *self.put_shirt())]
        self.sold(*few)  # what is kept in memory is there now
        assert self._queries([]) == 0
        assert 1 <= self._queries([*few, Sku("unknown")]) == self._queries([*few, *many, Sku("unknown")])

    def _queries(self, skus: Sequence[Sku]) -> int:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as captured:
            assert len(self.sold(*skus)) == len([sku for sku in skus if sku != Sku("unknown")])
        return len(captured)

    def test_answers_share_nothing(self) -> None:
        (tea,) = self.put(self.tea)
        before, asked = self.sold(tea), [tea]
        kept = before[tea]
        answer = self.catalog().sellables(self.store_id, asked)
        assert asked == [tea]
        details: Any = answer[tea].details
        if isinstance(details, dict):
            details["spoilt"] = True
        answer.clear()
        assert before == self.sold(tea) == {tea: kept}
        assert "spoilt" not in self.sold(tea)[tea].details

    def test_items_have_every_member_that_the_api_promises(self) -> None:
        from storefront.contract import component

        skus = [*self.put(self.tea), *self.put_shirt()]
        found = self.catalog().items(self.store_id, [*skus, Sku("unknown")])
        assert set(found) == set(skus)
        for sku, values in found.items():
            json.dumps(values)
            assert (values["product_id"], values["variant_id"]) == (sku.product_id, sku.variant_id or None)
            for part, name in ((values, "Item"), (values["pricing"], "ProductPricing")):
                assert set(component(name)["required"]) <= set(part)

    def test_categories_are_named_where_the_catalogue_names_them(self) -> None:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        catalog = self.catalog()
        if not isinstance(catalog, CategoryNames):
            return
        skus = [*self.put(self.tea), *self.put_shirt()]
        used = {pk for sellable in self.sold(*skus).values() for pk in sellable.category_ids}
        other_id, _there = self.put_elsewhere(self.tea)
        catalog.category_names(self.store_id, used)  # what is kept in memory is there now
        with CaptureQueriesContext(connection) as captured:
            named = catalog.category_names(self.store_id, [*used, *self.nonsense])
        assert len(captured) <= 1
        assert set(named) == used
        assert all(isinstance(name, str) and name for name in named.values())
        assert catalog.category_names(self.store_id, []) == {}
        assert catalog.category_names(other_id, used) == {}


class TaxContract(ABC):
    """What every `TAX` plug keeps to. Say in `goods` what your shop sells, and in `rates` what is due on it."""

    store_id = "demo"
    origin = Place(country="IN", state="27", pincode="411001")
    near = Place(country="IN", state="27", pincode="400001")
    far = Place(country="IN", state="33", pincode="600001")

    @abstractmethod
    def tax(self) -> Tax: ...

    def goods(self) -> list[TaxedGoods]:
        """Several, of different rates, zero among them."""
        return [
            TaxedGoods(sku=Sku(f"P{number}"), amount=Decimal("99.99"), rate_hint=Decimal(rate))
            for number, rate in enumerate(("18", "5", "0", "17.35"))
        ]

    def rates(self) -> list[Decimal]:
        """What the plug answers for `goods` sent to `near`."""
        return [goods.rate_hint for goods in self.goods()]

    def test_every_thing_has_a_rate_in_its_place(self) -> None:
        asked, wanted = self.goods(), self.rates()
        assert list(self.tax().rates(self.store_id, asked, origin=self.origin, to=self.near)) == wanted
        backwards = self.tax().rates(self.store_id, asked[::-1], origin=self.origin, to=self.near)
        assert list(backwards) == wanted[::-1]

    def test_rates_are_percentages_wherever_the_goods_go(self) -> None:
        for to in (None, self.near, self.far):
            found = self.tax().rates(self.store_id, self.goods(), origin=self.origin, to=to)
            assert len(found) == len(self.goods())
            assert all(isinstance(rate, Decimal) and 0 <= rate <= 100 for rate in found)

    def test_nothing_asked_is_nothing_answered(self) -> None:
        assert list(self.tax().rates(self.store_id, [], origin=self.origin, to=self.near)) == []

    def test_the_parts_of_a_rate_add_up_to_it(self) -> None:
        for rate in {*self.rates(), Decimal("0.25"), Decimal(28)}:
            for to in (None, self.near, self.far):
                parts = self.tax().parts(rate, origin=self.origin, to=to)
                assert sum((part.rate for part in parts), Decimal(0)) == rate
                assert all(part.rate > 0 and part.name for part in parts)
                assert len({part.name for part in parts}) == len(parts)

    def test_the_same_question_has_the_same_answer(self) -> None:
        for to in (None, self.near, self.far):
            first, second = (
                (
                    list(self.tax().rates(self.store_id, self.goods(), origin=self.origin, to=to)),
                    list(self.tax().parts(Decimal(18), origin=self.origin, to=to)),
                )
                for _time in range(2)
            )
            assert first == second


class DocumentChecksContract(ABC):
    """What every `DOCUMENT_CHECKS` plug keeps to. Name numbers that your registry's test system knows and doesn't."""

    store_id = "demo"
    known: ClassVar[Mapping[str, str]] = {}  # gst, pan: a number that is registered
    unknown: ClassVar[Mapping[str, str]] = {}  # of good form, but registered to nobody

    @abstractmethod
    def checks(self) -> DocumentChecks: ...

    def test_it_says_whether_its_answers_are_made_up(self) -> None:
        assert isinstance(self.checks().sandbox, bool)

    def test_a_registered_number_is_verified_or_pending_with_a_reference(self) -> None:
        assert set(self.known) == {"gst", "pan"}
        for kind, number in self.known.items():
            found = self.checks().check(self.store_id, kind=kind, number=number)
            assert found.status in {"verified", "pending"}
            assert found.reference
            json.dumps(dict(found.details))

    def test_an_unknown_number_is_rejected_with_a_reason_for_people(self) -> None:
        assert set(self.unknown) == {"gst", "pan"}
        for kind, number in self.unknown.items():
            found = self.checks().check(self.store_id, kind=kind, number=number)
            assert (found.status, bool(found.reason)) == ("rejected", True)

    def test_the_same_question_has_the_same_answer(self) -> None:
        for kind, number in {**self.known, **self.unknown}.items():
            first, second = (self.checks().check(self.store_id, kind=kind, number=number) for _time in range(2))
            assert first.status == second.status


class BankVerificationContract(ABC):
    """What every `BANK_VERIFICATION` plug keeps to. Each account is (holder's name, number, IFSC)."""

    store_id = "demo"
    good: ClassVar[tuple[str, str, str]]
    of_another: ClassVar[tuple[str, str, str]]  # the name is not the holder's
    missing: ClassVar[tuple[str, str, str]]
    slow: ClassVar[tuple[str, str, str] | None] = None  # pending at first, then verified

    @abstractmethod
    def bank(self) -> BankVerification: ...

    def _ask(self, account: tuple[str, str, str], *, key: str = "key", reference: str = "") -> BankCheck:
        name, number, ifsc = account
        return self.bank().verify(self.store_id, key=key, name=name, number=number, ifsc=ifsc, reference=reference)

    def test_it_says_whether_its_answers_are_made_up(self) -> None:
        assert isinstance(self.bank().sandbox, bool)

    def test_only_the_holder_s_own_account_is_verified(self) -> None:
        assert self._ask(self.good).status == "verified"
        assert self._ask(self.of_another).status == "mismatch"
        assert self._ask(self.missing).status == "unknown"

    def test_every_answer_can_be_found_again(self) -> None:
        for account in (self.good, self.of_another, self.missing):
            first, second = self._ask(account, key="same"), self._ask(account, key="same")
            assert first.reference and first == second

    def test_a_pending_check_is_asked_for_by_its_reference(self) -> None:
        if self.slow is not None:
            pending = self._ask(self.slow)
            assert (pending.status, bool(pending.reference)) == ("pending", True)
            assert self._ask(self.slow, reference=pending.reference).status == "verified"


class VirtualAccountsContract(ABC):
    """What every `VIRTUAL_ACCOUNTS` plug keeps to. `provider` is one that it knows."""

    store_id = "demo"
    provider: ClassVar[str]

    @abstractmethod
    def accounts(self) -> VirtualAccounts: ...

    def test_each_customer_has_one_account_of_their_own(self) -> None:
        assert isinstance(self.accounts().sandbox, bool)
        opened = [
            self.accounts().open(self.store_id, provider=self.provider, customer_id=customer_id, name="Asha Rao")
            for customer_id in ("a", "a", "b")
        ]
        assert opened[0] == opened[1]
        assert opened[0].account_number != opened[2].account_number
        assert all(part for part in (opened[0].account_name, opened[0].ifsc_code, opened[0].bank_name))

    def test_a_provider_that_nobody_knows_is_a_key_error(self) -> None:
        try:
            self.accounts().open(self.store_id, provider="no-such-provider", customer_id="a", name="Asha Rao")
        except KeyError:
            return
        raise AssertionError("an unknown provider was accepted")
