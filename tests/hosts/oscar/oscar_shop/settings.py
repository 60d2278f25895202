import os
from pathlib import Path

from oscar import INSTALLED_APPS as OSCAR_APPS
from oscar.defaults import *  # noqa: F403  as Oscar's own guide has it

DEBUG = False
SECRET_KEY = "a-key-that-opens-nothing-outside-of-these-tests-0123456789"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "oscar_shop.urls"
STATIC_URL = "static/"
MEDIA_URL = "media/"
USE_TZ = True
SITE_ID = 1
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
OSCAR_DEFAULT_CURRENCY = "INR"
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
AUTHENTICATION_BACKENDS = ["oscar.apps.customer.auth_backends.EmailBackend"]
LOG_REQUESTS = False

INSTALLED_APPS = [*OSCAR_APPS]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "oscar.apps.basket.middleware.BasketMiddleware",
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "oscar.apps.search.context_processors.search_form",
                "oscar.apps.checkout.context_processors.checkout",
                "oscar.apps.communication.notifications.context_processors.notifications",
                "oscar.core.context_processors.metadata",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(os.environ.get("HOST_DIR", ".")) / "oscar.sqlite3",
        "TEST": {"NAME": Path(os.environ.get("HOST_DIR", ".")) / "oscar-test.sqlite3"},
        "ATOMIC_REQUESTS": True,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}

if os.environ.get("HOST_TABLES_AT_ONCE"):  # a test database without replaying ten years of Oscar's migrations
    MIGRATION_MODULES = dict.fromkeys(
        [path.rsplit(".apps.", 1)[0].rsplit(".", 1)[-1] for path in OSCAR_APPS if path.startswith("oscar.apps.")]
        + ["reviews", "sites", "flatpages"]
    )

# --- what the API adds ------------------------------------------------------------------------------------------------
INSTALLED_APPS += ["storefront", "messaging", "customers", "accounts", "carts"]
MIDDLEWARE.insert(0, "storefront.middleware.StorefrontMiddleware")
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["storefront.codecs.EnvelopeRenderer"],
    "DEFAULT_PARSER_CLASSES": ["storefront.codecs.Body"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
}
STOREFRONT = {"CATALOG": "oscar_shop.plugs.OscarCatalog"}
SHOP_STORE_ID = "bazaar"  # made by `manage.py create_store bazaar`
