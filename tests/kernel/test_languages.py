"""In which language the API answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import override_settings
from django.utils import translation

from storefront import selectors
from storefront.models import Store
from storefront.money import INR, Currency, shown

pytestmark = pytest.mark.django_db

ENGLISH = "We could not find that."
HINDI = "हमें यह नहीं मिला।"


@pytest.fixture
def spoken_by(store: Store) -> Any:
    def change(language: str) -> None:
        Store.objects.filter(pk=store.pk).update(language=language)
        selectors.forget()

    return change


@pytest.mark.parametrize(
    ("store_language", "header", "expected"),
    [
        ("en", None, "en"),
        ("en", "hi", "hi"),
        ("en", "hi-IN,hi;q=0.9,en;q=0.8", "hi"),
        ("en", "HI-in", "hi"),
        ("en", "en;q=0.5, hi;q=0.9", "hi"),
        ("en", "en, hi", "en"),
        ("en", "hi;q=0, en;q=0.1", "en"),
        ("en", "fr-FR, fr;q=0.9", "en"),
        ("hi", None, "hi"),
        ("hi", "fr", "hi"),
        ("hi", "*", "hi"),
        ("hi", "en-GB", "en"),
        ("hi-IN", None, "hi"),
        ("xx", None, "en"),
        ("hi", ";;;q=,,\x7f;q=nan", "hi"),
        ("hi", "en;q=two", "hi"),
    ],
)
def test_the_caller_chooses_the_language_and_the_store_has_one_of_its_own(
    api, spoken_by, store_language, header, expected
):
    spoken_by(store_language)
    headers = {} if header is None else {"Accept_Language": header}
    response = api.get("/catalog/products/nothing", X_Api_Key=api.key, **headers)
    assert response.status_code == 404
    assert response.json()["code"] == "product_not_found"
    said = {"en": "We could not find this product.", "hi": "हमें यह उत्पाद नहीं मिला।"}
    assert response.json()["message"] == said[expected]
    assert response["Content-Language"] == expected


def test_a_refusal_before_any_view_speaks_the_callers_language_too(api):
    api.become_visitor()
    assert api.get("/no/such/address", Accept_Language="hi").json()["message"] == HINDI
    assert api.get("/no/such/address").json()["message"] == ENGLISH
    assert api.get("/carts/%00", Accept_Language="hi").json()["message"] == HINDI


def test_fields_codes_and_statuses_are_the_same_in_each_language(api):
    api.become_visitor()
    body = {"email": "nobody", "extra": 1}
    answers = {language: api.post("/auth/login/email", body, Accept_Language=language) for language in ("en", "hi")}
    english, hindi = (answers[language].json() for language in ("en", "hi"))
    assert english["message"] != hindi["message"]
    assert {key: english[key] for key in ("success", "code")} == {key: hindi[key] for key in ("success", "code")}
    assert english["errors"].keys() == hindi["errors"].keys()
    assert english["errors"] != hindi["errors"]


def test_a_message_with_a_figure_in_it_follows_each_caller(api):
    """The serializers of requests are kept, and the messages of Django REST framework with them."""
    api.become_visitor()
    long = {"email": f"{'a' * 300}@example.com"}

    def said(language: str) -> str:
        (message,) = api.post("/auth/login/email", long, Accept_Language=language).json()["errors"]["email"]
        return str(message)

    first, second = said("hi"), said("en")
    assert first != second
    assert (said("hi"), said("en")) == (first, second)
    assert first.endswith("।") and second.isascii()


def test_one_callers_language_is_not_the_next_ones(api):
    api.become_visitor()
    with translation.override("en"):
        api.get("/no/such/address", Accept_Language="hi")
        assert translation.get_language() == "en"
    assert api.get("/no/such/address").json()["message"] == ENGLISH


def test_caches_keep_the_languages_apart(api):
    read = {
        language: api.get("/catalog/products", X_Api_Key=api.key, Accept_Language=language) for language in ("en", "hi")
    }
    assert read["en"]["ETag"] != read["hi"]["ETag"]
    for response in read.values():
        assert "Accept-Language" in response["Vary"].split(", ")
    other = api.get("/catalog/products", X_Api_Key=api.key, Accept_Language="hi", If_None_Match=read["en"]["ETag"])
    same = api.get("/catalog/products", X_Api_Key=api.key, Accept_Language="hi", If_None_Match=read["hi"]["ETag"])
    assert (other.status_code, same.status_code) == (200, 304)


def test_an_installation_says_which_languages_its_api_speaks(api, configure):
    configure(LANGUAGES=("en",))
    api.become_visitor()
    assert api.get("/no/such/address", Accept_Language="hi").json()["message"] == ENGLISH


@override_settings(LANGUAGE_CODE="hi")
def test_what_names_no_store_speaks_the_installations_language(client):
    response = client.get("/api/v1/nowhere/storefront/store/config")
    assert response.json()["code"] == "store_not_found"
    assert response.json()["message"] == "ऐसा कोई स्टोर नहीं है।"


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("0", INR, "₹0.00"),
        ("999.5", INR, "₹999.50"),
        ("1000", INR, "₹1,000.00"),
        ("123456", INR, "₹1,23,456.00"),
        ("123456789.01", INR, "₹12,34,56,789.01"),
        ("-123456", INR, "-₹1,23,456.00"),
        ("123456", Currency(code="JPY", name="Yen", symbol="¥", exponent=0), "¥123,456"),
        ("1234567.5", Currency(code="USD", name="US Dollar", symbol="$"), "$1,234,567.50"),
    ],
)
def test_amounts_are_grouped_as_the_readers_of_the_currency_do(amount, currency, text):
    assert shown(Decimal(amount), currency) == text
