"""Shapes in and out: input serializers, and plain builders for what goes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from storefront import selectors as kernel
from storefront.addresses import AddressIn
from storefront.contacts import mask_email, split_e164
from storefront.models import CustomerGroup, Store

from . import images
from .models import MEDIA, TOPICS, OtpChallenge, User
from .tokens import Holder

Input = serializers.Serializer[Any]


# --- in ---------------------------------------------------------------------------------------------------------------
class Name(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=80, **kwargs)


class OptionalText(serializers.CharField):
    """Absent, null and blank are the same: nothing."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, allow_blank=True, **kwargs)


class Password(serializers.CharField):
    """Any characters; the blanks around it are part of it. Its rules are the service's."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=1024, **kwargs)


class EmailLoginIn(Input):
    email = serializers.CharField(max_length=254)
    register_if_not_exists = serializers.BooleanField(required=False, default=False)


class PhoneLoginIn(Input):
    phone = serializers.CharField(max_length=24)
    country_code = OptionalText(max_length=6)
    register_if_not_exists = serializers.BooleanField(required=False, default=False)


class EitherContact(Input):
    """An e-mail address or a phone; `first` wins where both are sent."""

    first = "email"
    email = OptionalText(max_length=254)
    phone = OptionalText(max_length=24)
    country_code = OptionalText(max_length=6)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.get("email") and not attrs.get("phone"):
            raise serializers.ValidationError(
                {name: _("Send an e-mail address or a phone number.") for name in ("email", "phone")}
            )
        return attrs


class PasswordLoginIn(EitherContact):
    password = Password()


class ForgotPasswordIn(EitherContact):
    pass


class RegisterByEmailIn(Input):
    email = serializers.CharField(max_length=254)
    first_name = Name()
    last_name = OptionalText(max_length=80)
    phone = OptionalText(max_length=24)
    country_code = OptionalText(max_length=6)


class RegisterByPhoneIn(Input):
    phone = serializers.CharField(max_length=24)
    country_code = OptionalText(max_length=6)
    first_name = Name()
    last_name = OptionalText(max_length=80)
    email = OptionalText(max_length=254)


class RegisterByPasswordIn(EitherContact):
    password = Password()
    confirm_password = Password()
    first_name = OptionalText(max_length=80)
    last_name = OptionalText(max_length=80)


_CODE_ACTIONS = {
    "email": ("register", "reset-password", "verify-email", "update-email"),
    "sms": ("register", "reset-password", "verify-phone", "update-phone"),
    "whatsapp": ("register", "reset-password", "verify-phone", "update-phone"),
}


class GenerateCodeIn(Input):
    channel = serializers.ChoiceField(choices=OtpChallenge.Channel.choices)
    email = OptionalText(max_length=254)
    phone = OptionalText(max_length=24)
    country_code = OptionalText(max_length=6)
    otp_action = serializers.CharField(max_length=20)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        channel = attrs["channel"]
        kind = "email" if channel == "email" else "phone"
        if not attrs.get(kind):
            raise serializers.ValidationError({kind: _("This field is required for this channel.")})
        if attrs["otp_action"] not in _CODE_ACTIONS[channel]:
            allowed = ", ".join(_CODE_ACTIONS[channel])
            raise serializers.ValidationError({"otp_action": _("Use one of: %(allowed)s.") % {"allowed": allowed}})
        return attrs


class VerifyCodeIn(Input):
    otp = serializers.CharField(max_length=12)
    otp_token = serializers.CharField(max_length=100)
    otp_action = serializers.ChoiceField(choices=OtpChallenge.Action.choices)


class ResetPasswordIn(Input):
    new_password = Password()
    confirm_password = Password()
    otp_token = serializers.CharField(max_length=100)
    otp = serializers.CharField(max_length=12)


class ChangePasswordIn(Input):
    old_password = Password()
    new_password = Password()
    confirm_password = Password()


class RefreshIn(Input):
    refresh_token = serializers.CharField(max_length=8192)


class ContactsIn(Input):
    phone = serializers.ListField(
        child=serializers.CharField(max_length=24), max_length=100, required=False, allow_null=True
    )
    email = serializers.ListField(
        child=serializers.CharField(max_length=254), max_length=100, required=False, allow_null=True
    )


class StrictBoolean(serializers.BooleanField):
    """true or false; not the words that a form would send."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class MediaIn(Input):
    email = StrictBoolean(required=False)
    sms = StrictBoolean(required=False)
    whatsapp = StrictBoolean(required=False)


class PreferencesIn(Input):
    transactional = MediaIn(required=False)
    promotional = MediaIn(required=False)
    newsletter = MediaIn(required=False)


class PreferencesBodyIn(Input):
    notification_preferences = PreferencesIn()


class BusinessIn(Input):
    type = serializers.CharField(max_length=60, allow_blank=True)  # POST /customers asks for none
    name = serializers.CharField(max_length=160)
    metadata = serializers.DictField(child=serializers.CharField(max_length=500, allow_blank=True), required=False)
    registered_address = AddressIn(required=False, allow_null=True)

    def validate_metadata(self, value: dict[str, str]) -> dict[str, str]:
        if len(value) > 50 or any(len(key) > 60 for key in value):
            raise serializers.ValidationError(_("At most 50 entries with keys of up to 60 characters."))
        return value


