"""Actions on many rows: only with the right to change them, asked first where nothing undoes them, and written down."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from carts.models import Cart
from fulfillment.models import ShippingZone
from messaging.models import Message
from storefront.admin_base import site
from tests.admin.rows import MAKERS

pytestmark = pytest.mark.django_db

ACTIONS = sorted(
    ((model, name) for model, page in site._registry.items() for name in page.actions or ()),
    key=lambda pair: (pair[0]._meta.label, pair[1]),
)
IDS = [f"{model._meta.label}.{name}" for model, name in ACTIONS]
# What staff are asked about first: nothing brings it back.
ASKED = {
    "storefront_accounts.Session.end_selected",
    "storefront_carts.Cart.remove",
    "storefront_customers.Invitation.withdraw",
    "storefront_engagement.NewsletterSubscription.unsubscribe",
    "storefront_payments.Mandate.revoke_many",
    "storefront_payments.MandateDebit.cancel_many",
    "storefront_promotions.Coupon.delete_unused",
    "storefront_promotions.Promotion.delete_unused",
}


def _list(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def _facts(row: Any) -> Any:
    return type(row)._base_manager.filter(pk=row.pk).values().first()


def _run(client: Client, row: Any, name: str, **more: str) -> Any:
    return client.post(_list(type(row)), {"action": name, "_selected_action": [str(row.pk)], "index": "0", **more})


@pytest.mark.parametrize(("model", "name"), ACTIONS, ids=IDS)
def test_who_may_only_look_runs_no_action(browser, store, model, name):
    row = MAKERS[model](store, 1)
    before = _facts(row)
    watcher = get_user_model().objects.create_user("hugo", password="x", is_staff=True)
    watcher.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    browser.force_login(watcher)
    page = browser.get(_list(model))
    assert page.status_code == 200
    assert f'value="{name}"' not in page.content.decode()
    _run(browser, row, name, confirmed="1")
    assert _facts(row) == before
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(("model", "name"), ACTIONS, ids=IDS)
def test_an_action_is_written_down_and_asks_first_where_nothing_undoes_it(staff, store, model, name):
    row = MAKERS[model](store, 1)
    before = _facts(row)
    answer = _run(staff, row, name)
    if f"{model._meta.label}.{name}" in ASKED:
        assert answer.status_code == 200
        assert "1 row is chosen." in answer.content.decode()
        assert _facts(row) == before
        assert not LogEntry.objects.exists()
        sent = dict(answer.context["hidden"])
        assert sent["_selected_action"] == str(row.pk)
        answer = staff.post(_list(model), sent)
    assert answer.status_code == 302
    if not answer.url.startswith(_list(model)) and _facts(row) == before:
        return  # it leads on to a page that asks what to do
    entries = LogEntry.objects.filter(object_id=str(row.pk))
    assert entries.count() == 1, "once, and not twice"
    told = [str(message) for message in staff.get(answer.url, follow=True).context["messages"]]
    assert told, "staff are told what was done"


def test_no_action_runs_without_the_token_against_forgery(superuser, store):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(superuser)
    cart = MAKERS[Cart](store, 1)
    assert _run(strict, cart, "remove", confirmed="1").status_code == 403
    assert Cart.objects.filter(pk=cart.pk).exists()


def test_confirmed_carts_are_deleted_and_their_number_is_told(staff, store):
    carts = [MAKERS[Cart](store, number) for number in range(2)]
    chosen = {"action": "remove", "_selected_action": [cart.pk for cart in carts], "index": "0"}
    page = staff.post(_list(Cart), chosen)
    assert "2 rows are chosen." in page.content.decode()
    assert Cart.objects.count() == 2
    answer = staff.post(_list(Cart), {**chosen, "confirmed": "1"}, follow=True)
    assert "2 carts were deleted." in answer.content.decode()
    assert not Cart.objects.exists()


def test_switching_zones_says_how_many(staff, store):
    zone = MAKERS[ShippingZone](store, 1)
    answer = staff.post(
        _list(ShippingZone), {"action": "switch_off", "_selected_action": [str(zone.pk)], "index": "0"}, follow=True
    )
    assert "1 zone changed." in answer.content.decode()


def test_a_link_sends_no_message_again(staff, store):
    message = MAKERS[Message](store, 1)
    Message.objects.filter(pk=message.pk).update(state=Message.State.DEAD)
    before = _facts(message)
    address = _list(Message) + f"{message.pk}/send-again/"
    answer = staff.get(address)
    assert answer.status_code == 200
    assert _facts(message) == before
    staff.post(address)
    assert _facts(message)["state"] == Message.State.PENDING
