"""The addresses beside the API."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.staticfiles import finders
from django.db import DatabaseError, connection
from django.test import Client

from storefront import health, redis_client
from tests.contract import assert_is_error


@pytest.mark.django_db
def test_the_landing_page_leads_everywhere(client: Client) -> None:
    page = client.get("/").content.decode()
    for address in re.findall(r'href="(/[^"]*)"', page):
        assert client.get(address).status_code in {200, 302, 503}, address


def test_health_without_a_word_is_readiness(client: Client) -> None:
    assert client.get("/health")["Location"] == "/health/ready"


@pytest.mark.parametrize("address", ["/docs", "/docs/redoc"])
def test_documentation_needs_no_network(client: Client, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert not re.search(r"https?://(?!testserver)", page)
    files = re.findall(r'(?:src|href)="/static/([^"]+)"', page)
    assert files
    assert all(finders.find(name) for name in files)
    assert "/api/schema" in page


def test_the_openapi_document_describes_the_api(client: Client) -> None:
    answer = client.get("/api/schema")
    assert answer["Content-Type"] == "application/json"
    document = answer.json()
    assert document["openapi"].startswith("3.1")
    assert any(path.endswith("/auth/anonymous") for path in document["paths"])


@pytest.mark.django_db
@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("GET", "/nope", 404),
        ("POST", "/nope", 404),
        ("OPTIONS", "/nope", 404),
        ("GET", "//api/v1/demo/storefront/carts", 404),
        ("POST", "/API/v1/demo/storefront/carts", 404),
        ("GET", "/api", 404),
        ("GET", "/%00", 404),
        ("GET", "/%ff", 404),
        ("GET", "/newsletter/demo", 404),
        ("GET", "/static/nope.css", 404),
        ("GET", "/docs/nope", 404),
        ("GET", "/" + "a" * 20_000, 404),
        ("POST", "/", 405),
        ("TRACE", "/", 405),
        ("BREW", "/health/ready", 405),
        ("POST", "/docs", 405),
        ("POST", "/api/schema", 405),
    ],
)
def test_what_is_no_page_is_refused_in_json(settings: Any, debug: bool, method: str, address: str, status: int) -> None:
    settings.DEBUG = debug
    answer = Client(enforce_csrf_checks=True).generic(method, address)
    assert_is_error(answer, status, {404: "not_found", 405: "method_not_allowed"}[status])
    assert answer["X-Request-Id"]
    if status == 405:
        assert answer["Allow"] == "GET, HEAD"


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/nope", "/api/nope"])
def test_a_refusal_keeps_what_every_answer_says_to_browsers(settings: Any, address: str) -> None:
    settings.SECURE_HSTS_SECONDS = 60
    answer = Client().get(address, secure=True)
    assert_is_error(answer, 404, "not_found")
    assert answer["Strict-Transport-Security"].startswith("max-age=60")
    assert answer["Referrer-Policy"]
    assert "Content-Security-Policy" not in answer
    assert "sessionid" not in answer.cookies


@pytest.mark.django_db
def test_refusals_that_people_read_stay_pages(client: Client) -> None:
    link = client.get("/newsletter/demo/confirm/forged")
    assert link.status_code == 404
    assert link["Content-Type"].startswith("text/html")
    assert client.get("/admin/nope")["Location"].startswith("/admin/login/")


@pytest.mark.django_db
def test_a_name_that_is_not_ours_is_refused_in_json_except_for_probes(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["shop.example.com"]
    for host in ("evil.example", "10.1.2.3:8000", "a b", ""):
        stranger = Client(headers={"host": host})
        answer = stranger.get("/")
        assert_is_error(answer, 400, "invalid")
        assert "body" not in answer.json()["message"]
        assert stranger.get("/health/live").status_code == 200, host
        assert stranger.get("/health/ready").status_code == 200, host


@pytest.mark.django_db
def test_live_asks_nobody_and_ready_asks_the_database(
    client: Client, django_assert_num_queries: Any, monkeypatch: Any
) -> None:
    with django_assert_num_queries(0):
        assert client.get("/health/live").json() == {"status": "ok"}
    with django_assert_num_queries(1):
        answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["components"]["database"] == "ok"
    assert answer["Cache-Control"] == "no-store"

    def broken() -> Any:
        raise DatabaseError("no such host as db-7.internal")

    monkeypatch.setattr(connection, "cursor", broken)
    monkeypatch.setattr(connection, "close", lambda: None)
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["components"]["database"] == "down"
    assert "internal" not in answer.content.decode()


@pytest.mark.django_db
def test_ready_without_redis_is_still_ready(client: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr(redis_client, "configured", lambda: True)
    monkeypatch.setattr(redis_client, "quietly", lambda call: None)
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["components"] == {"database": "ok", "redis": health.DOWN, "disk": "ok"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("free", "total", "low"),
    [(511, 100_000, True), (512, 100_000, False), (0, 64, True), (7, 64, False), (6, 64, True), (0, 0, False)],
)
def test_a_disk_that_is_nearly_full_is_an_alarm_and_no_reason_to_take_a_machine_out(
    client: Client, monkeypatch: Any, capsys: Any, settings: Any, free: int, total: int, low: bool
) -> None:
    """Of several, the fullest decides, whichever is the smaller one. Figures in MiB."""
    settings.STOREFRONT = settings.STOREFRONT | {"DISK_LOW_BYTES": 512 << 20}
    roomy = SimpleNamespace(free=70 << 20, total=100 << 20)  # less than the limit, more than a tenth
    full = SimpleNamespace(free=free << 20, total=total << 20)
    media = str(settings.MEDIA_ROOT)
    monkeypatch.setattr(health.shutil, "disk_usage", lambda place: full if str(place) in media else roomy)
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["components"]["disk"]) == (
        ("degraded", "low") if low else ("ok", "ok")
    )

    (component,) = [found for found in health.report() if found.name == "disk"]
    assert component.state == ("low" if low else "ok")
    assert not component.harmful

    settings.STOREFRONT = settings.STOREFRONT | {"DISK_LOW_BYTES": 0}
    assert client.get("/health/ready").json()["status"] == "ok"


@pytest.mark.django_db
def test_a_folder_that_is_not_there_yet_is_on_the_disk_of_the_one_above(tmp_path: Any, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path / "not" / "yet"
    assert health._disk(tmp_path / "not" / "yet").folder == tmp_path
    assert health.shortest_disk() is not None


@pytest.mark.django_db
def test_without_a_database_the_disk_does_not_soften_the_word(client: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr(health, "_database_answers", lambda: False)
    monkeypatch.setattr(health.shutil, "disk_usage", lambda place: SimpleNamespace(free=0, total=1 << 40))
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"], answer.json()["components"]["disk"]) == (503, "down", "low")


@pytest.mark.django_db
def test_staff_pages_have_the_protection_whose_checks_are_silenced() -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.get("/admin/login/")["X-Frame-Options"] == "DENY"
    assert strict.post("/admin/login/", {"username": "admin", "password": "x"}).status_code == 403


def test_uploads_are_not_served_outside_development(client: Client) -> None:
    assert not django_settings.DEBUG
    assert client.get("/media/anything.png").status_code == 404


def test_an_upload_is_served_inert_in_development(rf: Any, settings: Any, tmp_path: Any) -> None:
    from config import pages

    settings.MEDIA_ROOT = tmp_path
    (tmp_path / "a.html").write_text("<script>alert(1)</script>")
    answer = pages.uploaded(rf.get("/media/a.html"), "a.html")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
