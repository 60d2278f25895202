"""Amounts that add up exactly in every database."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.db import models
from django.db.models import Value
from django.db.models.expressions import Combinable

SCALE = 4  # decimals; no currency of ISO 4217 has more
_LARGEST = 2**63 - 1


if TYPE_CHECKING:
    _Base = models.BigIntegerField[Decimal | int | Combinable, Decimal]
else:
    _Base = models.BigIntegerField


class ExactField(_Base):
    """A Decimal with four decimals, kept as a whole number of ten-thousandths.

    SQLite computes with decimals in binary floating point, where 0.3 - 0.1 - 0.2 is below zero; with whole numbers both
    databases add, compare and sum to the last unit. In expressions write amounts as `exact(amount)`.
    """

    if TYPE_CHECKING:  # what may be set, and what is read
        _pyi_private_set_type: Decimal | int | Combinable  # type: ignore[assignment]
        _pyi_private_get_type: Decimal  # type: ignore[assignment]

    def from_db_value(self, value: Any, *_: Any) -> Decimal | None:
        return None if value is None else Decimal(value).scaleb(-SCALE)

    def to_python(self, value: Any) -> Any:
        return value if value is None or isinstance(value, Decimal) else Decimal(str(value))

    def get_prep_value(self, value: Any) -> Any:
        if value is None or hasattr(value, "resolve_expression"):
            return value
        scaled = Decimal(value).scaleb(SCALE)
        whole = int(scaled)
        if whole != scaled or abs(whole) > _LARGEST:
            raise ValueError("an amount has at most four decimals and fits a 64-bit number")
        return whole

    @property
    def validators(self) -> list[Any]:  # the range is that of whole ten-thousandths
        return list(self._validators)  # type: ignore[attr-defined]

    def formfield(self, **kwargs: Any) -> Any:
        field: Any = forms.DecimalField
        return models.Field.formfield(
            self, **{"form_class": field, "max_digits": 14, "decimal_places": SCALE, **kwargs}
        )


def exact(amount: Decimal | int) -> Value:
    """An amount for an expression over such fields."""
    return Value(Decimal(amount), output_field=ExactField())
