"""`make check`: every check, one line each; the words of those that fail below. Exits with 1 when one does."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent

# Stand-ins: these checks look at settings, they connect to nothing.
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
    "SECRET_KEY": "x7-" + "0aB9" * 16,
    "ALLOWED_HOSTS": "shop.example.com",
    "DATABASE_URL": "postgres://shop:shop@127.0.0.1:1/shop",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}
DEVELOPMENT = {"DJANGO_SETTINGS_MODULE": "config.settings.local"}

Check = tuple[str, list[str], dict[str, str]]


def manage(*arguments: str) -> list[str]:
    return [sys.executable, "-W", "error::DeprecationWarning:__main__", "manage.py", *arguments]


def checks() -> list[Check]:
    return [
        ("format", [str(BIN / "ruff"), "format", "--check", "--quiet", "."], {}),
        ("style", [str(BIN / "ruff"), "check", "--quiet", "."], {}),
        ("types", [str(BIN / "mypy")], {}),
        ("layers", [str(BIN / "lint-imports"), "--no-cache"], {}),
        ("system checks", manage("check", "--fail-level", "WARNING"), DEVELOPMENT),
        ("migrations drift", manage("makemigrations", "--check", "--dry-run"), DEVELOPMENT),
        ("deployment", manage("check", "--deploy", "--fail-level", "WARNING"), PRODUCTION),
        ("contract", manage("schema_check"), DEVELOPMENT),
        ("package", [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", "{tmp}"], {}),
    ]


def main() -> int:
    failed = []
    with tempfile.TemporaryDirectory() as scratch:
        # The database of a developer, its address and its files play no part here.
        bare = {name: value for name, value in os.environ.items() if name not in {*PRODUCTION, "VAR_DIR"}}
        for name, command, extra in checks():
            started = time.perf_counter()
            done = subprocess.run(
                [part.replace("{tmp}", scratch) for part in command],
                cwd=ROOT,
                env=bare | {"VAR_DIR": scratch} | extra,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            verdict = "FAILED" if done.returncode else "ok"
            print(f"{name:<18} {verdict:<7} {time.perf_counter() - started:5.1f} s", flush=True)
            if done.returncode:
                failed.append(name)
                print("\n".join(f"    {line}" for line in done.stdout.splitlines()[-80:]), flush=True)
    print(
        f"\n{len(failed)} of {len(checks())} checks failed: {', '.join(failed)}" if failed else "\nAll checks passed."
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
