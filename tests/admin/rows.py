"""One row of every model that has admin pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import product
from typing import Any

from django.contrib.auth.models import Group
from django.contrib.auth.models import User as StaffUser
from django.utils import timezone

from accounts.models import OtpChallenge, SecurityEvent, Session, User
from carts.models import Cart, CartLine, WishlistItem
from catalog.models import (
    Attribute,
    AttributeChoice,
    Brand,
    Category,
    Price,
    Product,
    ProductCategory,
    ProductImage,
    Stock,
    Variant,
    VariantChoice,
)
from catalog.reviews.models import Review
from customers import invitations
from customers.models import (
    Address,
    AuthorizedSeller,
    BankAccount,
    Customer,
    Document,
    DocumentEvent,
    Invitation,
    KycDocumentType,
    Segment,
    SegmentMember,
    Seller,
)
from engagement.analytics.models import AnalyticsBatch, AnalyticsEvent, AnalyticsProvider, AnalyticsSink
from engagement.newsletter import services as newsletter
from engagement.newsletter.models import NewsletterSubscription, NewsletterText
from fulfillment.models import DeliverySettings, RateSlab, ShippingMethod, ShippingZone, ZoneRate
from messaging import wording
from messaging.models import (
    ChannelName,
    Message,
    MessageAttempt,
    MessageTemplate,
    ProviderAccount,
    UnreachableAddress,
)
from payments.models import CreditLine, Errand, Mandate, MandateDebit, PaymentProvider, SavedCard, SavedMethod
from promotions import services as offers
from promotions.models import Coupon, Promotion
from storefront import crypto, services
from storefront.ids import new_ulid
from storefront.models import (
    ApiKey,
    Channel,
    CountryState,
    CustomerGroup,
    Pincode,
    StaffAccess,
    StockLocation,
    Store,
    StoreTemplate,
)
from tests.payments import factories as payment_rows
from wallets.models import (
    Account,
    CreditAccount,
    Earning,
    Entry,
    GiftCard,
    GiftCardBatch,
    Member,
    Programme,
    Tier,
)
from wallets.services import gift_cards


def _product(store: Store, number: int) -> Product:
    group = CustomerGroup.objects.get(store=store, is_default=True)
    brand = Brand.objects.create(store=store, name=f"Brand {number}", slug=f"brand-{number}")
    category = Category.objects.create(store=store, name=f"Branch {number}", slug=f"branch-{number}")
    tea = Product.objects.create(store=store, name=f"Tea {number}", slug=f"tea-{number}", brand=brand)
    ProductCategory.objects.create(store=store, product=tea, category=category)
    names = {side: f"{number}-{side}.webp" for side in ("tiny", "thumbnail", "standard", "zoom")}
    ProductImage.objects.create(store=store, product=tea, renditions=names)
    choice = _choice(store, number)
    variants = [
        Variant.objects.create(store=store, product=tea, sku=f"TEA-{number}-{size}", name=size)
        for size in ("small", "large")
    ]
    VariantChoice.objects.create(store=store, variant=variants[0], attribute=choice.attribute, choice=choice)
    for variant in variants:
        price = {"listing_price": Decimal(10), "selling_price": Decimal(9)}
        Price.objects.create(store=store, variant=variant, group=group, **price)
        Stock.objects.create(store=store, variant=variant, on_hand=5)
    return tea


def _choice(store: Store, number: int) -> AttributeChoice:
    attribute = Attribute.objects.create(
        store=store, name=f"Colour {number}", key=f"colour_{number}", type=Attribute.Type.COLOR
    )
    return AttributeChoice.objects.create(store=store, attribute=attribute, name="Red", hexcode="#aa2222")


def _user(store: Store, number: int) -> User:
    pk = new_ulid()
    customer = Customer.objects.create(pk=pk, store=store)
    return User.objects.create(
        pk=pk,
        store=store,
        customer=customer,
        first_name="Asha",
        email=f"asha{number}@example.com",
        phone="+919876543210",
    )


def _session(store: Store, number: int) -> Session:
    expires_at = timezone.now() + timedelta(days=1)
    return Session.objects.create(store=store, user=_user(store, number), method="otp", expires_at=expires_at)


def _code(store: Store, number: int) -> OtpChallenge:
    now = timezone.now()
    return OtpChallenge.objects.create(
        store=store,
        token_hash=f"{number:064d}",
        key_id="key",
        contact="+919876543210",
        contact_hash="hash",
        channel="sms",
        action="login",
        topic="login",
        digits=6,
        created_at=now,
        expires_at=now + timedelta(minutes=5),
    )


def _account(store: Store, number: int) -> ProviderAccount:
    return ProviderAccount.objects.create(store=store, name=f"Account {number}", channel="sms", driver="console")


def _message(store: Store, number: int) -> Message:
    message = Message.objects.create(
        store=store,
        to="+919876543210",
        channel="whatsapp",
        current_channel="sms",
        template="otp_login",
        language="en",
        account=_account(store, number),
    )
    now = timezone.now()
    MessageAttempt.objects.create(
        store=store, message=message, number=1, channel="sms", outcome="sent", started_at=now, finished_at=now
    )
    return message


def _cart(store: Store, number: int) -> Cart:
    user = _user(store, number)
    cart = Cart.objects.create(store=store, user_id=user.pk, expires_at=timezone.now() + timedelta(days=30))
    CartLine.objects.create(store=store, cart=cart, product_id=f"product-{number}", quantity=2)
    return cart


def _template(store: Store, number: int) -> MessageTemplate:
    code, channel, language = list(product(wording.codes(), ChannelName.values, ["en", "hi"]))[number]
    return MessageTemplate.objects.create(
        store=store, code=code, channel=channel, language=language, text="Hello from {store}."
    )


def _review(store: Store, number: int) -> Review:
    return Review.objects.create(
        store=store, product=_product(store, number), user_id="asha", order_number=str(number), rating=4
    )


def _sink(store: Store, number: int) -> AnalyticsSink:
    return AnalyticsSink.objects.create(store=store, name=f"Sink {number}", url="https://api.example.com/v1/batch")


def _service(store: Store, number: int) -> AnalyticsProvider:
    if number > 1:  # each once a store, so more rows need more stores
        store = services.create_store(store_id=f"service-{number}", name=f"Service {number}")
    return AnalyticsProvider.objects.create(
        store=store, kind="google-analytics", credentials={"measurement_id": "G-AB12CD34EF"}
    )


def _subscription(store: Store, number: int) -> NewsletterSubscription:
    newsletter.subscribe(store=store, email=f"reader-{number}@example.com")
    return NewsletterSubscription.objects.get(store=store, email=f"reader-{number}@example.com")


def _text(store: Store, number: int) -> StoreTemplate:
    kinds = StoreTemplate.Kind.values  # each once a store, so more rows need more stores
    shop = store if number < len(kinds) else services.create_store(store_id=f"text-{number}", name=f"Text {number}")
    return StoreTemplate.objects.create(
        store=shop, kind=kinds[number % len(kinds)], content_type="html", content="<p>Fair.</p>"
    )


def _address(store: Store, number: int) -> Address:
    owner = _user(store, number).customer
    return Address.objects.create(
        store=store, customer=owner, first_name="Asha", phone="9876543210", address_line1=f"{number} MG Road"
    )


def _kyc_type(store: Store, number: int) -> KycDocumentType:
    return KycDocumentType.objects.create(store=store, title=f"Licence {number}")


def _document(store: Store, number: int) -> Document:
    document = Document.objects.create(
        store=store,
        customer=_user(store, number).customer,
        type=_kyc_type(store, number),
        number_encrypted=crypto.encrypt("L-77"),
        number_hint="L-77",
    )
    DocumentEvent.objects.create(
        store=store, customer=document.customer, document_id=document.pk, kind="submitted", by="asha"
    )
    return document


def _bank_account(store: Store, number: int) -> BankAccount:
    return BankAccount.objects.create(
        store=store,
        customer=_user(store, number).customer,
        type="outbound",
        account_name="Asha Rao",
        number_encrypted=crypto.encrypt("501000123456"),
        number_hash=str(number),
        last4="3456",
        ifsc_code="HDFC0000123",
        bank_name="HDFC Bank",
    )


def _seller(store: Store, number: int) -> Seller:
    seller = Seller.objects.create(store=store, trade_name=f"Seller {number}", legal_name="Seller Ltd")
    AuthorizedSeller.objects.create(store=store, seller=seller, customer=_user(store, number).customer)
    return seller


def _segment(store: Store, number: int) -> Segment:
    segment = Segment.objects.create(store=store, name=f"Segment {number}")
    SegmentMember.objects.create(store=store, segment=segment, customer=_user(store, number).customer)
    return segment


def _invitation(store: Store, number: int) -> Invitation:
    where = {"store": store, "customer_id": _user(store, number).customer_id, "now": timezone.now()}
    return invitations.invite(**where, contact=f"friend{number}@example.com", invited_by="staff")


def _programme(store: Store, number: int) -> Programme:
    """A store has one, so further ones get stores of their own."""
    if Programme.objects.filter(store=store).exists():
        store = services.create_store(store_id=f"loyal-{number}", name=f"Loyal {number}")
    programme = Programme.objects.create(store=store, name=f"Rewards {number}")
    Tier.objects.create(store=store, programme=programme, name="Gold", threshold=1000, points_per_unit=2)
    return programme


def _member(store: Store, number: int) -> Member:
    account = Account.objects.create(store=store, kind="points", customer_id=new_ulid())
    tier = _programme(store, number).tiers.first()
    member = Member.objects.create(store=store, account=account, membership_number=f"1{number}", tier=tier)
    _entry_of(store, account)
    return member


def _entry_of(store: Store, account: Account) -> Entry:
    return Entry.objects.create(store=store, account=account, kind="grant", owner=new_ulid(), amount=5, remaining=5)


def _credit(store: Store, number: int) -> CreditAccount:
    account = CreditAccount.objects.create(store=store, kind="credit", customer_id=_user(store, number).pk)
    _entry_of(store, account)
    return account


def _gift_card(store: Store, number: int) -> GiftCard:
    (made,) = gift_cards.issue_many(store=store, name=f"Batch {number}", count=1, amount=Decimal(10))
    return GiftCard.objects.get(pk=made.card_id)


def _earning(store: Store, number: int) -> Earning:
    return Earning.objects.create(
        store=store, account=_member(store, number).account, owner=f"order-{number}", points=5, spent=Decimal(5)
    )


def _offer(kind: str) -> Callable[[Store, int], Any]:
    def make(store: Store, number: int) -> Any:
        facts: dict[str, Any] = {"details": {"discount_type": "percentage", "discount_percent": 5 + number}}
        if kind == "coupon":
            facts["codes"] = [f"CODE-{number}", f"WORD-{number}"]
        made = offers.create_offer(store=store, kind=kind, type="discount", name=f"Offer {number}", **facts)
        return (Coupon if kind == "coupon" else Promotion).objects.get(pk=made.pk)

    return make


def _rate(store: Store, number: int) -> ZoneRate:
    zone = ShippingZone.objects.create(store=store, name=f"Zone {number}", states=["29"], pincodes="5600*, 400001")
    method = ShippingMethod.objects.create(store=store, name=f"Method {number}", kind="weight")
    rate = ZoneRate.objects.create(store=store, zone=zone, method=method, days=2)
    for up_to in (500, 1000):
        RateSlab.objects.create(store=store, rate=rate, up_to=Decimal(up_to), amount=Decimal(50))
    return rate


MAKERS: dict[Any, Callable[[Store, int], Any]] = {
    AnalyticsBatch: lambda store, number: AnalyticsBatch.objects.create(
        store=store, sink=_sink(store, number), events=[{"event": "Product Viewed"}], size=1
    ),
    AnalyticsEvent: lambda store, number: AnalyticsEvent.objects.create(
        store=store, message_id=f"m{number}", name="Product Viewed", user_id="asha", occurred_at=timezone.now()
    ),
    AnalyticsProvider: _service,
    AnalyticsSink: _sink,
    Address: _address,
    BankAccount: _bank_account,
    Document: _document,
    Invitation: _invitation,
    KycDocumentType: _kyc_type,
    Segment: _segment,
    Seller: _seller,
    ApiKey: lambda store, number: services.create_key(store=store, name=f"Key {number}").key,
    Attribute: lambda store, number: _choice(store, number).attribute,
    AttributeChoice: _choice,
    Brand: lambda store, number: _product(store, number).brand,
    Cart: _cart,
    Category: lambda store, number: Category.objects.create(store=store, name=f"Leaf {number}", slug=f"leaf-{number}"),
    Channel: lambda store, number: Channel.objects.create(store=store, name=f"Channel {number}"),
    Coupon: _offer("coupon"),
    CreditAccount: _credit,
    Customer: lambda store, number: _user(store, number).customer,
    CountryState: lambda store, number: CountryState.objects.create(
        country="US", code=f"S{number}", name=f"State {number}"
    ),
    CreditLine: payment_rows.credit_row,
    CustomerGroup: lambda store, number: CustomerGroup.objects.create(
        store=store, name=f"Group {number}", slug=f"group-{number}"
    ),
    Earning: _earning,
    Entry: lambda store, number: _credit(store, number).entries.first(),
    GiftCard: _gift_card,
    GiftCardBatch: lambda store, number: _gift_card(store, number).batch,
    DeliverySettings: lambda store, number: DeliverySettings.objects.get_or_create(store=store)[0],
    Group: lambda store, number: Group.objects.create(name=f"Role {number}"),
    Member: _member,
    Errand: payment_rows.errand_row,
    Mandate: lambda store, number: payment_rows.mandate_row(store, f"customer-{number}"),
    MandateDebit: payment_rows.debit_row,
    Message: _message,
    MessageTemplate: _template,
    NewsletterSubscription: _subscription,
    UnreachableAddress: lambda store, number: UnreachableAddress.objects.create(
        store=store, channel="email", address_hash=f"{number:064x}", shown="a***@example.com", reason="bounced"
    ),
    NewsletterText: lambda store, number: NewsletterText.objects.create(store=store, version=str(number), text="News."),
    OtpChallenge: _code,
    Pincode: lambda store, number: Pincode.objects.create(
        country="IN", pincode=f"{560001 + number}", city="Bengaluru", state_name="Karnataka"
    ),
    PaymentProvider: lambda store, number: payment_rows.provider_row(store, f"provider-{number}"),
    Product: _product,
    Programme: _programme,
    Promotion: _offer("promotion"),
    ProviderAccount: _account,
    SecurityEvent: lambda store, number: SecurityEvent.objects.create(
        store=store, kind="login", user_id=_user(store, number).pk
    ),
    Review: _review,
    SavedCard: payment_rows.card_row,
    SavedMethod: payment_rows.method_row,
    Session: _session,
    ShippingMethod: lambda store, number: _rate(store, number).method,
    ShippingZone: lambda store, number: _rate(store, number).zone,
    StockLocation: lambda store, number: StockLocation.objects.create(store=store, name=f"Place {number}"),
    StaffUser: lambda store, number: StaffUser.objects.create(
        username=f"staff-{number}", date_joined=timezone.now().replace(microsecond=0)
    ),
    Store: lambda store, number: services.create_store(store_id=f"shop-{number}", name=f"Shop {number}"),
    StoreTemplate: _text,
    User: _user,
    StaffAccess: lambda store, number: StaffAccess.objects.create(
        store=store,
        staff_id="1",
        staff_name="anna",
        action="view",
        kind="storefront_accounts.User",
        object_id=f"asha{number}",
    ),
    Variant: lambda store, number: _product(store, number).variants.first(),
    WishlistItem: lambda store, number: WishlistItem.objects.create(
        store=store, user_id=f"guest-{number}", product_id=_product(store, number).pk
    ),
    ZoneRate: _rate,
}
