"""Settings that every environment shares. What differs is read from the environment; `docs/settings.md` lists it."""

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from config.environment import Env
from storefront.conf import DEFAULT_LIMITS
from storefront.logs import logging_config

BASE_DIR = Path(__file__).resolve().parents[2]
env = Env()

VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var")))
DEBUG = False
SECRET_KEY = env.str("SECRET_KEY", default="")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "config.apps.BackOfficeConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "anymail",
    "config.apps.ProjectConfig",
    "storefront",
    "messaging",
    "customers",
    "catalog",
    "accounts",
    "promotions",
    "wallets",
    "fulfillment",
    "payments",
    "engagement",
    "carts",
]

MIDDLEWARE = [
    "config.middleware.CorsMiddleware",  # outermost: pages of other origins may read refusals, too
    "storefront.middleware.StorefrontMiddleware",
    "config.middleware.RefusalsInJson",
    "django.middleware.security.SecurityMiddleware",
    "config.middleware.WhiteNoiseMiddleware",
    "config.middleware.SessionMiddleware",
    "config.middleware.CommonMiddleware",
    "config.middleware.CsrfViewMiddleware",
    "config.middleware.AuthenticationMiddleware",
    "config.middleware.OtpMiddleware",
    "config.middleware.MessageMiddleware",
    "storefront.staff.middleware.StaffMiddleware",
    "config.middleware.XFrameOptionsMiddleware",
]

# These look for Django's own names in MIDDLEWARE; ours are the same classes, for staff pages (config.middleware).
SILENCED_SYSTEM_CHECKS = ["security.W002", "security.W003"]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False  # the API has none, and a redirect would lose bodies; the admin's own addresses end in one

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "config" / "theme"],  # before the theme's own
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

# --- database -------------------------------------------------------------------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", default="")
if DATABASE_URL:
    _database = env.address("DATABASE_URL", env.db_url_config)
    if _database.get("ENGINE") != "django.db.backends.postgresql":
        raise ImproperlyConfigured("DATABASE_URL must name PostgreSQL: postgres://user:password@host:5432/name")
    _database["ENGINE"] = "config.database.postgresql"
    _database["CONN_MAX_AGE"] = env.int("DATABASE_CONN_MAX_AGE", default=None)  # None: a connection a thread, kept
    _database["CONN_HEALTH_CHECKS"] = False  # a broken connection is replaced when it shows, without asking each time
    _database.setdefault("OPTIONS", {})
    _database["OPTIONS"].setdefault("connect_timeout", 5)
    if env.bool("DATABASE_PREPARED", default=True):  # planning a hot statement costs five times as much as running it
        _database["OPTIONS"].setdefault("server_side_binding", True)
        _database["OPTIONS"].setdefault("prepare_threshold", 5)
else:
    _database = {
        "ENGINE": "config.database.sqlite3",
        "NAME": env.str("SQLITE_PATH", default=str(VAR_DIR / "storefront.sqlite3")),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
        "CONN_MAX_AGE": None,
    }
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- redis, celery --------------------------------------------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL", default="")
CACHES = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL, "KEY_PREFIX": "storefront"}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 60,
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    "max_retries": 0,  # a call that wakes workers up must not wait for the broker; they themselves go on trying
}
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "storefront.sweep",
        "schedule": env.int("SWEEP_SECONDS", default=5),
        "options": {"expires": 60},  # long enough for a starved worker, short enough not to pile up
    }
}

# --- API ------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["storefront.codecs.EnvelopeRenderer"],
    "DEFAULT_PARSER_CLASSES": ["storefront.codecs.Body"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_SCHEMA_CLASS": "storefront.schema.ContractSchema",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": False,
}
CORS_ALLOW_ALL_ORIGINS = env.bool("CORS_ALLOW_ALL", default=True)  # keys are publishable and no cookie is read
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS"]
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "content-type",
    "idempotency-key",
    "x-api-key",
    "x-customer-group-id",
    "x-debug-mode",
    "x-request-id",
]
CORS_EXPOSE_HEADERS = ["Retry-After", "X-Request-Id", "ETag"]
CORS_PREFLIGHT_MAX_AGE = 7200

