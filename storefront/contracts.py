"""What the plugs promise: values and protocols that an outsider can implement. Never imports Django.

Each protocol has a default implementation in an app above and a contract test in `storefront.testing`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

from storefront.money import ZERO


class Sku(NamedTuple):
    """What can be put into a cart: a product, and a variant of it ("" when the product has none)."""

    product_id: str
    variant_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shopper:
    """Who is asking, as the token says. Frozen; nothing below a view ever sees a request.

    `user_id` is "" for a caller that holds only an API key. `customer_id` and `session_id` are None unless logged in.
    A known user who logged out has both flags False and the rights of a visitor (D-4).
    """

    store_id: str
    user_id: str = ""
    customer_id: str | None = None
    group_id: str | None = None
    session_id: str | None = None
    channel_id: str | None = None
    anonymous_id: str | None = None
    is_logged_in: bool = False
    is_anonymous: bool = True
    claims: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_authenticated(self) -> bool:
        """DRF's question: is there a token behind this caller?"""
        return bool(self.user_id)


class ShopperPlug(Protocol):
    """`SHOPPER`: turns the credentials of a request into a Shopper. Called once per request; at most one query."""

    def identify(self, *, store: Any, request: Any) -> Shopper | None:
        """None without credentials. Raises `storefront.errors.Unauthenticated` for credentials that do not hold."""
        ...


class Component(NamedTuple):
    """What one unit of a bundle takes of another sku, which may be sold alone, too."""

    sku: Sku
    units: int
    available: int | None  # of that sku, as in `Sellable`; None on backorder as well


class Sellable(NamedTuple):
    """One sku at the price of one customer group. Amounts are in the store's currency, per unit.

    A tuple, for it is made for every line of every cart that is read. Name its fields when making one.

    `available` is how many can be sold now: stock less reservations, or None for unlimited (digital, backorder).
    `needs_variant` answers a sku without variant of a product that has some: nothing but the names and ids counts then.
    `details` is what the API shows beside the price, JSON-ready, under the keys of a cart item: associated_options,
    attributes, subscriptions, on_subscription, on_promotion, seller_id, seller_detail. A missing key means none.
    """

    sku: Sku
    code: str | None
    slug: str
    product_name: str
    variant_name: str | None = None
    product_type: str = "physical"  # physical | digital | bundle
    image_url: str = ""
    active: bool = True  # False: shown in a cart that holds it, but nobody can buy it
    needs_variant: bool = False
    listing_price: Decimal = ZERO
    selling_price: Decimal = ZERO
    price_including_tax: bool = True
    tax_rate: Decimal = ZERO  # percent
    handling_charge: Decimal = ZERO  # per unit, excluding tax
    handling_tax_rate: Decimal = ZERO
    min_quantity: int = 1
    max_quantity: int | None = None
    step: int = 1
    available: int | None = None
    backorder: bool = False
    category_ids: tuple[str, ...] = ()  # with those above them: a rule for a branch counts for what lies below it
    weight: int = 0  # grams per unit; 0: not known, or nothing to send
    details: Mapping[str, Any] = MappingProxyType({})
    components: tuple[Component, ...] = ()  # of what has no stock of its own: carts count it with other lines' of them

    @property
    def in_stock(self) -> bool:
        return self.available is None or self.available > 0


@runtime_checkable
class Catalog(Protocol):
    """`CATALOG`: what are these skus, at what price, how many? Batched, called outside any lock, may be remote."""

    def sellables(self, store_id: str, skus: Collection[Sku], *, group_id: str | None = None) -> dict[Sku, Sellable]:
        """Those of `skus` that exist, inactive ones with `active` False so that a cart can still name them.

        Unknown skus are left out. A product with variants asked for without one is answered with `needs_variant`.
        At most three queries, however many skus; none for no skus.
        """
        ...

    def items(self, store_id: str, skus: Collection[Sku], *, group_id: str | None = None) -> dict[Sku, dict[str, Any]]:
        """The same skus in the API's `Item` shape, for wishlists and recommendations; inactive ones may be left out. A
        product with variants asked for without one is shown by one of them, its `variant_id` null, or left out."""
        ...


