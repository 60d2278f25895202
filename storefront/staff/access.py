"""Who is signed in to the back office, how far, and for how long. State of a sign-in lives in the session."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model, load_backend, login
from django.http import HttpRequest
from django_otp import login as remember_device

from storefront import crypto
from storefront.conf import conf
from storefront.staff import devices

logger = logging.getLogger(__name__)
PENDING = "staff_pending"  # the password was right, the second step is due
PENDING_SECONDS = 900
SINCE, SEEN = "staff_since", "staff_seen"
SEEN_EVERY_SECONDS = 60


def second_factor_done(request: HttpRequest) -> bool:
    """Whether the signed-in user has done all that is asked: nothing more where they need no second factor.

    None or one query a request.
    """
    user: Any = request.user
    if getattr(user, "otp_device", None) is not None:
        return True
    if conf().STAFF_TWO_FACTOR == "required":
        return False
    known: tuple[Any, bool] | None = getattr(request, "_second_factor_due", None)
    if known is None or known[0] != user.pk:
        known = (user.pk, devices.enrolled(user))
        request._second_factor_due = known  # type: ignore[attr-defined]
    return not known[1]


def put_off(request: HttpRequest, *, user: Any, backend: str, next_url: str) -> None:
    """Remembers that this visitor knows the user's password; they are not signed in."""
    request.session.cycle_key()
    request.session[PENDING] = {
        "user": str(user.pk),
        "backend": backend,
        "password": crypto.keyed_hash("staff-pending", user.password),
        "at": time.time(),
        "next": next_url,
    }


def pending(request: HttpRequest) -> tuple[Any, dict[str, Any]] | None:
    """The user whose second step is due, and what was remembered; None when there is none or it took too long."""
    kept = request.session.get(PENDING)
    if not kept or time.time() - kept["at"] > PENDING_SECONDS:
        return None
    user: Any = get_user_model()._default_manager.filter(pk=kept["user"], is_active=True, is_staff=True).first()
    if user is None or kept["password"] not in crypto.keyed_hashes("staff-pending", user.password):
        return None
    return user, kept


def sign_in(request: HttpRequest, *, user: Any, backend: str, device: Any = None) -> None:
    """Starts the session, under a new session key."""
    request.session.pop(PENDING, None)
    login(request, user, backend=backend)
    if device is not None:
        remember_device(request, device)
    request.session[SINCE] = request.session[SEEN] = time.time()
    request.session.set_expiry(conf().STAFF_SESSION_SECONDS)
    logger.info("staff_signed_in", extra={"user_id": user.pk, "second_factor": device is not None})


def overdue(request: HttpRequest, *, now: float) -> bool:
    """Whether this session has lasted, or lain idle, for too long. Notes at most once a minute that it is in use."""
    session = request.session
    since, seen = session.get(SINCE), session.get(SEEN)
    if since is None or seen is None:  # signed in elsewhere in the host project
        session[SINCE] = session[SEEN] = now
        return False
    if now - since > conf().STAFF_SESSION_SECONDS or now - seen > conf().STAFF_IDLE_SECONDS:
        return True
    if now - seen > min(SEEN_EVERY_SECONDS, conf().STAFF_IDLE_SECONDS / 2):
        session[SEEN] = now
    return False


def backend_of(request: HttpRequest, user: Any) -> str:
    """The authentication backend's path; of the signed-in session where the user object does not know it."""
    from django.contrib.auth import BACKEND_SESSION_KEY

    path = getattr(user, "backend", None) or request.session[BACKEND_SESSION_KEY]
    load_backend(path)
    return str(path)


def purge_sessions(*, now: datetime, batch: int, **_: Any) -> None:
    """Deletes sessions that have ended, at most `batch` of them; the sweep comes again."""
    from django.contrib.sessions.models import Session

    ended = Session.objects.filter(expire_date__lt=now)
    ended.filter(pk__in=list(ended.values_list("pk", flat=True)[:batch])).delete()
