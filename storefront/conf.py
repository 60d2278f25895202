"""The `STOREFRONT` setting as one typed, frozen object. Read it when needed, never at import."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

# What the apps of this project do for each other, in order. Those of apps that are not installed are left out.
DEFAULT_PRICING_STEPS = (  # D-25
    "carts.steps.ListPrice",
    "promotions.steps.Promotions",
    "promotions.steps.Coupon",
    "carts.steps.Tax",
    "carts.steps.Handling",
    "fulfillment.steps.Shipping",
    "promotions.steps.Applied",
    "wallets.steps.Points",
    "wallets.steps.Credit",
    "wallets.steps.GiftCard",
)
DEFAULT_CLAIMS = (  # locked in this order, whoever asks
    "catalog.claims.StockClaims",
    "promotions.claims.OfferClaims",
    "wallets.claims.WalletClaims",
    "payments.claims.CreditLineClaims",
)
DEFAULT_PAYMENT_GATEWAYS: dict[str, dict[str, Any]] = {
    "sandbox": {"NAME": "payments.sandbox.Sandbox", "OPTIONS": {}},  # in development only, see PAYMENT_SANDBOX
}

DEFAULT_LIMITS: dict[str, str] = {
    # name: "count/seconds" a key; several rules are separated by a blank; "" lifts the limit.
    "anonymous": "6000/60",  # visitor tokens per network; they cost no row, and a mobile carrier is one network
    "refresh": "6000/60",  # token refreshes per network
    "otp_contact": "5/3600 10/86400",  # one-time codes per contact
    "otp_network": "100/3600",  # one-time codes per network (IPv4 address, IPv6 /64)
    "otp_prefix": "500/86400",  # one-time codes per run of 10,000 phone numbers
    "otp_verify_network": "5000/3600",  # tries to verify a code per network; the tries of each code are what holds
    "login_contact": "10/900",  # wrong passwords per contact
    "login_network": "600/3600",  # password logins per network
    "staff_login_contact": "10/900",  # wrong passwords, and wrong second steps, per member of staff
    "staff_login_network": "100/900",  # staff sign-in steps per network
    "cart_create": "60/60",  # new carts per caller
    "cart_create_network": "3000/60",  # new carts per network
    "customer_create": "60/3600",  # details that a caller gives of themselves
    "customer_create_network": "3000/3600",  # the same per network
    "document_check": "20/3600",  # numbers of documents that a customer has checked
    "bank_check": "10/3600 30/86400",  # bank accounts that a customer has checked; each may cost money
    "newsletter": "10/3600",  # newsletter forms sent in per caller
    "newsletter_network": "100/3600",  # the same, per network
    "newsletter_link": "6000/3600",  # clicks on links per network; mail programs click for many
    "newsletter_contact": "3/86400",  # messages that ask one address to confirm
    "track": "600/60",  # analytics events per caller
    "track_network": "60000/60",  # the same per network
    "upload": "30/3600",  # uploads per caller
    "coupon": "30/3600",  # coupon codes that there are not, per caller
    "coupon_network": "600/3600",  # the same per network
    "gift_card": "10/3600",  # wrong gift-card codes and PINs per caller
    "gift_card_network": "100/3600",  # the same per network
    "gift_card_code": "10/86400",  # the same per code, whoever tries it
    "mandate_create": "20/3600",  # new mandates per customer; each asks a bank
    "mandate_change": "120/3600",  # changes of mandates, and questions to their provider, per customer
}


@dataclass(frozen=True, kw_only=True)
class Conf:
    """Deployment choices. Per-store choices are fields of `Store`."""

    # plugs
    SHOPPER: str = "accounts.plugs.TokenShoppers"
    CATALOG: str = "catalog.plugs.DefaultCatalog"
    SEARCH: str = "catalog.search.plugs.DatabaseSearch"
    PURCHASES: str = "catalog.reviews.plugs.NoPurchases"
    NEW_ID: str = "storefront.ids.new_ulid"
    PRICING_STEPS: tuple[str, ...] = DEFAULT_PRICING_STEPS
    CLAIMS: tuple[str, ...] = DEFAULT_CLAIMS
    OFFERS: str = "promotions.plugs.StoreOffers"
    PRODUCT_PROMOTIONS: str = "promotions.plugs.ShownPromotions"
    GIFT_CARDS: str = "wallets.plugs.StoreGiftCards"
    FULFILLMENT: str = "fulfillment.plugs.StoreFulfillment"
    SHIPPING_RATES: str = "fulfillment.rates.ZoneRates"
    SHIPPING_CARRIERS: dict[str, str] = field(default_factory=dict)  # code to class, over those of fulfillment.carriers
    DOCUMENT_CHECKS: str = "customers.sandbox.SandboxDocumentChecks"
    BANK_VERIFICATION: str = "customers.sandbox.SandboxBankVerification"
    VIRTUAL_ACCOUNTS: str = "customers.sandbox.SandboxVirtualAccounts"
    TAX: str = "carts.tax.GoodsAndServicesTax"
    PAYMENT_GATEWAYS: dict[str, dict[str, Any]] = field(default_factory=dict)  # code to NAME, OPTIONS; over the default
    SEARCH_OPTIONS: dict[str, Any] = field(default_factory=dict)  # of a search server: url, key, timeout, prefix
    # keys; bytes are derived from them, so any long random text will do. The first signs, the others still verify.
    SECRET_KEYS: tuple[str, ...] = ()  # empty: SECRET_KEY and SECRET_KEY_FALLBACKS
    TOKEN_KEYS: tuple[str, ...] = ()  # access and refresh tokens; empty: derived from SECRET_KEYS
    OTP_KEYS: tuple[str, ...] = ()  # one-time codes; empty: derived from SECRET_KEYS
    # transport
    MAX_BODY_BYTES: int = 1_048_576
    MAX_UPLOAD_BYTES: int = 12_582_912
    MAX_JSON_DEPTH: int = 32
    PAGE_SIZE: int = 25
    MAX_PAGE_SIZE: int = 100
    TRUSTED_PROXIES: int = 0  # how many proxies before us append to X-Forwarded-For
    PUBLIC_URL: str = ""  # scheme and host for links in messages; empty: the request's own
    CORS_ALLOW_ALL: bool = True
    OUTGOING_ALLOWED: tuple[str, ...] = ()  # "host:port" that webhooks may reach though private or without TLS
    CATALOG_MAX_AGE: int = 30  # seconds for which caches may keep what the API key alone reads of the catalogue
    CATALOG_STALE: int = 60  # and for so many more show it while they ask for it again
    STORE_MAX_AGE: int = 60  # the same for what the key alone reads of the store itself
    PLACES_MAX_AGE: int = 3600  # and for states and postal codes, which hardly ever change
    STORE_CACHE_SECONDS: int = 5
    LANGUAGES: tuple[str, ...] = ("en", "hi")  # in which the API answers; each needs its catalogues
    DISK_LOW_BYTES: int = (
        512 * 1_048_576
    )  # less room than this, or than a tenth of a smaller disk, is an alarm; 0: never
    # brakes
    LIMITS: dict[str, str] = field(default_factory=dict)  # over DEFAULT_LIMITS
    LIMITS_ENABLED: bool = True
    # tokens, as D-5 decides
    ACCESS_TOKEN_SECONDS: int = 900
    REFRESH_TOKEN_SECONDS: int = 30 * 86_400
    REFRESH_IDLE_SECONDS: int = 14 * 86_400
    REFRESH_GRACE_SECONDS: int = 30
    SESSION_CHECK_SECONDS: int = 20  # how long a live session is believed before it is looked up again
    TOKEN_LEEWAY_SECONDS: int = 10
    # one-time codes (D-8)
    OTP_DIGITS: int = 6
    OTP_TTL: int = 300
    OTP_TRIES: int = 5
    OTP_COOLDOWN: tuple[int, ...] = (30, 60, 120)
    OTP_DEBUG: bool = False  # lets a store in debug mode return codes to x-debug-mode (D-7); needs DEBUG
    OTP_STORE_DAILY_BUDGET: int = 20_000
    # passwords
    PASSWORD_MIN_LENGTH: int = 8
    PASSWORD_PARALLEL: int = 1  # hashes at once in one process
    PASSWORD_WAITERS: int = 5  # callers that may wait for a turn in one process, which holds a thread each
    PASSWORD_WAIT_SECONDS: float = 1.0
    # messages
    SANDBOX_INBOX: bool = False  # the page that shows messages with their codes; needs DEBUG
    MESSAGE_LEASE_SECONDS: int = 20
    MESSAGE_ATTEMPTS: int = 6
    MESSAGE_TIMEOUT_SECONDS: float = 8.0
    CHANNELS: dict[str, str] = field(default_factory=dict)  # code to class, over those of messaging.drivers
    SWEEP_SECONDS: int = 5
    # payments
    PAYMENT_SANDBOX: bool = False  # lets gateways that move no money work without DEBUG
    PAYMENT_TIMEOUT_SECONDS: float = 10.0  # of one call to a gateway
    PAYMENT_REFRESH_SECONDS: int = 60  # how long saved cards and methods are believed before the gateway is asked again
    MANDATE_DEBIT_RETRIES: int = 3  # after a failure that may pass
    MANDATE_DEBIT_RETRY_SECONDS: int = 86_400  # between them
    # analytics
    ANALYTICS_SINKS: dict[str, str] = field(default_factory=dict)  # kind to class, over those of engagement
    ANALYTICS_DAYS: int = 400  # how long events are kept (D-56)
    ANALYTICS_FLUSH_SECONDS: float = 1.0  # how long a process without Redis keeps events to itself; 0: until a sweep
    ANALYTICS_MEMORY_EVENTS: int = 20_000  # events that wait in one process at most
    ANALYTICS_MEMORY_BYTES: int = 16 * 1024 * 1024
    ANALYTICS_REDIS_EVENTS: int = 200_000  # events that wait in Redis at most
    ANALYTICS_REDIS_BYTES: int = 128 * 1024 * 1024
    # staff
    STAFF_TWO_FACTOR: str = "required"  # required | optional
    STAFF_SESSION_SECONDS: int = 12 * 3600
    STAFF_IDLE_SECONDS: int = 30 * 60
    MESSAGE_DAYS: int = 30  # how long messages keep their address and values
    SECURITY_EVENT_DAYS: int = 730  # how long the security log of accounts is kept
    VISITOR_WISHLIST_DAYS: int = 90  # after how long without a change a visitor's wishlist is forgotten
    GUEST_DAYS: int = 400  # after how long without a change a guest, a customer without an account, is erased
    STAFF_ACCESS_DAYS: int = 730  # how long it is kept who of the staff read or changed personal data
    STAFF_IMAGE_ORIGINS: tuple[str, ...] = ()  # other hosts whose pictures admin pages may show: "https://cdn.example"


@cache
def conf() -> Conf:
    """The settings as they are now; raises ImproperlyConfigured for an unknown key, which is a typo, not a wish."""
    try:
        return Conf(**getattr(settings, "STOREFRONT", {}))
    except TypeError as error:
        raise ImproperlyConfigured(f"STOREFRONT: {error}") from error


def limit_rules(name: str) -> tuple[tuple[int, int], ...]:
    """The (count, seconds) rules of a named limit; empty when it is lifted."""
    return _limit_rules(name)


@cache
def _limit_rules(name: str) -> tuple[tuple[int, int], ...]:
    text = conf().LIMITS.get(name, DEFAULT_LIMITS[name])
    rules = []
    for part in text.split():
        count, _, seconds = part.partition("/")
        try:
            rules.append((int(count), int(seconds)))
        except ValueError as error:
            raise ImproperlyConfigured(f"STOREFRONT LIMITS {name}: {part!r} is not count/seconds") from error
    return tuple(rules) if conf().LIMITS_ENABLED else ()


def _forget(*, setting: str, **_: Any) -> None:
    if setting in {"STOREFRONT", "SECRET_KEY", "SECRET_KEY_FALLBACKS", "DEBUG", "INSTALLED_APPS"}:
        conf.cache_clear()
        _limit_rules.cache_clear()
        from storefront import crypto, plugs

        plugs.forget()
        crypto.forget()


setting_changed.connect(_forget)
