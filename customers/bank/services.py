"""Writing bank accounts. Providers are asked outside any lock; then one short section that holds the customer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from storefront import crypto
from storefront.contracts import BankCheck, VirtualAccount
from storefront.errors import DomainError, Invalid, Unavailable
from storefront.models import Store
from storefront.plugs import plug

from .. import selectors
from ..errors import (
    BankAccountExists,
    BankAccountMismatch,
    BankAccountNotEditable,
    BankAccountUnknown,
    TooManyBankAccounts,
)
from ..models import BankAccount

MAX_ACCOUNTS = 20
Type, Check = BankAccount.Type, BankAccount.Check
_NUMBER = re.compile(r"[0-9]{9,18}")
_IFSC = re.compile(r"[A-Z]{4}0[A-Z0-9]{6}")


def masked(row: BankAccount) -> str:
    """The number as it is shown: its last four digits, behind as many signs for all."""
    return f"XXXXXXXX{row.last4}"


def add_outbound(*, store: Store, customer_id: str, sent: Mapping[str, Any], now: datetime) -> BankAccount:
    """Saves an account of the customer's own, not verified. The first one becomes the default.

    Raises Invalid naming the fields, BankAccountExists, TooManyBankAccounts.
    """
    facts = _checked(sent)
    row = BankAccount(store=store, customer_id=customer_id, type=Type.OUTBOUND, created_at=now, modified_at=now)
    _fill(row, facts)
    return _add(row, wants_default=bool(sent.get("is_default")))


def add_inbound(
    *, store: Store, customer_id: str, provider: str, name: str, is_default: bool, now: datetime
) -> BankAccount:
    """Has a provider open an account for what the customer pays; one of each provider.

    Raises Invalid naming `service_provider_slug`, BankAccountExists, TooManyBankAccounts, Unavailable.
    """
    owner = selectors.customer(store=store, customer_id=customer_id)
    held = selectors.bank_accounts(store=store, customer_id=customer_id, kind=Type.INBOUND)
    if held.filter(provider=provider).exists():
        raise BankAccountExists(field="service_provider_slug")
    accounts = plug("VIRTUAL_ACCOUNTS")
    opened: VirtualAccount
    try:
        if accounts.sandbox and not store.debug_mode:
            raise KeyError(provider)
        holder = str((owner.business or {}).get("name") or name or store.name)
        opened = accounts.open(store.pk, provider=provider, customer_id=customer_id, name=holder[:120])
    except KeyError as error:
        raise Invalid(_("There is no such provider."), field="service_provider_slug") from error
    row = BankAccount(
        store=store, customer_id=customer_id, type=Type.INBOUND, provider=provider, created_at=now, modified_at=now
    )
    row.check_state, row.verified_at = Check.VERIFIED, now
    _fill(
        row,
        {
            "account_name": opened.account_name,
            "account_number": opened.account_number,
            "ifsc_code": opened.ifsc_code,
            "bank_name": opened.bank_name,
        },
    )
    return _add(row, wants_default=is_default)


@transaction.atomic
def update(
    *, store: Store, customer_id: str, account_id: str, changes: Mapping[str, Any], now: datetime
) -> BankAccount:
    """Changes those members that are named. Another name, number or IFSC takes the verification away.

    A number that comes back masked is no change. Raises Invalid naming the fields, BankAccountExists,
    BankAccountNotEditable, BankAccountNotFound.
    """
    selectors.customer_for_update(store=store, customer_id=customer_id)
    row = selectors.bank_account(store=store, customer_id=customer_id, account_id=account_id, lock=True)
    before = _facts(row)
    written = {"is_default", "modified_at"}  # what a bank says meanwhile stays, unless it is taken away here
    sent = {name: changes[name] for name in before if changes.get(name) is not None}
    if sent.get("account_number") == masked(row):
        del sent["account_number"]
    if row.type == Type.INBOUND:
        if any(before[name] != value for name, value in sent.items()):
            raise BankAccountNotEditable
    elif sent:
        facts = _checked(before | sent)
        if facts != before:
            _fill(row, facts)
            written |= {"account_name", "bank_name", "ifsc_code", "number_encrypted", "number_hash", "last4"}
            if any(facts[name] != before[name] for name in ("account_name", "account_number", "ifsc_code")):
                row.check_state, row.check_reference, row.verified_at = Check.NONE, "", None
                written |= {"check_state", "check_reference", "verified_at"}
            hashes = crypto.keyed_hashes("bank-account", row.store_id, row.ifsc_code, row.number)
            same = selectors.bank_accounts(store=store, customer_id=customer_id).filter(number_hash__in=hashes)
            if same.exclude(pk=row.pk).exists():
                raise BankAccountExists(field="account_number")
    if changes.get("is_default") is not None:
        _set_default(row, bool(changes["is_default"]))
    row.modified_at = now
    row.save(update_fields=written)
    return row


@transaction.atomic
def delete(*, store: Store, customer_id: str, account_id: str) -> None:
    """The newest of the others of its kind becomes the default in its place. Raises BankAccountNotFound."""
    selectors.customer_for_update(store=store, customer_id=customer_id)
    row = selectors.bank_account(store=store, customer_id=customer_id, account_id=account_id)
    BankAccount.objects.filter(store=store, pk=row.pk).delete()
    if row.is_default:
        _hand_over(row)


def set_verified(*, store: Store, customer_id: str, account_id: str, wanted: bool, now: datetime) -> BankAccount:
    """Has the bank say whose account it is; False takes a verification back. Safe to repeat, and how a check that is
    still pending is asked for again.

    Raises BankAccountMismatch and BankAccountUnknown, which are written down first; BankAccountNotEditable for an
    account that a provider opened, BankAccountNotFound, Unavailable.
    """
    row = selectors.bank_account(store=store, customer_id=customer_id, account_id=account_id)
    if row.type != Type.OUTBOUND:
        raise BankAccountNotEditable
    if not wanted:
        return _settle(row, BankCheck(status="none"), now)
    if row.is_verified:
        return row
    bank = plug("BANK_VERIFICATION")
    if bank.sandbox and not store.debug_mode:
        raise Unavailable(_("Bank accounts cannot be verified at the moment."))
    found: BankCheck = bank.verify(
        store.pk,
        key=f"{row.pk}-{row.number_hash[:16]}",
        name=row.account_name,
        number=row.number,
        ifsc=row.ifsc_code,
        reference=row.check_reference if row.check_state == Check.PENDING else "",
    )
    settled = _settle(row, found, now)
    refusals: dict[str, type[DomainError]] = {"mismatch": BankAccountMismatch, "unknown": BankAccountUnknown}
    if found.status in refusals:
        raise refusals[found.status](field="account_number")
    return settled


_STATES = {
    "verified": Check.VERIFIED,
    "pending": Check.PENDING,
    "mismatch": Check.FAILED,
    "unknown": Check.FAILED,
    "none": Check.NONE,
}


def _settle(row: BankAccount, found: BankCheck, now: datetime) -> BankAccount:
    """Writes down what the bank said, unless the account was changed while it was asked."""
    state = _STATES[found.status]
    unchanged = BankAccount.objects.filter(
        store_id=row.store_id, pk=row.pk, number_hash=row.number_hash, account_name=row.account_name
    )
    unchanged.update(
        check_state=state,
        check_reference=found.reference[:80],
        verified_at=now if state == Check.VERIFIED else None,
        modified_at=now,
    )
    return selectors.bank_account(store=row.store, customer_id=row.customer_id, account_id=row.pk)


def _checked(sent: Mapping[str, Any]) -> dict[str, str]:
    """The facts of an account of one's own as they are stored. Raises Invalid naming every field that is wrong."""
    facts = {name: " ".join(str(sent.get(name) or "").split()) for name in ("account_name", "bank_name")}
    facts["account_number"] = re.sub(r"[\s-]+", "", str(sent.get("account_number") or ""))
    facts["ifsc_code"] = str(sent.get("ifsc_code") or "").strip().upper()
    wrong: dict[str, list[object]] = {
        name: [_("This field may not be blank.")] for name in ("account_name", "bank_name") if not facts[name]
    }
    if _NUMBER.fullmatch(facts["account_number"]) is None:
        wrong["account_number"] = [_("Enter an account number of 9 to 18 digits.")]
    if _IFSC.fullmatch(facts["ifsc_code"]) is None:
        wrong["ifsc_code"] = [_("Enter a valid IFSC, such as HDFC0000123.")]
    if wrong:
        raise Invalid(next(iter(wrong.values()))[0], errors=wrong)
    return facts


