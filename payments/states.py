"""The states of mandates and debits, and every step that is allowed between them. One table each, no rule elsewhere."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class MandateStatus(models.TextChoices):
    CREATED = "created", _("Created")  # the customer or their bank has still to agree
    ACTIVE = "active", _("Active")
    PAUSED = "paused", _("Paused")
    REVOKED = "revoked", _("Revoked")  # for good
    ERROR = "error", _("Error")


class MandateStep(models.TextChoices):
    """What a caller asks for. What a provider reports is a step too, named for where it leads."""

    CHANGE = "change", _("Change")
    PAUSE = "pause", _("Pause")
    RESUME = "resume", _("Resume")
    REVOKE = "revoke", _("Revoke")


_M, _S = MandateStatus, MandateStep
# (state, step): state afterwards. What is not here is refused.
MANDATE_STEPS: dict[tuple[str, str], str] = {
    (_M.ACTIVE, _S.CHANGE): _M.ACTIVE,
    (_M.ACTIVE, _S.PAUSE): _M.PAUSED,
    (_M.PAUSED, _S.RESUME): _M.ACTIVE,
    (_M.CREATED, _S.REVOKE): _M.REVOKED,
    (_M.ACTIVE, _S.REVOKE): _M.REVOKED,
    (_M.PAUSED, _S.REVOKE): _M.REVOKED,
}
# What a provider may report of a mandate in a state. A provider that says anything else is not believed.
MANDATE_REPORTS: dict[str, frozenset[str]] = {
    _M.CREATED: frozenset({_M.CREATED, _M.ACTIVE, _M.PAUSED, _M.REVOKED, _M.ERROR}),
    _M.ACTIVE: frozenset({_M.ACTIVE, _M.PAUSED, _M.REVOKED, _M.ERROR}),
    _M.PAUSED: frozenset({_M.PAUSED, _M.ACTIVE, _M.REVOKED, _M.ERROR}),
    _M.ERROR: frozenset({_M.ERROR, _M.REVOKED}),
    _M.REVOKED: frozenset({_M.REVOKED}),
}


class DebitStatus(models.TextChoices):
    SCHEDULED = "scheduled", _("Scheduled")
    PENDING = "debit-pending", _("Under way")
    SUCCESS = "debit-success", _("Paid")
    FAILED = "debit-failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")
    AWAITING_RETRY = "awaiting-retry", _("To be tried again")


_D = DebitStatus
DEBIT_STEPS: dict[str, frozenset[str]] = {
    _D.SCHEDULED: frozenset({_D.PENDING, _D.CANCELLED}),
    _D.PENDING: frozenset({_D.SUCCESS, _D.FAILED, _D.AWAITING_RETRY, _D.CANCELLED}),
    _D.AWAITING_RETRY: frozenset({_D.PENDING, _D.CANCELLED}),
    _D.FAILED: frozenset({_D.AWAITING_RETRY}),  # by staff
    _D.SUCCESS: frozenset(),
    _D.CANCELLED: frozenset(),
}
WAITING = (DebitStatus.SCHEDULED, DebitStatus.AWAITING_RETRY)  # not yet at the provider, so they can be taken back
