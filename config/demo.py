"""The demo: a store with products, a shopper and a staff login, made once and found again after that.

For development only. The API key and the staff password are kept in a file that only this user can read, because the
database holds nothing but their hashes.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import connection, transaction
from django.utils.text import slugify

from storefront import crypto, selectors, services
from storefront.conf import conf
from storefront.models import ApiKey, Store

ADMIN_USERNAME = "admin"
DEFAULT_NAME = "Demo"
EXTRAS = ("customers", "wallets", "promotions", "fulfillment", "payments")  # each adds to the store, safely repeated
SHOPPER = {"email": "shopper@example.com", "phone": "+919876543210", "password": "demo-Shopper-1"}


@dataclass(frozen=True, slots=True)
class Demo:
    """What a newcomer needs to start."""

    store_id: str
    api_key: str
    base_url: str
    admin_url: str
    admin_username: str
    admin_password: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def ensure(*, name: str = DEFAULT_NAME, origin: str) -> Demo:
    """The demo store of that name, complete. Safe to repeat and to run twice at once; quick when nothing is missing.

    Raises ImproperlyConfigured outside development and ValidationError for a name that makes no store id.
    """
    if not settings.DEBUG:
        raise ImproperlyConfigured("A demo store has well-known logins; it is made on development settings only.")
    store_id = store_id_of(name)
    with _kept_secrets() as kept:
        password = _staff_login(kept)
        store = Store.objects.filter(pk=store_id).first()
        if store is None:
            store = services.create_store(store_id=store_id, name=name, debug_mode=True, metadata={"demo": ""})
        key = _known_key(store, kept)
        _fill(store)
    return Demo(
        store_id=store_id,
        api_key=key,
        base_url=f"{origin}/api/v1/{store_id}/storefront",
        admin_url=f"{origin}/admin/",
        admin_username=ADMIN_USERNAME,
        admin_password=password,
    )


def store_id_of(name: str) -> str:
    """The id for a store of that name. Raises ValidationError."""
    store_id = slugify(name)[:32].strip("-")
    try:
        Store._meta.get_field("id").clean(store_id, None)
    except ValidationError as error:
        raise ValidationError(f"The name {name!r} makes no store id: {error.messages[0]}") from error
    return store_id


def _staff_login(kept: dict[str, Any]) -> str:
    """The password of the demo's superuser, who has it again if somebody changed it."""
    password: str = kept.setdefault("admin_password", secrets.token_urlsafe(12))
    users = get_user_model()
    admin = users._default_manager.filter(**{users.USERNAME_FIELD: ADMIN_USERNAME}).first()
    if admin is None:
        admin = users(**{users.USERNAME_FIELD: ADMIN_USERNAME, "email": "admin@example.com"})
    elif admin.is_active and admin.is_superuser and kept.get("admin_hash") == admin.password:
        return password
    admin.is_active = admin.is_staff = admin.is_superuser = True
    admin.set_password(password)
    admin.save()
    kept["admin_hash"] = admin.password
    return password


def _known_key(store: Store, kept: dict[str, Any]) -> str:
    """An API key whose text we know and that this database accepts."""
    texts: dict[str, str] = kept.setdefault("api_keys", {})
    text = texts.get(store.pk, "")
    hashes = crypto.keyed_hashes("api-key", text)
    key = ApiKey.objects.filter(key_hash__in=hashes).first() if text else None
    if key is not None and key.live and key.store_id == store.pk:
        return text
    known = services.create_key(store=store, name="Demo", text="" if key is not None else text)
    texts[store.pk] = known.text
    return known.text


def _fill(store: Store) -> None:
    """Products and the shopper, unless this version of the demo is in the store already."""
    version = _version()
    if store.metadata.get("demo") == version:
        return
    from accounts import demo as accounts
    from catalog import demo as catalog
    from storefront.public import demo as public

    public.build(store=store)
    catalog.build(store=store)
    shopper = accounts.build(store=store, **SHOPPER)
    for name in EXTRAS:
        import_module(f"{name}.demo").build(store=store, user_id=shopper.pk, customer_id=shopper.customer_id)
    catalog.spread(store=store)  # the shops are there now
    with transaction.atomic():
        fresh = Store.objects.select_for_update().get(pk=store.pk)
        fresh.metadata = fresh.metadata | {"demo": version}
        fresh.debug_mode = True
        fresh.save(update_fields=["metadata", "debug_mode", "modified_at"])
    selectors.forget()


def _version() -> str:
    """Changes whenever the demo's source does."""
    digest = hashlib.sha256(json.dumps(SHOPPER).encode())
    for app in ("storefront/public", "accounts", "catalog", *EXTRAS):
        for path in sorted((Path(settings.BASE_DIR) / app).glob("demo*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def _kept_secrets() -> Iterator[dict[str, Any]]:
    """What we know of this database, for one caller at a time; written back when the work is done."""
    identity = "\x1f".join(str(connection.settings_dict[part]) for part in ("ENGINE", "HOST", "PORT", "NAME"))
    folder = Path(settings.VAR_DIR) / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:16]}.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = path.read_text() if path.exists() else "{}"
        try:
            kept = json.loads(before)
        except ValueError:
            kept = {}
        yield kept
        after = json.dumps(kept, indent=2)
        if after != before:
            fresh = path.with_suffix(".new")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(after)
            fresh.replace(path)


def origin() -> str:
    """Scheme, host and port for links: PUBLIC_URL, else the port of a running `serve`, else $PORT or 8000."""
    if conf().PUBLIC_URL:
        return conf().PUBLIC_URL.rstrip("/")
    return f"http://127.0.0.1:{os.environ.get('PORT') or _running_port() or 8000}"


def port_file() -> Path:
    return Path(settings.VAR_DIR) / "server.json"


def _running_port() -> int | None:
    try:
        running = json.loads(port_file().read_text())
        os.kill(int(running["pid"]), 0)
        return int(running["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
