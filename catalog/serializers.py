"""Output. Stored documents are sent as the text they are, with what is read live written behind their last member."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

import orjson

from storefront import origin
from storefront.contracts import Sellable, Sku
from storefront.money import ZERO, Currency, number, rounded, tax_inside, tax_on

from .selectors import Branch, Row, Tree

TAX_TYPE = "GST"


class Price(NamedTuple):
    """One price in exact amounts, and the texts that the API makes of it."""

    listing_price: Decimal
    selling_price: Decimal
    tax_rate: Decimal
    price_including_tax: bool
    min_quantity: int
    max_quantity: int | None
    step: int
    handling_charge: Decimal
    handling_tax_rate: Decimal
    pricing: str  # ProductPricing
    shipping: str  # ProductShipping


def exact(value: Any) -> Decimal:
    """An amount as a driver gives it. SQLite gives floats; their shortest form is what was stored."""
    return value if isinstance(value, Decimal) else Decimal(str(value))


@cache
def price_reader(currency: Currency) -> Callable[[Row], Price]:
    """Reads prices of that currency. Few prices differ in a shop, so most are met again and need not be made anew."""
    return lru_cache(maxsize=32_768)(partial(price, currency=currency))


def price(columns: Row, *, currency: Currency) -> Price:
    """The price in the last nine columns of an offer."""
    listing, selling, tax_rate = (exact(value) for value in columns[:3])
    including, minimum, maximum, step = columns[3:7]
    handling, handling_tax_rate = exact(columns[7]), exact(columns[8])
    excluding = selling - tax_inside(selling, tax_rate, currency) if including else selling
    pricing = {
        "currency": currency.code,
        "tax_type": TAX_TYPE,
        "tax_rate": number(tax_rate),
        "price_including_tax": bool(including),
        "listing_price": number(listing),
        "selling_price": number(selling),
        "min_order_quantity": minimum,
        "max_order_quantity": maximum,
        "incremental_quantity": step,
        "selling_price_excluding_tax": number(rounded(excluding, currency)),
    }
    shipping = None
    if handling:
        shipping = {
            "handling_charges_including_tax": number(handling + tax_on(handling, handling_tax_rate, currency)),
            "handling_charges_excluding_tax": number(handling),
            "tax_type": TAX_TYPE,
            "tax_rate": number(handling_tax_rate),
        }
    return Price(
        listing_price=listing,
        selling_price=selling,
        tax_rate=tax_rate,
        price_including_tax=bool(including),
        min_quantity=minimum,
        max_quantity=maximum,
        step=step,
        handling_charge=handling,
        handling_tax_rate=handling_tax_rate,
        pricing=orjson.dumps(pricing).decode(),
        shipping=orjson.dumps(shipping).decode(),
    )


def _left(columns: Row, product_type: str) -> int | None:
    """Units that are there: None for what never runs out. `columns` are those of an offer."""
    left: int | None = columns[2] if product_type == "bundle" else columns[0]
    return left if left is None or left > 0 else 0


def _backorder(columns: Row, product_type: str) -> bool:
    """Whether it can be ordered when there are none left. A bundle has no stock of its own: its components' counts."""
    return bool(columns[1]) and product_type != "bundle"


_BOOLEAN = ("false", "true")


def _state(stock_available: bool, backorder: bool, promotion: str | None, pricing: str) -> str:
    """What Product, Variant and Item share of what is read live, as members of a JSON object."""
    return (
        f'"stock_available":{_BOOLEAN[stock_available]},"backorder":{_BOOLEAN[backorder]},'
        f'"on_promotion":{_BOOLEAN[promotion is not None]},"promotion":{promotion or "null"},"pricing":{pricing}'
    )


def _lot(row: Row) -> dict[str, Any]:
    """A `LotBatchDetail`, of a row of `selectors.lots`."""
    _variant_id, lot_batch, made, expires, manufacturer, quantity = row
    return {
        "lot_batch": lot_batch,
        "mfg_date": made,
        "exp_date": expires,
        "manufacturer": manufacturer or None,
        "stock_quantity": quantity,
    }


