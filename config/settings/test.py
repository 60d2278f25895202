"""Tests: SQLite unless DATABASE_URL names PostgreSQL; no brakes unless a test asks for them."""

import os
import re

from config.settings.base import *  # noqa: F403
from config.settings.base import CACHES, DATABASE_URL, DATABASES, REDIS_URL, STOREFRONT, VAR_DIR, env

DEBUG = False
SECRET_KEY = "only-for-tests-0123456789abcdefghijklmnopqrstuvwxyz"
ALLOWED_HOSTS = ["*"]
STOREFRONT = STOREFRONT | {
    "STAFF_TWO_FACTOR": "optional",
    "LIMITS_ENABLED": False,
    "ANALYTICS_FLUSH_SECONDS": 0,
    "PAYMENT_SANDBOX": True,
}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
(VAR_DIR / "static").mkdir(parents=True, exist_ok=True)
if DATABASE_URL:
    DATABASES["default"]["TEST"] = {"NAME": env.str("TEST_DATABASE_NAME", default="test_storefront")}
    DATABASES["default"]["CONN_MAX_AGE"] = 0
else:
    # A file, not memory: threads in a test must meet the same locks as threads of a server.
    DATABASES["default"]["TEST"] = {
        "NAME": env.str("SQLITE_TEST_PATH", default=str(VAR_DIR / f"test-{os.getpid()}.sqlite3"))
    }
# Machines that run tests are busy: threads in a test wait for each other as long as it takes.
DATABASES["default"]["OPTIONS"]["connect_timeout" if DATABASE_URL else "timeout"] = 120
_process = os.environ.get("PYTEST_XDIST_WORKER", "")
if REDIS_URL and _process:
    # Parallel test processes share a Redis server, not a database of it.
    REDIS_URL = re.sub(r"(?<=/)\d+$", lambda found: str(int(found[0]) - int(_process.removeprefix("gw"))), REDIS_URL)
    CACHES["default"]["LOCATION"] = CELERY_BROKER_URL = REDIS_URL
