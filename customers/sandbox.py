"""Registries and banks for development: every answer follows from the number. Never asked for a live store."""

from __future__ import annotations

from storefront import tax_ids
from storefront.contracts import BankCheck, DocumentCheck, VirtualAccount
from storefront.places import state_of


class SandboxDocumentChecks:
    """By the last digit of the PAN's four: 9 is unknown to the registry, 8 is still being looked up, others are good."""

    sandbox = True

    def check(self, store_id: str, *, kind: str, number: str) -> DocumentCheck:
        pan = tax_ids.pan_of(number) if kind == "gst" else number
        reference = f"sandbox-{kind}-{number}"
        if pan[8] == "9":
            return DocumentCheck(
                status="rejected", reference=reference, reason="The registry does not know this number."
            )
        details = {"legal_name": "Sandbox Holder", "pan_number": pan, "status": "active"}
        if kind == "gst":
            state = state_of("IN", number[:2])
            details |= {"trade_name": "Sandbox Trading", "gstin": number, "state": state.name if state else ""}
        return DocumentCheck(status="pending" if pan[8] == "8" else "verified", reference=reference, details=details)


class SandboxBankVerification:
    """By the last digit of the account number: 9 has another holder, 8 does not exist, 7 takes its time and is good when
    asked again; others are good."""

    sandbox = True

    def verify(self, store_id: str, *, key: str, name: str, number: str, ifsc: str, reference: str = "") -> BankCheck:
        made = reference or f"sandbox-{key}"
        match number[-1]:
            case "9":
                return BankCheck(status="mismatch", reference=made, name_at_bank="SOMEBODY ELSE")
            case "8":
                return BankCheck(status="unknown", reference=made)
            case "7" if not reference:
                return BankCheck(status="pending", reference=made)
        return BankCheck(status="verified", reference=made, name_at_bank=name)


class SandboxVirtualAccounts:
    """Knows one provider, `sandbox`."""

    sandbox = True

    def open(self, store_id: str, *, provider: str, customer_id: str, name: str) -> VirtualAccount:
        if provider != "sandbox":
            raise KeyError(provider)
        digits = str(int.from_bytes(f"{store_id}/{customer_id}".encode()) % 10**12).zfill(12)
        return VirtualAccount(
            account_name=name, account_number=f"9999{digits}", ifsc_code="SAND0000001", bank_name="Sandbox Bank"
        )
