"""Second factors of staff: authenticator apps and recovery codes, in the tables of django-otp.

The database holds nothing from which a token can be made: an authenticator's secret is encrypted under a key that is
not in it, and a recovery code is kept as a keyed hash. Every verification locks the device's row first, so a token or
code that is sent many times at once is accepted once, and every wrong one is counted.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from binascii import hexlify, unhexlify
from io import BytesIO
from typing import Any

import segno
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from storefront import crypto
from storefront.errors import DomainError, Invalid, TooManyRequests

RECOVERY_CODES = 10
SECRET_BYTES = 20
_SEALED_BYTES = SECRET_BYTES + 16


# --- reads ----------------------------------------------------------------------------------------------------------
def enrolled(user: Any) -> bool:
    """Whether a second factor is due from this user. One query."""
    return bool(authenticators(user).exists())


def authenticators(user: Any) -> Any:
    return TOTPDevice.objects.filter(user_id=user.pk, confirmed=True).order_by("pk")


def recovery_codes_left(user: Any) -> int:
    return int(StaticToken.objects.filter(device__user_id=user.pk, device__confirmed=True).count())


def secret_text(device: TOTPDevice) -> str:
    """The secret as people type it into an app: blocks of four letters. Shown during enrolment only."""
    text = base64.b32encode(_secret(device)).decode().rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def qr_svg(device: TOTPDevice) -> str:
    """The enrolment address as an inline SVG."""
    shown = TOTPDevice(user=device.user, key=hexlify(_secret(device)).decode(), digits=device.digits, step=device.step)
    out = BytesIO()
    segno.make(shown.config_url, error="m").save(
        out, kind="svg", xmldecl=False, svgns=False, nl=False, omitsize=True, border=2, dark="#111827", light="#ffffff"
    )
    return out.getvalue().decode()


# --- enrolment ------------------------------------------------------------------------------------------------------
def begin(*, user: Any, device_id: Any = None) -> TOTPDevice:
    """The authenticator that this user is enrolling: the one named, or a new one in place of abandoned ones."""
    waiting = TOTPDevice.objects.filter(user_id=user.pk, confirmed=False)
    device: TOTPDevice | None = waiting.filter(pk=device_id).select_related("user").first() if device_id else None
    if device is None:
        waiting.delete()
        sealed = _seal(secrets.token_bytes(SECRET_BYTES), user.pk)
        device = TOTPDevice.objects.create(user=user, name=_("Authenticator app"), key=sealed, confirmed=False)
    return device


@transaction.atomic
def confirm(*, user: Any, device_id: Any, token: str, name: str = "") -> tuple[TOTPDevice, list[str]]:
    """Makes the authenticator a second factor, once it has shown a right token.

    Answers the device and the user's first recovery codes; no codes where the user has some already. Raises Invalid.
    """
    device = TOTPDevice.objects.select_for_update().filter(user_id=user.pk, pk=device_id, confirmed=False).first()
    if device is None:
        raise Invalid(_("This enrolment has ended. Please start again."))
    if not _check(device, token):
        raise Invalid(_("That token is not right. Check the clock of your phone and try the next one."))
    device.confirmed = True
    device.name = (name.strip() or device.name)[:64]
    device.save()
    audit(user, user, "Added an authenticator app")
    codes = [] if recovery_codes_left(user) else renew_recovery_codes(user=user)
    return device, codes


@transaction.atomic
def renew_recovery_codes(*, user: Any) -> list[str]:
    """Ten new codes in place of the old ones. The only time at which they can be read."""
    get_user_model()._default_manager.select_for_update().get(pk=user.pk)
    device, _created = StaticDevice.objects.get_or_create(
        user_id=user.pk, confirmed=True, defaults={"name": "Recovery codes"}
    )
    device.token_set.all().delete()
    codes = [_new_code() for _number in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create(
        [
            StaticToken(device=device, token=_kept_form(crypto.derived_keys("recovery")[0], user.pk, code))
            for code in codes
        ]
    )
    audit(user, user, "Made new recovery codes")
    return codes


@transaction.atomic
def remove(*, user: Any, device_id: Any, by: Any) -> None:
    """Removes an authenticator, and the recovery codes with the last one."""
    get_user_model()._default_manager.select_for_update().get(pk=user.pk)
    authenticators(user).filter(pk=device_id).delete()
    audit(user, by, "Removed an authenticator app")
    if not enrolled(user):
        StaticDevice.objects.filter(user_id=user.pk).delete()


@transaction.atomic
def reset(*, user: Any, by: Any) -> None:
    """Takes all second factors from a user who lost them; the next sign-in enrols again where that is required."""
    TOTPDevice.objects.filter(user_id=user.pk).delete()
    StaticDevice.objects.filter(user_id=user.pk).delete()
    audit(user, by, "Reset two-factor sign-in")


# --- verification ---------------------------------------------------------------------------------------------------
def verify(*, user: Any, token: str) -> TOTPDevice | StaticDevice | None:
    """The device that accepts this token or recovery code, or None; an accepted one is used up.

    Raises TooManyRequests while wrong tries make every device wait: 1 s after the first, doubling with each.
    """
    token = "".join(token.split()).replace("-", "").lower()
    with transaction.atomic():
        if token.isascii() and token.isdigit():
            return _verify_totp(user, token)
        return _verify_recovery(user, token)


def _verify_totp(user: Any, token: str) -> TOTPDevice | None:
    devices = list(authenticators(user).select_for_update())
    _wait_if_throttled(devices)
    for device in devices:
        if device.verify_is_allowed()[0] and _check(device, token):
            return device
    return None


def _verify_recovery(user: Any, code: str) -> StaticDevice | None:
    devices = list(StaticDevice.objects.select_for_update().filter(user_id=user.pk, confirmed=True).order_by("pk"))
    _wait_if_throttled(devices)
    kept = [_kept_form(key, user.pk, code) for key in crypto.derived_keys("recovery")]
    for device in devices:
        if not device.verify_is_allowed()[0]:
            continue
        found = device.token_set.filter(token__in=kept).first()
        if device.verify_token(found.token if found else ""):
            return device
    return None


def _wait_if_throttled(devices: list[Any]) -> None:
    answers = [device.verify_is_allowed() for device in devices]
    if answers and not any(allowed for allowed, _why in answers):
        until = min(why["locked_until"] for _allowed, why in answers)
        raise TooManyRequests(retry_after=max(1, round((until - timezone.now()).total_seconds())))


def _check(device: TOTPDevice, token: str) -> bool:
    """django-otp's own check, over the opened secret. The row is locked by the caller."""
    token = "".join(token.split())
    right = False
    if len(token) == device.digits and token.isascii() and token.isdigit():
        totp = TOTP(_secret(device), device.step, device.t0, device.digits, device.drift)
        totp.time = time.time()
        right = totp.verify(int(token), device.tolerance, device.last_t + 1)
        if right:
            device.last_t, device.drift = totp.t(), totp.drift
    if right:
        device.throttle_reset(commit=False)
        device.set_last_used_timestamp(commit=False)
        device.save()
    else:
        device.throttle_increment()
    return right


