"""What the pages share: amounts for the eye, links to customers, forms that change a balance."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import SwitchWidget, TextWidget, money
from storefront.ids import new_id
from storefront.models import Store

from ..models import Account

MENU = "wallets"


def shown(store: Store, kind: str, amount: Decimal) -> str:
    """An amount of an account: points as they are, anything else as money."""
    if kind == Account.Kind.POINTS:
        return str(number_format(amount, 0, force_grouping=True))
    return money(store, amount)


def end_of_day(day: date | None, store: Store) -> datetime | None:
    """The moment at which that day is over in the store's time zone."""
    if day is None:
        return None
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=store.zone)


def date_field(**options: Any) -> forms.DateField:
    return forms.DateField(required=False, widget=TextWidget(attrs={"type": "date"}), **options)


class OnceForm(forms.Form):
    """A form that does its work once, however often it is sent: `act` names the act."""

    act = forms.CharField(max_length=26, widget=forms.HiddenInput(), initial=new_id, required=False)


class PointsForm(OnceForm):
    amount = forms.IntegerField(
        label=_("Points"),
        min_value=-10_000_000,
        max_value=10_000_000,
        widget=TextWidget(attrs={"inputmode": "numeric"}),
        help_text=_("With a minus to take away."),
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=200, widget=TextWidget(), help_text=_("Shoppers can read it.")
    )

    def clean_amount(self) -> int:
        amount: int = _not_zero(self.cleaned_data["amount"])
        return amount


class MoneyForm(OnceForm):
    amount = forms.DecimalField(
        label=_("Amount"),
        min_value=-10_000_000,
        max_value=10_000_000,
        decimal_places=4,
        widget=TextWidget(attrs={"inputmode": "decimal"}),
        help_text=_("With a minus to take away."),
    )
    reason = forms.CharField(label=_("Reason"), max_length=200, widget=TextWidget())

    def __init__(self, *args: Any, store: Store, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._store = store

    def clean_amount(self) -> Decimal:
        amount: Decimal = _not_zero(self.cleaned_data["amount"])
        if amount % self._store.currency.unit:
            raise forms.ValidationError(_("Smaller than the smallest unit of the currency."))
        return amount


class CreditForm(MoneyForm):
    expires_on = date_field(label=_("Last day"), help_text=_("Empty for no end. Counts for what is granted."))


def _not_zero(amount: Any) -> Any:
    if not amount:
        raise forms.ValidationError(_("Enter an amount."))
    return amount


class NewCardForm(forms.Form):
    """The fields that every new card has."""

    amount = forms.DecimalField(
        label=_("Amount"), min_value=Decimal("0.01"), max_value=10**9, decimal_places=4,
        widget=TextWidget(attrs={"inputmode": "decimal"}),
    )  # fmt: skip
    with_pin = forms.BooleanField(label=_("With a PIN"), required=False, widget=SwitchWidget())
    active = forms.BooleanField(
        label=_("Active at once"),
        required=False,
        initial=True,
        widget=SwitchWidget(),
        help_text=_("Else each must be activated, such as when it is sold."),
    )
    expires_on = date_field(label=_("Last day"), help_text=_("Empty for no end."))
