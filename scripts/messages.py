"""`make messages`: collects the texts that shoppers read into each app's catalogues, and compiles them.

    make messages                 # after a text was added or changed; then fill in what the .po files lack
    make messages ARGS="--add ta" # another language: translate the new .po files, run again, name it in LANGUAGES

The compiled catalogues are kept beside their sources, so neither running nor testing needs gettext. Texts for staff
and for developers stay English; `STAFF` says which files hold them.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import django
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation import templatize

ROOT = Path(__file__).resolve().parents[1]
APPS = (
    *("accounts", "carts", "catalog", "customers", "engagement", "fulfillment", "messaging", "payments"),
    *("promotions", "storefront", "wallets"),
)
SOURCE = "storefront"  # holds the libraries' texts, too

# Files whose texts are read by staff, by shop developers or by nobody.
STAFF = re.compile(
    r"/migrations/|/management/|/admin/|/admin_base/|/staff/|/transfer/|/imports/|/testing|/places\.py|/[a-z_]*admin[a-z_]*\.py"
    r"|/(apps|bulk|bulk_pages|checks|exporting|importing|ledger|merging|models|panels|providers|tester)\.py"
    r"|/(public/forms|catalog/stock|messaging/services|payments/credit|promotions/rules|promotions/services)\.py"
    r"|/storefront/(outbox|services)\.py"
)
TEMPLATES = ("engagement/templates/engagement/newsletter.html",)
# What the libraries say to shoppers, where they do not say it in every language themselves.
LIBRARIES = (
    ("rest_framework", "fields.py"),
    ("rest_framework", "serializers.py"),
    ("django", "core/validators.py"),
)
KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
_DATE = datetime(2026, 1, 1, tzinfo=UTC)  # a compiled catalogue changes when its texts do, and only then


def sources(app: str) -> Iterator[tuple[str, bytes]]:
    """The name and the Python text of each file of the app that speaks to shoppers."""
    for file in sorted((ROOT / app).rglob("*.py")):
        name = file.relative_to(ROOT).as_posix()
        if not STAFF.search(f"/{name}"):
            yield name, file.read_bytes()
    for name in TEMPLATES:
        if name.startswith(f"{app}/"):
            yield name, templatize((ROOT / name).read_text(encoding="utf-8"), origin=name).encode()
    if app == SOURCE:
        for package, name in LIBRARIES:
            found = find_spec(package)
            assert found is not None and found.origin is not None
            yield f"{package}/{name}", (Path(found.origin).parent / name).read_bytes()


def collected(app: str) -> Catalog:
    """Every text of the app that a shopper may read, without translations."""
    catalog = Catalog(fuzzy=False)
    for name, text in sources(app):
        for _line, message, _comments, context in extract("python", io.BytesIO(text), KEYWORDS):
            catalog.add(message, locations=[(name, 0)], context=context)
    return catalog


def languages(app: str) -> list[str]:
    return sorted(folder.name for folder in (ROOT / app / "locale").glob("*") if folder.is_dir())


def source_of(app: str, language: str) -> Path:
    return ROOT / app / "locale" / language / "LC_MESSAGES" / "django.po"


def translated(app: str, language: str) -> Catalog:
    file = source_of(app, language)
    if not file.exists():
        return Catalog(locale=language, fuzzy=False)
    with file.open("rb") as opened:
        return read_po(opened, locale=language)


def texts(catalog: Catalog) -> dict[tuple[str | None, object], Message]:
    """The messages of a catalogue, without its header."""
    return {
        (message.context, message.id if isinstance(message.id, str) else tuple(message.id)): message
        for message in catalog
        if message.id
    }


def update(app: str, language: str) -> list[str]:
    """Brings one catalogue up to date and compiles it; the texts that still lack a translation."""
    old = texts(translated(app, language))
    fresh = Catalog(locale=language, fuzzy=False, creation_date=_DATE, revision_date=_DATE)
    missing = []
    for key, message in texts(collected(app)).items():
        known = old.get(key)
        string = known.string if known else None
        done = bool(string) and (isinstance(string, str) or all(string or ()))
        fresh.add(
            message.id,
            string if done else None,
            locations=sorted(set(message.locations)),
            context=message.context,
            flags=set(message.flags) - {"fuzzy"},
        )
        if not done:
            missing.append(message.id if isinstance(message.id, str) else message.id[0])
    file = source_of(app, language)
    if not len(fresh):
        return []
    file.parent.mkdir(parents=True, exist_ok=True)
    written = io.BytesIO()
    write_po(written, fresh, width=0, omit_header=True, sort_by_file=True, include_lineno=False)
    header = (
        'msgid ""\nmsgstr ""\n'
        f'"Language: {language}\\n"\n"MIME-Version: 1.0\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
        f'"Content-Transfer-Encoding: 8bit\\n"\n"Plural-Forms: {fresh.plural_forms}\\n"\n\n'
    )
    file.write_bytes(header.encode() + written.getvalue().strip() + b"\n")
    with file.with_suffix(".mo").open("wb") as compiled:
        write_mo(compiled, fresh)
    return missing


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--add", metavar="LANGUAGE", help="begin catalogues in this language")
    asked = parser.parse_args()
    lacking = 0
    for app in APPS:
        for language in sorted({*languages(app), *([asked.add] if asked.add else [])}):
            missing = update(app, language)
            lacking += len(missing)
            for text in missing:
                print(f"{source_of(app, language).relative_to(ROOT)}: no translation of {text!r}")
    print(f"{lacking} texts lack a translation." if lacking else "Every text has its translation.")
    return 1 if lacking else 0


if __name__ == "__main__":
    settings.configure(USE_I18N=False)  # for templatize
    django.setup()
    sys.exit(main())
