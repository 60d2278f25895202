"""The form of a coupon or promotion: plain questions for its type instead of its rule in JSON."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from django import forms
from django.apps import apps
from django.utils.translation import gettext_lazy as _

from storefront.admin_base import CheckboxesWidget, SelectWidget, SwitchWidget, TextareaWidget, TextWidget
from storefront.errors import DomainError
from storefront.models import CustomerGroup, Store

from ..errors import OfferChanged
from ..models import AppliesTo, Eligibility, Kind, Offer, OfferType, State
from ..rules import AMOUNT, APPLIES_TO, QUANTITY, RuleError, parse
from .rows import Built, Rows, build, customer_rows, questions, rule_rows

SHOWN_CUSTOMERS = 200  # rows of one form; more of them stay as they are
PLAIN = (  # fields of the form that are the service's own
    "name", "description", "terms", "minimum_order_total", "starts_at", "expires_at", "eligibility",
    "first_order_only", "requires_login", "total_limit", "customer_limit", "code_limit", "max_items",
    "item_priority", "combinable", "priority", "public",
)  # fmt: skip
CARDS: dict[str, tuple[str, Any, Any]] = {  # icon, what it does, an example
    OfferType.DISCOUNT: ("percent", _("Takes a percentage or an amount off."), _("10% off everything, at most ₹500.")),
    OfferType.FIXED_PRICE: ("sell", _("Sells products for a price of its own."), _("Any two candles for ₹99 each.")),
    OfferType.FREE_GOODS: ("add_box", _("Adds free units of what was bought."), _("Buy 2 teas, get 1 tea on top.")),
    OfferType.BUY_X_GET_Y: (
        "redeem",
        _("Makes something in the cart cheaper once something else is there."),
        _("Buy a pot, get a tea at half price."),
    ),
    OfferType.VOLUME_BASED: (
        "stacked_bar_chart",
        _("The more of a product, the cheaper."),
        _("5% off up to 5, 10% above."),
    ),
    OfferType.FREE_SHIPPING: ("local_shipping", _("Pays for the delivery."), _("Free delivery from ₹999 on.")),
    OfferType.ACCELERATED_REWARDS: (
        "stars",
        _("Gives points beside those of the order."),
        _("50 points with any tea."),
    ),
}
_CRITERIA = [(QUANTITY, _("How many units are bought")), (AMOUNT, _("For how much is bought"))]
HINTS: dict[str, Any] = {
    OfferType.DISCOUNT: _("Leave the limits empty where any number counts."),
    OfferType.FIXED_PRICE: _("One product a row: from how many (or how much) on, up to how many, for which price."),
    OfferType.FREE_GOODS: _(
        "One product a row. A row without a product is a further step of the one above: the highest step that is"
        " reached counts. Again and again: once for each full step."
    ),
    OfferType.BUY_X_GET_Y: _(
        "For each time that the left is in the cart, units of the right get cheaper. 100 is free."
    ),
    OfferType.VOLUME_BASED: _("A row without a product is a further step of the one above."),
    OfferType.ACCELERATED_REWARDS: _("Given once, when any of these is in the cart."),
}


def kinds_of_offer(kind: str) -> list[str]:
    return [type_ for type_ in CARDS if kind == Kind.COUPON or type_ != OfferType.ACCELERATED_REWARDS]


def rule_fields(type_: str) -> list[Any]:
    """The questions of a type, as lines of a fieldset."""
    lines: dict[str, list[Any]] = {
        OfferType.DISCOUNT: [("discount_type", "value"), "maximum", "applies_to"],
        OfferType.FIXED_PRICE: ["criteria"],
        OfferType.FREE_GOODS: ["criteria"],
        OfferType.BUY_X_GET_Y: ["criteria", "maximum"],
        OfferType.VOLUME_BASED: ["maximum"],
        OfferType.ACCELERATED_REWARDS: ["points", "applies_to"],
    }
    return lines.get(type_, [])


def _segments() -> Any:
    return apps.get_model("storefront_customers", "Segment") if apps.is_installed("customers") else None


class OfferForm(forms.ModelForm):  # type: ignore[type-arg]
    """Asks for one offer. Services check and write; what they refuse comes back as `refusal`, at its field or row."""

    kind: ClassVar[str] = Kind.COUPON
    type_: ClassVar[str] = OfferType.DISCOUNT
    store: ClassVar[Store]
    refusal: ClassVar[DomainError | None] = None

    seen_revision = forms.IntegerField(required=False, widget=forms.HiddenInput())
    confirm = forms.BooleanField(
        label=_("Shoppers get this change at once: I have checked it"), required=False, widget=SwitchWidget()
    )
    tags = forms.CharField(
        required=False, max_length=600, widget=TextWidget(), help_text=_("Words, with commas. Shoppers see them.")
    )
    new_codes = forms.CharField(
        label=_("Codes"),
        required=False,
        widget=TextareaWidget(attrs={"rows": 3}),
        help_text=_("What shoppers type, one a line. Many at once can be made later."),
    )
    discount_type = forms.ChoiceField(
        label=_("How is it counted?"),
        choices=[("percentage", _("A percentage")), ("fixed-amount", _("An amount"))],
        widget=SelectWidget(),
    )
    value = forms.CharField(
        label=_("How much is taken off?"), max_length=24, required=False,
        widget=TextWidget(attrs={"inputmode": "decimal"}), help_text=_("In percent, or in the store's currency."),
    )  # fmt: skip
    maximum = forms.CharField(
        label=_("At most how much in all?"), max_length=24, required=False,
        widget=TextWidget(attrs={"inputmode": "decimal"}), help_text=_("Empty for no limit."),
    )  # fmt: skip
    criteria = forms.ChoiceField(label=_("What decides?"), choices=_CRITERIA, widget=SelectWidget())
    points = forms.CharField(
        label=_("How many points?"), max_length=24, required=False, widget=TextWidget(attrs={"inputmode": "numeric"})
    )
    applies_to = forms.ChoiceField(label=_("Of what?"), widget=SelectWidget())
    segments = forms.MultipleChoiceField(label=_("Segments"), required=False, widget=CheckboxesWidget())
    groups = forms.MultipleChoiceField(label=_("Customer groups"), required=False, widget=CheckboxesWidget())

    class Meta:
        model = Offer
        fields = PLAIN
        widgets: ClassVar[dict[str, Any]] = {
            name: TextareaWidget(attrs={"rows": 3}) for name in ("description", "terms")
        }
        help_texts: ClassVar[dict[str, Any]] = {
            "first_order_only": _("For customers who have ordered nothing yet."),
            "priority": _("The lowest number applies first."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer = self.instance
        details = offer.details if isinstance(offer.details, dict) else {}
        asked = questions(self.type_, details)
        audience = (
            list(offer.audience.order_by("target_id").values_list("target_id", flat=True))
            if offer.pk and not offer._state.adding
            else []
        )
        self.initial = {
            "seen_revision": offer.revision,
            "tags": ", ".join(offer.tags or ()),
            "applies_to": offer.applies_to if details else APPLIES_TO[self.type_][0],
            "segments": audience if offer.eligibility == Eligibility.SEGMENT else [],
            "groups": audience if offer.eligibility == Eligibility.GROUP else [],
            "discount_type": "percentage",
            "criteria": QUANTITY,
            **self.initial,
            **asked.answers,
        }
        if not isinstance(self.initial["tags"], str):
            self.initial["tags"] = ", ".join(self.initial["tags"])
        self._drop_unasked()
        if "applies_to" in self.fields:
            allowed = [choice for choice in AppliesTo.choices if choice[0] in APPLIES_TO[self.type_]]
            self.fields["applies_to"].choices = allowed  # type: ignore[attr-defined]
        self._offer_names(audience)
        by_name = offer.eligibility == Eligibility.CUSTOMER
        self._named = audience[:SHOWN_CUSTOMERS] if by_name else []
        self._kept = audience[SHOWN_CUSTOMERS:] if by_name else []
        data = self.data if self.is_bound else None
        self.rule: Rows | None = rule_rows(self.type_, data, store_id=self.store.pk, initial=asked.rows)
        self.customers = customer_rows(data, store_id=self.store.pk, ids=self._named)

    # -- what the template shows --
    @property
    def rule_hint(self) -> Any:
        return HINTS.get(self.type_, "")

    @property
    def customers_hint(self) -> Any:
        if not self._kept:
            return _("By name, e-mail address, phone number or id.")
        return _("These and %(count)d more, who stay.") % {"count": len(self._kept)}

    def _drop_unasked(self) -> None:
        asked = {name for line in rule_fields(self.type_) for name in ((line,) if isinstance(line, str) else line)}
        unasked = {"discount_type", "value", "maximum", "criteria", "points", "applies_to"} - asked
        if self.kind != Kind.COUPON:
            unasked |= {"new_codes", "code_limit"}
        if not self.instance._state.adding:
            unasked.add("new_codes")
        if self.instance.state != State.LIVE or self.instance._state.adding:
            unasked.add("confirm")
        for name in unasked:
            self.fields.pop(name, None)

    def _offer_names(self, audience: Collection[str]) -> None:
        """Segments and groups to tick; one that is gone stays until somebody takes its tick away."""
        model = _segments()
        groups = CustomerGroup.objects.filter(store=self.store).order_by("name").values_list("pk", "name")
        segments = (
            model._default_manager.filter(store=self.store).order_by("name").values_list("pk", "name") if model else ()
        )
        for name, rows, meant in (
            ("segments", segments, Eligibility.SEGMENT),
            ("groups", groups, Eligibility.GROUP),
        ):
            if name not in self.fields:
                continue
            choices = list(rows)
            known = {pk for pk, _name in choices}
            if self.instance.eligibility == meant:
                choices += [(pk, pk) for pk in audience if pk not in known]
            self.fields[name].choices = choices  # type: ignore[attr-defined]

    # -- what was sent --
    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        for rows in (self.rule, self.customers):
            if rows is not None and not rows.is_valid():
                self.add_error(None, _("Some rows below are not complete."))
        if "confirm" in self.fields and not data.get("confirm"):
            self.add_error("confirm", _("It is live. Tick this to change it for shoppers."))
        if self.refusal is not None:
            self._tell(self.refusal)
        return data

    def _post_clean(self) -> None:
        """Services check the row; here it stays as it is."""

    def built(self) -> Built:
        rows = self.rule.filled() if self.rule is not None else []
        return build(self.type_, self.cleaned_data, rows)

    def values(self) -> dict[str, Any]:
        """What `create_offer` and `update_offer` take, of a valid form."""
        data = self.cleaned_data
        tags = list(dict.fromkeys(tag.strip() for tag in data["tags"].split(",") if tag.strip()))
        values: dict[str, Any] = {name: data[name] for name in PLAIN if name in data}
        for name in ("starts_at", "expires_at"):
            stored = getattr(self.instance, name)
            if stored is not None and values.get(name) == stored.replace(microsecond=0):
                values[name] = stored  # the form does not show microseconds
        values |= {"tags": tags, "details": self.built().details, "audience": self.audience()}
        values["applies_to"] = data.get("applies_to") or APPLIES_TO[self.type_][0]
        return values

    @property
    def is_as_it_was(self) -> bool:
        """Whether saving would change nothing."""
        values, offer = self.values(), self.instance
        try:
            parsed = parse(type=self.type_, applies_to=values["applies_to"], details=values.pop("details"))
        except RuleError:
            return False
        audience = set(offer.audience.values_list("target_id", flat=True))
        return (
            parsed.details == offer.details
            and set(values.pop("audience")) == audience
            and all(getattr(offer, name) == value for name, value in values.items())
        )

    def audience(self) -> list[str]:
        whom = self.cleaned_data.get("eligibility")
        if whom == Eligibility.SEGMENT:
            return list(self.cleaned_data["segments"])
        if whom == Eligibility.GROUP:
            return list(self.cleaned_data["groups"])
        if whom == Eligibility.CUSTOMER:
            if not self.customers.forms:
                return [*self._named, *self._kept]  # no rows were sent: they stay
            named = [values["target"] for _row, values in self.customers.filled() if values.get("target")]
            return list(dict.fromkeys([*named, *self._kept]))
        return []

    def typed_codes(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data.get("new_codes", "").splitlines() if line.strip()]

    # -- what services refused --
    def _tell(self, refusal: DomainError) -> None:
        if isinstance(refusal, OfferChanged):
            self.add_error(
                None,
                _(
                    "Somebody else has changed this meanwhile, so nothing was saved. Your version is below; open the"
                    " page again in another window to see theirs."
                ),
            )
            return
        if not refusal.errors:
            self.add_error(None, str(refusal.message))
        built = self.built()
        for path, messages in refusal.errors.items():
            for message in messages:
                self._put(path, str(message), built)

    def _put(self, path: str, message: str, built: Built) -> None:
        row, field = built.place(path)
        if path == "audience":
            field = {Eligibility.SEGMENT: "segments", Eligibility.GROUP: "groups"}.get(
                self.cleaned_data.get("eligibility", ""), "eligibility"
            )
        elif not path.startswith("details"):
            field = "new_codes" if path == "codes" else path
        elif row is not None and self.rule is not None and row < len(self.rule.forms):
            form = self.rule.forms[row]
            form.add_error(field if field in form.fields else None, message)
            self.add_error(None, _("Row %(number)d: %(message)s") % {"number": row + 1, "message": message})
            return
        if field in self.fields:
            self.add_error(field, message)
        elif path.startswith("details.products"):
            self.add_error(None, _("Name at least one product."))
        else:
            self.add_error(None, message)
