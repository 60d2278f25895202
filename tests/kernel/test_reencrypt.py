"""`manage.py reencrypt`: an old SECRET_KEY may go."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from messaging.models import ProviderAccount
from storefront import crypto
from storefront.management.commands.reencrypt import encrypted_columns

pytestmark = pytest.mark.django_db


def account(store: Any, name: str) -> ProviderAccount:
    return ProviderAccount.objects.create(
        store=store, channel="sms", driver="twilio", name=name, credentials={"auth_token": name}
    )


def stored() -> dict[str, str]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT name, credentials FROM {ProviderAccount._meta.db_table}")
        return dict(cursor.fetchall())


def test_values_of_an_older_key_open_with_the_newest_alone_afterwards(store, other_store, configure, capsys):
    configure(SECRET_KEYS=("old",))
    account(store, "first")
    account(other_store, "second")
    configure(SECRET_KEYS=("new", "old"))
    account(store, "third")
    before = stored()
    call_command("reencrypt")
    assert "2 values" in capsys.readouterr().out
    after = stored()
    assert after["third"] == before["third"]
    assert after["first"] != before["first"] and after["second"] != before["second"]
    configure(SECRET_KEYS=("new",))
    assert {row.name: row.credentials for row in ProviderAccount.objects.all()} == {
        name: {"auth_token": name} for name in ("first", "second", "third")
    }
    call_command("reencrypt")
    assert "0 values" in capsys.readouterr().out
    assert stored() == after


def test_a_value_that_no_key_opens_is_counted_and_left(store, configure, capsys):
    configure(SECRET_KEYS=("lost",))
    account(store, "first")
    configure(SECRET_KEYS=("old",))
    account(store, "second")
    before = stored()
    configure(SECRET_KEYS=("new", "old"))
    with pytest.raises(CommandError, match="1 values open with no key"):
        call_command("reencrypt")
    assert "1 values encrypted anew" in capsys.readouterr().out
    assert stored()["first"] == before["first"]
    assert stored()["second"] != before["second"]


def test_everything_that_is_encrypted_is_known():
    """What `crypto.encrypt` makes is kept in fields whose names say so."""
    found = {f"{model._meta.label}.{column}" for model, column in encrypted_columns()}
    assert {
        "storefront_messaging.ProviderAccount.credentials",
        "storefront_customers.Document.number_encrypted",
        "storefront_customers.BankAccount.number_encrypted",
    } <= found
    assert crypto.renewed(crypto.encrypt("x")) is None
