"""The field in which staff choose a product, category or customer by its name."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.translation import gettext as _

from storefront.admin_base import INPUT_CLASS

from . import targets
from .targets import Choice


class Picked(NamedTuple):
    """What a field holds: the key that was chosen, under which name, and the text as it stands. A text that is not
    that name was typed without choosing: it is looked up."""

    key: str = ""
    name: str = ""
    text: str = ""

    @property
    def settled(self) -> bool:
        return bool(self.key) and self.text == self.name


def picked(key: str, name: str) -> Picked:
    return Picked(key, name or key, name or key)


class PickWidget(forms.Widget):
    template_name = "promotions/pick.html"
    kinds: Collection[str] = ()
    store_id = ""

    def format_value(self, value: Any) -> Any:
        return value if isinstance(value, Picked) else Picked()

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        shown = self.format_value(value)
        query = urlencode({"store": self.store_id, "kinds": ",".join(self.kinds)})
        context["widget"] |= {
            "picked": shown,
            "chosen": urlencode({"key": shown.key, "name": shown.name}) if shown.key else "",
            "input_class": INPUT_CLASS,
            "address": f"{reverse('admin:promotions-search')}?{query}",
        }
        return context

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Picked:
        chosen = dict(parse_qsl(str(data.get(f"{name}-chosen") or "")[:2_000]))
        text = str(data.get(name) or "").replace("\x00", "").strip()
        return Picked(chosen.get("key", ""), chosen.get("name", "").strip(), text)

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return name not in data


class PickField(forms.Field):
    """Its value is the key of what was chosen, "" for nothing. `aim` says of which store and what kinds."""

    widget = PickWidget

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False} | options)

    def aim(self, store_id: str, kinds: Collection[str]) -> None:
        self.widget.store_id, self.widget.kinds = store_id, kinds

    def clean(self, value: Picked) -> str:
        if not value.text:
            return ""
        if value.settled:
            return value.key
        found = targets.search(self.widget.store_id, value.text, self.widget.kinds)
        wanted = value.text.casefold()
        exact = [choice for choice in found if wanted in (choice.name.casefold(), choice.detail.casefold())]
        if len(exact) == 1 or (found and _one_product(found)):
            return (exact or found)[0].key
        if not found:
            raise ValidationError(_("Nothing of this name was found."))
        names = ", ".join(dict.fromkeys(choice.name for choice in (exact or found)[:5]))
        raise ValidationError(_("Several fit: %(names)s. Choose one.") % {"names": names})


def _one_product(found: list[Choice]) -> bool:
    """Whether all are one product, the whole of it first, and its variants."""
    first, products = targets.target_of(found[0].key), {targets.target_of(choice.key).product_id for choice in found}
    return len(found) == 1 or (len(products) == 1 and products != {""} and not first.variant_id)
