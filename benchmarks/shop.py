"""The shop that is measured: made afresh for each run, filled through the API where the API can do it.

Everything here needs the environment that `environment` returns before Django is first imported.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from benchmarks.full_carts import FullShop
    from benchmarks.jobs import Call

STORE = "bench"
DATABASE = "bench_storefront"
PRODUCTS = 1_000
SMALL_CARTS, SMALL = 64, 10
LARGE_CARTS, LARGE = 32, 50

Sku = tuple[bytes, bytes]  # product id, and the variant id as JSON


@dataclass(frozen=True, slots=True)
class CartOf:
    """A cart, and the token of the visitor whose it is."""

    id: str
    token: str
    skus: list[Sku]


@dataclass(slots=True)
class Shop:
    base: str
    api_key: str
    product_count: int = 0
    slugs: list[str] = field(default_factory=list)
    skus: list[Sku] = field(default_factory=list)
    small_carts: list[CartOf] = field(default_factory=list)
    large_carts: list[CartOf] = field(default_factory=list)
    full: FullShop | None = None


def environment(*, folder: Path, database_url: str, redis_url: str) -> dict[str, str]:
    """What both servers and this process run with. Brakes are lifted, for a benchmark is what they are there to stop."""
    (folder / "static").mkdir()
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        **{name: value for name, value in os.environ.items() if name.startswith("DATABASE_CONN")},
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "VAR_DIR": str(folder),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "LIMITS_ENABLED": "false",
        "ACCESS_TOKEN_SECONDS": "14400",  # a run may take longer than a token lives
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@contextmanager
def own_database(url: str, template: str = "") -> Iterator[str]:
    """The address of a database of our own on the server of `url`, which is dropped afterwards.

    `template` names a database to copy, so that a large shop need not be filled anew for each run.
    """
    import psycopg
    from psycopg import sql

    parts = urlsplit(url)
    own = urlunsplit(parts._replace(path=f"/{DATABASE}"))
    name = sql.Identifier(DATABASE)
    admin = urlunsplit(parts._replace(scheme="postgresql"))
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(template or "template1"))
        )
    try:
        yield own
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


def prepare(*, products: int, full: bool) -> Shop:
    """Migrates, then makes store, key, products and carts: what is not there yet. `full`: the shop of full carts too.

    Raises RuntimeError for an answer other than 200.
    """
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from catalog import demo
    from catalog.models import Stock
    from storefront import services
    from storefront.models import Store

    call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
    store = Store.objects.filter(pk=STORE).first() or services.create_store(store_id=STORE, name="Benchmark")
    shop = Shop(f"/api/v1/{STORE}/storefront", services.create_key(store=store, name="Benchmark").text)
    demo.build_many(store=store, count=products)
    Stock.objects.filter(store=store).update(on_hand=1_000_000)  # carts of any size can be made of any product
    find_products(shop, products)
    shop.small_carts = [make_cart(shop, _visitor(shop), 7 * number, SMALL) for number in range(SMALL_CARTS)]
    shop.large_carts = [make_cart(shop, _visitor(shop), 7 * number, LARGE) for number in range(LARGE_CARTS)]
    if full:
        from benchmarks import full_carts

        shop.full = full_carts.prepare()
    if connection.vendor == "postgresql":  # what autovacuum does within a minute
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")
    connection.close()
    return shop


def find_products(shop: Shop, products: int) -> None:
    """Slugs and skus, as a client finds them, of up to 1,000 products from all over the list.

    A sku is one that a cart may hold 1 to 5 of.
    """
    pages = -(-products // 100)
    for page in range(1, pages + 1, max(pages // 10, 1)):
        path = f"{shop.base}/catalog/products?page={page}&limit=100"
        content = answer("GET", path, {"X-Api-Key": shop.api_key})["content"]
        for product in content["products"]:
            shop.slugs.append(product["slug"])
            for sold in product["variants"] or [product]:
                rules = sold["pricing"]
                if sold["stock_available"] and rules["min_order_quantity"] == rules["incremental_quantity"] == 1:
                    variant_id = json.dumps(sold["id"] if product["variants"] else None)
                    shop.skus.append((product["id"].encode(), variant_id.encode()))
                    break
        shop.product_count = content["pagination"]["total_records"]
    if shop.product_count < products:
        raise RuntimeError(f"The catalogue shows {shop.product_count} products instead of {products}.")


def _visitor(shop: Shop) -> str:
    content = answer("POST", f"{shop.base}/auth/anonymous", {"X-Api-Key": shop.api_key})["content"]
    return str(content["access_token"])


def make_cart(shop: Shop, token: str, first: int, lines: int) -> CartOf:
    """A cart of `lines` products from the `first` on."""
    skus = [shop.skus[(first + index) % len(shop.skus)] for index in range(lines)]
    items = ",".join(
        f'{{"product_id":"{product.decode()}","variant_id":{variant.decode()},"quantity":{1 + index % 3}}}'
        for index, (product, variant) in enumerate(skus)
    )
    headers = {"Authorization": f"Bearer {token}"}
    content = answer("POST", f"{shop.base}/carts", headers, f'{{"items":[{items}]}}'.encode())["content"]
    return CartOf(content["cart"]["id"], token, skus)


def answer(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> dict[str, Any]:
    """The application's answer, asked in this process."""
    response = _ask(method, path, headers, body)
    if response.status_code != 200:
        raise RuntimeError(f"{method} {path} answered {response.status_code}: {response.content[:300]!r}")
    found: dict[str, Any] = json.loads(response.content)
    return found


def _ask(method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
    from django.test import Client

    return Client().generic(method, path, body, content_type="application/json", headers=headers)


# --- statements -----------------------------------------------------------------------------------------------------
_CONTROL = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK")


@dataclass(frozen=True, slots=True)
class Statements:
    """What a request sent to the database: work, and the transaction control around it."""

    work: list[str]  # with %s for each value
    control: list[str]


def statements(before: Call, call: Call) -> Statements:
    """The SQL of a request to a warm process: store, key, category tree and rules are remembered from the one before."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    answer(before.method, before.path, before.headers, before.body)
    sent: list[str] = []

    def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        sent.append(sql)
        return execute(sql, parameters, many, context)

    with CaptureQueriesContext(connection) as captured, connection.execute_wrapper(note):
        answer(call.method, call.path, call.headers, call.body)
    control = [query["sql"] for query in captured.captured_queries if query["sql"].startswith(_CONTROL)]
    return Statements([sql for sql in sent if not sql.startswith(_CONTROL)], control)