# --- secrets --------------------------------------------------------------------------------------------------------
def _seal(secret: bytes, user_id: Any) -> str:
    """AES-SIV, for its 16 bytes on top still fit the column; bound to the user, so rows cannot be swapped."""
    sealed = AESSIV(crypto.derived_keys("staff-totp")[0]).encrypt(secret, [str(user_id).encode()])
    return hexlify(sealed).decode()


def _secret(device: TOTPDevice) -> bytes:
    """The opened secret. One that django-otp itself stored, before this app came, is shorter and in clear."""
    stored = unhexlify(device.key.encode())
    if len(stored) != _SEALED_BYTES:
        return stored
    for key in crypto.derived_keys("staff-totp"):
        try:
            return AESSIV(key).decrypt(stored, [str(device.user_id).encode()])
        except InvalidTag:
            continue
    raise DomainError(_("This authenticator can no longer be read. Ask an administrator to reset it."))


def _new_code() -> str:
    text = ""
    while not text or text.isdigit():  # digits alone are read as an app's token
        text = base64.b32encode(secrets.token_bytes(7)).decode().lower()[:10]  # 50 bits
    return f"{text[:5]}-{text[5:]}"


def _kept_form(key: bytes, user_id: Any, code: str) -> str:
    """A recovery code as stored: 80 bits of a keyed hash, in the 16 characters that django-otp has for it."""
    digest = hmac.digest(key, f"{user_id}\x1f{code.replace('-', '')}".encode(), "sha256")
    return base64.b32encode(digest[:10]).decode().lower()


def audit(user: Any, by: Any, change: str) -> None:
    """A line in the history of `user`."""
    LogEntry.objects.log_actions(by.pk, [user], CHANGE, change_message=change, single_object=True)
