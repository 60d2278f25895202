"""The documents say everything that they promise to list, and their links lead somewhere."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from django.core.management import get_commands

from storefront import contract
from storefront.conf import DEFAULT_LIMITS, Conf
from storefront.errors import DomainError

ROOT = Path(__file__).resolve().parents[2]
APPS = (
    "accounts",
    "carts",
    "catalog",
    "config",
    "customers",
    "engagement",
    "fulfillment",
    "messaging",
    "payments",
    "promotions",
    "storefront",
    "wallets",
)
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def _sources(*folders: str) -> Iterator[str]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.read_text()


def test_every_environment_variable_is_in_the_settings_page() -> None:
    read = re.compile(r"""(?:env(?:\.\w+)?\(|environ(?:\.get\(|\[))\s*"([A-Z][A-Z0-9_]+)\"""")
    names = {name for source in _sources("config") for name in read.findall(source)}
    names |= {f"LIMIT_{name.upper()}" for name in DEFAULT_LIMITS}
    names -= {"PYTEST_XDIST_WORKER"}
    names = {name for name in names if not re.match(r"CONTENT_|HTTP_|PATH_INFO|REMOTE_|SERVER_", name)}  # of a request
    assert {"SECRET_KEY", "DATABASE_URL", "PORT"} <= names
    page = (ROOT / "docs" / "settings.md").read_text()
    assert not {name for name in names if f"`{name}`" not in page}
    assert not set(re.findall(r"`(LIMIT_[A-Z_]+)`", page)) - names


def test_every_key_of_the_setting_is_in_the_settings_page_or_among_the_plugs() -> None:
    pages = (ROOT / "docs" / "settings.md").read_text() + (ROOT / "docs" / "plugging-in.md").read_text()
    assert not {field.name for field in fields(Conf) if f"`{field.name}`" not in pages} - {"LIMITS"}


def test_no_plug_is_listed_twice() -> None:
    table = (ROOT / "docs" / "plugging-in.md").read_text().partition("## Plugs")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+`) \|", table, flags=re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)]
    assert len(named) == len(set(named)) > 15


def _refusals(root: type[DomainError]) -> Iterator[type[DomainError]]:
    yield root
    for child in root.__subclasses__():
        yield from _refusals(child)


def test_every_error_code_is_in_the_errors_page_and_no_other() -> None:
    for app in APPS:
        if (ROOT / app / "errors.py").exists():
            importlib.import_module(f"{app}.errors")
    codes = {refusal.code for refusal in _refusals(DomainError) if not refusal.__module__.startswith("tests")}
    literal = re.compile(r'\b(?:code=|CODE = )"([A-Za-z_]+)"')
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            if path.name != "models.py":  # field validators' codes never leave the admin
                codes |= set(literal.findall(path.read_text()))
    table = (ROOT / "docs" / "errors.md").read_text().partition("## Every code")[2]
    listed = set(re.findall(r"^\| \d{3} \| `([A-Za-z_]+)` \|", table, flags=re.MULTILINE))
    assert not codes - listed - {"INR", "demo"}
    assert not listed - codes


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        if heading:
            assert heading in _headings(file), target


def _headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_command_of_ours_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    ours = {name for name, app in get_commands().items() if app in {"config", "storefront", "messaging"}}
    assert {"serve", "demo", "doctor", "create_store"} <= ours
    assert not {name for name in ours - {"serve"} if name not in readme}


def test_nothing_of_ours_leaves_a_mark_of_the_machine_it_was_written_on() -> None:
    for page in PAGES:
        assert not re.search(r"(^|[^a-z])/(work|root|home/\w+)/", page.read_text()), page


def test_pinned_packages_are_those_of_the_package_metadata() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    declared = {re.split(r"[\[><=]", line)[0] for line in lines}
    pinned = {
        re.split(r"[\[=]", line)[0]
        for line in (ROOT / "requirements.in").read_text().splitlines()
        if line and line[0] not in "#-"
    }
    assert declared == pinned


def test_every_script_of_the_published_client_can_be_started() -> None:
    folder = ROOT / "tests" / "client"
    started = json.loads((folder / "package.json").read_text())["scripts"]
    assert started == {path.stem: f"node {path.name}" for path in sorted(folder.glob("*.mjs"))}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_calls_that_the_pages_show_are_operations_of_the_api(page: Path) -> None:
    text = page.read_text()
    calls = [
        (method, re.sub(r"^/api/v1/[\w{}$-]+/storefront", "", path))
        for method, path in re.findall(r"(?:^|`)(GET|POST|PUT|DELETE) (/[^\s`?]*)", text, flags=re.MULTILINE)
    ]
    calls += [
        (re.search(r"-X (\w+)", line)[1] if "-X " in line else "GET", path)  # type: ignore[index]
        for line in re.findall(r"^.*curl .*$", text, flags=re.MULTILINE)
        for path in re.findall(r"\$BASE_URL(/[^\s\"'?]*)", line)
    ]
    shapes = {method: [] for method in ("GET", "POST", "PUT", "DELETE")}  # type: dict[str, list[re.Pattern[str]]]
    for method, path in contract.operations():
        shapes[method.upper()].append(re.compile(re.sub(r"\{[^}]*\}", "[^/]+", path)))
    outside = re.compile(r"/(?:$|\?|\{|admin|docs|health|api/schema|hooks|media|newsletter|static|v1/batch$)")
    unknown = [
        (method, path)
        for method, path in calls
        if not outside.match(path) and not any(shape.fullmatch(path.rstrip("/")) for shape in shapes[method])
    ]
    assert unknown == []
    assert calls or page not in (ROOT / "README.md", ROOT / "docs" / "api.md", ROOT / "docs" / "languages.md")


def test_the_picture_of_the_apps_is_what_the_layers_enforce() -> None:
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = (kept["layers"] for kept in settings["contracts"] if kept["id"] == "apps")
    depth = {app.strip(): level for level, line in enumerate(layers) for app in line.split("|")}
    picture = (ROOT / "docs" / "architecture.md").read_text().split("```")[1]
    shown = re.findall(r"(?:^|\| )([a-z]+) {2,}", picture, flags=re.MULTILINE)
    assert sorted(shown) == sorted(depth)
    assert [depth[name] for name in shown] == sorted(depth[name] for name in shown)
