"""Rules as questions and rows: from the contract's `details` to a form and back, and from its errors to their cells.

A row is one product, category or step of one. A row without a product is a further step of the one above it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from django import forms
from django.forms.formsets import BaseFormSet
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import SelectWidget, TextWidget

from .. import rules
from ..engine.rules import Target
from ..models import AppliesTo, OfferType
from ..rules import AMOUNT, QUANTITY
from . import targets
from .pick import PickField, picked
from .targets import CATEGORY, CUSTOMER, PRODUCT

MAX_ROWS = rules.MAX_ENTRIES
SPARE_ROWS = 2  # blank ones, for browsers without scripts
Place: TypeAlias = tuple[int | None, str]  # of an error: a row and its field, or None and a question


def _number(label: Any, **attrs: str) -> forms.CharField:
    widget = TextWidget(attrs={"inputmode": "decimal", "size": "8", **attrs})
    return forms.CharField(label=label, required=False, max_length=24, widget=widget)


# --- rows -----------------------------------------------------------------------------------------------------------
class RowForm(forms.Form):
    """One row. Numbers are left as they were typed: `promotions.rules` reads them and knows what is wrong."""

    use_required_attribute = False

    def __init__(self, *args: Any, store_id: str, kinds: Collection[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, PickField):
                field.aim(store_id, kinds)

    @property
    def is_blank(self) -> bool:
        """Whether nobody wrote into it; a choice or a tick says nothing by itself."""
        asked = [
            name
            for name, field in self.fields.items()
            if not isinstance(field, (forms.ChoiceField, forms.BooleanField))
        ]
        return not any(self.cleaned_data.get(name) or name in self.errors for name in asked)


class PartRow(RowForm):
    target = PickField(label=_("Product or category"))
    minimum_quantity = _number(_("From units"))
    maximum_quantity = _number(_("Up to units"))
    minimum_value = _number(_("From amount"))
    maximum_value = _number(_("Up to amount"))


class PriceRow(RowForm):
    target = PickField(label=_("Product"))
    low = _number(_("From"), placeholder="1")
    high = _number(_("Up to"))
    price = _number(_("Price of one"))


class GiftRow(RowForm):
    target = PickField(label=_("Product"))
    low = _number(_("Buy"))
    gift = _number(_("Get free"))
    repeats = forms.BooleanField(label=_("Again and again"), required=False)


class ExchangeRow(RowForm):
    buy = PickField(label=_("Buy this"))
    low = _number(_("As much"))
    get = PickField(label=_("Get this cheaper"))
    units = _number(_("Units"))
    percent = _number(_("Percent off"), placeholder="100")


class VolumeRow(RowForm):
    target = PickField(label=_("Product"))
    condition = forms.ChoiceField(
        label=_("Bought"),
        required=False,
        widget=SelectWidget(),
        choices=[("less-or-equal", _("up to")), ("greater", _("more than"))],
    )
    quantity = _number(_("Units"))
    percent = _number(_("Percent off"))


class PointsRow(RowForm):
    target = PickField(label=_("Product or category"))
    minimum_quantity = _number(_("From units"))
    minimum_value = _number(_("From amount"))


class CustomerRow(RowForm):
    target = PickField(label=_("Customer"))


_FORMS: Mapping[str, type[RowForm]] = {
    OfferType.DISCOUNT: PartRow,
    OfferType.FIXED_PRICE: PriceRow,
    OfferType.FREE_GOODS: GiftRow,
    OfferType.BUY_X_GET_Y: ExchangeRow,
    OfferType.VOLUME_BASED: VolumeRow,
    OfferType.ACCELERATED_REWARDS: PointsRow,
}
_KINDS: Mapping[str, tuple[str, ...]] = {
    OfferType.DISCOUNT: (PRODUCT, CATEGORY),
    OfferType.BUY_X_GET_Y: (PRODUCT, CATEGORY),
    OfferType.ACCELERATED_REWARDS: (PRODUCT, CATEGORY),
}


class Rows(BaseFormSet):  # type: ignore[type-arg]
    """The rows of a rule, or of its customers."""

    def filled(self) -> list[tuple[int, dict[str, Any]]]:
        """Those that somebody wrote into, with their numbers. Valid rows only have all of their values."""
        return [(index, form.cleaned_data) for index, form in enumerate(self.forms) if not form.is_blank]


def _formset(
    form: type[RowForm], data: Any, *, prefix: str, store_id: str, kinds: Collection[str], initial: Any
) -> Rows:
    if data is not None and f"{prefix}-TOTAL_FORMS" not in data:
        data = {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}  # a form without rows was sent
    made = forms.formset_factory(
        form, formset=Rows, extra=SPARE_ROWS if initial else SPARE_ROWS + 1, max_num=MAX_ROWS, absolute_max=MAX_ROWS
    )
    found: Any = made(
        data,
        prefix=prefix,
        initial=initial,
        form_kwargs={"store_id": store_id, "kinds": kinds, "empty_permitted": True},
    )
    return cast("Rows", found)


def rule_rows(type_: str, data: Any, *, store_id: str, initial: Sequence[Mapping[str, Any]] = ()) -> Rows | None:
    """The rows of a rule; None for a type that has none. `initial` is as `questions` gives it."""
    form = _FORMS.get(type_)
    if form is None:
        return None
    kinds = _KINDS.get(type_, (PRODUCT,))
    return _formset(
        form,
        data,
        prefix="rule",
        store_id=store_id,
        kinds=kinds,
        initial=_named(store_id, initial) if data is None else [],
    )


def customer_rows(data: Any, *, store_id: str, ids: Sequence[str] = ()) -> Rows:
    names = targets.customer_names(store_id, ids) if data is None else {}
    initial = [{"target": picked(pk, names.get(pk, ""))} for pk in ids] if data is None else []
    return _formset(CustomerRow, data, prefix="audience", store_id=store_id, kinds=(CUSTOMER,), initial=initial)


def _named(store_id: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same rows with names for the targets in them."""
    found = {value for row in rows for value in row.values() if isinstance(value, Target)}
    names = targets.names(store_id, found)

    def shown(value: Any) -> Any:
        if not isinstance(value, Target):
            return value
        gone = value.category_id or value.variant_id or value.product_id
        return picked(targets.key_of(value), names.get(value) or gone)

    return [{name: shown(value) for name, value in row.items()} for row in rows]


