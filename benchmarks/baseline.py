"""The yardstick: the measured routes as one would write them for speed alone, with no framework and no ORM.

One WSGI callable over raw psycopg or sqlite3, with a connection a thread that stays open. It reads the same rows with
the same statements, in the same transactions, as the application, checks the same tokens and keys, computes the same
prices in decimals and writes the same JSON. What it leaves out is what a framework is for: languages, request ids and
logs, limits, CORS, plugs, the other two hundred routes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import orjson

from benchmarks.baseline_extras import (
    NO_WISHES,
    OFFERS_VERSION,
    ZERO,
    Extras,
    Memory,
    Wishes,
    percent_of,
    rounded,
    tax_inside,
    tax_on,
)

Row = tuple[Any, ...]
Reply = tuple[str, Any]  # message, content
StartResponse = Callable[[str, list[tuple[str, str]]], Any]

ACCESS_SECONDS, REFRESH_SECONDS = 900, 30 * 86_400
MAX_BODY, MAX_LINES, MAX_QUANTITY = 1_048_576, 250, 1_000_000
HERE = "\ufdd0"  # stands in stored documents where the origin of the request belongs
STATUSES = {
    200: "200 OK",
    400: "400 Bad Request",
    401: "401 Unauthorized",
    404: "404 Not Found",
    405: "405 Method Not Allowed",
    413: "413 Content Too Large",
}


class Refusal(Exception):
    def __init__(self, status: int, code: str, message: str, field: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.body: dict[str, Any] = {"message": message, "success": False, "code": code}
        if status == 400:
            self.body["errors"] = {field: [message]} if field else {}


def not_found() -> Refusal:
    return Refusal(404, "not_found", "We could not find that.")


def unauthorized() -> Refusal:
    return Refusal(401, "unauthorized", "You are not authorised to do this.")


# --- database -------------------------------------------------------------------------------------------------------
class Sqlite:
    """A connection a thread, in the mode that the application uses: write-ahead log, immediate transactions."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()
        self._texts: dict[str, str] = {}

    def connection(self) -> Any:
        found = getattr(self._local, "connection", None)
        if found is None:
            import sqlite3

            found = sqlite3.connect(self._path, timeout=20, isolation_level=None, check_same_thread=False)
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
                found.execute(f"PRAGMA {pragma}")
            self._local.connection = found
        return found

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self.connection().execute(self._marked(sql), parameters).fetchall()  # type: ignore[no-any-return]

    def write(self, sql: str, parameters: Sequence[Any]) -> int:
        return self.connection().execute(self._marked(sql), parameters).rowcount  # type: ignore[no-any-return]

    def begin(self) -> None:
        self.connection().execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self.connection().execute("COMMIT")

    def rollback(self) -> None:
        self.connection().execute("ROLLBACK")

    def moment(self, value: datetime) -> Any:
        return value.replace(tzinfo=None).isoformat(" ")

    def read_moment(self, value: Any) -> datetime:
        return datetime.fromisoformat(value).replace(tzinfo=UTC)

    def json(self, value: Any) -> Any:
        return orjson.dumps(value).decode()

    def read_json(self, value: Any) -> Any:
        return orjson.loads(value) if value is not None else None

    def exact(self, value: Any) -> Decimal:
        return Decimal(str(value))

    def _marked(self, sql: str) -> str:
        found = self._texts.get(sql)
        if found is None:
            if len(self._texts) > 1000:
                self._texts.clear()
            found = self._texts[sql] = sql.replace("%s", "?")
        return found


class Postgres:
    """A connection a thread. psycopg prepares what it is sent often."""

    def __init__(self, url: str) -> None:
        self._url = url.replace("postgres://", "postgresql://", 1)
        self._local = threading.local()

    def connection(self) -> Any:
        found = getattr(self._local, "connection", None)
        if found is None or found.closed:
            import psycopg

            found = self._local.connection = psycopg.connect(self._url, autocommit=True)
        return found

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self.connection().execute(sql, parameters).fetchall()  # type: ignore[no-any-return]

    def write(self, sql: str, parameters: Sequence[Any]) -> int:
        return self.connection().execute(sql, parameters).rowcount  # type: ignore[no-any-return]

    def begin(self) -> None:
        self.connection().execute("BEGIN")

    def commit(self) -> None:
        self.connection().execute("COMMIT")

    def rollback(self) -> None:
        self.connection().execute("ROLLBACK")

    def moment(self, value: datetime) -> Any:
        return value

    def read_moment(self, value: Any) -> datetime:
        return value.astimezone(UTC)  # type: ignore[no-any-return]

    def json(self, value: Any) -> Any:
        return orjson.dumps(value).decode()

    def read_json(self, value: Any) -> Any:
        return value

    def exact(self, value: Any) -> Decimal:
        return value  # type: ignore[no-any-return]


Database = Sqlite | Postgres


# --- keys and tokens ------------------------------------------------------------------------------------------------
def _derived(purpose: bytes) -> bytes:
    return hmac.digest(os.environ["SECRET_KEY"].encode(), b"storefront:" + purpose, "sha256")


