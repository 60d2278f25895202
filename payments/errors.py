"""What payments refuse. Each code is part of the API."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from storefront.errors import DomainError, NotFound


class MandateNotFound(NotFound):
    """No such mandate, or another customer's."""

    code = "mandate_not_found"
    default_message = _("There is no such mandate.")


class MandateNotActive(DomainError):
    """The step needs an active mandate (or, to resume it, a paused one)."""

    code = "mandate_not_active"
    default_message = _("Only an active mandate can be changed.")


class MandateNotPaused(DomainError):
    code = "mandate_not_paused"
    default_message = _("This mandate is not paused.")


class MandateRevoked(DomainError):
    code = "mandate_revoked"
    default_message = _("This mandate has been revoked for good.")


class MandateNotRevokable(DomainError):
    """The bank lets only the shop end this mandate."""

    code = "mandate_not_revokable"
    default_message = _("Please ask the shop to end this mandate.")


class MandateRefused(DomainError):
    """The provider or its bank said no."""

    code = "mandate_refused"
    default_message = _("The bank did not accept this. Please check the details.")


class ProviderNotAvailable(DomainError):
    """The store has no such provider, or it cannot do this."""

    code = "provider_not_available"
    default_message = _("This payment provider is not available here.")


class CreditLineNotEligible(DomainError):
    code = "credit_line_not_eligible"
    default_message = _("A credit line is not available for this account.")


class CreditLineExceeded(DomainError):
    """More than is left of the credit line, or it has no limit yet."""

    code = "credit_line_exceeded"
    default_message = _("This is more than is left of the credit line.")


class DebitRefused(DomainError):
    """The mandate does not allow such a debit."""

    code = "debit_not_allowed"
    default_message = _("The mandate does not allow this debit.")
