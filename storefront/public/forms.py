"""The brand of a store as staff edit it: fields instead of the JSON in which it is kept."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from storefront import files, pictures
from storefront.admin_base import FileWidget, TextWidget
from storefront.errors import Invalid
from storefront.ids import new_id
from storefront.models import Store

LOGO_SIDE = 512  # pixels of the longer side
SOCIAL_MEDIA = {
    "facebook": "Facebook",
    "instagram": "Instagram",
    "x": "X",
    "youtube": "YouTube",
    "linkedin": "LinkedIn",
    "pinterest": "Pinterest",
    "whatsapp": "WhatsApp",
    "telegram": "Telegram",
}


def _address(label: Any, **kwargs: Any) -> forms.URLField:
    return forms.URLField(
        label=label, required=False, max_length=300, assume_scheme="https", widget=TextWidget(), **kwargs
    )


class BrandForm(forms.ModelForm):  # type: ignore[type-arg]
    """Reads `Store.brand` into fields and writes them back; keys that it does not know stay as they are."""

    brand_name = forms.CharField(
        label=_("Name of the brand"),
        required=False,
        max_length=120,
        widget=TextWidget(),
        help_text=_("Where it differs from the store's name."),
    )
    logo = forms.FileField(
        label=_("New logo"),
        required=False,
        widget=FileWidget,
        help_text=_("JPEG, PNG or WebP; takes the place of the present one."),
    )
    logo_url = forms.CharField(
        label=_("Address of the logo"), required=False, max_length=500, widget=TextWidget(), help_text=_("Empty: none.")
    )
    colour = forms.CharField(
        label=_("Colour"),
        required=False,
        max_length=7,
        widget=TextWidget(),
        help_text=_("Such as #0f766e."),
    )
    support_email = forms.EmailField(label=_("E-mail for questions"), required=False, widget=TextWidget())
    support_phone = forms.CharField(label=_("Phone for questions"), required=False, max_length=20, widget=TextWidget())
    facebook = _address("Facebook")
    instagram = _address("Instagram")
    x = _address("X")
    youtube = _address("YouTube")
    linkedin = _address("LinkedIn")
    pinterest = _address("Pinterest")
    whatsapp = _address("WhatsApp")
    telegram = _address("Telegram")

    brand_fields = (
        ("brand_name", "colour"),
        ("logo", "logo_url"),
        ("support_email", "support_phone"),
        ("facebook", "instagram"),
        ("x", "youtube"),
        ("linkedin", "pinterest"),
        ("whatsapp", "telegram"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        brand = self.instance.brand if isinstance(self.instance.brand, dict) else {}
        links = brand.get("social_media_links")
        links = links if isinstance(links, dict) else {}
        self.fields["brand_name"].initial = brand.get("name", "")
        for name in ("logo_url", "colour", "support_email", "support_phone"):
            self.fields[name].initial = brand.get(name, "")
        for name in SOCIAL_MEDIA:
            self.fields[name].initial = links.get(name, "")

    def clean_colour(self) -> str:
        colour: str = self.cleaned_data["colour"]
        if colour and not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
            raise forms.ValidationError(_("Use six digits after a #, such as #0f766e."))
        return colour

    def clean_logo_url(self) -> str:
        address: str = self.cleaned_data["logo_url"]
        if address and not re.match(r"https?://|/(?!/)", address):
            raise forms.ValidationError(_("Begin with https:// or with the / of a file of this server."))
        return address

    def clean_logo(self) -> bytes | None:
        upload = self.cleaned_data["logo"]
        if not upload:
            return None
        try:
            return pictures.renditions(upload, (LOGO_SIDE,), field="logo")[LOGO_SIDE]
        except Invalid as error:
            raise forms.ValidationError(str(error.message)) from error

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        brand = dict(self.instance.brand) if isinstance(self.instance.brand, dict) else {}
        links = brand.get("social_media_links")
        links = dict(links) if isinstance(links, dict) else {}
        links |= {name: data.get(name, "") for name in SOCIAL_MEDIA}
        brand |= {"name": data.get("brand_name", "")}
        brand |= {name: data.get(name, "") for name in ("logo_url", "colour", "support_email", "support_phone")}
        brand = {name: value for name, value in brand.items() if value}
        brand.pop("social_media_links", None)
        kept = {name: value for name, value in links.items() if value}
        self.instance.brand = brand | ({"social_media_links": kept} if kept else {})
        return data

    def place_logo(self, store: Store) -> None:
        """Keeps an uploaded logo and names it in the store's brand, which is not saved here."""
        picture = self.cleaned_data.get("logo")
        if not picture:
            return
        before = store.brand.get("logo_file")
        name = files.write(default_storage, f"stores/{store.pk}/logo-{new_id()}.webp", ContentFile(picture))
        store.brand = store.brand | {"logo_url": default_storage.url(name), "logo_file": name}
        if before:
            transaction.on_commit(lambda: default_storage.delete(before), robust=True)
