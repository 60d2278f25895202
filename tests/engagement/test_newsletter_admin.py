"""The newsletter's list in the back office."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from engagement.newsletter import services
from engagement.newsletter.models import NewsletterSubscription
from tests.engagement.conftest import history, state_of

pytestmark = pytest.mark.django_db
LIST = "/admin/storefront_engagement/newslettersubscription/"


@pytest.fixture
def staff(settings: Any) -> Client:
    settings.STOREFRONT = settings.STOREFRONT | {"STAFF_TWO_FACTOR": "optional"}
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", "anna@example.com", "x"))
    return client


def act(staff: Client, name: str) -> Any:
    ids = list(NewsletterSubscription.objects.values_list("pk", flat=True))
    return staff.post(LIST, {"action": name, "_selected_action": ids, "confirmed": "1"}, follow=True)


def test_addresses_are_masked_in_lists_and_shown_with_their_history(store, staff):
    services.subscribe(store=store, email="asha@example.com")
    text = staff.get(LIST).content.decode()
    assert "a***@example.com" in text and "asha@example.com" not in text
    row = NewsletterSubscription.objects.get()
    page = staff.get(f"{LIST}{row.pk}/change/").content.decode()
    assert "asha@example.com" in page and "Form in the shop" in page
    assert staff.post(f"{LIST}{row.pk}/change/", {"state": "unsubscribed"}).status_code == 403


def test_staff_unsubscribe_and_lift_a_suppression_with_their_name(store, staff):
    services.subscribe(store=store, email="asha@example.com")
    services.bounced(store=store, to="asha@example.com", channel="email", reason="address_refused")
    act(staff, "restore")
    assert state_of(store) == "subscribed"
    assert "1 addresses are unsubscribed" in act(staff, "unsubscribe").content.decode()
    assert "0 addresses are unsubscribed" in act(staff, "unsubscribe").content.decode()
    assert history(store)[2:] == [("restored", "staff"), ("unsubscribed", "staff")]
    assert NewsletterSubscription.objects.get().consents.order_by("pk").last().detail == "anna"


def test_the_export_is_a_file_of_one_store_for_those_who_may(store, other_store, staff):
    services.subscribe(store=store, email="asha@example.com")
    services.subscribe(store=other_store, email="theirs@example.com")
    assert b"Other" in staff.get(f"{LIST}export").content or staff.get(f"{LIST}export").status_code == 302
    response = staff.get(f"/admin/newsletter/{store.pk}/export/")
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    assert response["Content-Disposition"] == 'attachment; filename="newsletter-demo-subscribed.csv"'
    assert "asha@example.com" in text and "theirs@example.com" not in text
    for bad in ("/admin/newsletter/nowhere/export/", f"/admin/newsletter/{store.pk}/export/?state=x"):
        assert staff.get(bad).status_code == 404
    helper = get_user_model().objects.create_user("hugo", password="x", is_staff=True)
    helper.user_permissions.set(Permission.objects.filter(codename="view_newslettersubscription"))
    staff.force_login(helper)
    assert staff.get(LIST).status_code == 200
    assert staff.get(f"/admin/newsletter/{store.pk}/export/").status_code == 403
    services.subscribe(store=store, email="b@example.com")
    act(staff, "unsubscribe")
    assert state_of(store, "b@example.com") == "subscribed"
