"""Shapes of carts: what comes in is validated here, what goes out is plain dictionaries in the contract's words."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from storefront.addresses import AddressIn
from storefront.contracts import Shopper, Sku
from storefront.money import percent_of
from storefront.pricing import Line

from . import rules
from .selectors import PricedCart


# --- in -------------------------------------------------------------------------------------------------------------
class WholeNumber(serializers.Field):  # type: ignore[type-arg]
    """A JSON number without a fraction: 2 and 2.0, but neither 2.5 nor "2" nor true."""

    default_error_messages = {
        "invalid": gettext_lazy("Enter a whole number."),
        "min_value": gettext_lazy("Must be at least {min_value}."),
        "max_value": gettext_lazy("Must be at most {max_value}."),
    }

    def __init__(self, *, min_value: int, max_value: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.min_value = min_value
        self.max_value = max_value

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, (int, float)) or data != int(data):
            self.fail("invalid")
        if data < self.min_value:
            self.fail("min_value", min_value=self.min_value)
        if data > self.max_value:
            self.fail("max_value", max_value=self.max_value)
        return int(data)

    def to_representation(self, value: Any) -> Any:
        return value


class ItemIn(serializers.Serializer[Any]):
    """How many units of a sku a cart should hold; 0 for none. A missing `variant_id` is null."""

    product_id = serializers.CharField(max_length=64)
    variant_id = serializers.CharField(max_length=64, allow_null=True, allow_blank=True, required=False, default=None)
    quantity = WholeNumber(min_value=0, max_value=rules.MAX_QUANTITY)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {"sku": Sku(attrs["product_id"], attrs["variant_id"] or ""), "quantity": attrs["quantity"]}


class NewItemIn(ItemIn):
    """The same in a new cart, where nothing can be removed."""

    quantity = WholeNumber(min_value=1, max_value=rules.MAX_QUANTITY)


class Metadata(serializers.DictField):
    """Up to 50 texts under names of the client's own."""

    child = serializers.CharField(max_length=500, allow_blank=True)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if isinstance(data, dict) and (len(data) > 50 or any(len(str(name)) > 64 for name in data)):
            raise serializers.ValidationError(_("At most 50 names of at most 64 characters."))
        found: dict[str, str] = super().to_internal_value(data)
        return found


class CartIn(serializers.Serializer[Any]):
    # Unlike a list field, this looks at the number of items before it looks at any of them.
    items = NewItemIn(many=True, allow_empty=False, max_length=rules.MAX_LINES)  # type: ignore[call-arg]
    metadata = Metadata(required=False, allow_null=True, default=None)
    customer_note = serializers.CharField(
        max_length=1000, allow_blank=True, allow_null=True, required=False, default=""
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {
            "items": [(item["sku"], item["quantity"]) for item in attrs["items"]],
            "metadata": attrs["metadata"],
            "customer_note": attrs["customer_note"] or "",
        }


class CouponIn(serializers.Serializer[Any]):
    coupon_code = serializers.CharField(max_length=64)


class PointsIn(serializers.Serializer[Any]):
    loyalty_point_redeemed = WholeNumber(min_value=1, max_value=1_000_000_000)


class Amount(serializers.Field):  # type: ignore[type-arg]
    """A positive JSON number of money, exactly as it was written."""

    default_error_messages = {
        "invalid": gettext_lazy("Enter an amount of money."),
        "min_value": gettext_lazy("Must be more than 0."),
        "max_value": gettext_lazy("This is too much."),
    }

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, (int, float)):
            self.fail("invalid")
        if data <= 0:
            self.fail("min_value")
        if data > 1_000_000_000:
            self.fail("max_value")
        return Decimal(str(data))

    def to_representation(self, value: Any) -> Any:
        return value


class CreditIn(serializers.Serializer[Any]):
    credit_balance_used = Amount()


class GiftCardIn(serializers.Serializer[Any]):
    gift_card_code = serializers.CharField(max_length=64)
    pin = serializers.CharField(max_length=32, required=False, allow_null=True, allow_blank=True, default="")


