"""Signing in to the back office: password, second factor, brakes, how long it lasts."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from storefront import limits, services
from storefront.errors import DomainError
from storefront.staff import devices
from tests.admin.conftest import PASSWORD
from tests.admin.tokens import token_of

pytestmark = pytest.mark.django_db


def _inside(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


def test_a_password_is_enough_where_a_second_factor_is_optional_and_absent(browser, superuser, log_in):
    assert log_in().url == "/admin/"
    assert _inside(browser)


def test_a_wrong_password_signs_nobody_in(browser, superuser, log_in):
    response = log_in(password="wrong")
    assert response.status_code == 200
    assert not _inside(browser)
    assert "_auth_user_id" not in browser.session


def test_a_user_who_is_not_staff_stays_outside(browser, log_in):
    get_user_model().objects.create_user("carl", password=PASSWORD)
    assert log_in("carl").status_code == 200
    assert not _inside(browser)


def test_the_page_that_was_asked_for_comes_after_both_steps(browser, enrolled):
    asked = browser.get("/admin/storefront/store/")
    assert asked.status_code == 302
    first = browser.post(asked.url, {"username": "anna", "password": PASSWORD, "next": "/admin/storefront/store/"})
    assert first.url == "/admin/second-step/"
    second = browser.post("/admin/second-step/", {"token": token_of(enrolled)})
    assert second.url == "/admin/storefront/store/"
    assert browser.get(second.url).status_code == 200


def test_an_address_of_another_host_is_not_followed_after_the_login(browser, superuser):
    response = browser.post("/admin/login/?next=https://evil.example/", {"username": "anna", "password": PASSWORD})
    assert response.url == "/admin/"


@pytest.mark.parametrize("mode", ["optional", "required"])
def test_whoever_has_a_device_is_asked_for_its_token(browser, enrolled, log_in, configure, mode):
    configure(STAFF_TWO_FACTOR=mode)
    assert log_in().url == "/admin/second-step/"
    assert not _inside(browser)
    assert "_auth_user_id" not in browser.session

    assert "not right" in browser.post("/admin/second-step/", {"token": "000000"}).content.decode()
    assert not _inside(browser)

    with time_machine.travel(_later(5)):
        assert browser.post("/admin/second-step/", {"token": token_of(enrolled)}).url == "/admin/"
        assert _inside(browser)


def test_the_session_key_changes_when_somebody_signs_in(browser, enrolled, log_in):
    log_in()
    half_way = browser.session.session_key
    browser.post("/admin/second-step/", {"token": token_of(enrolled)})
    assert browser.session.session_key != half_way
    assert not Session.objects.filter(pk=half_way).exists()


def test_the_second_step_alone_leads_back_to_the_first(browser, enrolled):
    assert browser.get("/admin/second-step/").url == "/admin/login/"
    assert browser.post("/admin/second-step/", {"token": token_of(enrolled)}).url == "/admin/login/"
    assert not _inside(browser)


def test_the_second_step_ends_with_a_change_of_password_and_after_a_quarter_of_an_hour(browser, enrolled, log_in):
    log_in()
    user = enrolled.user
    user.set_password("another-Long-1")
    user.save()
    assert browser.post("/admin/second-step/", {"token": token_of(enrolled)}).url == "/admin/login/"
    log_in(password="another-Long-1")
    with time_machine.travel(_later(901)):
        assert browser.post("/admin/second-step/", {"token": token_of(enrolled)}).url == "/admin/login/"
        assert not _inside(browser)


def test_a_token_is_good_once(enrolled, log_in):
    token = token_of(enrolled)
    first, second = Client(), Client()
    for client in (first, second):
        log_in(client=client)
    assert first.post("/admin/second-step/", {"token": token}).status_code == 302
    assert second.post("/admin/second-step/", {"token": token}).status_code == 200
    assert _inside(first)
    assert not _inside(second)


def test_a_recovery_code_is_good_once_and_kept_as_a_hash(enrolled, log_in):
    code = enrolled.codes[0]
    kept = set(StaticToken.objects.values_list("token", flat=True))
    assert len(kept) == 10
    assert not kept & {code, code.replace("-", "")}

    first, second = Client(), Client()
    log_in(client=first)
    assert first.post("/admin/second-step/", {"token": f" {code.upper()} "}).status_code == 302
    assert _inside(first)
    log_in(client=second)
    assert second.post("/admin/second-step/", {"token": code}).status_code == 200
    assert not _inside(second)
    assert StaticToken.objects.count() == 9


def test_a_recovery_code_of_somebody_else_is_refused(enrolled, log_in, browser):
    other = get_user_model().objects.create_superuser("berta", "", PASSWORD)
    theirs = devices.renew_recovery_codes(user=other)
    log_in()
    assert browser.post("/admin/second-step/", {"token": theirs[0]}).status_code == 200
    assert StaticToken.objects.filter(device__user=other).count() == 10


def test_enrolment_comes_first_where_a_second_factor_is_required(browser, superuser, log_in, configure):
    configure(STAFF_TWO_FACTOR="required")
    assert log_in().url == "/admin/enrol/"
    assert not _inside(browser)
    page = browser.get("/admin/enrol/").content.decode()
    device = TOTPDevice.objects.get(user=superuser)
    secret = devices.secret_text(device)
    assert not device.confirmed
    assert "<svg" in page
    assert secret in page
    assert browser.get("/admin/enrol/").content.decode().count(secret) == 1  # the same secret after a reload

    wrong = browser.post("/admin/enrol/", {"token": "000000"})
    assert "not right" in wrong.content.decode()
    assert not _inside(browser)

    done = browser.post("/admin/enrol/", {"token": token_of(device), "name": "Phone"}).content.decode()
    codes = re.findall(r"<code>([a-z2-7]{5}-[a-z2-7]{5})</code>", done)
    assert len(set(codes)) == 10
    assert _inside(browser)
    device.refresh_from_db()
    assert device.confirmed
    assert device.name == "Phone"
    for page in ("/admin/security/", "/admin/enrol/"):
        assert not any(code in browser.get(page).content.decode() for code in codes)


def test_a_session_without_a_second_factor_ends_when_one_is_required(staff, superuser, configure):
    assert _inside(staff)
    configure(STAFF_TWO_FACTOR="required")
    response = staff.get("/admin/storefront/store/")
    assert response.status_code == 302
    assert staff.get(response.url).url == "/admin/enrol/"


def test_a_session_without_a_second_factor_is_asked_for_one_after_enrolment_elsewhere(staff, enrolled):
    response = staff.get("/admin/storefront/store/")
    assert staff.get(response.url).url == "/admin/second-step/"
    staff.post("/admin/second-step/", {"token": token_of(enrolled)})
    assert _inside(staff)


def test_the_secret_of_a_device_cannot_be_read_in_the_database(enrolled):
    secret = devices._secret(enrolled)
    assert secret.hex() not in enrolled.key
    other = get_user_model().objects.create_user("berta")
    enrolled.user = other  # a row moved to another user opens nothing
    with pytest.raises(DomainError):
        devices._secret(enrolled)


def test_secrets_and_codes_outlive_a_rotation_of_the_secret_key(enrolled, settings, superuser):
    token, code = token_of(enrolled), enrolled.codes[0]
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a-new-secret-key-after-a-rotation-0123456789"
    assert devices.verify(user=superuser, token=token) is not None
    assert devices.verify(user=superuser, token=code) is not None


def test_wrong_tokens_make_the_device_wait_longer_and_longer(browser, enrolled, log_in):
    log_in()
    browser.post("/admin/second-step/", {"token": "000000"})
    braked = browser.post("/admin/second-step/", {"token": token_of(enrolled)})
    assert braked.status_code == 429
    assert not _inside(browser)
    enrolled.refresh_from_db()
    assert enrolled.throttling_failure_count == 1


@pytest.fixture
def name(db: None) -> str:
    """A superuser whom no brake has counted before, in Redis neither."""
    name = f"dora-{uuid4().hex}"
    get_user_model().objects.create_superuser(name, "", PASSWORD)
    return name


def test_wrong_passwords_are_braked_per_name_and_the_right_one_then_too(browser, name, log_in, configure):
    configure(LIMITS_ENABLED=True, LIMITS={"staff_login_contact": "3/900", "staff_login_network": "100/900"})
    for _number in range(3):
        assert log_in(name, "wrong").status_code == 200
    braked = log_in(name)
    assert braked.status_code == 429
    assert int(braked["Retry-After"]) > 0
    assert "Too many tries" in braked.content.decode()
    assert log_in(f"{name.upper()} ").status_code == 429  # the same name in another spelling
    assert not _inside(browser)


def test_wrong_passwords_are_braked_per_network(browser, name, log_in, configure):
    configure(LIMITS_ENABLED=True, LIMITS={"staff_login_contact": "100/900", "staff_login_network": "3/900"})
    for _number in range(3):
        log_in(f"nobody-{uuid4().hex}", "wrong")
    assert log_in(name).status_code == 429
    assert not _inside(browser)


def test_a_right_password_forgets_the_wrong_ones(browser, name, log_in, configure):
    configure(LIMITS_ENABLED=True, LIMITS={"staff_login_contact": "2/900", "staff_login_network": "100/900"})
    for _round in range(3):
        log_in(name, "wrong")
        assert log_in(name).status_code == 302
        browser.logout()


def test_wrong_second_steps_are_braked_per_user_too(browser, name, log_in, configure):
    configure(LIMITS_ENABLED=True, LIMITS={"staff_login_contact": "2/900", "staff_login_network": "100/900"})
    device = devices.begin(user=get_user_model().objects.get(username=name))
    TOTPDevice.objects.filter(pk=device.pk).update(confirmed=True)
    log_in(name)
    for seconds in (0, 60):  # the device itself waits a second after the first
        with time_machine.travel(_later(seconds)):
            assert browser.post("/admin/second-step/", {"token": "000000"}).status_code == 200
    with time_machine.travel(_later(120)):
        assert browser.post("/admin/second-step/", {"token": token_of(device)}).status_code == 429
        assert not _inside(browser)


def test_a_session_ends_after_half_an_hour_without_a_request(browser, superuser, log_in):
    log_in()
    with time_machine.travel(_later(1700)):
        assert _inside(browser)
    with time_machine.travel(_later(3400)):
        assert _inside(browser)
    with time_machine.travel(_later(3400 + 1801)):
        assert not _inside(browser)
        assert "signed out after a while" in browser.get("/admin/login/").content.decode()


def test_a_session_ends_after_twelve_hours_however_busy(browser, superuser, log_in):
    log_in()
    for minutes in range(0, 720, 20):
        with time_machine.travel(_later(minutes * 60)):
            assert _inside(browser), minutes
    with time_machine.travel(_later(43_201)):
        assert not _inside(browser)


def test_the_sweep_deletes_sessions_that_have_ended_and_no_others(browser, superuser, log_in):
    log_in()
    other = Client()
    log_in(client=other)
    Session.objects.filter(pk=other.session.session_key).update(expire_date=timezone.now() - timedelta(seconds=1))
    services.purge_expired(now=timezone.now())
    assert [row.pk for row in Session.objects.all()] == [browser.session.session_key]


def test_a_member_of_staff_who_is_switched_off_is_out_at_once(staff, superuser):
    assert _inside(staff)
    superuser.is_active = False
    superuser.save()
    assert not _inside(staff)


# --- own devices ----------------------------------------------------------------------------------------------------
def _signed_in(browser: Client, device: Any, log_in: Any) -> Client:
    log_in()
    browser.post("/admin/second-step/", {"token": token_of(device)})
    assert _inside(browser)
    return browser


def test_devices_and_codes_change_only_with_a_token(browser, enrolled, log_in):
    client = _signed_in(browser, enrolled, log_in)
    assert client.post("/admin/security/", {"do": "codes", "token": "000000"}).status_code == 200
    assert client.post("/admin/security/", {"device": enrolled.pk, "token": ""}).status_code == 200
    assert TOTPDevice.objects.filter(confirmed=True).count() == 1

    with time_machine.travel(_later(60)):
        shown = client.post("/admin/security/", {"do": "codes", "token": token_of(enrolled)}).content.decode()
    codes = re.findall(r"<code>([a-z2-7]{5}-[a-z2-7]{5})</code>", shown)
    assert len(codes) == 10
    assert not set(codes) & set(enrolled.codes)
    assert StaticToken.objects.count() == 10


def test_the_last_device_stays_where_one_is_required(browser, enrolled, log_in, configure):
    client = _signed_in(browser, enrolled, log_in)
    with time_machine.travel(_later(60)):
        configure(STAFF_TWO_FACTOR="required")
        response = client.post("/admin/security/", {"device": enrolled.pk, "token": token_of(enrolled)})
        assert "add another device first" in response.content.decode()
    with time_machine.travel(_later(120)):
        configure(STAFF_TWO_FACTOR="optional")
        response = client.post("/admin/security/", {"device": enrolled.pk, "token": token_of(enrolled)})
        assert response.status_code == 302
    assert not TOTPDevice.objects.exists()
    assert not StaticToken.objects.exists()


def test_a_device_of_somebody_else_is_not_removed(browser, enrolled, log_in):
    other = devices.begin(user=get_user_model().objects.create_superuser("berta", "", PASSWORD))
    TOTPDevice.objects.filter(pk=other.pk).update(confirmed=True)
    client = _signed_in(browser, enrolled, log_in)
    with time_machine.travel(_later(60)):
        client.post("/admin/security/", {"device": other.pk, "token": token_of(enrolled)})
    assert TOTPDevice.objects.filter(pk=other.pk, confirmed=True).exists()


def test_adding_a_device_from_inside_needs_the_password(staff, superuser):
    staff.get("/admin/enrol/")
    device = TOTPDevice.objects.get(user=superuser)
    refused = staff.post("/admin/enrol/", {"token": token_of(device), "password": "wrong"})
    assert "not your password" in refused.content.decode()
    device.refresh_from_db()
    assert not device.confirmed
    staff.post("/admin/enrol/", {"token": token_of(device), "password": PASSWORD})
    device.refresh_from_db()
    assert device.confirmed
    assert _inside(staff)


def test_only_a_superuser_resets_the_second_factor_of_another(staff, browser, enrolled):
    helper = get_user_model().objects.create_user("hugo", password=PASSWORD, is_staff=True)
    _grant(helper, "change_user", "view_user")
    browser.force_login(helper)
    address = f"/admin/auth/user/{enrolled.user_id}/reset-two-factor/"
    assert browser.post(address).status_code == 403
    assert TOTPDevice.objects.exists()

    boss = get_user_model().objects.create_superuser("boss", "", PASSWORD)
    browser.force_login(boss)
    assert browser.get(address).status_code == 200
    assert TOTPDevice.objects.exists()
    assert browser.post(address).status_code == 302
    assert not TOTPDevice.objects.exists()
    assert not StaticToken.objects.exists()


def test_a_command_resets_the_second_factor_of_whoever_lost_everything(enrolled, browser, log_in):
    call_command("reset_two_factor", "anna", stdout=StringIO())
    assert not TOTPDevice.objects.exists()
    assert not StaticToken.objects.exists()
    assert log_in().url == "/admin/"
    assert LogEntry.objects.filter(change_message__contains="Reset").exists()
    with pytest.raises(CommandError):
        call_command("reset_two_factor", "nobody")


def test_staff_who_may_edit_users_cannot_take_or_give_rights(browser, superuser):
    helper = get_user_model().objects.create_user("hugo", password=PASSWORD, is_staff=True)
    _grant(helper, "change_user", "view_user", "delete_user")
    browser.force_login(helper)
    fields = {"username": "hugo", "is_superuser": "on", "is_staff": "on", "is_active": "on"}
    moment = {"date_joined_0": "2026-01-01", "date_joined_1": "10:00:00"}
    browser.post(f"/admin/auth/user/{helper.pk}/change/", fields | moment)
    helper.refresh_from_db()
    assert not helper.is_superuser
    assert browser.post(f"/admin/auth/user/{superuser.pk}/password/", {"password1": "x"}).status_code == 403
    assert browser.post(f"/admin/auth/user/{superuser.pk}/delete/", {"post": "yes"}).status_code == 403


def _grant(user: Any, *codenames: str) -> None:
    from django.contrib.auth.models import Permission

    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))


def _later(seconds: float) -> float:
    return time.time() + seconds


def test_the_brakes_are_on_unless_they_are_lifted(configure):
    configure(LIMITS_ENABLED=True, LIMITS={})
    assert limits.rules("staff_login_contact", "anna")
    assert limits.rules("staff_login_network", "10.0.0.1")
