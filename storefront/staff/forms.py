"""Forms of the sign-in pages."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import PasswordWidget, TextWidget

_TOKEN = {
    "autocomplete": "one-time-code",
    "autocapitalize": "none",
    "spellcheck": "false",
    "maxlength": "16",
    "class": "tracking-widest",
}


class TokenForm(forms.Form):
    token = forms.CharField(
        label=_("Token or recovery code"),
        max_length=16,
        widget=TextWidget({**_TOKEN, "autofocus": ""}),
    )


class EnrolForm(forms.Form):
    token = forms.CharField(
        label=_("Token"),
        max_length=16,
        help_text=_("The six digits that the app shows now."),
        widget=TextWidget({**_TOKEN, "inputmode": "numeric", "autofocus": ""}),
    )
    name = forms.CharField(
        label=_("Name of this device"),
        max_length=64,
        required=False,
        widget=TextWidget({"placeholder": _("Phone"), "autocomplete": "off"}),
    )


class EnrolAgainForm(EnrolForm):
    """For somebody who is signed in already: a session left open must not be enough to add a device."""

    password = forms.CharField(
        label=_("Your password"), strip=False, widget=PasswordWidget({"autocomplete": "current-password"})
    )