class Writer:
    """Writes the catalogue's shapes for one store, with the lots and the promotions of skus where these are set."""

    def __init__(self, *, currency: Currency, tree: Tree) -> None:
        self._price = price_reader(currency)
        self._tree = tree
        self.lots: Mapping[str, Sequence[Row]] | None = None
        self.promotions: Mapping[str, str] = {}  # the text of a ProductPromotion by the id of a sku

    def _inventory(self, sku_id: str) -> str:
        """The member `inventory`, or nothing."""
        if self.lots is None:
            return ""
        return f',"inventory":{orjson.dumps([_lot(row) for row in self.lots.get(sku_id, ())]).decode()}'

    def variant(self, pk: str, document: str, offer: Row, product_type: str) -> tuple[str, bool, bool, Price]:
        """A `Variant` without its last brace, whether it is there, whether it can be ordered anyway, its price."""
        found = self._price(offer[3:])
        left = _left(offer, product_type)
        there, backorder = left is None or left > 0, _backorder(offer, product_type)
        state = _state(there, backorder, self.promotions.get(pk), found.pricing)
        return f"{document[:-1]},{state}{self._inventory(pk)}", there, backorder, found

    def item(self, row: Row) -> str:
        """An `Item` without its last brace, of (id, product id, item document, category ids, type, *offer)."""
        pk, _product_id, document, category_ids, product_type = row[:5]
        offer = row[5:]
        text, _there, _backorder, found = self.variant(pk, document, offer, product_type)
        return f'{text},{self.categories(category_ids)},"shipping":{found.shipping}'

    def categories(self, category_ids: str) -> str:
        known = self._tree.by_id
        branches = [known[pk] for pk in category_ids.split() if pk in known]
        ids = ",".join([f'"{branch.id}"' for branch in branches])
        return f'"category_ids":[{ids}],"categories":[{",".join([branch.document for branch in branches])}]'

    def product(self, row: Row, variants: Iterable[Row], components: Sequence[str]) -> str | None:
        """A `Product`, with the members of `ProductDetail` when the row has a fifth column. None when it has no price.

        `row` is (id, document, category ids, type[, detail document]); `variants` are rows of `variant_rows`.
        """
        pk, document, category_ids, product_type, *detail = row
        texts: list[str] = []
        there = backorder = False
        shown: Price | None = None
        shown_id = ""
        for variant in variants:
            offer = variant[5:]
            if offer[4] is None:
                continue
            _product_id, is_standalone, is_default, variant_id, variant_document = variant[:5]
            if is_standalone:
                left = _left(offer, product_type)
                there, backorder = left is None or left > 0, bool(offer[1])
                shown, shown_id = self._price(offer[3:]), variant_id
                continue
            text, variant_there, variant_backorder, found = self.variant(
                variant_id, variant_document, offer, product_type
            )
            texts.append(text + "}")
            there, backorder = there or variant_there, backorder or variant_backorder
            if is_default or shown is None:
                shown, shown_id = found, variant_id
        if shown is None:
            return None
        text = (
            f"{document[:-1]},{_state(there, backorder, self.promotions.get(shown_id), shown.pricing)},"
            f"{self.categories(category_ids)},"
            f'"variants":[{",".join(texts)}],"bundle_items":[{",".join(components)}]{self._inventory(pk)}'
        )
        if detail:
            text += f',"shipping":{shown.shipping},{detail[0][1:-1]}'
        return text + "}"

    def products(self, rows: Iterable[Row], variants: Iterable[Row], components: Iterable[Row]) -> orjson.Fragment:
        """A list of `Product`."""
        of_product: dict[str, list[Row]] = {}
        for variant in variants:
            of_product.setdefault(variant[0], []).append(variant)
        of_bundle = self.components(components)
        texts = [self.product(row, of_product.get(row[0], ()), of_bundle.get(row[0], ())) for row in rows]
        return _fragment(f"[{','.join([text for text in texts if text])}]")

    def detail(self, row: Row, variants: Iterable[Row], components: Iterable[Row]) -> orjson.Fragment | None:
        """A `ProductDetail`."""
        text = self.product(row, variants, self.components(components).get(row[0], ()))
        return _fragment(text) if text else None

    def components(self, rows: Iterable[Row]) -> dict[str, list[str]]:
        """The entries of `bundle_items` by bundle."""
        found: dict[str, list[str]] = {}
        for row in rows:
            if row[11] is not None:
                bundle_id, quantity = row[:2]
                text = self.item(row[2:])
                found.setdefault(bundle_id, []).append(f'{text},"quantity":{quantity}}}')
        return found

    def variants(self, rows: Iterable[Row], product_type: str) -> orjson.Fragment:
        """The varying ones as a list of `Variant`."""
        texts = [
            self.variant(row[3], row[4], row[5:], product_type)[0] + "}"
            for row in rows
            if not row[1] and row[9] is not None
        ]
        return _fragment(f"[{','.join(texts)}]")

    def variant_detail(self, product: Row, row: Row) -> orjson.Fragment | None:
        """A `VariantDetail`."""
        pk, document, own_attributes = row[:3]
        offer = row[3:]
        if offer[4] is None:
            return None
        of_product, detail = orjson.loads(product[1]), orjson.loads(product[4])
        text, _there, _backorder, found = self.variant(pk, document, offer, product[3])
        known = self._tree.by_id
        more = {
            "product_type": product[3],
            "description": detail["description"],
            "category_ids": [pk for pk in product[2].split() if pk in known],
            "tags": of_product["tags"],
            "reviews_rating_sum": of_product["reviews_rating_sum"],
            "reviews_count": of_product["reviews_count"],
            "hsn_code": detail["hsn_code"],
            "variant_options": of_product["variant_options"] or [],
            "product_attributes": of_product["attributes"],
            "variant_attributes": orjson.Fragment(own_attributes),
            "shipping": orjson.Fragment(found.shipping),
            "seo": detail["seo"],
            "metadata": detail["metadata"],
        }
        return _fragment(f"{text},{orjson.dumps(more).decode()[1:]}")

    def items(self, rows: Iterable[Row]) -> orjson.Fragment:
        """A list of `Item`, of rows as `item` takes them."""
        texts = [self.item(row) + "}" for row in rows if row[9] is not None]
        return _fragment(f"[{','.join(texts)}]")

    def item_values(self, row: Row) -> dict[str, Any] | None:
        """One `Item` as values, for callers that work with it."""
        if row[9] is None:
            return None
        text = origin.complete(self.item(row) + "}")
        found: dict[str, Any] = orjson.loads(text)
        return found


