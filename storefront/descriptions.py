"""What the OpenAPI document says about each operation, parameter and refusal, beyond the contract's shapes."""

from __future__ import annotations

from typing import Any, NamedTuple

INTRODUCTION = """
Every store has its own base path, `/api/v1/{store_id}/storefront`, without a trailing slash.

- **Who calls:** public reads take the store's publishable key in `X-Api-Key`. Everything else takes an access token as
  `Authorization: Bearer …`. `POST /auth/anonymous` turns the key into a visitor's tokens; logging in, or verifying a
  one-time code, turns those into a shopper's.
- **Answers:** 200 with `{message, success, content}`. A refusal has `success: false`, a stable `code`, and for 400
  `errors`, which names the fields at fault. Whatever belongs to another shopper or store is 404.
- **Money** is a JSON number in major units of the store's currency. Times are ISO 8601 in UTC.
- **Repeating:** setting calls are absolute, so a repeat changes nothing. Calls that make something take an
  `Idempotency-Key`.
- **Languages:** `message` and the texts in `errors` follow `Accept-Language`; codes and field names never change.
- **Pages:** `page` from 1 and `limit` up to 100; `pagination` in the answer says what there is.
"""

TAGS = {
    "auth": "Visitors, one-time codes, passwords, sessions, and the profile of whoever is logged in.",
    "catalog": "Products, variants, categories, search, recommendations and reviews.",
    "carts": "Carts, and what is redeemed for them. Each answer holds the whole cart, priced anew.",
    "coupons-promotions": "What there is to save, and what a given cart still lacks for it.",
    "fulfillment": "Whether and how goods reach somebody: delivery, collection in a shop, or both.",
    "wishlist": "What somebody wants to remember. Visitors have one, too; it comes along at login.",
    "customers": "Address books, businesses, documents, bank accounts, loyalty, saved means of payment and mandates.",
    "store": "What a client needs to know of the store before anybody signs in.",
    "common": "Countries, states and postal codes.",
    "campaigns": "The newsletter.",
    "analytics": "What shoppers look at and do, in the form of Segment's `track`.",
}


class Told(NamedTuple):
    summary: str
    description: str = ""
    example: Any = None  # of the request's body


_PHONE = {"country_code": "+91", "phone": "9876543210"}
_ADDRESS = {
    "first_name": "Asha",
    "last_name": "Rao",
    "country_code": "+91",
    "phone": "9876543210",
    "email": "asha@example.com",
    "address_line1": "12 Lake Road",
    "address_line2": None,
    "landmark": None,
    "pincode": "560001",
    "city": "Bengaluru",
    "state": "Karnataka",
    "country": "India",
    "tax_identification_number": None,
    "business_name": None,
    "is_phone_verified": False,
    "is_email_verified": False,
}
_LINE = {"product_id": "01JD8Q5X3V7M2K9T4B6N0R1S2A", "variant_id": None, "quantity": 2}
_WISH = {"product_id": "01JD8Q5X3V7M2K9T4B6N0R1S2A", "variant_id": None}
_CODE = {"otp": "482913", "otp_token": "tQR-viG1T5SyCza3WDUXqMgukOQvI55YyKggIcKVG6M"}
_CHOICES = {"email": True, "sms": False, "whatsapp": True}
_PREFERENCES = {
    "notification_preferences": {"transactional": _CHOICES, "promotional": _CHOICES, "newsletter": _CHOICES}
}
_BUSINESS = {"business_type": "Private Limited", "name": "Rao Spices", "pan_number": "AAPFU0939F"}
_BANK = {
    "account_type": "outbound",
    "account_name": "Asha Rao",
    "account_number": "123456789012",
    "ifsc_code": "HDFC0000123",
    "bank_name": "HDFC Bank",
    "is_default": True,
}
_COUNTED = "Answers `otp_token` and `otp_action` for `POST /auth/verify-otp`. Codes to one contact are rationed: 429 with `Retry-After`."
_REGISTER = f"Sends a one-time code; verifying it makes the account, and the visitor's cart and wishlist become its own. {_COUNTED}"
_LOGIN = (
    "Sends a one-time code to the account's contact. The answer is the same whether there is an account or not, unless "
    "the store chose to tell. With `register_if_not_exists`, verifying the code of a new contact makes an account. "
    + _COUNTED
)
_PRICED = "Answers the whole cart, priced anew."
_OWN = "Your own only: anybody else's is 404."
_LIST_BESIDE = "For the products in `product_id`, such as those of a cart; unknown ones are passed over."

