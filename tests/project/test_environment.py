"""A mistake in the environment is named in one line, without its value and without a traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def started(tmp_path: Path, *command: str, **changes: str) -> tuple[int, str]:
    """What a command, `serve` unless named, says with these variables; every case ends before anything is served."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DATABASE_", "REDIS_", "CELERY_", "PORT", "DJANGO_", "PYTEST"))
    }
    environment |= {"VAR_DIR": str(tmp_path), **changes}
    done = subprocess.run(
        [sys.executable, "manage.py", *(command or ["serve"])],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "secret", "is no port"),
        ("PORT", "70000", "is no port"),
        ("OTP_TRIES", "secret", "OTP_TRIES has a value of another kind"),
        ("DATABASE_URL", "secret", "DATABASE_URL"),
        ("DATABASE_URL", "mysql://secret:secret@host/shop", "DATABASE_URL must name PostgreSQL"),
        ("EMAIL_URL", "pigeon://secret", "EMAIL_URL is no address"),
        ("VAR_DIR", "/dev/null/shop", "Nothing can be kept in /dev/null/shop"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(tmp_path: Path, name: str, value: str, said: str) -> None:
    code, text = started(tmp_path, **{name: value})
    assert code != 0
    assert said in text
    assert "Traceback" not in text
    assert name == "PORT" or "secret" not in text


def test_a_database_that_does_not_answer_is_told_without_a_traceback(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code, text = started(tmp_path, DATABASE_URL="postgres://shop:secret@127.0.0.1:1/shop", PORT=str(port))
    assert code != 0
    assert "does not answer" in text
    assert "Traceback" not in text and "secret" not in text


def test_a_port_that_is_taken_is_told_with_another_one_to_try(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, text = started(tmp_path, PORT=str(port))
    assert code != 0
    assert f"Port {port} on 127.0.0.1 cannot be used" in text and f"PORT={port + 1} make run" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("command", [("demo", "--json"), ("create_store", "tea")])
def test_a_database_without_tables_is_told_with_the_command_that_makes_them(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    code, text = started(tmp_path, *command)
    assert code == 1
    assert text.strip() == "The database does not have all its tables yet. Run manage.py migrate first."
