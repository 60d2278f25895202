"""Everything below `/auth`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from storefront import contacts
from storefront.api import Access, Reply, StoreViewSet, UploadViewSet
from storefront.conf import conf
from storefront.errors import Invalid, NotFound

from . import errors, passwords, plugs, selectors, serializers, services, sessions, signin
from .models import User
from .otp import Issued
from .sessions import Opened
from .signin import Entered
from .tokens import Pair


class AccountViewSet(StoreViewSet):
    """What the views of this app share."""

    def email(self, data: Mapping[str, Any], field: str = "email") -> str:
        return contacts.parse_email(data[field], field=field) if data.get(field) else ""

    def phone(self, data: Mapping[str, Any], field: str = "phone") -> str:
        """E.164, or "" when none was sent."""
        if not data.get(field):
            return ""
        return contacts.parse_phone(
            store=self.store, phone=data[field], country_code=data.get("country_code"), field=field
        ).e164

    def user_out(self, user: User) -> dict[str, Any]:
        return serializers.user(user, store=self.store, image_url=self.image_url(user))

    def image_url(self, user: User) -> str | None:
        path = serializers.image_path(user)
        if not path or path.startswith(("http://", "https://")):
            return path
        return f"{conf().PUBLIC_URL.rstrip('/')}{path}" if conf().PUBLIC_URL else self.request.build_absolute_uri(path)

    def issued_out(self, issued: Issued) -> dict[str, Any]:
        content = {"otp_token": issued.token, "otp_action": issued.action}
        if self.wants_debug and conf().OTP_DEBUG and self.store.debug_mode:  # D-7
            content["otp"] = issued.code
        return content

    def entered_out(self, entered: Entered) -> dict[str, Any]:
        return {"user": self.user_out(entered.user), **pair_out(entered.pair)}

    def logged_out_out(self, opened: Opened, user: User | None) -> dict[str, Any]:
        shown = serializers.logged_out_user(user) if user else serializers.session_user(opened.holder)
        return {"user": shown, **pair_out(opened.pair)}


def pair_out(pair: Pair) -> dict[str, str]:
    return {"access_token": pair.access, "refresh_token": pair.refresh}


class SessionViewSet(AccountViewSet):
    """Tokens: a visitor's first pair, the next pair, and the pair after logging out."""

    access = {"anonymous": Access.KEY, "refresh": Access.OPEN, "logout": Access.VISITOR}
    inputs = {"refresh": serializers.RefreshIn}

    def anonymous(self, request: Request, **url: str) -> Response:
        self.brake("anonymous")
        assert self.key is not None
        opened, user = signin.become_visitor(
            store=self.store, channel=self.key.channel, old_token=plugs.bearer(request), now=timezone.now()
        )
        content = {"user": serializers.anonymous_user(opened.holder, user), **pair_out(opened.pair)}
        return Reply(content, message=_("Welcome."))

    def refresh(self, request: Request, **url: str) -> Response:
        self.brake("refresh")
        data = self.read(request)
        pair = sessions.refresh(store=self.store, raw=data["refresh_token"], now=timezone.now())
        return Reply(pair_out(pair), message=_("Session continued."))

    def logout(self, request: Request, **url: str) -> Response:
        opened, user = signin.log_out(store=self.store, shopper=self.shopper, now=timezone.now())
        return Reply(self.logged_out_out(opened, user), message=_("You are logged out."))


class LoginViewSet(AccountViewSet):
    inputs = {
        "email_code": serializers.EmailLoginIn,
        "sms_code": serializers.PhoneLoginIn,
        "whatsapp_code": serializers.PhoneLoginIn,
        "password": serializers.PasswordLoginIn,
    }

    def email_code(self, request: Request, **url: str) -> Response:
        data = self.read(request)
        return self._start(self.email(data), "email", data)

    def sms_code(self, request: Request, **url: str) -> Response:
        data = self.read(request)
        return self._start(self.phone(data), "sms", data)

    def whatsapp_code(self, request: Request, **url: str) -> Response:
        data = self.read(request)
        return self._start(self.phone(data), "whatsapp", data)

    def _start(self, contact: str, channel: str, data: Mapping[str, Any]) -> Response:
        issued = signin.start_login(
            store=self.store,
            contact=contact,
            channel=channel,
            register_if_missing=data["register_if_not_exists"],
            network=self.network,
            now=timezone.now(),
        )
        return Reply(self.issued_out(issued), message=_("We have sent you a message."))

    def password(self, request: Request, **url: str) -> Response:
        data = self.read(request)
        entered = signin.log_in_by_password(
            store=self.store,
            shopper=self.shopper,
            contact=self.phone(data) or self.email(data),
            password=data["password"],
            network=self.network,
            now=timezone.now(),
        )
        return Reply(self.entered_out(entered), message=_("You are logged in."))


