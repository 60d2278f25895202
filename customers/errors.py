"""What customers refuse. Each code is part of the API."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from storefront.errors import DomainError, NotFound


class CustomerNotFound(NotFound):
    """No such customer, an erased one, or another's."""

    code = "customer_not_found"
    default_message = _("There is no such customer.")


class AddressNotFound(NotFound):
    code = "address_not_found"
    default_message = _("There is no such address.")


class TooManyAddresses(DomainError):
    code = "too_many_addresses"
    default_message = _("An address book cannot hold more addresses.")


class DocumentNotFound(NotFound):
    code = "document_not_found"
    default_message = _("There is no such document.")


class DocumentLocked(DomainError):
    """It, or another of its kind, is submitted or approved (D-44)."""

    code = "document_locked"
    default_message = _("This document has been given already. It can be sent again when it is rejected or expires.")


class TooManyDocuments(DomainError):
    code = "too_many_documents"
    default_message = _("No more documents can be kept.")


class BankAccountNotFound(NotFound):
    code = "bank_account_not_found"
    default_message = _("There is no such bank account.")


class BankAccountExists(DomainError):
    code = "bank_account_exists"
    default_message = _("You have saved this bank account already.")


class BankAccountNotEditable(DomainError):
    """A virtual account is its provider's: only whether it is the default can change."""

    code = "bank_account_not_editable"
    default_message = _("This account was opened for you. Only whether it is your default can be changed.")


class BankAccountMismatch(DomainError):
    code = "bank_account_mismatch"
    default_message = _("The bank knows this account under another name.")


class BankAccountUnknown(DomainError):
    code = "bank_account_unknown"
    default_message = _("The bank does not know this account.")


class TooManyBankAccounts(DomainError):
    code = "too_many_bank_accounts"
    default_message = _("No more bank accounts can be saved.")


class AlreadyInvited(DomainError):
    code = "already_invited"
    default_message = _("Somebody else has invited this contact.")


class InvitationNotFound(NotFound):
    code = "invitation_not_found"
    default_message = _("There is no such invitation.")


class TooManyInvitations(DomainError):
    code = "too_many_invitations"
    default_message = _("Too many invitations are open.")


class MergeRefused(DomainError):
    """Two customers cannot become one as things are; the sentence says what to do first."""

    code = "merge_refused"
    default_message = _("These customers cannot be merged.")