OPERATIONS: dict[str, Told] = {
    # analytics
    "track-analytics-event": Told(
        "Record an event",
        "Taken in at once and stored in batches, each `messageId` once. Events that are too old or too large are refused.",
        {
            "event": "Product Viewed",
            "type": "track",
            "userId": "01JD8Q5X3V7M2K9T4B6N0R1S2A",
            "channel": "website",
            "context": {"ip": "203.0.113.7", "userAgent": "Mozilla/5.0"},
            "properties": {"product_id": "01JD8Q5X3V7M2K9T4B6N0R1S2A", "price": 499},
            "messageId": "9f0c1e34-6b7f-4f63-9f52-0a2f8a1d5b11",
            "timestamp": "2026-11-25T10:00:00Z",
            "sentAt": "2026-11-25T10:00:01Z",
        },
    ),
    # auth
    "get-anonymous-token": Told(
        "Become a visitor",
        "The first call of a client: tokens of a visitor for the API key. Nothing is stored; a visitor may fill a cart "
        "and a wishlist, which stay when they register or log in.",
    ),
    "change-password": Told(
        "Change the password",
        "Needs the present one. Ends all other sessions of the account.",
        {
            "old_password": "an old passphrase",
            "new_password": "a new passphrase",
            "confirm_password": "a new passphrase",
        },
    ),
    "forgot-password": Told(
        "Ask for a code to reset the password",
        f"The answer is the same whether there is an account or not. {_COUNTED}",
        {"email": "asha@example.com"},
    ),
    "generate-otp": Told(
        "Ask for another one-time code",
        f"For registering, resetting a password, or verifying or changing a contact, as `otp_action` says. {_COUNTED}",
        {"channel": "email", "email": "asha@example.com", "otp_action": "verify-email"},
    ),
    "login-with-email": Told(
        "Log in by e-mail", _LOGIN, {"email": "asha@example.com", "register_if_not_exists": False}
    ),
    "login-with-password": Told(
        "Log in with a password",
        "Answers the shopper's tokens at once. Wrong passwords are counted per contact and per network; the answer "
        "does not say whether the contact or the password was wrong.",
        {"email": "asha@example.com", "password": "demo-Shopper-1"},
    ),
    "login-with-phone": Told("Log in by SMS", _LOGIN, {**_PHONE, "register_if_not_exists": False}),
    "login-with-whatsapp": Told("Log in by WhatsApp", _LOGIN, {**_PHONE, "register_if_not_exists": False}),
    "logout": Told("Log out", "Ends this session and answers a visitor's tokens to go on with."),
    "refresh-token": Told(
        "Renew the tokens",
        "Both tokens are new. A refresh token is used once; for a few seconds it gives the same successor again, so "
        "parallel tabs agree. Used later, it ends the session: somebody copied it.",
        {"refresh_token": "eyJhbGciOiJIUzI1NiJ9…"},
    ),
    "register-with-email": Told(
        "Register by e-mail", _REGISTER, {"email": "asha@example.com", "first_name": "Asha", "last_name": "Rao"}
    ),
    "register-with-password": Told(
        "Register with a password",
        f"{_REGISTER} From then on the password logs in, too.",
        {
            "email": "asha@example.com",
            "password": "a long passphrase",
            "confirm_password": "a long passphrase",
        },
    ),
    "register-with-phone": Told(
        "Register by SMS", _REGISTER, {**_PHONE, "first_name": "Asha", "last_name": "Rao", "email": None}
    ),
    "register-with-whatsapp": Told(
        "Register by WhatsApp", _REGISTER, {**_PHONE, "first_name": "Asha", "last_name": "Rao", "email": None}
    ),
    "reset-password": Told(
        "Set a new password with a code",
        "With the code that `POST /auth/forgot-password` sent. Ends all sessions of the account.",
        {**_CODE, "new_password": "a new passphrase", "confirm_password": "a new passphrase"},
    ),
    "get-user-detail": Told("Read a profile", f"With group, business and preferences. {_OWN}"),
    "update-user": Told(
        "Change a profile",
        "Name, and contacts that have been proven by a code before (`verification_required` otherwise). Fields that "
        "only the server knows are read and left as they are.",
        {
            "id": "01JD8Q5X3V7M2K9T4B6N0R1S2A",
            "first_name": "Asha",
            "last_name": "Rao",
            "email": "asha@example.com",
            "is_email_verified": True,
            "phone": "9876543210",
            "country_code": "+91",
            "is_phone_verified": True,
            "profile_image_url": None,
            "is_anonymous": False,
            "is_logged_in": True,
            "login_methods": ["email"],
            **_PREFERENCES,
            "customer_id": "01JD8Q5X3V7M2K9T4B6N0R1S2A",
            "customer_group": None,
            "business": None,
        },
    ),
    "delete-user": Told(
        "Delete an account",
        "For good: personal data is erased, sessions end, contacts are free again. Ledgers and orders stay valid.",
    ),
    "deactivate-user": Told("Deactivate an account", "Ends all sessions. Logging in again brings the account back."),
    "get-notification-preferences": Told("Read which messages are wanted", _OWN),
    "create-notification-preferences": Told(
        "Say which messages are wanted", "The same as changing them. Each change is kept as a consent.", _PREFERENCES
    ),
    "update-notification-preferences": Told(
        "Change which messages are wanted", "By kind and channel. Each change is kept as a consent.", _PREFERENCES
    ),
    "get-profile-image": Told("Read the profile image", "404 when there is none."),
    "add-profile-image": Told(
        "Add a profile image", "JPEG, PNG or WebP up to 5 MB; checked by content and re-encoded."
    ),
    "update-profile-image": Told(
        "Replace the profile image", "JPEG, PNG or WebP up to 5 MB; checked by content and re-encoded."
    ),
    "remove-profile-image": Told("Remove the profile image", "In all sizes, for good."),
    "check-verification-status": Told(
        "Ask which contacts are verified",
        "Names those of the given contacts that the caller has verified; nobody else's are ever confirmed.",
        {"email": ["asha@example.com"], "phone": ["9876543210"]},
    ),
    "verify-otp": Told(
        "Enter a one-time code",
        "Does what the code was asked for. For logging in and registering the answer holds the shopper's tokens, and "
        "the visitor's cart and wishlist come along. A few wrong tries end the code.",
        {**_CODE, "otp_action": "login"},
    ),
    # campaigns
    "subscribe-newsletter": Told(
        "Subscribe to the newsletter",
        "At once, or after a click in a message to the address, as the store chose. The answer does not say whether "
        "the address was subscribed already.",
        {"email": "asha@example.com"},
    ),
    # carts
    "create-cart": Told(
        "Start a cart",
        "With one product or many. All are checked before anything is written. " + _PRICED,
        {"items": [_LINE], "metadata": {"source": "app"}},
    ),
    "get-cart": Told(
        "Read a cart",
        "Priced anew with today's prices, promotions and stock. `status` says whether it can be paid, and "
        f"`status_error_message` what is still missing. {_OWN}",
    ),
    "delete-cart": Told("Delete a cart", "With all that is in it. Repeating it is 404."),
    "get-user-cart": Told("Read the current cart", "By the id of its visitor or shopper. " + _OWN),
    "delete-user-cart": Told("Delete all open carts", "By the id of their visitor or shopper. " + _OWN),
    "update-cart": Told(
        "Set the quantity of a product",
        "Absolute: 0 removes the line, and a repeat changes nothing. A coupon that no longer counts is dropped with "
        "its reason. " + _PRICED,
        _LINE,
    ),
    "create-cart-address": Told(
        "Set the addresses",
        "Billing and shipping, as ids of the address book or in full. They decide on tax and delivery. " + _PRICED,
        {"billing_address": _ADDRESS, "shipping_address": _ADDRESS},
    ),
    "apply-coupon": Told(
        "Apply a coupon",
        "In any spelling; another one replaces it. Guessing codes is rationed. " + _PRICED,
        {"coupon_code": "DISCOUNT10"},
    ),
    "remove-coupon": Told("Remove the coupon", _PRICED),
    "redeem-credit-balance": Told(
        "Use store credit",
        "Absolute, in the store's currency; what the cart does not need is not taken. " + _PRICED,
        {"credit_balance_used": 250},
    ),
    "remove-credit-balance": Told("Use no store credit", _PRICED),
    "redeem-gift-card": Told(
        "Use a gift card",
        "With its PIN where it has one. A wrong code and a wrong PIN are the same answer, and rationed. " + _PRICED,
        {"gift_card_code": "GIFT-DEMO-1000", "pin": "1234"},
    ),
    "remove-gift-card": Told("Use no gift card", _PRICED),
    "redeem-loyalty-points": Told(
        "Use loyalty points",
        "Absolute; within the balance and the programme's limits for one order. " + _PRICED,
        {"loyalty_point_redeemed": 100},
    ),
    "remove-loyalty-points": Told("Use no loyalty points", _PRICED),
    # coupons and promotions
    "list-coupons": Told("List public coupons", "Those that run now and that the caller may use."),
    "list-promotions": Told("List promotions", "Those that run now."),
    "evaluate-coupons": Told(
        "Ask which coupons fit a cart",
        "What each would save; for the others why they do not apply yet and what to add.",
    ),
    "evaluate-promotions": Told(
        "Ask which promotions a cart gets",
        "What each saves; for the others why they do not apply yet and what to add.",
    ),
    "list-offer-coupons": Told(
        "List public coupons (older shape)", "As `GET /carts/available-coupons`, for older clients."
    ),
    "list-offer-promotions": Told(
        "List promotions (older shape)", "As `GET /carts/available-promotions`, for older clients."
    ),
    # catalog
    "list-categories": Told(
        "List categories", "A page of them, or the branches below one, as deep as `nested_level` says."
    ),
    "list-products": Told(
        "List products", "With variants and prices of the caller's customer group. Sorted by `sort_by`."
    ),
    "get-product-detail": Told("Read a product", "By id or slug, with variants, images, attributes and prices."),
    "list-product-reviews": Told("List reviews of a product", "Approved ones, with counts by stars and tags."),
    "create-product-review": Told(
        "Review a product",
        "For a product of a delivered order, once. Images and videos are checked; staff approve it before it is shown.",
    ),
    "list-product-variants": Told("List variants of a product", "All that are on sale, each with its price and stock."),
    "get-variant-detail": Told("Read a variant", "By ids or slugs."),
    "list-crosssell-products": Told("List what goes with products", _LIST_BESIDE),
    "list-recommended-products": Told("List recommended products", "The best of the shop."),
    "search-products": Told(
        "Search products",
        "Words forgive typos and accents, and the last may be half typed. `filter` takes conditions with AND, OR, NOT, "
        "IN, TO and EXISTS; a fault is named with its position. `facets` counts values among all hits.",
        {
            "query": "kurta",
            "page": 1,
            "limit": 20,
            "filter": "pricing.selling_price 100 TO 2000 AND stock_available > 0",
            "facets": ["brand", "categories.name"],
            "sort": ["selling_price:asc"],
        },
    ),
    "list-similar-products": Told("List similar products", _LIST_BESIDE),
    "list-upsell-products": Told("List better alternatives", _LIST_BESIDE),
    "list-skus": Told("List what can be bought", "Products without variants, and each variant, in one list of items."),
    # common
    "list-countries": Told("List countries", "Those that the store serves, its default first."),
    "list-country-pincodes": Told("List postal codes of a country", "By their beginning, in `pincode`."),
    "list-country-states": Told("List states of a country", "With their codes, such as GST codes in India."),
    # customers
    "create-customer": Told(
        "Give details of yourself",
        "A guest's business and address, or a shopper's. Guests keep what they gave when they register or log in.",
        {"business": _BUSINESS, "address": {key: value for key, value in _ADDRESS.items() if value}},
    ),
    "update-customer": Told(
        "Change a customer's business", "PAN and GSTIN are checked against each other.", {"business": _BUSINESS}
    ),
    "list-addresses": Told("List addresses", _OWN),
    "create-address": Told(
        "Add an address",
        "Checked by the rules of its country. At most one is the default for billing and one for shipping.",
        _ADDRESS,
    ),
    "get-address-detail": Told("Read an address", _OWN),
    "update-address-detail": Told("Change an address", "The whole address.", _ADDRESS),
    "delete-address": Told("Delete an address", "Carts that use it ask for another one."),
    "get-customer-authorized-sellers": Told("List a customer's sellers", "Empty where the store is its only seller."),
    "list-bank-accounts": Told("List bank accounts", "Numbers are masked. " + _OWN),
    "create-bank-account": Told(
        "Add a bank account",
        "One to be paid out to (`outbound`), or one that a provider opens for deposits (`inbound`). The number is "
        "kept encrypted.",
        _BANK,
    ),
    "get-bank-account-detail": Told("Read a bank account", "The number is masked. " + _OWN),
    "update-bank-account": Told("Change a bank account", "Another number needs to be verified again.", _BANK),
    "delete-bank-account": Told(
        "Delete a bank account", "The newest of the others of its kind becomes the default in its place."
    ),
    "verify-bank-account": Told(
        "Have a bank account verified",
        "Asks the bank who holds it. Rationed, for each try may cost money.",
        {"is_verified": True},
    ),
    "list-customer-cards": Told("List saved cards", "As the gateway masks them; no card number is ever kept."),
    "get-customer-credit-line-balance": Told("Read the credit line", "Limit, used and left."),
    "list-documents": Told("List documents", "With their state; files behind links that end soon. " + _OWN),
    "create-document": Told(
        "Give a document",
        "A number, a file (PDF, JPEG or PNG up to 10 MB), or both, as its kind asks. Checked at once or by staff.",
    ),
    "get-document": Told("Read a document", _OWN),
    "update-document": Told("Send a document again", "When it was rejected or has expired."),
    "delete-document": Told("Delete a document", "Whatever its state, with its file, for good."),
    "verify-document": Told(
        "Have a document's number checked",
        "Asks the registry, without storing anything. Rationed.",
        {"document_number": "29AAPFU0939F1Z2", "document_type_id": "01JD8Q5X3V7M2K9T4B6N0R1S2A"},
    ),
    "get-loyalty-details": Told("Read the loyalty account", "Balance, tier, and what the next tier takes."),
    "list-loyalty-activities": Told(
        "List loyalty activities", "Points earned, used, given back and expired, newest first."
    ),
    "list-customer-mandate-debit-schedules": Told("List debits of mandates", "Planned, paid and failed ones."),
    "list-customer-mandates": Told("List mandates", _OWN),
    "create-customer-mandate": Told(
        "Ask for a mandate",
        "The bank must still accept it.",
        {
            "payment_method_type": "EMANDATE",
            "payment_method": "NB_HDFC",
            "service_provider_slug": "sandbox",
            "gateway_reference_id": "sandbox",
            "bank_ifsc": "HDFC0000123",
            "bank_account_number": "123456789012",
            "bank_beneficiary_name": "Asha Rao",
        },
    ),
    "get-customer-mandate": Told("Read a mandate", "With `sync=true` its provider is asked first."),
    "update-customer-mandate": Told(
        "Change a mandate", "Its largest debit and its end.", {"max_amount": 5000, "end_at": "2030-01-01T00:00:00Z"}
    ),
    "pause-customer-mandate": Told("Pause a mandate", "No debits until it is resumed."),
    "resume-customer-mandate": Told("Resume a mandate", "A paused one: its debits are carried out again."),
    "revoke-customer-mandate": Told("Revoke a mandate", "For good."),
    "list-saved-payment-methods": Told(
        "List saved payment methods", "By kind; `payment_methods` narrows it to some kinds."
    ),
    "list-customer-reviews": Told("List reviews of a customer", "What was written, and what waits to be reviewed."),
    # fulfillment
    "get-fulfillment-options": Told(
        "Ask how a cart can reach its buyer",
        "Shipments with their methods and prices, and shops to collect from with their distance.",
        {"cart_id": "01JD8Q5X3V7M2K9T4B6N0R1S2A", "fulfillment_type": "delivery"},
    ),
    "update-fulfillment-preference": Told(
        "Choose a way of delivery",
        "For each shipment, a shop to collect from, or some of both; or `auto` for the store's own choice. " + _PRICED,
        {"fulfillment_type": "collect-in-store", "pickup_location_id": "01JD8Q5X3V7M2K9T4B6N0R1S2A"},
    ),
    "check-fulfillment": Told(
        "Ask whether goods reach a postal code",
        "For a cart or a list of items; what cannot be brought is named.",
        {"delivery_pincode": "560001", "cart_id": "01JD8Q5X3V7M2K9T4B6N0R1S2A", "fulfillment_type": "delivery"},
    ),
    "get-shipping-fulfillment-options": Told(
        "Ask how a cart can reach a postal code (older shape)",
        "As `POST /carts/fulfillment-options`, for older clients.",
        {"delivery_pincode": "560001", "cart_id": "01JD8Q5X3V7M2K9T4B6N0R1S2A"},
    ),
    # store
    "check-store": Told("Ask whether a store is open", "200 in any case; `success` is the answer."),
    "get-config": Told(
        "Read the store's configuration",
        "Brand, currency, countries, switches and public keys: only what any client may know.",
    ),
    "list-kyc-document": Told(
        "List documents that the store asks for", "With what each needs: a number, a file, or both."
    ),
    # wishlist
    "get-wishlist": Told("Read a wishlist", "By the id of its visitor or shopper. " + _OWN),
    "add-to-wishlist": Told("Remember a product", "Adding it again changes nothing.", _WISH),
    "delete-from-wishlist": Told("Forget a product", "Removing it again changes nothing.", _WISH),
}

