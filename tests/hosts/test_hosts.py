"""Shops with product tables of their own get the API from the wheel: each runs its tests in a process of its own.

What they are tried with is in `story.py` and in `storefront.testing.CatalogContract`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOSTS = Path(__file__).parent
FOREIGN = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "REDIS_URL", "VAR_DIR")


def manage(host: str, scratch: Path, installed: Path, *arguments: str) -> str:
    """What `manage.py` of that shop prints."""
    bare = {name: value for name, value in os.environ.items() if name not in FOREIGN and "COV" not in name}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", *arguments],
        cwd=HOSTS / host,
        env=bare | {"PYTHONPATH": str(installed), "HOST_DIR": str(scratch), "HOST_TABLES_AT_ONCE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=800,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


@pytest.mark.parametrize(("host", "least"), [("legacy", 28), ("oscar", 30)])
def test_a_shop_of_its_own_gets_the_api(host: str, least: int, installed: Path, tmp_path: Path) -> None:
    told = manage(host, tmp_path, installed, "test", f"{host}_shop")
    ran = re.search(r"Ran (\d+) tests?", told)
    assert ran is not None
    assert int(ran[1]) >= least
    assert "skipped" not in told


def test_its_operator_has_our_commands(installed: Path, tmp_path: Path) -> None:
    manage("legacy", tmp_path, installed, "migrate", "--verbosity", "0")
    assert '"store_id": "bazaar"' in manage(
        "legacy", tmp_path, installed, "create_store", "bazaar", "--name", "B", "--json"
    )
    assert "pk_" in manage("legacy", tmp_path, installed, "create_key", "bazaar", "--json")
    alive = (
        "import legacy_shop.wsgi; from storefront.outbox import embedded; print('alive', embedded._thread.is_alive())"
    )
    assert "alive True" in manage("legacy", tmp_path, installed, "shell", "--no-imports", "-c", alive)
