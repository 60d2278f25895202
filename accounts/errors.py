"""This app's refusals. Each has a stable code."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from storefront.errors import Invalid, NotFound


class AlreadyAuthenticated(Invalid):
    """Spelt as the published client spells it."""

    code = "USER_ALREADY_AUTHENTICATED"
    default_message = _("You are already logged in.")


class RefreshRefused(Invalid):
    """A refresh token that does not hold. Never 401: the client would try to refresh again."""

    code = "invalid_refresh_token"
    default_message = _("This session cannot be continued. Please sign in again.")


class RefreshExpired(RefreshRefused):
    code = "refresh_token_expired"
    default_message = _("Your session has expired. Please sign in again.")


class RefreshReused(RefreshRefused):
    """The whole session has ended."""

    code = "refresh_token_reused"


class SessionEnded(RefreshRefused):
    code = "session_ended"


class CodeRefused(Invalid):
    """A wrong code, an unknown challenge, or one that cannot be passed; nobody learns which."""

    code = "invalid_otp"
    default_message = _("That code is not right.")


class CodeExpired(Invalid):
    """The challenge is over: used, replaced, tried too often, or too old."""

    code = "otp_expired"
    default_message = _("That code can no longer be used. Please ask for a new one.")


class ContactTaken(Invalid):
    """Said only to someone who has proved that the contact is theirs."""

    code = "contact_taken"
    default_message = _("This contact belongs to another account.")


class ContactMismatch(Invalid):
    code = "contact_mismatch"
    default_message = _("This is not the contact of your account.")


class WrongPassword(Invalid):
    code = "wrong_password"
    default_message = _("Your present password is not right.")


class GroupNotAllowed(Invalid):
    code = "customer_group_not_allowed"
    default_message = _("You cannot choose this customer group.")


class ContactUnknown(NotFound):
    """Only where the store chose to reveal it (D-6)."""

    code = "contact_not_registered"
    default_message = _("There is no account with this contact.")


class NoProfileImage(NotFound):
    code = "profile_image_not_found"
    default_message = _("There is no profile image.")
