"""Every write to offers and codes: rules checked, one transaction each, running processes told by a new version."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storefront import events
from storefront.errors import Invalid
from storefront.ids import new_id
from storefront.models import Store

from . import rules, sql
from .codes import code_key
from .errors import CodeTaken, OfferChanged, OfferInUse, OfferNotFound
from .models import (
    CODE_LENGTH,
    Code,
    CodeBatch,
    Eligibility,
    Kind,
    Offer,
    OfferAudience,
    OfferType,
    OfferUse,
    Rulebook,
    State,
)

# What `create_offer` and `update_offer` take.
EDITABLE = (
    "name",
    "description",
    "terms",
    "tags",
    "applies_to",
    "details",
    "minimum_order_total",
    "starts_at",
    "expires_at",
    "eligibility",
    "first_order_only",
    "requires_login",
    "total_limit",
    "customer_limit",
    "code_limit",
    "max_items",
    "item_priority",
    "combinable",
    "priority",
    "public",
)
MAX_CODES = 100_000  # of one batch
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # none that look like another
_CODE = re.compile(r"[^\s,;\"']+")
_CHUNK = 2_000  # rows of one statement


# --- offers ---------------------------------------------------------------------------------------------------------
@transaction.atomic
def create_offer(
    *,
    store: Store,
    kind: str,
    type: str,  # noqa: A002  the contract's word
    audience: Collection[str] = (),
    codes: Collection[str] = (),
    **fields: Any,
) -> Offer:
    """A draft. `fields` are those of EDITABLE, `audience` the ids that its eligibility means, `codes` as typed.

    Raises Invalid naming every field at fault, and CodeTaken.
    """
    offer = Offer(store=store, kind=kind, type=type)
    _assign(offer, fields)
    _check(offer, audience)
    offer.save(force_insert=True)
    _set_audience(offer, audience)
    if codes:
        add_codes(store=store, offer_id=offer.pk, codes=codes)
    return offer


@transaction.atomic
def update_offer(
    *, store: Store, offer_id: str, revision: int, audience: Collection[str] | None = None, **fields: Any
) -> Offer:
    """Changes what `fields` name; kind and type stay for good. `audience` None leaves it as it is.

    `revision` is that of the offer as it was read: a change by somebody else meanwhile raises OfferChanged. A live
    offer applies as changed at once. Raises OfferNotFound, Invalid.
    """
    offer = _locked(store, offer_id)
    if offer.revision != revision:
        raise OfferChanged
    _assign(offer, fields)
    kept = list(offer.audience.values_list("target_id", flat=True)) if audience is None else audience
    _check(offer, kept)
    if sql.add_up(store_id=store.pk, offer_id=offer.pk):  # a limit counts what was used before there was one
        offer.refresh_from_db(fields=["redemption_count"])
    if offer.total_limit is not None and offer.total_limit < offer.redemption_count:
        raise Invalid(
            _("It has been used %(count)d times already.") % {"count": offer.redemption_count}, field="total_limit"
        )
    if offer.state == State.EXPIRED and (offer.expires_at is None or offer.expires_at > timezone.now()):
        offer.state = State.STOPPED  # prolonged: staff publish it again when they are ready
    _save(offer)
    if audience is not None:
        _set_audience(offer, audience)
    return offer


@transaction.atomic
def publish_offer(*, store: Store, offer_id: str, now: datetime) -> Offer:
    """Makes a draft or a stopped offer live; it applies from its beginning to its end. Safe to repeat.

    Raises Invalid when its rule no longer holds, when it has ended, or for a coupon without a code.
    """
    offer = _locked(store, offer_id)
    if offer.state == State.LIVE:
        return offer
    _check(offer, list(offer.audience.values_list("target_id", flat=True)))
    if offer.expires_at is not None and offer.expires_at <= now:
        raise Invalid(_("It has ended already."), field="expires_at")
    if offer.kind == Kind.COUPON and not offer.codes.exists():
        raise Invalid(_("A coupon needs a code."), field="codes")
    offer.state, offer.published_at = State.LIVE, offer.published_at or now
    _save(offer)
    events.send("offer.published", store=store, offer_id=offer.pk)
    return offer


@transaction.atomic
def stop_offer(*, store: Store, offer_id: str) -> Offer:
    """Ends a live offer at once; carts drop it at their next read. Safe to repeat, and a draft stays a draft."""
    offer = _locked(store, offer_id)
    if offer.state == State.LIVE:
        offer.state = State.STOPPED
        _save(offer)
        events.send("offer.stopped", store=store, offer_id=offer.pk)
    return offer


@transaction.atomic
def duplicate_offer(*, store: Store, offer_id: str, name: str = "") -> Offer:
    """A draft with the same rule, limits and audience, without codes and uses. Raises OfferNotFound."""
    original = _locked(store, offer_id)
    copy = Offer(store=store, kind=original.kind, type=original.type)
    for field in EDITABLE:
        setattr(copy, field, getattr(original, field))
    copy.name = (name or _("%(name)s (copy)") % {"name": original.name[:100]})[:120]
    if copy.expires_at is not None and copy.expires_at <= timezone.now():
        copy.expires_at = None
    copy.save(force_insert=True)
    _set_audience(copy, list(original.audience.values_list("target_id", flat=True)))
    return copy


@transaction.atomic
def delete_offer(*, store: Store, offer_id: str) -> None:
    """Deletes an offer that nobody has used. Raises OfferInUse, OfferNotFound."""
    offer = _locked(store, offer_id)
    if OfferUse.objects.filter(store=store, offer=offer).exists():
        raise OfferInUse
    offer.delete()
    touch(store_id=store.pk)


def expire_offers(*, now: datetime, batch: int, **_more: Any) -> None:
    """Listens to `sweep`: marks up to `batch` live offers that have ended. They apply to nothing since their end.

    Safe to repeat and to run twice at once.
    """
    with transaction.atomic():
        rows = Offer.objects.filter(state=State.LIVE, expires_at__lte=now).order_by("pk")
        if connection.features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True)
        ended = list(rows[:batch])
        for store_id in sorted({offer.store_id for offer in ended}):
            ids = [offer.pk for offer in ended if offer.store_id == store_id]
            Offer.objects.filter(store=store_id, pk__in=ids).update(
                state=State.EXPIRED, revision=F("revision") + 1, modified_at=now
            )
            touch(store_id=store_id)
        for offer in ended:
            events.send("offer.expired", store=offer.store, offer_id=offer.pk)


def add_up_uses(*, batch: int, **_more: Any) -> None:
    """Listens to `sweep`: brings the counters of offers without limits up to date, of up to `batch` offers.

    Safe to repeat and to run twice at once; orders do not wait for it.
    """
    waiting = OfferUse.objects.filter(counted=False).filter(state__in=OfferUse.TAKEN)
    for store_id, offer_id in list(waiting.order_by().values_list("store_id", "offer_id").distinct()[:batch]):
        with transaction.atomic():
            if Offer.objects.select_for_update(no_key=True).filter(store=store_id, pk=offer_id).first():
                sql.add_up(store_id=store_id, offer_id=offer_id)


def touch(*, store_id: str) -> None:
    """Tells running processes that the store's offers change with this transaction. Writers of a store take turns."""
    Rulebook.objects.update_or_create(store_id=store_id, defaults={"version": new_id()})


