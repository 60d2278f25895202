"""What an authenticator app would show."""

from __future__ import annotations

import time
from typing import Any

from django_otp.oath import TOTP

from storefront.staff import devices


def token_of(device: Any, *, steps: int = 0) -> str:
    """The device's token now, or `steps` half minutes from now."""
    totp = TOTP(devices._secret(device), device.step, device.t0, device.digits)
    totp.time = time.time() + steps * device.step
    return f"{totp.token():06d}"
