"""The first run and development: everything on this machine, sandbox messages, codes visible where a store allows."""

import secrets
from pathlib import Path

from config.settings.base import *  # noqa: F403
from config.settings.base import SECRET_KEY, STOREFRONT, VAR_DIR, env

DEBUG = True
ALLOWED_HOSTS = ["*"]


def _own_key(path: Path) -> str:
    """A secret of this checkout, made on the first start."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(secrets.token_urlsafe(50))
        path.chmod(0o600)
    return path.read_text().strip()


SECRET_KEY = SECRET_KEY or _own_key(VAR_DIR / "secret_key")
STOREFRONT = STOREFRONT | {
    "OTP_DEBUG": env.bool("OTP_DEBUG", default=True),
    "SANDBOX_INBOX": True,
    "STAFF_TWO_FACTOR": env.str("STAFF_TWO_FACTOR", default="optional"),
}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
(VAR_DIR / "static").mkdir(parents=True, exist_ok=True)