class AddressesIn(serializers.Serializer[Any]):
    """Two ids of the shopper's address book, or else two addresses; both halves either way."""

    billing_address_id = serializers.CharField(max_length=64, required=False, allow_null=True)
    shipping_address_id = serializers.CharField(max_length=64, required=False, allow_null=True)
    billing_address = AddressIn(required=False, allow_null=True)
    shipping_address = AddressIn(required=False, allow_null=True)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Addresses beside two ids are not looked at."""
        ids = ("billing_address_id", "shipping_address_id")
        if isinstance(data, Mapping) and all(data.get(name) for name in ids):
            data = {name: data[name] for name in ids}
        found: dict[str, Any] = super().to_internal_value(data)
        return found

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        by_id = [attrs.get(f"{half}_address_id") for half in ("billing", "shipping")]
        typed = [attrs.get(f"{half}_address") for half in ("billing", "shipping")]
        if any(by_id):
            halves, names = by_id, ("billing_address_id", "shipping_address_id")
        else:
            halves, names = typed, ("billing_address", "shipping_address")
        missing = [name for name, half in zip(names, halves, strict=True) if not half]
        if missing:
            raise serializers.ValidationError({name: [_("This field is required.")] for name in missing})
        return {"ids": tuple(halves)} if any(by_id) else {"typed": tuple(halves)}


class _ShipmentIn(serializers.Serializer[Any]):
    id = serializers.CharField(max_length=128)
    shipping_provider_id = serializers.CharField(max_length=64)
    courier_company_id = serializers.CharField(max_length=64, required=False, allow_null=True, allow_blank=True)


class _PartItemIn(serializers.Serializer[Any]):
    product_id = serializers.CharField(max_length=64)
    variant_id = serializers.CharField(max_length=64, required=False, allow_null=True, allow_blank=True)
    quantity = WholeNumber(min_value=1, max_value=rules.MAX_QUANTITY)


class _CollectPartIn(serializers.Serializer[Any]):
    pickup_location_id = serializers.CharField(max_length=64)
    items = _PartItemIn(many=True, max_length=rules.MAX_LINES)  # type: ignore[call-arg]


class _DeliveryPartIn(serializers.Serializer[Any]):
    shipping_provider_id = serializers.CharField(max_length=64)
    courier_company_id = serializers.CharField(max_length=64, required=False, allow_null=True, allow_blank=True)
    items = _PartItemIn(many=True, max_length=rules.MAX_LINES)  # type: ignore[call-arg]


class PreferenceIn(serializers.Serializer[Any]):
    """The contract's `FulfillmentPreference` less what is the server's to say."""

    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "delivery": ("shipments",),
        "collect-in-store": ("pickup_location_id",),
        "partial-collect-and-delivery": ("collect-in-store", "delivery"),
    }

    fulfillment_type = serializers.ChoiceField(choices=list(needs))
    pickup_location_id = serializers.CharField(max_length=64, required=False)
    shipments = _ShipmentIn(many=True, required=False, max_length=rules.MAX_LINES)  # type: ignore[call-arg]

    def get_fields(self) -> dict[str, Any]:
        parts = {"collect-in-store": _CollectPartIn(required=False), "delivery": _DeliveryPartIn(required=False)}
        return {**super().get_fields(), **parts}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Members of the other ways are not looked at."""
        if isinstance(data, Mapping):
            kind = data.get("fulfillment_type")
            needed = self.needs.get(kind, ()) if isinstance(kind, str) else ()
            data = {name: data[name] for name in ("fulfillment_type", *needed) if name in data}
        found: dict[str, Any] = super().to_internal_value(data)
        return found

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        missing = [name for name in self.needs[attrs["fulfillment_type"]] if name not in attrs]
        if missing:
            raise serializers.ValidationError({name: [_("This field is required.")] for name in missing})
        return {"wish": dict(attrs)}


KINDS = ["delivery", "collect-in-store"]


class OptionsIn(serializers.Serializer[Any]):
    cart_id = serializers.CharField(max_length=64)
    fulfillment_type = serializers.ChoiceField(choices=KINDS, required=False, allow_null=True, default=None)


class OlderOptionsIn(serializers.Serializer[Any]):
    """Without a cart's id, the shopper's current cart is meant."""

    cart_id = serializers.CharField(max_length=64, required=False, allow_null=True, default=None)
    delivery_pincode = serializers.CharField(
        max_length=12, required=False, allow_null=True, allow_blank=True, default=None
    )


class _SkuIn(serializers.Serializer[Any]):
    product_id = serializers.CharField(max_length=64)
    variant_id = serializers.CharField(max_length=64, required=False, allow_null=True, allow_blank=True)