# --- from answers to details ----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Built:
    details: dict[str, Any]
    places: dict[str, Place]  # of what a path in `details` was made of

    def place(self, path: str) -> Place:
        """Where an error belongs: its own cell, else that of what it is a part of."""
        while path:
            if path in self.places:
                return self.places[path]
            path = path.rpartition(".")[0]
        return None, ""


Filled: TypeAlias = Sequence[tuple[int, Mapping[str, Any]]]


def build(type_: str, answers: Mapping[str, Any], rows: Filled) -> Built:
    """What services take. Nothing is checked here."""
    places: dict[str, Place] = {}
    details = _BUILDERS[type_](answers, rows, places) if type_ in _BUILDERS else {}
    return Built(details, places)


def _entry(target: Target, prefix: str = "") -> dict[str, Any]:
    return {f"{prefix}product_id": target.product_id or None, f"{prefix}variant_id": target.variant_id or None}


def _note(places: dict[str, Place], path: str, row: int, **fields: str) -> None:
    """Where the members of an entry come from; of the entry as a whole, its first field."""
    places[path] = (row, next(iter(fields.values())))
    places.update({f"{path}.{member}": (row, field) for member, field in fields.items()})


def _build_parts(
    answers: Mapping[str, Any], rows: Filled, places: dict[str, Place], members: Sequence[str]
) -> dict[str, Any]:
    """`products` and `category_id` of a discount or of bonus points."""
    products: list[dict[str, Any]] = []
    categories: list[str] = []
    for row, values in rows if answers.get("applies_to") != AppliesTo.ALL else ():
        target = targets.target_of(values.get("target") or "")
        if answers.get("applies_to") == AppliesTo.CATEGORY:
            places[f"details.category_id.{len(categories)}"] = (row, "target")
            categories.append(target.category_id)
            continue
        path = f"details.products.{len(products)}"
        _note(places, path, row, product_id="target", variant_id="target", **{name: name for name in members})
        products.append(_entry(target) | {name: values.get(name) or None for name in members})
    places["details.products"] = places["details.category_id"] = (None, "applies_to")
    return {"products": products, "category_id": categories}


def _build_discount(answers: Mapping[str, Any], rows: Filled, places: dict[str, Place]) -> dict[str, Any]:
    percentage = answers.get("discount_type") != "fixed-amount"
    member = "discount_percent" if percentage else "fixed_discount_amount"
    places |= {f"details.{member}": (None, "value"), "details.maximum_discount_amount": (None, "maximum")}
    details: dict[str, Any] = {
        "discount_type": "percentage" if percentage else "fixed-amount",
        member: answers.get("value") or None,
    }
    if percentage:
        details["maximum_discount_amount"] = answers.get("maximum") or None
    members = ("minimum_quantity", "maximum_quantity", "minimum_value", "maximum_value")
    return details | _build_parts(answers, rows, places, members)