def forget_shopper(*, store: Store, user_id: str, **_more: Any) -> None:
    """Listens to `shopper.erased`: the ledger keeps its amounts and its customer, and no longer names the shopper."""
    OfferUse.objects.filter(store=store, user_id=user_id).update(user_id="")


# --- codes ----------------------------------------------------------------------------------------------------------
@transaction.atomic
def add_codes(*, store: Store, offer_id: str, codes: Iterable[str]) -> list[Code]:
    """Codes that staff thought of. Raises Invalid for one that cannot be typed, CodeTaken for one that is in use."""
    offer = _locked(store, offer_id)
    if offer.kind != Kind.COUPON:
        raise Invalid(_("Only coupons have codes."), field="codes")
    rows: dict[str, Code] = {}
    for text in codes:
        tidy = unicodedata.normalize("NFKC", text).strip()
        key = code_key(tidy)
        if not key or len(tidy) > CODE_LENGTH or not _CODE.fullmatch(tidy) or not tidy.isprintable():
            raise Invalid(
                _("A code has up to %(count)d characters and no blanks, commas or quotes.") % {"count": CODE_LENGTH},
                field="codes",
            )
        if key in rows:
            raise CodeTaken(_("The code %(code)s is there twice.") % {"code": tidy}, field="codes")
        rows[key] = Code(store=store, offer=offer, text=tidy, key=key)
    taken = Code.objects.filter(store=store, key__in=list(rows)).values_list("text", flat=True).first()
    if taken is not None:
        raise CodeTaken(_("The code %(code)s is in use already.") % {"code": taken}, field="codes")
    made = Code.objects.bulk_create(rows.values(), ignore_conflicts=True, batch_size=_CHUNK)
    found = list(Code.objects.filter(store=store, offer=offer, key__in=list(rows)).order_by("pk"))
    if len(found) < len(made):  # somebody else made one of them a moment ago
        raise CodeTaken(field="codes")
    return found