@runtime_checkable
class StockByLocation(Protocol):
    """What a `CATALOG` that knows where its stock lies offers beside `Catalog`. Without it, all of it lies in the
    store's default location; `storefront.locations.stock` asks either."""

    def stock_by_location(self, store_id: str, skus: Collection[Sku]) -> dict[Sku, dict[str, int | None]]:
        """How many of each sku can be sold from each `StockLocation`, by its id; None for unlimited. One query.

        Skus that are unknown or lie nowhere are left out or empty. Bundles are answered by what they can be made of; what
        they hold is asked for with them.
        """
        ...


@runtime_checkable
class CategoryNames(Protocol):
    """What a `CATALOG` whose goods have categories offers beside `Catalog`, so that shoppers are told what to add in
    words. Without it such advice names no category."""

    def category_names(self, store_id: str, category_ids: Collection[str]) -> dict[str, str]:
        """The names of those that shoppers may see, in the shop's language. At most one query; none for none."""
        ...


class DeliveryFailed(Exception):
    """A channel could not deliver. `retry` is True for time-outs, 429 and 5xx, False for a dead address.

    `retry_after` is the provider's own wish in seconds. `reason` is short, stable and holds nothing personal.
    """

    def __init__(self, reason: str, *, retry: bool, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry = retry
        self.retry_after = retry_after


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedMessage:
    """One message ready to leave. Never log `text`, `html`, `subject` or `values`: they may hold a one-time code.

    `template` names the provider's template and its options (DLT ids, WhatsApp template name and language).
    `values` are the template's variables in the order in which the provider wants them. `ttl` is in seconds.
    `key` repeats when a send is repeated, for providers that de-duplicate. `opt_out_url` is the address at which the
    recipient ends such messages, by one POST (RFC 8058); "" for messages that nobody can refuse.
    """

    to: str  # E.164 or an e-mail address
    subject: str
    text: str
    html: str = ""
    template: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    ttl: int = 0
    key: str = ""
    opt_out_url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryReport:
    """What a provider's callback says of one message.

    `permanent`: a failure because nobody is there, so that an e-mail address gets nothing more that its owner can do
    without. `complained` and `unsubscribed` say nothing of the message, but that its recipient wants no more of such.
    """

    provider_message_id: str
    status: str  # sent | delivered | read | failed | complained | unsubscribed
    reason: str = ""
    permanent: bool = True  # of a failure
    recipient: str = ""  # where the provider names it; believed only of a message whose own address is forgotten


class Channel(Protocol):
    """Delivers one message. Called from a task after commit, so a send may be repeated.

    Built with the options of its settings or store row as keyword arguments. Prove yours with
    `storefront.testing.ChannelContract`.
    """

    def send(self, message: RenderedMessage) -> str:
        """The provider's own id of the message ("" if it has none). Raises DeliveryFailed."""
        ...

    def reports(self, *, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> list[DeliveryReport]:
        """The reports in a provider's callback. Raises PermissionError when its signature does not hold."""
        ...


class DeliveredLine(NamedTuple):
    """A line of an order that reached its buyer."""

    order_number: str
    sku: Sku
    delivered_at: datetime


class Purchases(Protocol):
    """`PURCHASES`: who bought what? Asked outside any lock, so it may be remote. All raise
    `storefront.errors.Unavailable` when no answer can be had in time."""

    def has_ordered(self, store_id: str, customer_id: str) -> bool:
        """Whether that customer has an order that is neither cancelled nor expired unpaid (D-27)."""
        ...

    def delivered_lines(self, store_id: str, user_id: str, *, limit: int) -> Sequence[DeliveredLine]:
        """What was delivered to that user, newest first."""
        ...

    def delivered_line(self, store_id: str, user_id: str, order_number: str, product_id: str) -> bool:
        """Whether that user's order of that number has a line of the product that was delivered.

        False for an order that is unknown or somebody else's. Raises `storefront.errors.Unavailable` when no answer can
        be had in time.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where goods go, as far as rates depend on it. `state` is the state's code, for GST the two digits."""

    country: str
    state: str = ""
    pincode: str = ""


class TaxedGoods(NamedTuple):
    """What is taxed: a sku, or "" for shipping and handling. `amount` is after discounts, in the store's currency.

    A tuple, for it is made for every line of every cart that is read. Name its fields.
    """

    sku: Sku | None
    amount: Decimal
    rate_hint: Decimal  # percent, from the catalogue


class TaxPart(NamedTuple):
    """A part of a rate with a name of its own: CGST, SGST or IGST. The parts of goods add up to their rate."""

    name: str
    rate: Decimal  # percent


class Tax(Protocol):
    """`TAX`: which rates apply to these lines at this place? Called in a step's `gather`, with a time-out.

    Prove yours with `storefront.testing.TaxContract`.
    """

    def rates(
        self, store_id: str, goods: Sequence[TaxedGoods], *, origin: Place, to: Place | None
    ) -> Sequence[Decimal]:
        """One rate in percent for each of `goods`, in order. `to` is None while the place isn't known.

        Raises `storefront.errors.Unavailable` when no answer can be had in time.
        """
        ...

    def parts(self, rate: Decimal, *, origin: Place, to: Place | None) -> Sequence[TaxPart]:
        """How a rate is split between those places; nothing for a rate of zero. Pure: called in no particular order,
        and never waited for."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """Lines that leave one stock location together. Weight in grams, value after discounts with tax."""

    location_id: str
    quantities: Mapping[Sku, int]
    weight: int
    value: Decimal
    origin: Place | None = None  # where that location is, as far as it is known


@dataclass(frozen=True, kw_only=True, slots=True)
class ShippingRate:
    """One way to send a parcel; `amount` excludes tax. `courier` is "" for a flat method.

    With `answered` False the carrier behind a method could not say in time what it costs: nothing but the method and
    its name counts, and nobody can choose it now.
    """

    method_id: str
    name: str
    amount: Decimal
    tax_rate: Decimal = ZERO
    courier: str = ""
    courier_name: str = ""
    days: int | None = None  # the fewest that it takes, and the most where that differs
    days_to: int | None = None
    mode: str = "surface"  # air | surface
    hyperlocal: bool = False
    rating: float = 0.0
    can_be_free: bool = True  # whether free shipping counts for it
    cash_on_delivery: bool = True
    answered: bool = True


class ShippingRates(Protocol):
    """`SHIPPING_RATES`: what does it cost to send these parcels there? Called in a step's `gather`, with a time-out.

    Prove yours with `storefront.testing.ShippingRatesContract`.
    """

    def rates(self, store_id: str, parcels: Sequence[Parcel], *, to: Place) -> list[list[ShippingRate]]:
        """The offers for each parcel, in order; an empty list where nobody delivers. `to` may lack its state.

        The same way has the same `method_id` (and `courier`) for every parcel. One query at most, however many
        parcels. Raises `storefront.errors.Unavailable` when no answer can be had in time.
        """
        ...


class CourierOffer(NamedTuple):
    """What one courier of a carrier asks for a parcel, before tax, and in how many days it arrives."""

    courier: str
    name: str
    amount: Decimal
    days: int
    mode: str = "surface"  # air | surface
    hyperlocal: bool = False
    rating: float = 0.0
    cash_on_delivery: bool = True


class Carrier(Protocol):
    """One of `SHIPPING_CARRIERS`: a service that knows many couriers. Asked in a pricing step, outside any lock."""

    def offers(self, store_id: str, parcels: Sequence[Parcel], *, to: Place) -> list[list[CourierOffer]]:
        """Its couriers for each parcel, in order; an empty list where none goes. It keeps its own time-out, of a few
        seconds at most. Raises `storefront.errors.Unavailable`; whatever else it raises counts as that."""
        ...


class FulfillmentPlug(Protocol):
    """`FULFILLMENT`: can these goods reach this shopper, how, and for how much? Answers in the contract's words.

    `quote` is a `storefront.pricing.Quote` that ran through the steps. May be remote: called outside any lock. Costs a
    constant number of queries, however many lines. Raises `storefront.errors.Unavailable` when rates cannot be had, and
    Invalid naming `delivery_pincode` for what cannot be a postal code.
    """

    def serviceability(
        self, store_id: str, wanted: Mapping[Sku, int], *, pincode: str | None, kind: str | None, group_id: str | None
    ) -> Mapping[str, Any]:
        """`{is_serviceable, unserviceable_items}`. `kind` is `delivery` or `collect-in-store`; None means delivery with
        a pincode and collecting without one. Skus that nobody knows are unserviceable, not an error."""
        ...

    def options(self, quote: Any, *, pincode: str | None, kind: str | None) -> Mapping[str, Any]:
        """`{summary, collect, deliver}` for the quote's lines; without `pincode` for its shipping address, and without
        either for collecting alone. `kind` leaves the other part out."""
        ...

    def older_options(self, quote: Any, *, pincode: str | None) -> Mapping[str, Any]:
        """The same in the older shape (`/shipping/fulfillment-options`): stores without addresses, and `deliver` with
        `{is_serviceable, shipping_methods}`, each method for all shipments together."""
        ...

    def preference(self, quote: Any, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """The wish as the cart keeps it, with names and ids complete. `wish` is the request's body: any JSON object.
        Raises DomainError naming the field at fault. Price the cart again with the answer in `Quote.fulfillment`."""
        ...


class GiftCardFound(NamedTuple):
    """A card that exists, is live and whose PIN was right. `card_id` is the wallet's own id, never the code."""

    card_id: str
    last4: str


class GiftCards(Protocol):
    """`GIFT_CARDS`: whose code is that?"""

    def find(self, store_id: str, *, code: str, pin: str) -> GiftCardFound:
        """Raises DomainError `invalid_gift_card`, the same and as slowly whatever is wrong (D-38). One query."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A coupon or promotion against a cart. `saving` is what it would take off; `reason` and `suggestion`, for people,
    say why it does not apply and what to add."""

    kind: str  # coupon | promotion
    offer_id: str
    applicable: bool
    saving: Decimal = ZERO
    reason: str = ""
    suggestion: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


class ProductPromotions(Protocol):
    """`PRODUCT_PROMOTIONS`: what the catalogue shows of automatic promotions, at most one a sku (D-35)."""

    def shown(
        self,
        store_id: str,
        prices: Mapping[Sku, tuple[Decimal, tuple[str, ...]]],
        *,
        group_id: str | None,
        now: datetime,
    ) -> dict[Sku, dict[str, Any]]:
        """The contract's `ProductPromotion` of those skus that are on promotion for everybody of that group. Carts ask
        too, for the `on_promotion` of their lines.

        `prices` gives each sku's selling price and the ids of its categories with those above them. The promotion with
        the lowest resulting unit price wins. At most one query, however many skus; none in a process that knows the
        live rules already.
        """
        ...

    def version(self, store_id: str, *, now: datetime) -> str:
        """Differs whenever `shown` may answer otherwise: rules changed, began or ended. Part of a cache's key."""
        ...


class Offers(Protocol):
    """`OFFERS`: which coupons and promotions fit, and why not? A constant number of queries, however many are live.

    The pricing step of coupons refuses a code that there is not with `coupon_not_found`: such guesses are counted."""

    def evaluate(self, quote: Any, *, kind: str) -> list[Offer]:
        """Every offer of that kind that the shopper may see, against a `storefront.pricing.Quote`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What an order takes of something scarce: `amount` of `resource` ("stock", "coupon", "promotion", "points",
    "credit", "gift_card", "credit_line") named `key`, for `owner`, the order's own id ("" while there is none). The same claim made
    again is the same claim. The app that keeps a resource makes its keys and alone reads them."""

    resource: str
    key: str
    amount: Decimal
    owner: str = ""


class Claims(Protocol):
    """`CLAIMS`: a kind of scarce things. Called in the order's transaction; touches local rows only, in the order of
    `key`, by conditional updates, so that nothing is ever over-spent and two orders never deadlock. Prove yours with
    `storefront.testing.ClaimsContract`."""

    def resources(self) -> Collection[str]:
        """The kinds that this plug keeps."""
        ...

    def hold(self, store_id: str, claims: Sequence[Claim]) -> None:
        """Takes all of them or raises a DomainError naming what is short. Repeating is harmless."""
        ...

    def confirm(self, store_id: str, owner: str) -> None:
        """Spends what `owner` holds. Repeating is harmless."""
        ...

    def release(self, store_id: str, owner: str) -> None:
        """Gives back what `owner` holds and has not spent. Repeating is harmless."""
        ...

    def give_back(self, store_id: str, owner: str, parts: Sequence[Claim] | None) -> None:
        """Gives back what `owner` took: for None all of it, held or spent; else, of what it spent, until the `amount`
        of each part is back in all. Repeating is harmless, and never more comes back than was spent.

        What is given back is there for others; the same owner's later `hold` and `confirm` of what it had spent change
        nothing. `parts` are of this plug's resources, in the order of resource and key.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentCheck:
    """What a registry says of a document's number. `details` are facts to show before it is saved, JSON-ready, such as
    legal_name, trade_name, state and status; `reason`, for people, says why it was rejected."""

    status: str  # verified | rejected | pending
    reference: str = ""
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


class DocumentChecks(Protocol):
    """`DOCUMENT_CHECKS`: is that number registered, and to whom? Asked outside any lock.

    `sandbox` is True for one that makes its answers up: it is asked for stores in debug mode only, and staff check the
    documents of the others. Prove yours with `storefront.testing.DocumentChecksContract`.
    """

    sandbox: bool

    def check(self, store_id: str, *, kind: str, number: str) -> DocumentCheck:
        """`kind` is gst or pan; the number's form was checked. Repeating is harmless. Raises Unavailable."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class BankCheck:
    """What a bank says of an account. `reference` is the provider's id of the check, to ask again while it is pending."""

    status: str  # verified | mismatch | unknown | pending
    reference: str = ""
    name_at_bank: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class VirtualAccount:
    """An account that a provider opened so that one customer can pay into it."""

    account_name: str
    account_number: str
    ifsc_code: str
    bank_name: str


class BankVerification(Protocol):
    """`BANK_VERIFICATION`: whose account is that? Asked outside any lock, with a time-out. Never log the number.

    `sandbox` as of `DocumentChecks`. Prove yours with `storefront.testing.BankVerificationContract`.
    """

    sandbox: bool

    def verify(self, store_id: str, *, key: str, name: str, number: str, ifsc: str, reference: str = "") -> BankCheck:
        """Sends a small amount to the account and compares the holder's name with `name`.

        `key` repeats when a call is repeated, so that the amount is sent once. With the `reference` of a pending check
        its result is asked for and nothing is sent. Raises Unavailable.
        """
        ...


class VirtualAccounts(Protocol):
    """`VIRTUAL_ACCOUNTS`: opens accounts that customers pay into. Called outside any lock. `sandbox` as above."""

    sandbox: bool

    def open(self, store_id: str, *, provider: str, customer_id: str, name: str) -> VirtualAccount:
        """The customer's account with that provider; the same one when asked again.

        Raises KeyError for a provider that is not known, Unavailable.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentEvent:
    """What a gateway says of a payment. `event_id` repeats when the event does."""

    event_id: str
    payment_id: str
    status: str  # pending | success | failed | refunded
    amount: Decimal
    currency: str


class GatewayRefused(Exception):
    """The gateway understood and said no; asking again changes nothing. `code` is short, stable, and goes to the shop's
    client; it holds nothing personal. What may work later is `storefront.errors.Unavailable` instead."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedCardFacts:
    """A card that a gateway keeps for a customer. There is no place for its number: `reference` is the gateway's token
    and `fingerprint` its word that two tokens are one card. Months 1 to 12, four-digit years."""

    reference: str
    fingerprint: str
    last4: str
    expiry_month: int
    expiry_year: int
    brand: str = ""  # VISA, MASTERCARD, RUPAY, ...
    kind: str = ""  # CREDIT | DEBIT | PREPAID
    issuer: str = ""
    issuer_country: str = ""
    country_code: str = ""
    bank_code: str = ""
    bin: str = ""  # the first six digits, which say who issued the card, or ""
    holder_name: str = ""
    nickname: str = ""
    can_have_mandate: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedMethodFacts:
    """A UPI address or a wallet that a gateway keeps for a customer. Amounts are in the store's currency."""

    kind: str  # upi_collect | wallet
    reference: str  # the gateway's own; the address itself for UPI
    wallet: str = ""
    linked: bool = False
    phone: str = ""
    balance: Decimal | None = None
    use_count: int = 0
    last_used_at: datetime | None = None
    refreshed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BankAccount:
    """Where a mandate debits. Never log it."""

    account_number: str
    ifsc: str
    beneficiary_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MandateFacts:
    """What a gateway says of a mandate. `status` is created (the customer has still to agree, or their bank), active,
    paused, revoked or error; `reason` says why it is an error."""

    reference: str
    status: str
    max_amount: Decimal
    start_at: datetime
    end_at: datetime
    mandate_type: str = ""
    frequency: str = ""
    bank_name: str = ""
    bank_account_type: str = ""
    block_fund: bool = False
    revokable_by_customer: bool = True
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DebitFacts:
    """What a gateway says of one debit of a mandate: pending, success or failed. `retry`: a failure that may pass, such
    as too little money in the account."""

    debit_id: str
    status: str
    reference: str = ""
    retry: bool = False
    reason: str = ""


class PaymentGateway(Protocol):
    """`PAYMENT_GATEWAYS`, by code: whoever moves the money. Called outside of transactions, so each call may be repeated
    with the same ids, and must then have the effect of one.

    Made once per account of a store with keyword arguments: `timeout` (seconds for one call), the `OPTIONS` of the
    setting, and the account's credentials, named in the class attribute `credential_names`. A class attribute
    `sandbox = True` says that no money moves; such a gateway works in development only, unless PAYMENT_SANDBOX says
    otherwise. Every call raises `storefront.errors.Unavailable` when no answer can be had in time, and GatewayRefused.
    Prove yours with `storefront.testing.GatewayContract`.
    """

    def start(
        self, *, store_id: str, payment_id: str, amount: Decimal, currency: str, details: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Begins a payment; what the client needs to go on."""
        ...

    def status(self, *, store_id: str, payment_id: str) -> PaymentEvent:
        """The gateway's own word on a payment."""
        ...

    def refund(self, *, store_id: str, payment_id: str, refund_id: str, amount: Decimal) -> PaymentEvent:
        """Gives back a part or all of a payment. Raises GatewayRefused for more than is left of it."""
        ...

    def events(self, *, store_id: str, headers: Mapping[str, str], body: bytes) -> list[PaymentEvent]:
        """The events in a callback. Raises PermissionError when its signature does not hold."""
        ...

    def customer(self, *, store_id: str, customer_id: str) -> str:
        """The gateway's reference of this customer, made unless there is one."""
        ...

    def saved_cards(self, *, store_id: str, customer_reference: str) -> Sequence[SavedCardFacts]:
        """The cards that this customer asked to be kept. Empty for an unknown one."""
        ...

    def saved_methods(self, *, store_id: str, customer_reference: str) -> Sequence[SavedMethodFacts]:
        """Their UPI addresses and wallets. Empty for an unknown one."""
        ...

    def forget_customer(self, *, store_id: str, customer_reference: str) -> None:
        """Deletes what is kept of this customer. An unknown one is no error."""
        ...


@runtime_checkable
class MandateGateway(Protocol):
    """What a `PaymentGateway` that takes mandates offers beside it. The same rules."""

    def create_mandate(
        self,
        *,
        store_id: str,
        mandate_id: str,
        customer_reference: str,
        bank: BankAccount,
        payment_method_type: str,
        payment_method: str,
        gateway_reference_id: str,
        max_amount: Decimal | None,
        currency: str,
    ) -> MandateFacts:
        """Asks for a mandate; the same one for the same `mandate_id`. `max_amount` is for one debit; None leaves it to
        the gateway. Raises GatewayRefused."""
        ...

    def mandate(self, *, store_id: str, reference: str) -> MandateFacts:
        """The mandate as the gateway has it now."""
        ...

    def change_mandate(
        self, *, store_id: str, reference: str, max_amount: Decimal | None, end_at: datetime | None
    ) -> MandateFacts:
        """Changes what is not None. Raises GatewayRefused unless the mandate is active and the values are allowed."""
        ...

    def pause_mandate(self, *, store_id: str, reference: str) -> MandateFacts:
        """Raises GatewayRefused for one that is neither active nor paused."""
        ...

    def resume_mandate(self, *, store_id: str, reference: str) -> MandateFacts:
        """Raises GatewayRefused for one that is neither paused nor active."""
        ...

    def revoke_mandate(self, *, store_id: str, reference: str) -> MandateFacts:
        """Ends it for good."""
        ...

    def debit(
        self, *, store_id: str, reference: str, debit_id: str, amount: Decimal, currency: str, order_number: str
    ) -> DebitFacts:
        """Takes money by the mandate, once for each `debit_id`. Refusals are failed debits, not exceptions."""
        ...

    def debit_status(self, *, store_id: str, debit_id: str) -> DebitFacts | None:
        """The gateway's word on a debit; None for one that it never heard of."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchQuery:
    """A product search, checked: nothing in it is unknown to the store.

    `text` is as typed; its first ten words count, and the last one may be half a word. `filter` is a tree of
    `catalog.search.grammar`, or None. `facets` are names as the API knows them, or `*`. `sort` is (field, descending)
    with fields selling_price, listing_price, product_name, created_at and rating; without it the best comes first, and
    without text the newest. `group_id` decides which prices are meant (D-41).
    """

    text: str = ""
    filter: Any = None
    facets: tuple[str, ...] = ()
    sort: tuple[tuple[str, bool], ...] = ()
    offset: int = 0
    limit: int = 25
    group_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchResult:
    """`facet_counts` says how many of all hits have each value; `facet_ranges` gives the ends of numeric facets."""

    skus: tuple[Sku, ...]  # of the page, best first
    total: int
    facet_counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    facet_ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)


class Search(Protocol):
    """`SEARCH`: which skus match? An index that may lag behind the catalogue by seconds.

    Prove yours with `storefront.testing.SearchContract`.
    """

    def find(self, store_id: str, query: SearchQuery) -> SearchResult:
        """One page. Raises Unavailable when the engine does not answer in time."""
        ...

    def index(self, store_id: str, product_ids: Collection[str]) -> None:
        """Brings these products up to date, or takes them out. Repeating is harmless.

        Called in the transaction that changes them, so what is not a local row waits for its commit, and may then get
        lost. Outside of a transaction, from a rebuild, nothing may: raises Unavailable.
        """
        ...

    def prepare(self, store_id: str) -> None:
        """Before everything is indexed anew: makes what the engine needs. Searches go on meanwhile."""
        ...

    def prune(self, store_id: str, before: datetime) -> None:
        """After everything was indexed anew: drops what was last indexed before that moment."""
        ...