def _build_points(answers: Mapping[str, Any], rows: Filled, places: dict[str, Place]) -> dict[str, Any]:
    places["details.bonus_loyalty_point"] = (None, "points")
    parts: dict[str, Any] = _build_parts(answers, rows, places, ("minimum_quantity", "minimum_value"))
    return parts | {"bonus_loyalty_point": answers.get("points") or None}


def _build_prices(answers: Mapping[str, Any], rows: Filled, places: dict[str, Place]) -> dict[str, Any]:
    by_units = answers.get("criteria") != AMOUNT
    low, high = (
        ("minimum_quantity", "maximum_quantity") if by_units else ("minimum_purchase_amount", "maximum_purchase_amount")
    )
    products: list[dict[str, Any]] = []
    for row, values in rows:
        path = f"details.products.{len(products)}"
        _note(places, path, row, product_id="target", **{low: "low", high: "high", "offer_price": "price"})
        target = targets.target_of(values.get("target") or "")
        bounds = {low: values.get("low") or ("1" if by_units else "0"), high: values.get("high") or None}
        products.append(_entry(target) | bounds | {"offer_price": values.get("price") or None})
    return {"spending_criteria_type": _criteria(answers), "products": products}


def _criteria(answers: Mapping[str, Any]) -> str:
    return AMOUNT if answers.get("criteria") == AMOUNT else QUANTITY


def _steps(rows: Filled) -> list[tuple[Target, list[tuple[int, Mapping[str, Any]]]]]:
    """Rows of one product together: those that name it, one after the other, and those below it that name none."""
    found: list[tuple[Target, list[tuple[int, Mapping[str, Any]]]]] = []
    for row, values in rows:
        key = values.get("target") or ""
        target = targets.target_of(key)
        if found and (not key or found[-1][0] == target):
            found[-1][1].append((row, values))
        else:
            found.append((target, [(row, values)]))
    return found


def _build_gifts(answers: Mapping[str, Any], rows: Filled, places: dict[str, Place]) -> dict[str, Any]:
    threshold = "buy_quantity" if _criteria(answers) == QUANTITY else "minimum_purchase_amount"
    products: list[dict[str, Any]] = []
    for target, steps in _steps(rows):
        path = f"details.products.{len(products)}"
        _note(places, path, steps[0][0], product_id="target", auto_scale="repeats", slabs="low")
        slabs = [
            {threshold: values.get("low") or None, "get_quantity": values.get("gift") or None} for _row, values in steps
        ]
        repeats = len(steps) == 1 and bool(steps[0][1].get("repeats"))
        for number, (row, _values) in enumerate(steps):
            own = f"{path}.slab" if repeats else f"{path}.slabs.{number}"
            _note(places, own, row, **{threshold: "low", "get_quantity": "gift"})
        products.append(_entry(target) | ({"auto_scale": True, "slab": slabs[0]} if repeats else {"slabs": slabs}))
    return {"spending_criteria_type": _criteria(answers), "products": products}


def _build_exchanges(answers: Mapping[str, Any], rows: Filled, places: dict[str, Place]) -> dict[str, Any]:
    threshold = "minimum_quantity" if _criteria(answers) == QUANTITY else "minimum_purchase_amount"
    places["details.maximum_discount_amount"] = (None, "maximum")
    products: list[dict[str, Any]] = []
    for row, values in rows:
        buy, get = (targets.target_of(values.get(name) or "") for name in ("buy", "get"))
        percent = values.get("percent") or "100"
        free = percent in ("100", "100.0", "100.00")
        path = f"details.products.{len(products)}"
        _note(
            places,
            path,
            row,
            buy_product_id="buy",
            buy_from_category_id="buy",
            get_product_id="get",
            get_from_category_id="get",
            get_quantity="units",
            get_discount_percent="percent",
            **{threshold: "low"},
        )
        products.append(
            _entry(buy, "buy_")
            | _entry(get, "get_")
            | {
                "buy_from_category_id": buy.category_id or None,
                "get_from_category_id": get.category_id or None,
                threshold: values.get("low") or None,
                "get_quantity": values.get("units") or None,
                "get_offer_type": "free" if free else "discount",
                "get_discount_percent": None if free else percent,
            }
        )
    return {
        "spending_criteria_type": _criteria(answers),
        "products": products,
        "maximum_discount_amount": answers.get("maximum") or None,
    }