@transaction.atomic
def generate_codes(
    *, store: Store, offer_id: str, count: int, name: str, prefix: str = "", length: int = 8, made_by: str = ""
) -> CodeBatch:
    """`count` new codes of `length` random characters after `prefix`, in one statement however many.

    Codes that exist already are never given out again: those that meet one are drawn anew. Raises Invalid.
    """
    offer = _locked(store, offer_id)
    prefix = unicodedata.normalize("NFKC", prefix).strip()
    problems: dict[str, list[Any]] = {}
    if offer.kind != Kind.COUPON:
        problems["codes"] = [_("Only coupons have codes.")]
    if not 1 <= count <= MAX_CODES:
        problems["count"] = [_("Between 1 and %(count)d.") % {"count": MAX_CODES}]
    if not 6 <= length <= 32:
        problems["length"] = [_("Between 6 and 32 characters.")]
    if len(prefix) > 20 or (prefix and (not _CODE.fullmatch(prefix) or not prefix.isprintable())):
        problems["prefix"] = [_("At most 20 characters, without blanks, commas or quotes.")]
    if problems:
        raise Invalid(next(iter(problems.values()))[0], errors=problems)
    batch = CodeBatch.objects.create(
        store=store, offer=offer, name=name.strip()[:80] or _("Codes"), prefix=prefix, size=count, made_by=made_by[:150]
    )
    where: dict[str, Any] = {"store_id": store.pk, "offer_id": offer.pk, "batch_id": batch.pk, "now": batch.created_at}
    missing = count
    while missing:
        texts = {_random_code(prefix, length) for _number in range(missing)}
        missing -= sql.insert_codes(**where, codes=[(text, code_key(text)) for text in texts])
    return batch


def delete_codes(*, store: Store, offer_id: str, code_ids: Collection[int]) -> int:
    """Deletes those of an offer's codes that nobody has used; how many these were. Stop the offer to end the others."""
    with transaction.atomic():
        offer = _locked(store, offer_id)
        used = OfferUse.objects.filter(store=store, code__in=code_ids).values("code")
        free = Code.objects.filter(store=store, offer=offer, pk__in=code_ids).exclude(pk__in=used)
        return free.delete()[0]


def _random_code(prefix: str, length: int) -> str:
    return prefix + "".join(secrets.choice(ALPHABET) for _number in range(length))


# --- helpers --------------------------------------------------------------------------------------------------------
def _locked(store: Store, offer_id: str) -> Offer:
    offer = Offer.objects.select_for_update().filter(store=store, pk=offer_id).first()
    if offer is None:
        raise OfferNotFound
    return offer  # type: ignore[no-any-return]


def _assign(offer: Offer, fields: Mapping[str, Any]) -> None:
    unknown = sorted(set(fields) - set(EDITABLE))
    if unknown:
        raise TypeError(f"not a field of an offer that can be set: {', '.join(unknown)}")
    for name, value in fields.items():
        setattr(offer, name, value)


def _save(offer: Offer) -> None:
    offer.revision += 1
    offer.modified_at = timezone.now()
    offer.save(force_update=True)
    touch(store_id=offer.store_id)


def _set_audience(offer: Offer, ids: Collection[str]) -> None:
    wanted = set(ids) if offer.eligibility != Eligibility.ALL else set()
    have = set(offer.audience.values_list("target_id", flat=True))
    for gone in _chunks(sorted(have - wanted)):
        OfferAudience.objects.filter(store=offer.store_id, offer=offer, target_id__in=gone).delete()
    OfferAudience.objects.bulk_create(
        [OfferAudience(store_id=offer.store_id, offer=offer, target_id=pk) for pk in sorted(wanted - have)],
        batch_size=_CHUNK,
    )


def _chunks(ids: list[str]) -> Iterable[list[str]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))


def _check(offer: Offer, audience: Collection[str]) -> None:
    """Everything that must hold of an offer, whatever its state. Tidies `details`. Raises Invalid."""
    problems: dict[str, list[Any]] = {}
    try:
        offer.clean_fields(exclude=["details", "store"])
    except ValidationError as error:
        problems |= {name: list(messages) for name, messages in error.message_dict.items()}
    if "type" not in problems and offer.kind == Kind.PROMOTION and offer.type == OfferType.ACCELERATED_REWARDS:
        problems["type"] = [_("Bonus points come from coupons only.")]
    if "type" not in problems and "applies_to" not in problems:
        try:
            offer.details = rules.parse(type=offer.type, applies_to=offer.applies_to, details=offer.details).details
        except rules.RuleError as error:
            problems |= error.errors
    if not problems.get("tags") and not _is_texts(offer.tags):
        problems["tags"] = [_("Enter a list of words.")]
    if offer.expires_at is not None and offer.expires_at <= offer.starts_at:
        problems.setdefault("expires_at", []).append(_("It must end after it begins."))
    if offer.eligibility != Eligibility.ALL and not audience:
        problems.setdefault("audience", []).append(_AUDIENCE_NEEDED)
    if any(not isinstance(pk, str) or not 0 < len(pk) <= 64 or not pk.isprintable() for pk in audience):
        problems.setdefault("audience", []).append(_("This is not an id."))
    if offer.kind == Kind.PROMOTION and offer.code_limit is not None:
        problems.setdefault("code_limit", []).append(_("Only coupons have codes."))
    if problems:
        raise Invalid(next(iter(problems.values()))[0], errors=problems)


_AUDIENCE_NEEDED = gettext_lazy("Say whom it is for.")


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 50 and all(isinstance(v, str) and 0 < len(v) <= 60 for v in value)
