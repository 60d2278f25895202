"""docs/plugging-in.md shows the code that the tests run."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "plugging-in.md").read_text()
COPIED = re.findall(r"```python\n# (tests/\S+)\n(.*?)```", PAGE, re.DOTALL)


def test_what_the_guide_copies_is_what_runs() -> None:
    assert len(COPIED) >= 10
    for name, code in COPIED:
        assert code in (ROOT / name).read_text(), f"{name} has no longer what docs/plugging-in.md shows:\n{code}"


def test_the_guide_names_files_that_exist() -> None:
    for name in re.findall(r"`((?:legacy|oscar)_\w+/\w+\.py)`", PAGE):
        host = name.partition("_")[0]
        assert (ROOT / "tests" / "hosts" / host / name).is_file(), name