def _facts(row: BankAccount) -> dict[str, str]:
    return {
        "account_name": row.account_name,
        "bank_name": row.bank_name,
        "account_number": row.number,
        "ifsc_code": row.ifsc_code,
    }


def _fill(row: BankAccount, facts: Mapping[str, str]) -> None:
    number, ifsc = facts["account_number"], facts["ifsc_code"]
    row.account_name, row.bank_name, row.ifsc_code = facts["account_name"], facts["bank_name"], ifsc
    row.number_encrypted, row.last4 = crypto.encrypt(number), number[-4:]
    row.number_hash = crypto.keyed_hash("bank-account", row.store_id, ifsc, number)


@transaction.atomic
def _add(row: BankAccount, *, wants_default: bool) -> BankAccount:
    store, customer_id = row.store, row.customer_id
    selectors.customer_for_update(store=store, customer_id=customer_id)
    held = list(selectors.bank_accounts(store=store, customer_id=customer_id))
    hashes = crypto.keyed_hashes("bank-account", row.store_id, row.ifsc_code, row.number)
    if any(other.number_hash in hashes for other in held):
        raise BankAccountExists(field="account_number")
    if row.type == Type.INBOUND and any(other.provider == row.provider for other in held):
        raise BankAccountExists(field="service_provider_slug")
    if len(held) >= MAX_ACCOUNTS:
        raise TooManyBankAccounts
    first = not any(other.type == row.type for other in held)
    if wants_default or first:
        _clear_default(row)
        row.is_default = True
    row.save(force_insert=True)
    return row


def _set_default(row: BankAccount, wanted: bool) -> None:
    """The only account of its kind stays the default, whatever is wanted."""
    if wanted == row.is_default:
        return
    _clear_default(row)
    row.is_default = wanted or not _hand_over(row)


def _clear_default(row: BankAccount) -> None:
    BankAccount.objects.filter(
        store_id=row.store_id, customer_id=row.customer_id, type=row.type, is_default=True
    ).update(is_default=False)


def _hand_over(row: BankAccount) -> bool:
    others = selectors.bank_accounts(store=row.store, customer_id=row.customer_id, kind=row.type).exclude(pk=row.pk)
    heir = others.first()
    if heir is None:
        return False
    BankAccount.objects.filter(store_id=row.store_id, pk=heir.pk).update(is_default=True)
    return True