class ServiceabilityIn(serializers.Serializer[Any]):
    """A cart or a list of skus; one unit of each. Without a pincode, collecting in a shop is meant."""

    delivery_pincode = serializers.CharField(
        max_length=12, required=False, allow_null=True, allow_blank=True, default=None
    )
    cart_id = serializers.CharField(max_length=64, required=False, allow_null=True, default=None)
    # With `many=True` the entries would be nullable as well.
    items: Any = serializers.ListSerializer(child=_SkuIn(), required=False, allow_null=True, max_length=rules.MAX_LINES)
    fulfillment_type = serializers.ChoiceField(choices=KINDS, required=False, allow_null=True, default=None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        skus = [Sku(item["product_id"], item.get("variant_id") or "") for item in attrs.pop("items", None) or ()]
        if not attrs["cart_id"] and not skus:
            raise serializers.ValidationError({"cart_id": [_("This field is required.")]})
        return {
            "cart_id": attrs["cart_id"] or None,
            "skus": skus,
            "pincode": attrs["delivery_pincode"] or None,
            "kind": attrs["fulfillment_type"],
        }


# --- out ------------------------------------------------------------------------------------------------------------
def cart(priced: PricedCart, *, shopper: Shopper) -> dict[str, Any]:
    """The contract's `Cart`. Names, contacts and addresses are masked for a known shopper who logged out (D-4)."""
    row, quote = priced.cart, priced.quote
    totals, currency = quote.totals(), quote.currency
    masked = not shopper.is_logged_in and not shopper.is_anonymous
    shipping_known = quote.shipping_cost is not None
    shipping_amount = float(totals.shipping) if shipping_known else None
    problems = rules.readiness(quote)
    counts = bool(quote.coupon_code) and "coupon" not in quote.refusals
    out = {
        "id": row.id,
        "active": True,  # one that is closed or expired is not found
        "customer_note": None if masked else row.customer_note or None,
        "is_promotion_applied": bool(totals.promotion_savings),
        "is_coupon_applied": counts,
        "coupon_code": quote.coupon_code if counts else None,
        "coupon_discount_amount": float(totals.coupon_discount),
        "coupon_discount_percent": float(percent_of(totals.coupon_discount, totals.amount)),
        "promotion_discount_amount": float(totals.promotion_discount),
        "promotion_discount_percent": float(percent_of(totals.promotion_discount, totals.amount)),
        "subtotal": float(totals.subtotal),
        "items_tax_amount": float(totals.items_tax),
        "subtotal_including_tax": float(totals.subtotal_including_tax),
        "shipping_estimated_cost": None if quote.shipping_cost is None else float(quote.shipping_cost),
        "shipping_discount_amount": float(quote.shipping_discount) if shipping_known else None,
        "shipping_amount": shipping_amount,
        "shipping_tax_rate": None if quote.shipping_tax_rate is None else float(quote.shipping_tax_rate),
        "shipping_tax_amount": float(quote.shipping_tax) if shipping_known else None,
        "shipping_amount_including_tax": float(totals.shipping + quote.shipping_tax) if shipping_known else None,
        "estimated_delivery_days": quote.facts.get("estimated_delivery_days"),
        "handling_charge_excluding_tax": float(totals.handling),
        "handling_charge_tax_amount": float(totals.handling_tax),
        "handling_charge_including_tax": float(totals.handling + totals.handling_tax),
        "total_tax": float(totals.total_tax),
        "grand_total": float(totals.grand_total),
        "credit_balance_used": float(quote.credit_used),
        "gift_card_amount": float(quote.gift_card_used),
        "gift_card_last4": row.gift_card_last4 or None,
        "to_be_paid": float(totals.to_be_paid),
        "loyalty_points_redeemed": quote.points_redeemed,
        "loyalty_points_earned": quote.points_earned,
        "cart_items_count": len(quote.lines),
        "cart_items": [item(line) for line in quote.lines],
        "billing_address": address(row.billing_address, masked=masked),
        "shipping_address": address(row.shipping_address, masked=masked),
        "currency": {"name": currency.name, "code": currency.code, "symbol": currency.symbol},
        "metadata": row.metadata or None,
        "expires_at": row.expires_at,
        "applied_promotions": quote.facts.get("applied_promotions", []),
        "applied_coupons": quote.facts.get("applied_coupons", []),
        "shipments": quote.facts.get("shipments", []),
        "promotion_savings": float(totals.promotion_savings),
        "coupon_savings": float(totals.coupon_savings),
        "other_savings": float(totals.other_savings),
        "total_savings": float(totals.promotion_savings + totals.coupon_savings + totals.other_savings),
        "free_shipping_threshold": quote.facts.get("free_shipping_threshold"),
        "status": "not-ready-for-payment" if problems else "ready-for-payment",
        "status_error_message": rules.problem_text(problems[0]) if problems else None,
    }
    if quote.fulfillment is not None and "fulfillment" not in quote.refusals:  # the contract knows no null here
        out["fulfillment_preference"] = quote.fulfillment
    return out


def item(line: Line) -> dict[str, Any]:
    """The contract's `CartItem`. Handling and tax are the whole line's, so that items add up to the cart."""
    sellable, sku = line.sellable, line.sku
    if sellable is None:
        return _vanished(line)
    details = sellable.details
    handling = float(line.handling)
    return {
        "product_id": sku.product_id,
        "variant_id": sku.variant_id or None,
        "sku": sellable.code,
        "slug": sellable.slug,
        "product_name": sellable.product_name,
        "variant_name": sellable.variant_name,
        "product_type": sellable.product_type,
        "product_image_url": sellable.image_url,
        # False on backorder, as in the catalogue: `backorder` says that the line can be bought all the same.
        "stock_available": rules.stock_suffices(sellable, line.quantity) and details.get("stock_available", True),
        "backorder": sellable.backorder,
        "on_subscription": details.get("on_subscription", False),
        "on_promotion": line.on_promotion or details.get("on_promotion", False),
        "quantity": line.quantity,
        "is_free_item": line.is_free_item,
        "free_quantity": line.free_quantity,
        "promotion_discount_amount": float(line.discount_from("promotion:")) if line.discounts else 0.0,
        "coupon_discount_amount": float(line.discount_from("coupon:")) if line.discounts else 0.0,
        "price_including_tax": sellable.price_including_tax,
        "listing_price": float(sellable.listing_price),
        "selling_price": float(sellable.selling_price),
        "selling_price_excluding_tax": float(line.unit_price_excluding_tax),
        "min_order_quantity": sellable.min_quantity,
        "max_order_quantity": sellable.max_quantity,
        "incremental_quantity": sellable.step,
        "handling_charge_excluding_tax": handling,
        "handling_charge_tax_rate": float(sellable.handling_tax_rate),
        "handling_charge_including_tax": float(line.handling + line.handling_tax) if handling else 0.0,
        "tax_type": "GST",
        "tax_rate": float(line.tax_rate),
        "tax_amount": float(line.tax),
        "associated_options": details.get("associated_options"),
        "attributes": details.get("attributes") or [],
        "subscriptions": details.get("subscriptions"),
        "seller_id": details.get("seller_id"),
        "seller_detail": details.get("seller_detail"),
    }


def _vanished(line: Line) -> dict[str, Any]:
    """A line whose sku the catalogue no longer knows: the shopper sees that something is missing."""
    return {
        "product_id": line.sku.product_id,
        "variant_id": line.sku.variant_id or None,
        "sku": None,
        "slug": "",
        "product_name": _("No longer available"),
        "variant_name": None,
        "product_type": "physical",
        "product_image_url": "",
        "stock_available": False,
        "backorder": False,
        "on_subscription": False,
        "on_promotion": False,
        "quantity": line.quantity,
        "is_free_item": line.is_free_item,
        "free_quantity": line.free_quantity,
        "promotion_discount_amount": 0.0,
        "coupon_discount_amount": 0.0,
        "price_including_tax": True,
        "listing_price": 0.0,
        "selling_price": 0.0,
        "selling_price_excluding_tax": 0.0,
        "min_order_quantity": 1,
        "max_order_quantity": None,
        "incremental_quantity": 1,
        "handling_charge_excluding_tax": 0.0,
        "handling_charge_tax_rate": 0.0,
        "handling_charge_including_tax": 0.0,
        "tax_type": "GST",
        "tax_rate": 0.0,
        "tax_amount": 0.0,
        "associated_options": None,
        "attributes": [],
        "subscriptions": None,
        "seller_id": None,
        "seller_detail": None,
    }


def address(value: Mapping[str, Any] | None, *, masked: bool) -> Mapping[str, Any] | None:
    """A cart's address. Masked, it keeps the place (city, state, pincode) and hides whose it is.

    The contract wants ten digits as a phone number, so hidden ones are zeros.
    """
    if value is None or not masked:
        return value
    hidden = {name: _initial(value.get(name)) for name in ("first_name", "last_name")}
    texts = ("address_line1", "address_line2", "landmark", "business_name", "tax_identification_number", "nickname")
    hidden |= {name: "•••" for name in texts if value.get(name)}
    return {
        **value,
        **hidden,
        "id": None,
        "phone": "00000000" + str(value.get("phone") or "")[-2:].rjust(2, "0"),
        "email": _initial(value.get("email")) or "",
    }


def _initial(text: Any) -> str | None:
    return f"{str(text)[0]}•••" if text else None