class RegisterViewSet(AccountViewSet):
    """Both generations of the answer at once (D-65): a code to verify, and the caller's own lesser session."""

    inputs = {
        "email_code": serializers.RegisterByEmailIn,
        "sms_code": serializers.RegisterByPhoneIn,
        "whatsapp_code": serializers.RegisterByPhoneIn,
        "password": serializers.RegisterByPasswordIn,
    }

    def email_code(self, request: Request, **url: str) -> Response:
        return self._start("email", self.read(request))

    def sms_code(self, request: Request, **url: str) -> Response:
        return self._start("sms", self.read(request))

    def whatsapp_code(self, request: Request, **url: str) -> Response:
        return self._start("whatsapp", self.read(request))

    def password(self, request: Request, **url: str) -> Response:
        self.brake("login_network")  # hashing is the dearest thing that a stranger can ask for
        data = self.read(request)
        channel = "email" if data.get("email") else "sms"
        passwords.require_match(password=data["password"], confirmation=data["confirm_password"])
        context = [self.store.name, data.get("email") or "", data.get("phone") or ""]
        passwords.require_acceptable(password=data["password"], context=context)
        return self._start(channel, data, password=data["password"])

    def _start(self, channel: str, data: Mapping[str, Any], password: str = "") -> Response:
        email, phone = self.email(data), self.phone(data)
        contact, second = (email, phone) if channel == "email" else (phone, email)
        names = {name: data.get(name) or "" for name in ("first_name", "last_name")}
        pending = names | ({"phone": second} if channel == "email" else {"email": second})
        now = timezone.now()
        issued = signin.start_registration(
            store=self.store,
            contact=contact,
            channel=channel,
            pending=pending,
            password=password,
            network=self.network,
            now=now,
        )
        parts = contacts.split_e164(phone) if phone else None
        opened = sessions.visitor(
            store=self.store,
            channel=signin.channel_of(store=self.store, shopper=self.shopper),
            now=now,
            user_id=self.shopper.user_id,
            anonymous_id=self.shopper.anonymous_id or "",
            known=not self.shopper.is_anonymous,
            first_name=names["first_name"] or None,
            last_name=names["last_name"] or None,
            email=email or None,
            phone=parts.national if parts else None,
        )
        user = serializers.session_user(opened.holder, country_code=parts.country_code if parts else None)
        content = {"user": user, **pair_out(opened.pair), **self.issued_out(issued)}
        return Reply(content, message=_("We have sent you a message."))


class CodeViewSet(AccountViewSet):
    inputs = {"generate": serializers.GenerateCodeIn, "verify": serializers.VerifyCodeIn}

    def generate(self, request: Request, **url: str) -> Response:
        data = self.read(request)
        contact = self.email(data) if data["channel"] == "email" else self.phone(data)
        issued = signin.start_code(
            store=self.store,
            shopper=self.shopper,
            action=data["otp_action"],
            contact=contact,
            channel=data["channel"],
            network=self.network,
            now=timezone.now(),
        )
        return Reply(self.issued_out(issued), message=_("We have sent you a message."))

    def verify(self, request: Request, **url: str) -> Response:
        self.brake("otp_verify_network")
        data = self.read(request)
        entered = signin.verify(
            store=self.store,
            shopper=self.shopper,
            token=data["otp_token"],
            code=data["otp"],
            action=data["otp_action"],
            now=timezone.now(),
        )
        return Reply(self.entered_out(entered), message=_("Thank you, that is confirmed."))


class PasswordViewSet(AccountViewSet):
    access = {"forgot": Access.VISITOR, "reset": Access.OPEN, "change": Access.LOGGED_IN}
    inputs = {
        "forgot": serializers.ForgotPasswordIn,
        "reset": serializers.ResetPasswordIn,
        "change": serializers.ChangePasswordIn,
    }

    def forgot(self, request: Request, **url: str) -> Response:
        data = self.read(request)
        by_email = bool(data.get("email"))
        issued = signin.start_reset(
            store=self.store,
            contact=self.email(data) if by_email else self.phone(data),
            channel="email" if by_email else "sms",
            network=self.network,
            now=timezone.now(),
        )
        return Reply(self.issued_out(issued), message=_("We have sent you a message."))

    def reset(self, request: Request, **url: str) -> Response:
        self.brake("otp_verify_network")
        data = self.read(request)
        entered = signin.reset_password(
            store=self.store,
            shopper=self.shopper,
            token=data["otp_token"],
            code=data["otp"],
            password=data["new_password"],
            confirmation=data["confirm_password"],
            now=timezone.now(),
        )
        return Reply(self.entered_out(entered), message=_("Your new password is set."))

    def change(self, request: Request, **url: str) -> Response:
        data = self.read(request)
        pair = signin.change_password(
            store=self.store,
            shopper=self.shopper,
            old=data["old_password"],
            new=data["new_password"],
            confirmation=data["confirm_password"],
            now=timezone.now(),
        )
        return Reply(pair_out(pair), message=_("Your new password is set."))


