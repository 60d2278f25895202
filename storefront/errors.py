"""The error catalogue: every refusal of the API is one of these, with a stable code (decision D-1).

Raise them anywhere below a view; the envelope is added once, at the edge. `docs/errors.md` lists the codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext_lazy as _


class DomainError(Exception):
    """A refusal. `message` is for a shopper to read, `code` for a program, `field` names the input at fault.

    `errors` maps field paths to messages; a single `field` fills it with `message`.
    """

    status = 400
    code = "invalid"
    default_message = _("The request cannot be carried out.")

    def __init__(
        self,
        message: object = None,
        *,
        code: str | None = None,
        field: str | None = None,
        errors: Mapping[str, Sequence[object]] | None = None,
        retry_after: int | None = None,
    ) -> None:
        self.message = message or self.default_message
        self.code = code or type(self).code
        self.errors = dict(errors or ({field: [self.message]} if field else {}))
        self.retry_after = retry_after
        super().__init__(self.code)


class Invalid(DomainError):
    code = "validation_error"
    default_message = _("Some of the values are not valid.")


class MalformedBody(DomainError):
    code = "malformed_body"
    default_message = _("The request body could not be read.")


class VerificationRequired(DomainError):
    code = "verification_required"
    default_message = _("Please confirm this change with a code first.")


class Unauthenticated(DomainError):
    status = 401
    code = "unauthorized"
    default_message = _("You are not authorised to do this.")


class LoginRequired(Unauthenticated):
    code = "login_required"
    default_message = _("Please log in first.")


class TokenExpired(Unauthenticated):
    code = "token_expired"
    default_message = _("Your session has expired. Please sign in again.")


class InvalidCredentials(Unauthenticated):
    code = "invalid_credentials"
    default_message = _("The details that you entered do not match.")


class NotFound(DomainError):
    status = 404
    code = "not_found"
    default_message = _("We could not find that.")


class StoreNotFound(NotFound):
    code = "store_not_found"
    default_message = _("There is no such store.")


class MethodNotAllowed(DomainError):
    status = 405
    code = "method_not_allowed"
    default_message = _("This address does not support that method.")


class NotAcceptable(DomainError):
    status = 406
    code = "not_acceptable"
    default_message = _("This API answers JSON only.")


class InProgress(DomainError):
    """An idempotency key whose first call still runs (D-63)."""

    status = 409
    code = "request_in_progress"
    default_message = _("The same request is still being carried out.")


class BodyTooLarge(DomainError):
    status = 413
    code = "body_too_large"
    default_message = _("The request is too large.")


class UnsupportedMediaType(DomainError):
    status = 415
    code = "unsupported_media_type"
    default_message = _("This content type is not supported here.")


class TooManyRequests(DomainError):
    """`retry_after` is in seconds and goes out as the header."""

    status = 429
    code = "too_many_requests"
    default_message = _("Too many requests. Please wait a moment and try again.")


class ServerError(DomainError):
    status = 500
    code = "server_error"
    default_message = _("Something went wrong on our side. Please try again.")


class Unavailable(DomainError):
    status = 503
    code = "temporarily_unavailable"
    default_message = _("This is not available right now. Please try again shortly.")