STOREFRONT = {
    "LIMITS": {name: env.str(f"LIMIT_{name.upper()}", default=rule) for name, rule in DEFAULT_LIMITS.items()},
    "LIMITS_ENABLED": env.bool("LIMITS_ENABLED", default=True),
    "OTP_STORE_DAILY_BUDGET": env.int("OTP_STORE_DAILY_BUDGET", default=20_000),
    "OTP_COOLDOWN": tuple(env.list("OTP_COOLDOWN", cast=int, default=[30, 60, 120])),
    "OTP_TRIES": env.int("OTP_TRIES", default=5),
    "OTP_TTL": env.int("OTP_TTL", default=300),
    "OTP_DIGITS": env.int("OTP_DIGITS", default=6),
    "ACCESS_TOKEN_SECONDS": env.int("ACCESS_TOKEN_SECONDS", default=900),
    "REFRESH_TOKEN_SECONDS": env.int("REFRESH_TOKEN_SECONDS", default=30 * 86_400),
    "REFRESH_IDLE_SECONDS": env.int("REFRESH_IDLE_SECONDS", default=14 * 86_400),
    "REFRESH_GRACE_SECONDS": env.int("REFRESH_GRACE_SECONDS", default=30),
    "PASSWORD_MIN_LENGTH": env.int("PASSWORD_MIN_LENGTH", default=8),
    "PASSWORD_PARALLEL": env.int("PASSWORD_PARALLEL", default=1),
    "PASSWORD_WAITERS": env.int("PASSWORD_WAITERS", default=5),
    "TRUSTED_PROXIES": env.int("TRUSTED_PROXIES", default=0),
    "PUBLIC_URL": env.str("PUBLIC_URL", default=""),
    "DISK_LOW_BYTES": env.int("DISK_LOW_BYTES", default=536_870_912),
    "LANGUAGES": tuple(env.list("API_LANGUAGES", default=["en", "hi"])),
    "SWEEP_SECONDS": env.int("SWEEP_SECONDS", default=5),
    "MESSAGE_LEASE_SECONDS": env.int("MESSAGE_LEASE_SECONDS", default=20),
    "MESSAGE_TIMEOUT_SECONDS": env.float("MESSAGE_TIMEOUT_SECONDS", default=8.0),
    "PAYMENT_SANDBOX": env.bool("PAYMENT_SANDBOX", default=False),
    "PAYMENT_TIMEOUT_SECONDS": env.float("PAYMENT_TIMEOUT_SECONDS", default=10.0),
    "PAYMENT_REFRESH_SECONDS": env.int("PAYMENT_REFRESH_SECONDS", default=60),
    "MANDATE_DEBIT_RETRIES": env.int("MANDATE_DEBIT_RETRIES", default=3),
    "MANDATE_DEBIT_RETRY_SECONDS": env.int("MANDATE_DEBIT_RETRY_SECONDS", default=86_400),
    "TOKEN_KEYS": tuple(env.list("TOKEN_KEYS", default=[])),
    "OTP_KEYS": tuple(env.list("OTP_KEYS", default=[])),
    "STAFF_TWO_FACTOR": env.str("STAFF_TWO_FACTOR", default="required"),
    "STAFF_SESSION_SECONDS": env.int("STAFF_SESSION_SECONDS", default=12 * 3600),
    "STAFF_IDLE_SECONDS": env.int("STAFF_IDLE_SECONDS", default=30 * 60),
    "MESSAGE_DAYS": env.int("MESSAGE_DAYS", default=30),
    "SECURITY_EVENT_DAYS": env.int("SECURITY_EVENT_DAYS", default=730),
    "VISITOR_WISHLIST_DAYS": env.int("VISITOR_WISHLIST_DAYS", default=90),
    "GUEST_DAYS": env.int("GUEST_DAYS", default=400),
    "STAFF_ACCESS_DAYS": env.int("STAFF_ACCESS_DAYS", default=730),
    "STAFF_IMAGE_ORIGINS": tuple(env.list("STAFF_IMAGE_ORIGINS", default=[])),
}