def _segment(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Tokens:
    """JSON Web Tokens, HS256, in the application's own form."""

    def __init__(self) -> None:
        self._key = _derived(b"token")
        kid = hashlib.sha256(b"kid:" + self._key).hexdigest()[:8]
        self._header = _segment(orjson.dumps({"alg": "HS256", "kid": kid, "typ": "JWT"}))

    def mint(self, claims: dict[str, Any]) -> str:
        signed = self._header + b"." + _segment(orjson.dumps(claims))
        return (signed + b"." + _segment(hmac.digest(self._key, signed, "sha256"))).decode()

    def read(self, token: str, store_id: str) -> dict[str, Any]:
        """The claims of a live access token of that store."""
        raw = token.encode()
        signed, _, signature = raw.rpartition(b".")
        header, _, payload = signed.partition(b".")
        if header != self._header:
            raise unauthorized()
        if not hmac.compare_digest(_segment(hmac.digest(self._key, signed, "sha256")), signature):
            raise unauthorized()
        claims: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
        if claims["iss"] != "storefront" or claims["aud"] != store_id or claims["token_type"] != "access":
            raise unauthorized()
        if claims["exp"] <= time.time():
            raise Refusal(401, "token_expired", "Your session has expired. Please sign in again.")
        return claims


_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def new_ulid() -> str:
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])


# --- what is remembered -----------------------------------------------------------------------------------------------
class Store(NamedTuple):
    id: str
    currency: dict[str, str]
    unit: Decimal
    cart_days: int
    default_group_id: str | None
    categories: dict[str, str]  # id -> the API's Category


# --- statements -------------------------------------------------------------------------------------------------------
BUNDLE_LEFT = """(SELECT MIN(CASE WHEN cv.visible = FALSE THEN 0
                                  WHEN cs.tracked = FALSE OR cs.backorder = TRUE THEN NULL
                                  ELSE (cs.on_hand - cs.reserved) / c.quantity END)
                  FROM storefront_catalog_bundleitem c
                  JOIN storefront_catalog_variant cv ON cv.id = c.component_id
                  JOIN storefront_catalog_stock cs ON cs.variant_id = cv.id
                  WHERE c.bundle_id = v.product_id)"""
OFFER = f"""CASE WHEN s.tracked = FALSE THEN NULL ELSE COALESCE(s.on_hand - s.reserved, 0) END, s.backorder,
            {BUNDLE_LEFT}, pr.listing_price, pr.selling_price, pr.tax_rate, pr.price_including_tax, pr.min_quantity,
            pr.max_quantity, pr.step, pr.handling_charge, pr.handling_tax_rate"""
OFFER_JOINS = """LEFT JOIN storefront_catalog_price pr ON pr.id = (
                     SELECT q.id FROM storefront_catalog_price q WHERE q.variant_id = v.id
                     ORDER BY CASE q.group_id WHEN %s THEN 0 ELSE 1 END, q.selling_price DESC, q.id LIMIT 1)
                 LEFT JOIN storefront_catalog_stock s ON s.variant_id = v.id"""
PRODUCT_PAGE = """
    SELECT (SELECT COUNT(*) FROM storefront_catalog_product p WHERE p.store_id = %s AND p.visible = TRUE),
        p.id, p.document, p.category_ids, p.type
    FROM storefront_catalog_product p
    WHERE p.id IN (SELECT p.id FROM storefront_catalog_product p WHERE p.store_id = %s AND p.visible = TRUE
                   ORDER BY p.created_at DESC, p.id DESC LIMIT %s OFFSET %s)
    ORDER BY p.created_at DESC, p.id DESC"""
PRODUCT = """
    SELECT p.id, p.document, p.category_ids, p.type, p.detail_document FROM storefront_catalog_product p
    WHERE p.store_id = %s AND p.visible = TRUE AND (p.id = %s OR p.slug = %s)"""
CART = """
    SELECT id, user_id, version, expires_at, channel_id, metadata, customer_note, billing_address, shipping_address,
    coupon_code, points_asked, credit_asked, gift_card_id, gift_card_last4, fulfillment
    FROM storefront_carts_cart WHERE store_id = %s AND user_id = %s AND closed_at IS NULL AND id = %s"""
LINES = """
    SELECT id, product_id, variant_id, quantity FROM storefront_carts_cartline
    WHERE store_id = %s AND cart_id = %s ORDER BY id"""
TOUCH_CART = """
    UPDATE storefront_carts_cart SET version = version + 1, expires_at = %s, modified_at = %s
    WHERE store_id = %s AND id = %s AND user_id = %s AND version = %s AND closed_at IS NULL"""
NEW_CART = """
    INSERT INTO storefront_carts_cart (store_id, id, user_id, version, expires_at, channel_id, metadata, customer_note,
    billing_address, shipping_address, coupon_code, points_asked, credit_asked, gift_card_id, gift_card_last4,
    fulfillment, created_at, modified_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, NULL, NULL, '', 0, 0, '', '', NULL,
    %s, %s)"""
NEW_LINES = "INSERT INTO storefront_carts_cartline (store_id, cart_id, product_id, variant_id, quantity) VALUES "