class OwnAccountViewSet(AccountViewSet):
    """Addresses with a user id: it must be the caller's own."""

    access = Access.LOGGED_IN

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if getattr(self, "action", None) is not None and self.kwargs["user_id"] != self.shopper.user_id:
            raise NotFound

    @property
    def where(self) -> dict[str, Any]:
        return {"store": self.store, "user_id": self.shopper.user_id}


class UserViewSet(OwnAccountViewSet):
    inputs = {"update": serializers.ProfileIn}

    def retrieve(self, request: Request, **url: str) -> Response:
        return Reply({"user": self.user_out(selectors.user(**self.where))})

    def update(self, request: Request, **url: str) -> Response:
        data = self.read(request)
        changes: dict[str, Any] = {name: data[name] for name in ("first_name", "last_name", "business") if name in data}
        if "email" in data:
            changes["email"] = self.email(data)
        if "phone" in data:
            changes["phone"] = self.phone(data)
        if "notification_preferences" in data:
            changes["preferences"] = data["notification_preferences"]
        if data.get("customer_group_id"):
            changes["group_id"] = data["customer_group_id"]
        user = services.update_profile(**self.where, changes=changes, network=self.network)
        return Reply({"user": self.user_out(user)}, message=_("Your changes are saved."))

    def destroy(self, request: Request, **url: str) -> Response:
        services.erase(**self.where, now=timezone.now())
        return Reply(message=_("Your account is deleted."))

    def deactivate(self, request: Request, **url: str) -> Response:
        services.deactivate(**self.where, now=timezone.now())
        return Reply(message=_("Your account is deactivated."))


class PreferencesViewSet(OwnAccountViewSet):
    inputs = {"update": serializers.PreferencesBodyIn, "create": serializers.PreferencesBodyIn}

    def retrieve(self, request: Request, **url: str) -> Response:
        return self._out(selectors.user(**self.where))

    def update(self, request: Request, **url: str) -> Response:
        data = self.read(request)
        return self._out(self._set(preferences=data["notification_preferences"]))

    def create(self, request: Request, **url: str) -> Response:
        """Like update, but what isn't named returns to its default."""
        data = self.read(request)
        return self._out(self._set(preferences=data["notification_preferences"], from_defaults=True))

    def _set(self, **wanted: Any) -> User:
        return services.set_preferences(**self.where, **wanted, network=self.network)

    def _out(self, user: User) -> Response:
        return Reply({"notification_preferences": user.preferences})


class ImageViewSet(OwnAccountViewSet, UploadViewSet):
    inputs = {"create": serializers.ImageIn, "update": serializers.OptionalImageIn}

    def retrieve(self, request: Request, **url: str) -> Response:
        return self._out(selectors.user(**self.where))

    def create(self, request: Request, **url: str) -> Response:
        self.brake("upload", self.shopper.user_id)
        return self._store(self.read(request)["image"])

    def update(self, request: Request, **url: str) -> Response:
        self.brake("upload", self.shopper.user_id)
        data = self.read(request)
        if "image" in data:
            return self._store(data["image"])
        user = selectors.user(**self.where)
        if not user.profile_image:
            raise Invalid(_("Send an image."), field="image")
        return self._out(user)

    def destroy(self, request: Request, **url: str) -> Response:
        services.remove_image(**self.where)
        return Reply(message=_("Your profile image is removed."))

    def _store(self, file: Any) -> Response:
        return self._out(services.set_image(**self.where, file=file))

    def _out(self, user: User) -> Response:
        url = self.image_url(user)
        if url is None:
            raise errors.NoProfileImage
        return Reply({"profile_image_url": url})


class ContactsViewSet(AccountViewSet):
    inputs = {"verified": serializers.ContactsIn}

    def verified(self, request: Request, **url: str) -> Response:
        """Which of these are verified contacts of the caller; nobody else's are ever confirmed (D-9)."""
        data = self.read(request)
        user = selectors.user(store=self.store, user_id=self.shopper.user_id) if self.shopper.is_logged_in else None
        phone = user.phone if user and user.is_phone_verified else ""
        email = user.email if user and user.is_email_verified else ""
        return Reply(
            {
                "verified_phone": [sent for sent in data.get("phone") or [] if phone and self._is_phone(sent, phone)],
                "verified_email": [sent for sent in data.get("email") or [] if email and sent.strip().lower() == email],
            }
        )

    def _is_phone(self, sent: str, phone: str) -> bool:
        try:
            return contacts.parse_phone(store=self.store, phone=sent).e164 == phone
        except Invalid:
            return False