PARAMETERS = {
    "Idempotency-Key": "1 to 255 printable characters. A repeat with the same key gives the first answer, for 24 hours.",
    "account_type": "Only accounts to pay out to, or only those to deposit into.",
    "category_id": "Products of this category and those below it; may be repeated.",
    "category_slug": "The same by slug.",
    "country_iso_code": "Two letters, such as `IN`.",
    "customer_id": "The customer's id; older clients may send the user's.",
    "inventory": "Adds stock by location, and lots.",
    "limit": "Entries on a page, 1 to 100.",
    "nested_level": "How many levels of branches to add.",
    "page": "From 1.",
    "parent_category_id": "Only branches of this category.",
    "parent_category_slug": "The same by slug.",
    "payment_methods": "Kinds of payment methods, such as `card`; may be repeated.",
    "pincode": "The beginning of the postal code.",
    "product_id": "An id; where one product is meant, a slug as well.",
    "product_type": "`physical`, `digital` or `bundle`; may be repeated.",
    "review_tag": "Only reviews with this tag.",
    "search": "Words to look for.",
    "seller_id": "For marketplaces; a store that sells by itself passes over it.",
    "sku": "Only these; may be repeated.",
    "sort_by": 'A JSON object of fields and directions, such as `{"name":"asc"}`.',
    "sync": "Ask the provider first.",
    "user_id": "The id of a visitor or shopper, as in the token's `ulid`.",
    "variant_id": "An id or slug.",
    "x-customer-group-id": "Show prices of this customer group; the caller's own unless given.",
    "x-debug-mode": "Return one-time codes, in stores in debug mode on a development server only.",
}


