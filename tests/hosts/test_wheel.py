"""What a shop installs is all there: code, migrations, templates, static files, the contract, the mark of types."""

from __future__ import annotations

import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def test_the_wheel_holds_every_file_of_the_apps_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {name for name in names if ".dist-info/" not in name}
    built = wheel.stat().st_mtime  # what somebody wrote since is not missing
    present = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc" and path.stat().st_mtime < built
    }
    assert shipped == present
    assert {f"{package}/migrations/0001_initial.py" for package in PACKAGES} <= shipped
    assert {f"{package}/py.typed" for package in PACKAGES} <= shipped
    for needed in (
        "storefront/contract/storefront.openapi.json",
        "storefront/templates/storefront/staff/index.html",
        "storefront/static/storefront/admin.css",
        "messaging/templates/messaging/inbox.html",
    ):
        assert needed in shipped


def test_the_wheel_asks_for_what_the_apps_import(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        (metadata,) = (name for name in opened.namelist() if name.endswith("dist-info/METADATA"))
        told = Parser().parsestr(opened.read(metadata).decode())
    asked = told.get_all("Requires-Dist") or []
    assert any(line.startswith("django<5.3,>=5.2") for line in asked)
    assert [line for line in asked if line.startswith(("granian", "whitenoise"))] == [
        line for line in asked if line.endswith("extra == 'server'") and not line.startswith("django-environ")
    ]
    assert told["License-Expression"] == "BSD-3-Clause"
