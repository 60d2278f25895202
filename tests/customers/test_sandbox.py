"""The sandbox keeps to the contracts that any real registry, bank and provider must keep to."""

from __future__ import annotations

from customers.sandbox import SandboxBankVerification, SandboxDocumentChecks, SandboxVirtualAccounts
from storefront.testing import BankVerificationContract, DocumentChecksContract, VirtualAccountsContract


class TestSandboxDocumentChecks(DocumentChecksContract):
    known = {"pan": "AAPFU0931F", "gst": "27AAPFU0931F1ZB"}
    unknown = {"pan": "AAPFU0939F", "gst": "27AAPFU0939F1ZV"}

    def checks(self) -> SandboxDocumentChecks:
        return SandboxDocumentChecks()


class TestSandboxBankVerification(BankVerificationContract):
    good = ("Asha Rao", "501000123456", "HDFC0000123")
    of_another = ("Asha Rao", "501000123459", "HDFC0000123")
    missing = ("Asha Rao", "501000123458", "HDFC0000123")
    slow = ("Asha Rao", "501000123457", "HDFC0000123")

    def bank(self) -> SandboxBankVerification:
        return SandboxBankVerification()


class TestSandboxVirtualAccounts(VirtualAccountsContract):
    provider = "sandbox"

    def accounts(self) -> SandboxVirtualAccounts:
        return SandboxVirtualAccounts()
