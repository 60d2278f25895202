"""Contacts, query spellings, encryption, logs, settings checks."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks
from django.http import QueryDict

from storefront import crypto, ids, logs, query
from storefront.conf import conf, limit_rules
from storefront.contacts import mask_email, mask_phone, parse_email, parse_phone, split_e164
from storefront.errors import Invalid
from storefront.models import Store


@pytest.mark.parametrize(
    ("phone", "country_code", "e164"),
    [
        ("9876543210", "", "+919876543210"),
        ("09876543210", None, "+919876543210"),
        ("98765 43210", "+91", "+919876543210"),
        ("+919876543210", "", "+919876543210"),
        ("5550123456", "+1", "+15550123456"),
    ],
)
def test_phones_are_read_per_the_stores_countries(phone: str, country_code: str | None, e164: str) -> None:
    store = Store(pk="demo", countries=["IN", "US"])
    parsed = parse_phone(store=store, phone=phone, country_code=country_code)
    assert parsed.e164 == e164
    assert split_e164(e164) == parsed


@pytest.mark.parametrize(
    ("phone", "country_code", "field"),
    [
        ("123", "", "phone"),
        ("0000000000", "", "phone"),
        ("98765432", "", "phone"),
        ("", "", "phone"),
        ("98765432101234567", "", "phone"),
        ("nine", "", "phone"),
        ("98765abcde", "", "phone"),  # else it is what a telephone's keys say: somebody else's number
        ("9876543210 or 9876543211", "", "phone"),
        ("9876543210", "+44", "country_code"),
        ("9876543210", "abc", "country_code"),
        ("+447911123456", "", "country_code"),
        ("+447911123456", "+91", "country_code"),
    ],
)
def test_a_phone_that_cannot_be_is_refused_naming_the_field(phone: str, country_code: str, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_phone(store=Store(pk="demo"), phone=phone, country_code=country_code)
    assert field in refusal.value.errors


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("a@ex\u200bample.com", "a@example.com"),
        ("a@ex\u00adample.com", "a@example.com"),
        ("a@\uff45xample\u3002com", "a@example.com"),
        ("a@bücher.example", "a@bücher.example"),
        ("a@bu\u0308cher.example", "a@bücher.example"),
        ("a@XN--BCHER-KVA.example", "a@bücher.example"),
    ],
)
def test_a_mailbox_is_one_contact_however_its_domain_is_typed(typed: str, kept: str) -> None:
    assert parse_email(typed) == kept


@pytest.mark.parametrize("bad", ["a@\u200b.com", "a@xn--.com", "a@xn--zzzzzz.com", "a@\u202eexample.com", "ä@b.com"])
def test_a_domain_that_cannot_be_written_is_refused(bad: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_email(bad)
    assert "email" in refusal.value.errors


def test_e_mail_addresses_are_trimmed_and_lower_cased() -> None:
    assert parse_email(" Some.One@Example.COM ") == "some.one@example.com"
    for bad in ("", "x", "a@b", "a@b.c\n", "a" * 250 + "@example.com", "a@localhost", "a@[127.0.0.1]", "a@[::1]"):
        with pytest.raises(Invalid):
            parse_email(bad)


def test_masks_leave_no_contact() -> None:
    assert mask_phone("+919876543210") == "+91******3210"
    assert mask_email("someone@example.com") == "s***@example.com"


def test_lists_are_read_in_all_three_spellings() -> None:
    for text in ("s=a&s=b", "s[]=a&s[]=b", "s=a,b", "s=a&s=a,b, "):
        assert query.strings(QueryDict(text), "s") == ["a", "b"]


@pytest.mark.parametrize(
    "text", ["page=0", "page=x", "page=-1", "page=1.5", "limit=101", "limit=0", "page=" + "9" * 40]
)
def test_a_bad_page_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        query.page(QueryDict(text))


def test_pagination_knows_its_neighbours() -> None:
    page = query.page(QueryDict("page=2&limit=10"))
    assert page.pagination(25) == {
        "total_records": 25,
        "total_pages": 3,
        "previous_page": 1,
        "next_page": 3,
        "limit": 10,
    }
    assert query.page(QueryDict("")).pagination(0)["next_page"] is None


def test_sort_orders_keep_their_sequence_and_refuse_strangers() -> None:
    assert query.sort_by(QueryDict('sort_by={"a":"desc","b":"asc"}'), {"a", "b"}) == [("a", True), ("b", False)]
    for bad in ('{"c":"asc"}', '{"a":"up"}', "[]", "a", "{"):
        with pytest.raises(Invalid):
            query.sort_by(QueryDict(f"sort_by={bad}"), {"a"})


def test_encrypted_values_open_with_an_older_key_only_while_it_is_kept(settings: Any) -> None:
    settings.SECRET_KEY = "old-key"
    token = crypto.encrypt("secret")
    assert "secret" not in token
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new-key", ["old-key"]
    assert crypto.decrypt(token) == "secret"
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(ValueError):
        crypto.decrypt(token)


def test_keyed_hashes_depend_on_purpose_and_on_the_borders_between_parts() -> None:
    assert crypto.keyed_hash("a", "x", "y") != crypto.keyed_hash("b", "x", "y")
    assert crypto.keyed_hash("a", "xy", "") != crypto.keyed_hash("a", "x", "y")


def test_log_lines_lose_phones_addresses_and_tokens() -> None:
    line = logs.masked("call +91 98765 43210 or a.b@example.com with eyJabc.def.ghi and pk_abcdefghijkl")
    assert line == "call [number] or [e-mail] with [token] and [token]"


def test_ids_are_ulids() -> None:
    assert ids.is_ulid(ids.new_id())
    assert not ids.is_ulid("0" * 25)


def test_limits_read_several_rules_and_can_be_lifted(configure: Any) -> None:
    configure(LIMITS={"otp_contact": "5/3600 10/86400", "upload": ""}, LIMITS_ENABLED=True)
    assert limit_rules("otp_contact") == ((5, 3600), (10, 86400))
    assert limit_rules("upload") == ()
    configure(LIMITS_ENABLED=False)
    assert limit_rules("otp_contact") == ()


class HalfClaims:
    """A plug of before orders could be called off."""

    def resources(self) -> tuple[str, ...]:
        return ("stock",)

    def hold(self, store_id: str, claims: Any) -> None: ...

    def confirm(self, store_id: str, owner: str) -> None: ...

    def release(self, store_id: str, owner: str) -> None: ...


@pytest.mark.parametrize(
    ("change", "identifier"),
    [
        ({"NO_SUCH_KEY": 1}, "storefront.E001"),
        ({"CATALOG": "nowhere.Nothing"}, "storefront.E002"),
        ({"LIMITS": {"unknown": "1/2"}}, "storefront.E003"),
        ({"LIMITS": {"upload": "often"}}, "storefront.E003"),
        ({"OTP_DEBUG": True}, "storefront.E004"),
        ({"SANDBOX_INBOX": True}, "storefront.E005"),
        ({"ACCESS_TOKEN_SECONDS": 30}, "storefront.E006"),
        ({"STAFF_TWO_FACTOR": "maybe"}, "storefront.E007"),
        ({"CLAIMS": ("tests.kernel.test_values.HalfClaims",)}, "storefront.E008"),
    ],
)
def test_a_dangerous_or_mistyped_setting_stops_the_start(
    configure: Any, change: dict[str, Any], identifier: str
) -> None:
    configure(**change)
    assert identifier in {message.id for message in run_checks(tags=["security"])}


def test_the_defaults_pass_the_checks() -> None:
    conf.cache_clear()
    assert not [message for message in run_checks(tags=["security"]) if str(message.id).startswith("storefront.")]


def test_ids_sort_in_the_order_in_which_they_were_made_within_a_millisecond(monkeypatch):
    from storefront import ids

    moments = iter([1_700_000_000_000_000_000] * 1_000 + [1_699_999_999_900_000_000] * 1_000)
    monkeypatch.setattr(ids.time, "time_ns", lambda: next(moments))
    made = [ids.new_ulid() for _ in range(2_000)]
    assert made == sorted(set(made))
    assert all(ids.is_ulid(pk) for pk in made)


def test_a_clock_that_was_far_ahead_does_not_keep_ids_there(monkeypatch):
    from storefront import ids

    moments = iter([1_900_000_000_000_000_000, 1_700_000_000_000_000_000])
    monkeypatch.setattr(ids.time, "time_ns", lambda: next(moments))
    ahead, right = ids.new_ulid(), ids.new_ulid()
    assert right < ahead
