"""What a client reads of the store before anybody signs in."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command

from storefront import provided, schema, selectors, services
from storefront.api import Access
from storefront.models import ApiKey, CustomerGroup, Store, StoreTemplate
from tests.contract import assert_component, assert_is_error, assert_matches

pytestmark = pytest.mark.django_db


@pytest.fixture
def get(api: Any) -> Any:
    return lambda path, **headers: api.get(path, X_Api_Key=api.key, **headers)


@pytest.fixture(autouse=True)
def _nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provided, "_functions", {})


def change(store: Store, **fields: Any) -> None:
    Store.objects.filter(pk=store.pk).update(**fields)
    selectors.forget()


def config(get: Any) -> dict[str, Any]:
    found: dict[str, Any] = assert_matches("get-config", get("/store/config"))["store_config"]
    return found


# --- check ----------------------------------------------------------------------------------------------------------
def test_a_store_that_is_open_says_so(store, get):
    body = assert_matches("check-store", get("/store/check"))
    assert body["success"] is True and "content" not in body


@pytest.mark.parametrize("how", ["unknown", "closed"])
@pytest.mark.parametrize("headers", [{}, {"X_Api_Key": "pk_nonsense"}])
def test_a_store_that_there_is_not_is_told_without_looking_at_the_key(store, api, how, headers):
    if how == "closed":
        change(store, active=False)
    else:
        api.store = Store(pk="nowhere", name="Nowhere")
    response = api.get("/store/check", **headers)
    assert response.status_code == 200
    body = response.json()
    assert body == {"message": body["message"], "success": False}
    assert_is_error(api.get("/store/config", **headers), 404, "store_not_found")


def test_a_store_that_there_is_asks_for_its_key(store, api):
    assert_is_error(api.get("/store/check"), 401, "unauthorized")
    assert_is_error(api.get("/store/check", X_Api_Key="pk_nonsense"), 401, "unauthorized")


# --- config ---------------------------------------------------------------------------------------------------------
def test_a_store_with_nothing_set_has_a_complete_config(store, get):
    group = CustomerGroup.objects.get(store=store)
    assert config(get) == {
        "is_kyc_enabled": False,
        "is_customer_group_enabled": False,
        "brand": {"name": "Demo", "logo_url": None, "social_media_links": {}},
        "currency": {"name": "Indian Rupee", "code": "INR", "symbol": "₹"},
        "customer_groups": [
            {
                "id": group.pk,
                "name": "Retail",
                "slug": "retail",
                "description": None,
                "is_default": True,
                "active": True,
            }
        ],
        "kyc_documents": [],
        "analytics_providers": [],
        "payment_providers": [],
        "terms_of_service": {
            "id": "terms-of-service",
            "name": "Terms of service",
            "content_title": None,
            "content_type": "plaintext",
            "content": "",
        },
        "refund_policy": {
            "id": "refund-policy",
            "name": "Refund policy",
            "content_title": None,
            "content_type": "plaintext",
            "content": "",
        },
    }


def test_what_staff_set_is_shown(store, other_store, get):
    brand = {
        "name": "Chai",
        "logo_url": "/media/logo.webp",
        "colour": "#0f766e",
        "support_email": "inside@example.com",
        "social_media_links": {"x": "https://x.com/chai", "facebook": ""},
    }
    change(store, kyc_enabled=True, customer_groups_enabled=True, brand=brand)
    CustomerGroup.objects.create(store=store, name="Asleep", slug="asleep", active=False)
    CustomerGroup.objects.create(store=store, name="Trade", slug="trade", description="For shops")
    for shop, text in ((store, "Ours"), (other_store, "Theirs")):
        StoreTemplate.objects.create(store=shop, kind="refund_policy", title="Refunds", content=f"# {text}")
    found = config(get)
    assert found["is_kyc_enabled"] is found["is_customer_group_enabled"] is True
    assert found["brand"] == {
        "name": "Chai",
        "logo_url": "http://testserver/media/logo.webp",
        "social_media_links": {"x": "https://x.com/chai"},
    }
    assert [group["slug"] for group in found["customer_groups"]] == ["retail", "trade"]
    policy = found["refund_policy"]
    assert policy | {"name": ""} == {
        "id": "refund-policy",
        "name": "",
        "content_title": "Refunds",
        "content_type": "markdown",
        "content": "# Ours",
    }


@pytest.mark.parametrize("brand", [[], "text", {"social_media_links": ["x"], "logo_url": 7, "name": None}])
def test_a_brand_of_any_shape_breaks_nothing(store, get, brand):
    change(store, brand=brand)
    assert_component("Brand", config(get)["brand"])


def test_other_apps_say_what_they_know_for_this_store(store, get):
    provider = {
        "id": "cod",
        "name": "Cash on delivery",
        "short_description": "",
        "features": [],
        "logo_dark": "",
        "logo_light": "",
        "payment_provider_slug": "cod",
    }
    document = {
        "id": "pan",
        "document_type": "pan",
        "title": "PAN card",
        "description": None,
        "active": True,
        "is_mandatory": True,
        "is_attachment_required": False,
        "verification_type": "manual",
    }
    asked: list[Any] = []

    def tell(name: str, rows: list[Any]) -> None:
        def answer(*, store: Store) -> list[Any]:
            asked.append((name, store.pk))
            return rows

        provided.register(name, answer)

    tell("payment_providers", [provider])
    tell("kyc_documents", [document])
    found = config(get)
    assert (found["payment_providers"], found["kyc_documents"]) == ([provider], [document])
    assert sorted(asked) == [("kyc_documents", "demo"), ("payment_providers", "demo")]


@pytest.mark.parametrize("enabled", [True, False])
def test_documents_are_listed_whether_or_not_they_are_asked_for(store, get, enabled):
    change(store, kyc_enabled=enabled)
    provided.register("kyc_documents", lambda *, store: [])
    content = assert_matches("list-kyc-document", get("/store/kyc-document"))
    assert content == {"kyc_documents": [], "is_kyc_enabled": enabled}


def test_the_config_costs_one_query_of_the_kernel(store, get, django_assert_num_queries):
    get("/store/config")
    for number in range(5):
        CustomerGroup.objects.create(store=store, name=f"G{number}", slug=f"g{number}")
    selectors._groups.drop()
    get("/common/countries")
    get("/store/config")
    with django_assert_num_queries(1):
        get("/store/config")
    with django_assert_num_queries(0):
        get("/store/check")
        get("/store/kyc-document")


# --- caching --------------------------------------------------------------------------------------------------------
ADDRESSES = {
    "/store/config": "public, max-age=60, stale-while-revalidate=60",
    "/store/kyc-document": "public, max-age=60, stale-while-revalidate=60",
    "/common/countries": "public, max-age=60, stale-while-revalidate=60",
    "/common/countries/IN/states": "public, max-age=3600, stale-while-revalidate=3600",
    "/common/countries/IN/pincodes?pincode=560": "public, max-age=3600, stale-while-revalidate=3600",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_caches_may_keep_what_the_key_alone_reads(store, api, get, address):
    response = get(address)
    assert response["Cache-Control"] == ADDRESSES[address]
    assert {"Authorization", "X-Api-Key"} <= set(response["Vary"].split(", "))
    again = get(address, If_None_Match=f'"x", {response["ETag"]}')
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", response["ETag"])
    assert again["Cache-Control"] == response["Cache-Control"] and again["Vary"] == response["Vary"]
    assert_is_error(api.get(address, If_None_Match=response["ETag"]), 401)
    api.become_visitor()
    known = get(address, If_None_Match=response["ETag"])
    assert (known.status_code, known["Cache-Control"]) == (200, "no-store")


def test_a_change_is_seen_by_its_tag(store, get):
    before = get("/store/config")["ETag"]
    change(store, kyc_enabled=True)
    after = get("/store/config", If_None_Match=before)
    assert after.status_code == 200 and after["ETag"] != before


def test_the_check_and_refusals_are_kept_by_nobody(store, get):
    for address in ("/store/check", "/common/countries/ZZ/states"):
        assert get(address)["Cache-Control"] == "no-store"


# --- stores apart ---------------------------------------------------------------------------------------------------
def _key_reads() -> list[str]:
    found = []
    for operation, view, action in schema.served().values():
        access = view.access if isinstance(view.access, Access) else view.access[action]
        if operation.method == "get" and access in (Access.KEY, Access.KEY_OR_TOKEN):
            found.append(operation.path)
    return sorted(found)


def _concrete(path: str) -> str:
    return path.replace("{country_iso_code}", "IN").replace("{", "").replace("}", "")


def test_the_key_of_another_store_reads_nothing(store, other_store, new_api):
    """Every served read for which a key is enough, with keys that are none here."""
    reads = _key_reads()
    assert {"/store/check", "/store/config", "/common/countries", "/catalog/products"} <= set(reads)
    foreign = services.create_key(store=other_store, name="Theirs").text
    revoked = services.create_key(store=store, name="Old")
    services.revoke_key(store=store, key=revoked.key)
    ours = new_api(store)
    for path in reads:
        for key in (foreign, revoked.text, "", "pk_", "pk_" + "x" * 200):
            response = ours.get(_concrete(path), X_Api_Key=key)
            assert_is_error(response, 401, "unauthorized")
            assert response["Cache-Control"] == "no-store", path
    assert ApiKey.objects.get(store=other_store, name="Theirs").last_used_at is None


def test_the_sample_of_postal_codes_is_the_same_for_every_store(store, other_store, new_api):
    call_command("import_pincodes", "--sample", verbosity=0)
    path = "/common/countries/IN/pincodes?pincode=110"
    answers = []
    for shop in (store, other_store):
        client = new_api(shop)
        answers.append(client.get(path, X_Api_Key=client.key))
    assert answers[0].json() == answers[1].json()
    assert len(answers[0].json()["content"]["pincodes"]) > 10
