"""Form fields in the theme's look, and JSON for people."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.db import models
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from unfold import forms as theme_forms
from unfold.widgets import (
    BASE_INPUT_CLASSES,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from storefront.admin_base.rows import field_of

CheckboxesWidget = UnfoldAdminCheckboxSelectMultipleWidget
FileWidget = UnfoldAdminFileFieldWidget
PasswordWidget = UnfoldAdminPasswordWidget
SelectWidget = UnfoldAdminSelectWidget
SelectSearchWidget = UnfoldAdminSelect2Widget
SelectManyWidget = UnfoldAdminSelect2MultipleWidget
SwitchWidget = UnfoldBooleanSwitchWidget
TextWidget = UnfoldAdminTextInputWidget
TextareaWidget = UnfoldAdminTextareaWidget
INPUT_CLASS = " ".join(BASE_INPUT_CLASSES)


class JsonWidget(forms.Textarea):
    """JSON for people: an object as rows of name and value, anything else as indented text."""

    template_name = "storefront/staff/json_widget.html"

    def format_value(self, value: Any) -> str | None:
        try:
            return json.dumps(json.loads(value or "null"), indent=2, ensure_ascii=False) if value else value
        except ValueError:
            return str(value)

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        try:
            parsed = json.loads(value or "{}")
        except (TypeError, ValueError):
            parsed = None
        rows = None
        if isinstance(parsed, dict) and not any(isinstance(item, dict | list) for item in parsed.values()):
            rows = [
                {"name": key, "value": item if isinstance(item, str) else json.dumps(item)}
                for key, item in parsed.items()
            ]
        context["widget"] |= {"rows": rows, "input_class": INPUT_CLASS}
        return context


def readable(value: Any) -> str:
    """JSON for reading: names with their values, lists with commas, an empty one as a dash."""
    if value is None or value == "" or value == {} or value == []:
        return "–"
    if isinstance(value, bool):
        return str(_("Yes") if value else _("No"))
    if isinstance(value, dict):
        pairs = format_html_join("", "<div><dt>{}</dt><dd>{}</dd></div>", ((k, readable(v)) for k, v in value.items()))
        return format_html('<dl class="sf-json-shown">{}</dl>', pairs)
    if isinstance(value, list):
        if any(isinstance(item, dict | list) for item in value):
            items = format_html_join("", "<li>{}</li>", ((readable(item),) for item in value))
            return format_html('<ul class="sf-json-shown">{}</ul>', items)
        return ", ".join(str(item) for item in value)
    return str(value)


class _ReadonlyField(theme_forms.UnfoldAdminReadonlyField):  # type: ignore[misc]
    """Shows JSON that cannot be changed as the theme has no setting for it: in words."""

    def _get_contents(self) -> Any:
        name = self.field["field"]
        if isinstance(name, str) and isinstance(field_of(type(self.form.instance), name), models.JSONField):
            return conditional_escape(readable(getattr(self.form.instance, name)))
        return super()._get_contents()


theme_forms.UnfoldAdminReadonlyField = _ReadonlyField