def _marks(number: int) -> str:
    return ",".join(["%s"] * number)


def variants_sql(number: int) -> str:
    return f"""
        SELECT v.product_id, v.is_standalone, v.is_default, v.id, v.document, {OFFER}
        FROM storefront_catalog_variant v {OFFER_JOINS}
        WHERE v.product_id IN ({_marks(number)}) AND (v.store_id = %s) IS TRUE AND v.visible = TRUE
        ORDER BY v.product_id, v.sort_order, v.created_at, v.id"""


def components_sql(number: int) -> str:
    return f"""
        SELECT b.bundle_id, b.quantity, v.id, v.product_id, v.item_document, p.category_ids, p.type, {OFFER}
        FROM storefront_catalog_bundleitem b JOIN storefront_catalog_variant v ON v.id = b.component_id
        JOIN storefront_catalog_product p ON p.id = v.product_id {OFFER_JOINS}
        WHERE b.bundle_id IN ({_marks(number)}) AND (b.store_id = %s) IS TRUE AND v.visible = TRUE
        ORDER BY b.bundle_id, b.sort_order, b.id"""


def sellables_sql(number: int) -> str:
    return f"""
        SELECT v.id, v.product_id, v.visible, v.sku, v.line_document, {OFFER}
        FROM storefront_catalog_variant v {OFFER_JOINS}
        WHERE v.id IN ({_marks(number)}) AND (v.store_id = %s) IS TRUE"""


# --- carts -----------------------------------------------------------------------------------------------------------
class Held(NamedTuple):
    """A line of a cart; `pk` is 0 before it is written."""

    pk: int
    product_id: str
    variant_id: str
    quantity: int


class LinePrice(NamedTuple):
    subtotal: Decimal
    net: Decimal
    tax: Decimal
    handling: Decimal
    handling_tax: Decimal


class Cart(NamedTuple):
    version: int
    id: str
    note: str
    metadata: Any
    billing: Any
    shipping: Any
    expires_at: datetime
    wishes: Wishes = NO_WISHES


class Request(NamedTuple):
    environ: dict[str, Any]
    store: Store
    origin: str

    def body(self) -> Any:
        length = int(self.environ.get("CONTENT_LENGTH") or 0)
        if length > MAX_BODY:
            raise Refusal(413, "body_too_large", "The request is too large.")
        try:
            return orjson.loads(self.environ["wsgi.input"].read(length))
        except orjson.JSONDecodeError:
            raise Refusal(400, "malformed_body", "The request body is not valid JSON.") from None