def _fragment(text: str) -> orjson.Fragment:
    return orjson.Fragment(origin.complete(text))


_NO_PRICE = (0, 0, 0, True, 1, None, 1, 0, 0)


def sellable(sku: Sku, row: Row, currency: Currency, tree: Tree) -> Sellable:
    """A cart's view of a row of `line_rows`."""
    _pk, _product_id, visible, code, document = row[:5]
    offer = row[5:]
    line = orjson.loads(origin.complete(document))
    if line["needs_variant"]:
        return needs_variant(sku, name=line["product_name"], slug=line["slug"], product_type=line["product_type"])
    priced = offer[4] is not None
    found = price_reader(currency)(offer[3:] if priced else _NO_PRICE)
    left = _left(offer, line["product_type"])
    backorder = _backorder(offer, line["product_type"])
    details = line["details"]
    details["stock_available"] = left is None or left > 0
    return Sellable(
        sku=sku,
        code=code or None,
        slug=line["slug"],
        product_name=line["product_name"],
        variant_name=line["variant_name"],
        product_type=line["product_type"],
        image_url=line["image_url"],
        active=bool(visible) and priced,
        listing_price=found.listing_price,
        selling_price=found.selling_price,
        price_including_tax=found.price_including_tax,
        tax_rate=found.tax_rate,
        handling_charge=found.handling_charge,
        handling_tax_rate=found.handling_tax_rate,
        min_quantity=found.min_quantity,
        max_quantity=found.max_quantity,
        step=found.step,
        available=None if backorder else left,
        backorder=backorder,
        category_ids=tree.with_above(" ".join(line["category_ids"])),
        weight=line.get("weight", 0),  # what was published before products had one
        details=details,
    )


def needs_variant(sku: Sku, *, name: str, slug: str, product_type: str) -> Sellable:
    """The answer to a sku without variant of a product that varies."""
    return Sellable(
        sku=sku,
        code=None,
        slug=slug,
        product_name=name,
        product_type=product_type,
        active=False,
        needs_variant=True,
        available=0,
        listing_price=ZERO,
    )


def category(branch: Branch) -> dict[str, Any]:
    """A `ProductCategory`."""
    children: list[Mapping[str, Any]] = [child.fields for child in branch.children]
    return {**branch.fields, "child_categories": children}