# --- people ---------------------------------------------------------------------------------------------------------
PASSWORD_HASHERS = [
    "storefront.hashers.BoundedArgon2",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": STOREFRONT["PASSWORD_MIN_LENGTH"]},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_AGE = STOREFRONT["STAFF_SESSION_SECONDS"]
SESSION_COOKIE_HTTPONLY = True
LOGIN_URL = reverse_lazy("admin:login")
OTP_TOTP_ISSUER = env.str("OTP_TOTP_ISSUER", default="Storefront")

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("hi", _("Hindi"))]
TIME_ZONE = "UTC"
USE_TZ = True

# --- files ----------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
MEDIA_URL = "/media/"
MEDIA_ROOT = VAR_DIR / "media"
FILE_UPLOAD_PERMISSIONS = 0o644
DATA_UPLOAD_MAX_MEMORY_SIZE = 12_582_912
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000  # a rule of many products is a form of many rows

# --- mail -----------------------------------------------------------------------------------------------------------
EMAIL_URL = env.str("EMAIL_URL", default="")
if EMAIL_URL:
    vars().update(env.address("EMAIL_URL", env.email_url_config))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="shop@localhost")

# --- logs -----------------------------------------------------------------------------------------------------------
LOGGING_CONFIG = "storefront.logs.configure"
LOGGING = logging_config(level=env.str("LOG_LEVEL", default="INFO"), as_json=env.bool("LOG_JSON", default=True))
LOG_REQUESTS = env.bool("LOG_REQUESTS", default=True)

SPECTACULAR_SETTINGS = {
    "TITLE": "Storefront API",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1/\{store_id\}/storefront",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": ["storefront.schema.finish"],
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "persistAuthorization": True,
        "displayOperationId": True,
        "filter": True,
    },
}

# --- back office ----------------------------------------------------------------------------------------------------
UNFOLD = {
    "SITE_TITLE": "Storefront",
    "SITE_HEADER": "Storefront",
    "SITE_SYMBOL": "storefront",
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "ENVIRONMENT": "storefront.admin_base.environment",
    "BORDER_RADIUS": "6px",
    "STYLES": ["storefront.admin_base.stylesheet"],
    "SCRIPTS": ["storefront.admin_base.script"],
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "storefront.admin_base.favicon"}],
    "ACCOUNT": {"navigation": "storefront.admin_base.account_links"},
    "SIDEBAR": {"show_search": True, "show_all_applications": False, "navigation": "storefront.admin_base.menu"},
    "COLORS": {
        "base": {
            "50": "oklch(98.4% .003 230)",
            "100": "oklch(96.6% .004 230)",
            "200": "oklch(92.6% .008 230)",
            "300": "oklch(86.8% .012 230)",
            "400": "oklch(70.4% .020 232)",
            "500": "oklch(55.2% .024 232)",
            "600": "oklch(44.6% .025 232)",
            "700": "oklch(37.2% .025 232)",
            "800": "oklch(27.9% .022 232)",
            "900": "oklch(20.8% .018 232)",
            "950": "oklch(13.5% .014 232)",
        },
        "primary": {
            "50": "oklch(97.4% .014 205)",
            "100": "oklch(94.2% .030 205)",
            "200": "oklch(88.6% .054 206)",
            "300": "oklch(80.6% .080 207)",
            "400": "oklch(71.0% .097 210)",
            "500": "oklch(60.4% .098 214)",
            "600": "oklch(50.6% .086 217)",
            "700": "oklch(44.0% .074 219)",
            "800": "oklch(37.8% .062 221)",
            "900": "oklch(32.6% .050 223)",
            "950": "oklch(23.6% .038 226)",
        },
    },
}
