import os
from pathlib import Path

DEBUG = False
SECRET_KEY = "a-key-that-opens-nothing-outside-of-these-tests-0123456789"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "legacy_shop.urls"
AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "accounts:login"
STATIC_URL = "static/"
USE_TZ = True
LOG_REQUESTS = False

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "legacy_accounts",
    "legacy_products",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(os.environ.get("HOST_DIR", ".")) / "legacy.sqlite3",
        "TEST": {"NAME": Path(os.environ.get("HOST_DIR", ".")) / "legacy-test.sqlite3"},
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}

# --- what the API adds ------------------------------------------------------------------------------------------------
INSTALLED_APPS += ["corsheaders", "storefront", "messaging", "customers", "accounts", "carts"]
MIDDLEWARE = [
    "corsheaders.middleware.CorsMiddleware",  # before it: pages of other origins may read refusals, too
    "storefront.middleware.StorefrontMiddleware",  # request ids, input limits, errors as JSON
    *MIDDLEWARE,
]
CORS_ALLOW_ALL_ORIGINS = True  # API keys are publishable, and the API reads no cookie
CORS_URLS_REGEX = r"^/api/v1/"
CORS_ALLOW_HEADERS = [
    *("accept", "authorization", "content-type", "idempotency-key"),
    *("x-api-key", "x-customer-group-id", "x-debug-mode", "x-request-id"),
]
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["storefront.codecs.EnvelopeRenderer"],
    "DEFAULT_PARSER_CLASSES": ["storefront.codecs.Body"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
}
PASSWORD_HASHERS = ["storefront.hashers.BoundedArgon2", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
STOREFRONT = {"CATALOG": "legacy_products.plugs.LegacyCatalog"}
SHOP_STORE_ID = "bazaar"  # made by `manage.py create_store bazaar`