def _build_volumes(answers: Mapping[str, Any], rows: Filled, places: dict[str, Place]) -> dict[str, Any]:
    places["details.maximum_discount_amount"] = (None, "maximum")
    products: list[dict[str, Any]] = []
    for target, steps in _steps(rows):
        path = f"details.products.{len(products)}"
        _note(places, path, steps[0][0], product_id="target", slabs="quantity")
        for number, (row, _values) in enumerate(steps):
            _note(
                places,
                f"{path}.slabs.{number}",
                row,
                quantity="quantity",
                discount_percent="percent",
                condition="condition",
            )
        slabs = [
            {
                "quantity": values.get("quantity") or None,
                "condition": values.get("condition") or "less-or-equal",
                "discount_percent": values.get("percent") or None,
            }
            for _row, values in steps
        ]
        products.append(_entry(target) | {"slabs": slabs})
    return {"products": products, "maximum_discount_amount": answers.get("maximum") or None}


_BUILDERS: Mapping[str, Callable[[Mapping[str, Any], Filled, dict[str, Place]], dict[str, Any]]] = {
    OfferType.DISCOUNT: _build_discount,
    OfferType.FIXED_PRICE: _build_prices,
    OfferType.FREE_GOODS: _build_gifts,
    OfferType.BUY_X_GET_Y: _build_exchanges,
    OfferType.VOLUME_BASED: _build_volumes,
    OfferType.ACCELERATED_REWARDS: _build_points,
}


# --- from details to answers ----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Questions:
    answers: dict[str, Any]
    rows: list[dict[str, Any]]  # targets as `Target`


def questions(type_: str, details: Mapping[str, Any]) -> Questions:
    """A rule that services have checked, as the form shows it."""
    answers = {
        "discount_type": details.get("discount_type"),
        "value": details.get("discount_percent") or details.get("fixed_discount_amount"),
        "maximum": details.get("maximum_discount_amount"),
        "criteria": details.get("spending_criteria_type"),
        "points": details.get("bonus_loyalty_point"),
    }
    rows = [row for entry in details.get("products") or () for row in _rows_of(type_, entry)]
    rows += [{"target": Target(category_id=pk)} for pk in details.get("category_id") or ()]
    return Questions({name: value for name, value in answers.items() if value is not None}, rows)


def _rows_of(type_: str, entry: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    target = _target(entry)
    if type_ == OfferType.FIXED_PRICE:
        low, high = (
            entry.get(f"{end}_quantity") if f"{end}_quantity" in entry else entry.get(f"{end}_purchase_amount")
            for end in ("minimum", "maximum")
        )
        return [{"target": target, "low": low, "high": high, "price": entry.get("offer_price")}]
    if type_ == OfferType.FREE_GOODS:
        repeats = bool(entry.get("auto_scale"))
        slabs = [entry["slab"]] if repeats else entry["slabs"]
        return [
            {
                "target": target,
                "low": slab.get("buy_quantity") or slab.get("minimum_purchase_amount"),
                "gift": slab["get_quantity"],
                "repeats": repeats,
            }
            for slab in slabs
        ]
    if type_ == OfferType.BUY_X_GET_Y:
        return [
            {
                "buy": _target(entry, "buy_"),
                "get": _target(entry, "get_"),
                "low": entry.get("minimum_quantity") or entry.get("minimum_purchase_amount"),
                "units": entry.get("get_quantity"),
                "percent": entry.get("get_discount_percent") or 100,
            }
        ]
    if type_ == OfferType.VOLUME_BASED:
        return [
            {
                "target": target,
                "condition": slab["condition"],
                "quantity": slab["quantity"],
                "percent": slab["discount_percent"],
            }
            for slab in entry["slabs"]
        ]
    members = ("minimum_quantity", "maximum_quantity", "minimum_value", "maximum_value")
    return [{"target": target} | {name: entry.get(name) for name in members}]


def _target(entry: Mapping[str, Any], prefix: str = "") -> Target:
    return Target(
        product_id=entry.get(f"{prefix}product_id") or "",
        variant_id=entry.get(f"{prefix}variant_id") or "",
        category_id=entry.get(f"{prefix}from_category_id") or "",
    )
