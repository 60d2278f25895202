"""The first run and development: everything on this machine, sandbox messages, codes visible where a store allows."""

import contextlib
import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config.settings.base import *  # noqa: F403
from config.settings.base import SECRET_KEY, STOREFRONT, VAR_DIR, env
from storefront.logs import logging_config

DEBUG = True
ALLOWED_HOSTS = ["*"]


def _own_key(path: Path) -> str:
    """A secret of this checkout, made on the first start."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        own = path.with_name(f"{path.name}.{os.getpid()}")
        with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
        with contextlib.suppress(FileExistsError):  # of two first starts at once, one key stays
            path.hardlink_to(own)
        own.unlink()
    return path.read_text().strip()


try:
    SECRET_KEY = SECRET_KEY or _own_key(VAR_DIR / "secret_key")
    (VAR_DIR / "static").mkdir(parents=True, exist_ok=True)
except OSError as error:
    raise ImproperlyConfigured(
        f"Nothing can be kept in {VAR_DIR} ({error.strerror}). Name another folder: VAR_DIR=$HOME/storefront make run"
    ) from error
STOREFRONT = STOREFRONT | {
    "OTP_DEBUG": env.bool("OTP_DEBUG", default=True),
    "SANDBOX_INBOX": True,
    "STAFF_TWO_FACTOR": env.str("STAFF_TWO_FACTOR", default="optional"),
}
LOGGING = logging_config(level=env.str("LOG_LEVEL", default="INFO"), as_json=env.bool("LOG_JSON", default=False))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