# --- the application --------------------------------------------------------------------------------------------------
class Application:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._tokens = Tokens()
        self._api_key = _derived(b"api-key")
        self._stores = Memory(self._load_store)
        self._channels = Memory(self._load_channel)
        self._extras = Extras(database)
        # By method and number of segments after the store; "" stands for a parameter.
        self._routes: dict[tuple[str, ...], Callable[..., Reply]] = {
            ("POST", "auth", "anonymous"): self.anonymous,
            ("GET", "catalog", "products"): self.products,
            ("GET", "catalog", "products", ""): self.product,
            ("POST", "carts"): self.create_cart,
            ("GET", "carts", ""): self.read_cart,
            ("POST", "carts", "", "items"): self.set_item,
        }

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        status, body = 200, {}
        try:
            message, content = self._answer(environ)
            body = {"message": message, "success": True, "content": content}
        except Refusal as refusal:
            status, body = refusal.status, refusal.body
        data = orjson.dumps(body, default=float)
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(data))),
            ("Cache-Control", "no-store"),
        ]
        start_response(STATUSES[status], headers)
        return [data]

    def _answer(self, environ: dict[str, Any]) -> Reply:
        segments = environ["PATH_INFO"].split("/")
        if segments[1:3] != ["api", "v1"] or len(segments) < 6 or segments[4] != "storefront":
            raise not_found()
        method, path = environ["REQUEST_METHOD"], segments[5:]
        handler = self._routes.get((method, *path))
        parameters: tuple[str, ...] = ()
        if handler is None and len(path) > 1:
            position = 2 if path[0] == "catalog" else 1
            handler = self._routes.get((method, *path[:position], "", *path[position + 1 :]))
            parameters = tuple(path[position : position + 1])
        if handler is None:
            raise not_found()
        origin = f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST', '')}"
        return handler(Request(environ, self._stores.get(segments[3]), origin), *parameters)

    # --- who asks
    def _caller(self, request: Request) -> dict[str, Any]:
        scheme, _, token = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            raise unauthorized()
        return self._tokens.read(token, request.store.id)

    def _channel(self, request: Request) -> dict[str, str]:
        raw = request.environ.get("HTTP_X_API_KEY")
        if not raw:
            raise unauthorized()
        return self._channels.get(request.store.id, raw)  # type: ignore[no-any-return]

    def _load_channel(self, store_id: str, raw: str) -> dict[str, str]:
        digest = hmac.digest(self._api_key, raw.encode(), "sha256").hex()
        found = self._database.rows(
            """SELECT c.id, c.name, c.type, k.expires_at, k.revoked_at
               FROM storefront_apikey k JOIN storefront_channel c ON c.id = k.channel_id
               WHERE k.store_id = %s AND k.key_hash = %s""",
            [store_id, digest],
        )
        if not found or found[0][4] or (found[0][3] and self._database.read_moment(found[0][3]) < datetime.now(UTC)):
            raise unauthorized()
        return {"id": found[0][0], "name": found[0][1], "type": found[0][2]}

    def _load_store(self, store_id: str) -> Store:
        rows = self._database.rows(
            """SELECT currency_code, currency_name, currency_symbol, currency_exponent, cart_days
               FROM storefront_store WHERE id = %s AND active""",
            [store_id],
        )
        if not rows:
            raise not_found()
        code, name, symbol, exponent, cart_days = rows[0]
        groups = self._database.rows(
            "SELECT id FROM storefront_customergroup WHERE store_id = %s AND active AND is_default", [store_id]
        )
        categories = self._database.rows(
            """SELECT id, name, slug, description, parent_id, product_count FROM storefront_catalog_category
               WHERE store_id = %s AND active""",
            [store_id],
        )
        documents = {
            pk: orjson.dumps(
                {
                    "id": pk,
                    "name": title,
                    "slug": slug,
                    "description": description or None,
                    "parent_category_id": parent_id,
                    "product_count": count,
                    "active": True,
                }
            ).decode()
            for pk, title, slug, description, parent_id, count in categories
        }
        return Store(
            store_id,
            {"name": name, "code": code, "symbol": symbol},
            Decimal(1).scaleb(-exponent),
            cart_days,
            groups[0][0] if groups else None,
            documents,
        )

    # --- visitor token
    def anonymous(self, request: Request) -> Reply:
        channel = self._channel(request)
        user_id, now, store_id = new_ulid(), int(time.time()), request.store.id
        common = {"ulid": user_id, "anonymous_id": user_id, "is_anonymous": True, "channel": channel}
        ends = {"iat": now, "iss": "storefront", "aud": store_id}
        access = {
            **common,
            "email": None,
            "phone": None,
            "username": None,
            "first_name": None,
            "last_name": None,
            "store_id": store_id,
            "is_logged_in": False,
            "customer_id": None,
            "customer_group_id": None,
            "token_type": "access",
            "exp": now + ACCESS_SECONDS,
            "jti": secrets.token_hex(16),
            **ends,
        }
        refresh = {
            **common,
            "token_type": "refresh",
            "exp": now + REFRESH_SECONDS,
            "jti": secrets.token_hex(16),
            **ends,
        }
        user = {
            "id": user_id,
            "is_anonymous": True,
            "is_logged_in": False,
            "first_name": None,
            "last_name": None,
            "phone": None,
            "email": None,
            "is_email_verified": False,
            "is_phone_verified": False,
            "profile_image_url": None,
        }
        tokens = {"access_token": self._tokens.mint(access), "refresh_token": self._tokens.mint(refresh)}
        return "Welcome.", {"user": user, **tokens}

    # --- catalogue
    def products(self, request: Request) -> Reply:
        self._channel(request)
        asked = parse_qs(request.environ.get("QUERY_STRING", ""))
        try:
            page, limit = int(asked.get("page", ["1"])[0]), int(asked.get("limit", ["25"])[0])
        except ValueError:
            raise Refusal(400, "validation_error", "Enter a whole number.", "page") from None
        if page < 1 or not 1 <= limit <= 100:
            raise Refusal(400, "validation_error", "Out of range.", "page")
        store_id = request.store.id
        rows = self._database.rows(PRODUCT_PAGE, [store_id, store_id, limit, (page - 1) * limit])
        total = rows[0][0] if rows else 0
        shown = self._whole(request, [row[1:] for row in rows])
        pages = -(-total // limit)
        return "Products.", {
            "products": orjson.Fragment(f"[{','.join(shown)}]"),
            "pagination": {
                "total_records": total,
                "total_pages": pages,
                "previous_page": min(page - 1, pages) if page > 1 and pages else None,
                "next_page": page + 1 if page < pages else None,
                "limit": limit,
            },
        }

    def product(self, request: Request, reference: str) -> Reply:
        self._channel(request)
        rows = self._database.rows(PRODUCT, [request.store.id, reference, reference])
        shown = self._whole(request, rows[:1])
        if not shown:
            raise Refusal(404, "product_not_found", "We could not find this product.")
        return "Product.", {"product": orjson.Fragment(shown[0])}

    def _whole(self, request: Request, rows: Sequence[Row]) -> list[str]:
        """Products as JSON texts: the stored documents, with price and stock written into them."""
        if not rows:
            return []
        store, database = request.store, self._database
        ids = [row[0] for row in rows]
        variants: dict[str, list[Row]] = {pk: [] for pk in ids}
        for row in database.rows(variants_sql(len(ids)), [store.default_group_id, *ids, store.id]):
            variants[row[0]].append(row)
        bundles = [row[0] for row in rows if row[3] == "bundle"]
        components: dict[str, list[str]] = {pk: [] for pk in bundles}
        if bundles:
            found = database.rows(components_sql(len(bundles)), [store.default_group_id, *bundles, store.id])
            for bundle_id, quantity, _pk, _product_id, document, category_ids, kind, *offer in found:
                live, _, shipping, _, _ = self._live(store, offer, kind)
                components[bundle_id].append(
                    f"{document[:-1]},{live},{_categories(store, category_ids)},"
                    f'"shipping":{shipping},"quantity":{quantity}}}'
                )
        # Which promotions run; without any there is nothing to show. What they would be, this yardstick leaves out.
        database.rows(OFFERS_VERSION, [store.id])
        texts = []
        for row in rows:
            pk, document, category_ids, kind = row[:4]
            inner, there, backorder, pricing, shipping = [], False, False, "", ""
            for _product_id, is_standalone, is_default, _pk, variant_document, *offer in variants[pk]:
                live, price, ships, left, orderable = self._live(store, offer, kind)
                there, backorder = there or left, backorder or orderable
                if not is_standalone:
                    inner.append(f"{variant_document[:-1]},{live}}}")
                if is_default or not pricing:
                    pricing, shipping = price, ships
            text = (
                f"{document[:-1]},{_state(there, backorder, pricing)},{_categories(store, category_ids)},"
                f'"variants":[{",".join(inner)}],"bundle_items":[{",".join(components.get(pk, ()))}]'
            )
            if len(row) > 4:
                text += f',"shipping":{shipping},{row[4][1:-1]}'
            texts.append(f"{text}}}".replace(HERE, request.origin))
        return texts

    def _live(self, store: Store, offer: Sequence[Any], kind: str) -> tuple[str, str, str, bool, bool]:
        """What changes: members of a variant, its pricing and shipping, whether it is there, whether on backorder."""
        exact, unit = self._database.exact, store.unit
        selling, rate, including = exact(offer[4]), exact(offer[5]), bool(offer[6])
        handling, handling_rate = exact(offer[10]), exact(offer[11])
        excluding = selling - tax_inside(selling, rate, unit) if including else selling
        pricing = orjson.dumps(
            {
                "currency": store.currency["code"],
                "tax_type": "GST",
                "tax_rate": float(rate),
                "price_including_tax": including,
                "listing_price": float(offer[3]),
                "selling_price": float(selling),
                "min_order_quantity": offer[7],
                "max_order_quantity": offer[8],
                "incremental_quantity": offer[9],
                "selling_price_excluding_tax": float(rounded(excluding, unit)),
            }
        ).decode()
        shipping = "null"
        if handling:
            charges = {
                "handling_charges_including_tax": float(handling + tax_on(handling, handling_rate, unit)),
                "handling_charges_excluding_tax": float(handling),
                "tax_type": "GST",
                "tax_rate": float(handling_rate),
            }
            shipping = orjson.dumps(charges).decode()
        left = offer[2] if kind == "bundle" else offer[0]
        there, backorder = left is None or left > 0, bool(offer[1])
        return _state(there, backorder, pricing), pricing, shipping, there, backorder

    # --- carts
    def create_cart(self, request: Request) -> Reply:
        claims, body, store, database = self._caller(request), request.body(), request.store, self._database
        items = body.get("items") if isinstance(body, dict) else None
        if not isinstance(items, list) or not 1 <= len(items) <= MAX_LINES:
            raise Refusal(400, "validation_error", "This field is required.", "items")
        wanted: dict[tuple[str, str], int] = {}
        for item in items:
            product_id, variant_id, quantity = _item(item, least=1)
            wanted[product_id, variant_id] = wanted.get((product_id, variant_id), 0) + quantity
        lines = [Held(0, *sku, quantity) for sku, quantity in wanted.items()]
        sellables = self._sellables(request, lines)
        for line in lines:
            _check(sellables.get(line.variant_id or line.product_id), line.quantity)
        note, metadata = body.get("customer_note") or "", body.get("metadata") or {}
        if not isinstance(note, str) or not isinstance(metadata, dict):
            raise Refusal(400, "validation_error", "Not a valid value.", "metadata")
        now = datetime.now(UTC)
        cart_id, expires_at = new_ulid(), now + timedelta(days=store.cart_days)
        written, ends = database.moment(now), database.moment(expires_at)
        cart = Cart(1, cart_id, note, metadata, None, None, expires_at)
        shown = self._cart_out(request, claims, cart, lines, sellables)  # priced before anything is locked
        database.begin()
        try:
            database.write(
                NEW_CART,
                [
                    store.id,
                    cart_id,
                    claims["ulid"],
                    1,
                    ends,
                    claims["channel"]["id"],
                    database.json(metadata),
                    note,
                    written,
                    written,
                ],
            )
            values = ", ".join(["(%s, %s, %s, %s, %s)"] * len(lines))
            parameters: list[Any] = []
            for line in lines:
                parameters += (store.id, cart_id, line.product_id, line.variant_id, line.quantity)
            database.write(NEW_LINES + values, parameters)
            database.commit()
        except BaseException:
            database.rollback()
            raise
        return "Your cart is ready.", {"cart": shown}

    def read_cart(self, request: Request, cart_id: str) -> Reply:
        claims = self._caller(request)
        cart = self._open_cart(request, claims, cart_id)
        lines = self._lines(request.store.id, cart_id)
        return "Your cart.", {"cart": self._cart_out(request, claims, cart, lines, self._sellables(request, lines))}

    def set_item(self, request: Request, cart_id: str) -> Reply:
        claims, store, database = self._caller(request), request.store, self._database
        product_id, variant_id, quantity = _item(request.body(), least=0)
        cart = self._open_cart(request, claims, cart_id)
        lines = self._lines(request.store.id, cart_id)
        changed = _changed(lines, product_id, variant_id, quantity)
        sellables = self._sellables(request, changed)
        if quantity:
            _check(sellables.get(variant_id or product_id), quantity)
        now = datetime.now(UTC)
        expires_at = now + timedelta(days=store.cart_days)
        shown = self._cart_out(request, claims, cart._replace(expires_at=expires_at), changed, sellables)
        database.begin()
        try:
            claimed = self._touch(store, cart, claims["ulid"], now, expires_at)
            if not claimed:  # another write came between: look again, holding the row
                cart = self._open_cart(request, claims, cart_id, lock=True)
                lines = self._lines(request.store.id, cart_id)
                changed = _changed(lines, product_id, variant_id, quantity)
                self._touch(store, cart, claims["ulid"], now, expires_at)
            self._write_line(store, cart_id, lines, product_id, variant_id, quantity)
            database.commit()
        except BaseException:
            database.rollback()
            raise
        if not claimed:
            missing = [line for line in changed if (line.variant_id or line.product_id) not in sellables]
            sellables |= self._sellables(request, missing)
            shown = self._cart_out(request, claims, cart._replace(expires_at=expires_at), changed, sellables)
        return "Your cart was updated.", {"cart": shown}

    def _touch(self, store: Store, cart: Cart, user_id: str, now: datetime, expires_at: datetime) -> int:
        moment = self._database.moment
        return self._database.write(
            TOUCH_CART,
            [moment(expires_at), moment(now), store.id, cart.id, user_id, cart.version],
        )

    def _write_line(
        self, store: Store, cart_id: str, lines: list[Held], product_id: str, variant_id: str, quantity: int
    ) -> None:
        held, before = next((line[::3] for line in lines if line[1:3] == (product_id, variant_id)), (None, 0))
        if quantity == before:
            return
        if held is None:
            if quantity:
                self._database.write(
                    f"{NEW_LINES}(%s, %s, %s, %s, %s)", [store.id, cart_id, product_id, variant_id, quantity]
                )
        elif quantity:
            self._database.write(
                "UPDATE storefront_carts_cartline SET quantity = %s WHERE store_id = %s AND cart_id = %s AND id = %s",
                [quantity, store.id, cart_id, held],
            )
        else:
            self._database.write(
                "DELETE FROM storefront_carts_cartline WHERE store_id = %s AND cart_id = %s AND id = %s",
                [store.id, cart_id, held],
            )

    def _open_cart(self, request: Request, claims: dict[str, Any], cart_id: str, *, lock: bool = False) -> Cart:
        sql = CART + " FOR UPDATE" if lock and isinstance(self._database, Postgres) else CART
        rows = self._database.rows(sql, [request.store.id, claims["ulid"], cart_id])
        if not rows:
            raise Refusal(404, "cart_not_found", "We could not find this cart.")
        pk, _user_id, version, expires_at, _channel_id, metadata, note, billing, shipping, *wishes = rows[0]
        coupon_code, points, credit, card, last4, fulfillment = wishes
        if card:
            raise Refusal(400, "gift_card", "The measured carts are paid without gift cards.")
        read = self._database.read_json
        ends = self._database.read_moment(expires_at)
        if ends <= datetime.now(UTC):
            raise Refusal(404, "cart_expired", "This cart has expired.")
        wanted = Wishes(coupon_code, points, self._database.exact(credit), last4, read(fulfillment))
        return Cart(version, pk, note, read(metadata), read(billing), read(shipping), ends, wanted)

    def _lines(self, store_id: str, cart_id: str) -> list[Held]:
        return [Held(*row) for row in self._database.rows(LINES, [store_id, cart_id])]

    def _sellables(self, request: Request, lines: Sequence[Held]) -> dict[str, Row]:
        """Rows by variant, the document parsed."""
        if not lines:
            return {}
        store = request.store
        ids = [line.variant_id or line.product_id for line in lines]
        rows = self._database.rows(sellables_sql(len(ids)), [store.default_group_id, *ids, store.id])
        return {row[0]: (*row[:4], orjson.loads(row[4].replace(HERE, request.origin)), *row[5:]) for row in rows}

    def _cart_out(
        self,
        request: Request,
        claims: dict[str, Any],
        cart: Cart,
        lines: Sequence[Held],
        sellables: dict[str, Row],
    ) -> dict[str, Any]:
        store, unit, exact = request.store, request.store.unit, self._database.exact
        rows: list[Row] = []
        for line in lines:
            row = sellables.get(line.variant_id or line.product_id)
            if row is None or row[4]["needs_variant"]:
                raise not_found()  # the measured carts hold nothing that has gone
            rows.append(row)
        amounts = [rounded(exact(row[9]) * line.quantity, unit) for line, row in zip(lines, rows, strict=True)]
        reduced = self._extras.reduced(store.id, cart.wishes, lines, rows, amounts, unit)
        subtotal = items_net = items_tax = handling_sum = handling_tax_sum = ZERO
        items, problem = [], None
        physical = False
        for index, (line, row) in enumerate(zip(lines, rows, strict=True)):
            item, priced = self._line_out(line, row, amounts[index], *reduced.of_line(index), unit)
            items.append(item)
            subtotal, items_net, items_tax = subtotal + priced.subtotal, items_net + priced.net, items_tax + priced.tax
            handling_sum, handling_tax_sum = handling_sum + priced.handling, handling_tax_sum + priced.handling_tax
            physical = physical or row[4]["product_type"] != "digital"
            if problem is None and not item["stock_available"]:
                problem = f"There are not enough units of {row[4]['product_name']} left."
        way = self._extras.delivery(store.id, cart, lines, rows, unit) if cart.shipping is not None else None
        if not lines:
            problem = "Your cart is empty."
        elif problem is None and physical:
            if cart.shipping is None:
                problem = "Please add a billing and a shipping address."
            elif way is None:
                problem = "Please choose how you want to get your order."
        shipping, shipping_tax = (way.amount, way.tax) if way is not None else (ZERO, ZERO)
        tax_in_all = items_tax + handling_tax_sum + shipping_tax
        grand_total = items_net + handling_sum + shipping + tax_in_all
        paid = self._extras.paid(store.id, claims, cart.wishes, grand_total, items_net, unit)
        amount, other = sum(amounts, ZERO), paid.points_value + paid.credit
        promoted, coupon = reduced.promoted, reduced.coupon
        out = {
            "id": cart.id,
            "active": True,
            "customer_note": cart.note or None,
            "is_promotion_applied": bool(promoted),
            "is_coupon_applied": reduced.coupon_code is not None,
            "coupon_code": reduced.coupon_code,
            "coupon_discount_amount": float(coupon),
            "coupon_discount_percent": percent_of(coupon, amount),
            "promotion_discount_amount": float(promoted),
            "promotion_discount_percent": percent_of(promoted, amount),
            "subtotal": float(subtotal),
            "items_tax_amount": float(items_tax),
            "subtotal_including_tax": float(items_net + items_tax + promoted + coupon),
            "shipping_estimated_cost": float(shipping) if way else None,
            "shipping_discount_amount": 0.0 if way else None,
            "shipping_amount": float(shipping) if way else None,
            "shipping_tax_rate": float(way.tax_rate) if way else None,
            "shipping_tax_amount": float(shipping_tax) if way else None,
            "shipping_amount_including_tax": float(shipping + shipping_tax) if way else None,
            "estimated_delivery_days": way.days if way else None,
            "handling_charge_excluding_tax": float(handling_sum),
            "handling_charge_tax_amount": float(handling_tax_sum),
            "handling_charge_including_tax": float(handling_sum + handling_tax_sum),
            "total_tax": float(tax_in_all),
            "grand_total": float(grand_total),
            "credit_balance_used": float(paid.credit),
            "gift_card_amount": 0.0,
            "gift_card_last4": cart.wishes.gift_card_last4 or None,
            "to_be_paid": float(max(grand_total - other, ZERO)),
            "loyalty_points_redeemed": paid.points,
            "loyalty_points_earned": paid.earned,
            "cart_items_count": len(items),
            "cart_items": items,
            "billing_address": cart.billing,
            "shipping_address": cart.shipping,
            "currency": store.currency,
            "metadata": cart.metadata or None,
            "expires_at": cart.expires_at.isoformat().replace("+00:00", "Z"),
            "applied_promotions": reduced.promotion_rows,
            "applied_coupons": reduced.coupon_rows,
            "shipments": [way.shipment] if way else [],
            "promotion_savings": float(promoted),
            "coupon_savings": float(coupon),
            "other_savings": float(other),
            "total_savings": float(promoted + coupon + other),
            "free_shipping_threshold": None,
            "status": "not-ready-for-payment" if problem else "ready-for-payment",
            "status_error_message": problem,
        }
        if way is not None:
            out["fulfillment_preference"] = way.preference
        return out

    def _line_out(
        self, line: Held, row: Row, amount: Decimal, promoted: Decimal, coupon: Decimal, unit: Decimal
    ) -> tuple[dict[str, Any], LinePrice]:
        """The `CartItem`, and its rounded parts."""
        exact = self._database.exact
        _pk, _product_id, visible, code, document, left, backorder, bundle_left = row[:8]
        selling, rate, including = exact(row[9]), exact(row[10]), bool(row[11])
        quantity = line.quantity
        discounted = amount - promoted - coupon
        if including:
            tax = tax_inside(discounted, rate, unit)
            net = discounted - tax
            subtotal = amount - tax_inside(amount, rate, unit) if promoted or coupon else net
            each = subtotal if quantity == 1 else selling - tax_inside(selling, rate, unit)
        else:
            tax, net, subtotal, each = tax_on(discounted, rate, unit), discounted, amount, selling
        charge, handling_rate = exact(row[15]), exact(row[16])
        handling = handling_tax = ZERO
        if charge:
            handling = rounded(charge * quantity, unit)
            handling_tax = tax_on(handling, handling_rate, unit)
        if document["product_type"] == "bundle":
            left = bundle_left
        details = document["details"]
        item = {
            "product_id": line.product_id,
            "variant_id": line.variant_id or None,
            "sku": code or None,
            "slug": document["slug"],
            "product_name": document["product_name"],
            "variant_name": document["variant_name"],
            "product_type": document["product_type"],
            "product_image_url": document["image_url"],
            "stock_available": bool(visible) and (left is None or bool(backorder) or quantity <= left),
            "backorder": bool(backorder),
            "on_subscription": details["on_subscription"],
            "on_promotion": bool(promoted) or details["on_promotion"],
            "quantity": quantity,
            "is_free_item": False,
            "free_quantity": 0,
            "promotion_discount_amount": float(promoted),
            "coupon_discount_amount": float(coupon),
            "price_including_tax": including,
            "listing_price": float(row[8]),
            "selling_price": float(selling),
            "selling_price_excluding_tax": float(each),
            "min_order_quantity": row[12],
            "max_order_quantity": row[13],
            "incremental_quantity": row[14],
            "handling_charge_excluding_tax": float(handling),
            "handling_charge_tax_rate": float(handling_rate),
            "handling_charge_including_tax": float(handling + handling_tax),
            "tax_type": "GST",
            "tax_rate": float(rate),
            "tax_amount": float(tax),
            "associated_options": details["associated_options"],
            "attributes": details["attributes"],
            "subscriptions": details["subscriptions"],
            "seller_id": details["seller_id"],
            "seller_detail": details["seller_detail"],
        }
        return item, LinePrice(subtotal, net, tax, handling, handling_tax)


def _state(there: bool, backorder: bool, pricing: str) -> str:
    return (
        f'"stock_available":{"true" if there else "false"},"backorder":{"true" if backorder else "false"},'
        f'"on_promotion":false,"promotion":null,"pricing":{pricing}'
    )


def _categories(store: Store, category_ids: str) -> str:
    known = [pk for pk in category_ids.split() if pk in store.categories]
    names = ",".join([f'"{pk}"' for pk in known])
    return f'"category_ids":[{names}],"categories":[{",".join([store.categories[pk] for pk in known])}]'


def _item(data: Any, *, least: int) -> tuple[str, str, int]:
    """Product, variant ("" for none) and quantity of an item in a body."""
    if not isinstance(data, dict):
        raise Refusal(400, "validation_error", "Not a valid value.", "items")
    product_id, variant_id, quantity = data.get("product_id"), data.get("variant_id") or "", data.get("quantity")
    if not isinstance(product_id, str) or not 1 <= len(product_id) <= 64:
        raise Refusal(400, "validation_error", "Not a valid text.", "product_id")
    if not isinstance(variant_id, str) or len(variant_id) > 64:
        raise Refusal(400, "validation_error", "Not a valid text.", "variant_id")
    if not isinstance(quantity, int) or isinstance(quantity, bool) or not least <= quantity <= MAX_QUANTITY:
        raise Refusal(400, "validation_error", "Enter a whole number.", "quantity")
    return product_id, variant_id, quantity


def _check(row: Row | None, quantity: int) -> None:
    """Whether a cart may hold that many."""
    if row is None or not row[2] or row[9] is None:
        raise Refusal(404, "product_not_found", "We could not find this product.")
    if row[4]["needs_variant"]:
        raise Refusal(400, "variant_required", "Please choose a variant.", "variant_id")
    left = None if row[6] else row[7] if row[4]["product_type"] == "bundle" else row[5]
    minimum, maximum, step = row[12:15]
    if left is not None and quantity > left:
        raise Refusal(400, "out_of_stock", "Not enough left.", "quantity")
    if quantity < minimum or (maximum is not None and quantity > maximum) or (quantity - minimum) % step:
        raise Refusal(400, "invalid_quantity", "This quantity cannot be ordered.", "quantity")


def _changed(lines: list[Held], product_id: str, variant_id: str, quantity: int) -> list[Held]:
    sku = (product_id, variant_id)
    changed = [line if line[1:3] != sku else line._replace(quantity=quantity) for line in lines]
    if all(line[1:3] != sku for line in lines):
        changed.append(Held(0, *sku, quantity))
    return [line for line in changed if line.quantity]


def application() -> Application:
    url = os.environ.get("DATABASE_URL", "")
    if re.match(r"postgres(ql)?://", url):
        return Application(Postgres(url))
    return Application(Sqlite(os.environ.get("SQLITE_PATH") or f"{os.environ['VAR_DIR']}/storefront.sqlite3"))