class ProfileIn(Input):
    """All that a shopper may write of themselves. Whatever else a body carries is not looked at."""

    first_name = OptionalText(max_length=80)
    last_name = OptionalText(max_length=80)
    email = OptionalText(max_length=254)
    phone = OptionalText(max_length=24)
    country_code = OptionalText(max_length=6)
    login_methods = serializers.JSONField(required=False, write_only=True)  # recorded by logging in, never set
    notification_preferences = PreferencesIn(required=False)
    customer_group_id = OptionalText(max_length=26)
    business = BusinessIn(required=False, allow_null=True)


class ImageIn(Input):
    image = serializers.FileField(allow_empty_file=False)


class OptionalImageIn(Input):
    image = serializers.FileField(allow_empty_file=False, required=False)


# --- out --------------------------------------------------------------------------------------------------------------
def user(row: User, *, store: Store, image_url: str | None) -> dict[str, Any]:
    """The contract's User, logged in. The customer and its group must be loaded."""
    phone = split_e164(row.phone) if row.phone else None
    return {
        "id": row.pk,
        "first_name": row.first_name or None,
        "last_name": row.last_name or None,
        "email": row.email or None,
        "is_email_verified": row.is_email_verified,
        "phone": phone.national if phone else None,
        "country_code": phone.country_code if phone else None,
        "is_phone_verified": row.is_phone_verified,
        "profile_image_url": image_url,
        "is_anonymous": False,
        "is_logged_in": True,
        "login_methods": row.login_methods,
        "notification_preferences": row.preferences,
        "customer_id": row.customer_id,
        "customer_group": group(row.customer.group or kernel.default_group(store=store)),
        "business": business(row),
        "created_at": row.created_at,
        "modified_at": row.modified_at,
    }


def logged_out_user(row: User) -> dict[str, Any]:
    """A known shopper after logging out: no names, no phone, a masked e-mail address (D-4)."""
    shown = _nobody(row.pk)
    shown |= {
        "email": mask_email(row.email) or None,
        "is_email_verified": row.is_email_verified,
        "is_phone_verified": row.is_phone_verified,
        "is_anonymous": False,
        "customer_id": row.customer_id,
        "created_at": row.created_at,
        "modified_at": row.modified_at,
    }
    return shown


def session_user(holder: Holder, *, country_code: str | None = None) -> dict[str, Any]:
    """A caller without a login in the shape of a User: what their token says and nothing else."""
    shown = _nobody(holder.user_id)
    shown |= {
        "first_name": holder.first_name,
        "last_name": holder.last_name,
        "email": holder.email,
        "phone": holder.phone,
        "country_code": country_code if holder.phone else None,
        "is_anonymous": holder.is_anonymous,
    }
    return shown


def _nobody(user_id: str) -> dict[str, Any]:
    return {
        "id": user_id,
        "first_name": None,
        "last_name": None,
        "email": None,
        "is_email_verified": False,
        "phone": None,
        "country_code": None,
        "is_phone_verified": False,
        "profile_image_url": None,
        "is_anonymous": True,
        "is_logged_in": False,
        "login_methods": [],
        "notification_preferences": {topic: dict.fromkeys(MEDIA, topic == "transactional") for topic in TOPICS},
        "customer_id": "",
        "customer_group": None,
        "business": None,
    }


_ANONYMOUS_MEMBERS = (
    "id",
    "is_anonymous",
    "is_logged_in",
    "first_name",
    "last_name",
    "phone",
    "email",
    "is_email_verified",
    "is_phone_verified",
    "profile_image_url",
)


def anonymous_user(holder: Holder, row: User | None) -> dict[str, Any]:
    """The contract's AnonymousUser."""
    if row is not None and not holder.is_anonymous:
        whole = logged_out_user(row)
        return {name: whole[name] for name in _ANONYMOUS_MEMBERS}
    return {
        "id": holder.user_id,
        "is_anonymous": holder.is_anonymous,
        "is_logged_in": False,
        "first_name": holder.first_name,
        "last_name": holder.last_name,
        "phone": holder.phone,
        "email": holder.email,
        "is_email_verified": False,
        "is_phone_verified": False,
        "profile_image_url": None,
    }


def group(row: CustomerGroup | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "id": row.pk,
        "name": row.name,
        "slug": row.slug,
        "description": row.description or None,
        "is_default": row.is_default,
        "active": row.active,
    }


def business(row: User) -> dict[str, Any] | None:
    stored: Mapping[str, Any] | None = row.customer.business
    if not stored:
        return None
    return {
        "type": stored.get("type", ""),
        "name": stored.get("name", ""),
        "metadata": stored.get("metadata") or {},
        "registered_address": _registered_address(row, stored.get("registered_address")),
    }


def _registered_address(row: User, stored: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The contract's `CustomerAddress`, without an id, for it is in no address book."""
    if not stored:
        return None
    phone = f"{stored['country_code']}{stored['phone']}"
    return {
        "id": None,
        **stored,
        "is_default_billing": False,
        "is_default_shipping": False,
        "is_phone_verified": row.is_phone_verified and phone == row.phone,
        "is_email_verified": row.is_email_verified and stored["email"] == row.email,
    }


def image_path(row: User) -> str | None:
    """Where the storage serves the profile image; relative where the storage is."""
    return images.url(row.profile_image)
