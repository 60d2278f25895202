"""What identity adds to the dashboard and to other pages: codes, sign-ups, logins; a customer's users; their messages."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from messaging.models import Message
from storefront import panels
from storefront.admin_base import change_link, list_link, masked

from .models import ConsentRecord, OtpChallenge, SecurityEvent, Session, User

FEW_USED = 0.2  # below this share of codes used, somebody may be sending them for their cost alone
ENOUGH_SENT = 20
Kind = SecurityEvent.Kind


def codes(period: panels.Period) -> panels.Figure:
    found = OtpChallenge.objects.filter(**period.scope, created_at__gte=period.day_ago, decoy=False).aggregate(
        sent=Count("pk"), used=Count("pk", filter=Q(consumed_at__isnull=False))
    )
    few = found["sent"] >= ENOUGH_SENT and found["used"] < FEW_USED * found["sent"]
    return panels.Figure(
        panels.percent(found["used"], found["sent"]),
        _("%(used)d of %(sent)d used in 24 hours") % found,
        list_link(OtpChallenge),
        "bad" if few else "neutral",
    )


def _events(period: panels.Period) -> list[dict[str, Any]]:
    def read() -> list[dict[str, Any]]:
        rows = SecurityEvent.objects.filter(
            **period.scope, created_at__gte=period.fortnight_ago, kind__in=[Kind.REGISTERED, Kind.LOGIN]
        )
        counted = (
            rows.annotate(day=TruncDate("created_at", tzinfo=period.zone))
            .values("day", "kind")
            .annotate(count=Count("pk"), last_day=Count("pk", filter=Q(created_at__gte=period.day_ago)))
            .order_by()
        )
        return [dict(row) for row in counted]

    found: list[dict[str, Any]] = period.once("accounts.events", read)
    return found


def _figure(period: panels.Period, kind: SecurityEvent.Kind, link: str) -> panels.Figure:
    rows = [row for row in _events(period) if row["kind"] == kind]
    fortnight = sum(row["count"] for row in rows)
    return panels.Figure(
        sum(row["last_day"] for row in rows), _("in 24 hours; %(count)d in 14 days") % {"count": fortnight}, link
    )


def sign_ups(period: panels.Period) -> panels.Figure:
    return _figure(period, Kind.REGISTERED, list_link(User))


def logins(period: panels.Period) -> panels.Figure:
    return _figure(period, Kind.LOGIN, list_link(SecurityEvent, kind__exact=Kind.LOGIN.value))


def a_day(period: panels.Period) -> panels.Chart:
    def counts(kind: SecurityEvent.Kind) -> list[int]:
        return panels.over_days(
            ((row["day"], row["count"]) for row in _events(period) if row["kind"] == kind), period.days()
        )

    return panels.Chart(
        period.day_labels(),
        [
            panels.Series(gettext_lazy("Logins"), counts(Kind.LOGIN), "info"),
            panels.Series(gettext_lazy("Sign-ups"), counts(Kind.REGISTERED), "good"),
        ],
        kind="line",
        link=list_link(User),
    )


def users_of_customer(request: HttpRequest, customer: Any) -> panels.Table:
    users = User.objects.filter(store_id=customer.store_id, customer_id=customer.pk).order_by("-is_primary", "pk")[:20]
    return panels.Table(
        headers=(_("Name"), _("E-mail"), _("Phone"), _("Last login")),
        rows=[
            (
                change_link(user, user.full_name or user.pk),
                _contact(user.email, user.is_email_verified),
                _contact(user.phone, user.is_phone_verified),
                user.last_login_at,
            )
            for user in users
        ],
        empty=_("Nobody has registered for this customer."),
    )


def _contact(contact: str, verified: bool) -> str:
    shown = masked(contact)
    return f"{shown} ✓" if contact and verified else shown


def messages_of_user(request: HttpRequest, user: User) -> panels.Table:
    return _messages(user.store_id, [contact for contact in (user.email, user.phone) if contact])


def _messages(store_id: str, contacts: Collection[str]) -> panels.Table:
    found = Message.objects.filter(store_id=store_id, to__in=contacts).order_by("-created_at")[:8]
    return panels.Table(
        headers=(_("Message"), _("Channel"), _("Status"), _("When")),
        rows=[
            (change_link(row, row.template), row.get_current_channel_display(), row.status.label, row.created_at)
            for row in found
        ],
        link=list_link(Message, q=next(iter(contacts))) if len(contacts) == 1 else "",
        empty=_("Nothing was sent lately."),
    )


def sessions_of_user(request: HttpRequest, user: User) -> panels.Table:
    found = Session.objects.filter(store_id=user.store_id, user_id=user.pk).order_by("-created_at")[:8]
    return panels.Table(
        headers=(_("How"), _("Last used"), _("Ended"), _("Why")),
        rows=[
            (change_link(row, row.method), row.last_used_at, row.ended_at, row.get_end_reason_display())
            for row in found
        ],
        link=list_link(Session, q=user.pk),
        empty=_("This user has not logged in lately."),
    )


def consents_of_user(request: HttpRequest, user: User) -> panels.Table:
    found = ConsentRecord.objects.filter(store_id=user.store_id, user_id=user.pk).order_by("-at", "-pk")[:10]
    return panels.Table(
        headers=(_("When"), _("Messages"), _("By"), _("Wanted"), _("Source"), _("Network")),
        rows=[
            (row.at, row.topic, row.medium, _("yes") if row.granted else _("no"), row.get_source_display(), row.network)
            for row in found
        ],
        empty=_("Nothing was changed since this person registered."),
    )


def _of_customer(customer: Any) -> Any:
    return User.objects.filter(store_id=customer.store_id, customer_id=customer.pk)


def messages_of_customer(request: HttpRequest, customer: Any) -> panels.Table:
    """Two queries."""
    people = _of_customer(customer).values_list("email", "phone")[:20]
    contacts = {contact for person in people for contact in person if contact}
    return _messages(customer.store_id, contacts)


def sessions_of_customer(request: HttpRequest, customer: Any) -> panels.Table:
    """One query."""
    found = Session.objects.filter(store_id=customer.store_id, user__in=_of_customer(customer), ended_at=None)
    rows = found.filter(expires_at__gt=timezone.now()).select_related("user").order_by("-last_used_at")[:10]
    return panels.Table(
        headers=(_("How"), _("User"), _("Place of sale"), _("Last used")),
        rows=[
            (
                change_link(row, row.method),
                change_link(row.user),
                row.channel.get("name", "–"),
                row.last_used_at,
            )
            for row in rows
        ],
        empty=_("Nobody of this customer is logged in."),
    )


def events_of_user(request: HttpRequest, user: User) -> panels.Table:
    found = SecurityEvent.objects.filter(store_id=user.store_id, user_id=user.pk).order_by("-created_at")[:8]
    return panels.Table(
        headers=(_("What"), _("When")),
        rows=[(change_link(row), row.created_at) for row in found],
        link=list_link(SecurityEvent, q=user.pk),
        empty=_("Nothing has happened to this account."),
    )


panels.tile(
    "accounts.codes",
    title=gettext_lazy("One-time codes used"),
    icon="pin",
    compute=codes,
    permission="storefront_accounts.view_otpchallenge",
    order=20,
)
panels.tile(
    "accounts.sign_ups",
    title=gettext_lazy("Sign-ups"),
    icon="person_add",
    compute=sign_ups,
    permission="storefront_accounts.view_user",
    order=22,
)
panels.tile(
    "accounts.logins",
    title=gettext_lazy("Logins"),
    icon="login",
    compute=logins,
    permission="storefront_accounts.view_user",
    order=24,
)
panels.chart(
    "accounts.days",
    title=gettext_lazy("Logins and sign-ups a day"),
    compute=a_day,
    permission="storefront_accounts.view_user",
    order=20,
)
panels.register(
    "storefront_customers.customer",
    title=gettext_lazy("Users"),
    icon="person",
    compute=users_of_customer,
    permission="storefront_accounts.view_user",
    order=10,
)
panels.register(
    "storefront_accounts.user",
    title=gettext_lazy("Messages"),
    icon="mail",
    compute=messages_of_user,
    permission="storefront_messaging.view_message",
    order=40,
)
panels.register(
    "storefront_accounts.user",
    title=gettext_lazy("Sessions"),
    icon="devices",
    compute=sessions_of_user,
    permission="storefront_accounts.view_session",
    order=20,
)
panels.register(
    "storefront_accounts.user",
    title=gettext_lazy("Security log"),
    icon="shield",
    compute=events_of_user,
    permission="storefront_accounts.view_securityevent",
    order=30,
)
panels.register(
    "storefront_accounts.user",
    title=gettext_lazy("Consent"),
    icon="fact_check",
    compute=consents_of_user,
    permission="storefront_accounts.view_consentrecord",
    order=35,
)
panels.register(
    "storefront_customers.customer",
    title=gettext_lazy("Sessions"),
    icon="devices",
    compute=sessions_of_customer,
    permission="storefront_accounts.view_session",
    order=70,
)
panels.register(
    "storefront_customers.customer",
    title=gettext_lazy("Messages"),
    icon="mail",
    compute=messages_of_customer,
    permission="storefront_messaging.view_message",
    order=75,
)