def _refusal(message: str, code: str, **rest: Any) -> dict[str, Any]:
    return {"message": message, "success": False, "code": code, **rest}


REFUSALS: dict[str, tuple[str, dict[str, Any]]] = {  # by status: what it means, and one of its kind
    "400": (
        "Something in the request is not acceptable; `code` says what and `errors` names the fields.",
        _refusal(
            "Enter a valid e-mail address.", "validation_error", errors={"email": ["Enter a valid e-mail address."]}
        ),
    ),
    "401": (
        "The key or token is missing, unknown or expired, or a login is needed.",
        _refusal("Your session has expired. Please sign in again.", "token_expired"),
    ),
    "404": ("There is no such thing, or it is another's.", _refusal("We could not find that.", "not_found")),
    "406": ("Something else than JSON was asked for.", _refusal("This API answers JSON only.", "not_acceptable")),
    "409": (
        "The first call with this Idempotency-Key still runs.",
        _refusal("The same request is still being carried out.", "request_in_progress"),
    ),
    "413": ("The body is too large.", _refusal("The request is too large.", "body_too_large")),
    "415": (
        "The body is of another content type.",
        _refusal("This content type is not supported here.", "unsupported_media_type"),
    ),
    "429": (
        "Too many calls of this kind; `Retry-After` says when to try again.",
        _refusal("Too many requests. Please wait a moment and try again.", "too_many_requests"),
    ),
    "503": (
        "A database or provider does not answer; `Retry-After` says when to try again.",
        _refusal("This is not available right now. Please try again shortly.", "temporarily_unavailable"),
    ),
}
