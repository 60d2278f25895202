"""Writes docs/api.md: the main story against a running demo shop, as it really went. Tokens and long lists are cut.

Usage: manage.py demo --json | python scripts/api_examples.py
"""

from __future__ import annotations

import base64
import json
import re
import sys
import urllib.request
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"
shop = json.load(sys.stdin)
text: list[str] = []
token = ""


def call(title: str, method: str, path: str, body: Any = None, *, note: str = "", **headers: str) -> Any:
    """Calls the API and writes down what went out and what came back."""
    sent = {"Content-Type": "application/json"} if body is not None else {}
    sent |= {"Authorization": f"Bearer {token}"} if token else {"X-Api-Key": shop["api_key"]}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(
        shop["base_url"] + path, method=method, headers=sent, data=None if body is None else json.dumps(body).encode()
    )
    try:
        with urllib.request.urlopen(request) as answer:
            status, given = answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        status, given = error.code, json.load(error)
    text.append(f"## {title}\n")
    if note:
        text.append(f"{note}\n")
    lines = [f"{method} /api/v1/{shop['store_id']}/storefront{path}"]
    lines += [f"{name}: {_short(value)}" for name, value in sent.items()]
    text.append("```http\n" + "\n".join(lines) + ("\n\n" + _json(body) if body is not None else "") + "\n```\n")
    text.append(f"```json\n{_json(cut(given))}\n```\n")
    if status >= 400:
        text.append(f"Status {status}.\n")
    return given.get("content", given)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _short(value: str) -> str:
    return re.sub(r"(eyJ[\w-]{10})[\w.-]+", r"\1…", re.sub(r"(pk_\w{4})[\w-]+", r"\1…", value))


def cut(value: Any, depth: int = 0) -> Any:
    """The same with long texts shortened, lists cut to one entry and deep objects folded."""
    if isinstance(value, str):
        value = _short(value)
        return value if len(value) < 90 else f"{value[:70]}…"
    if isinstance(value, list):
        rest = [f"… {len(value) - 1} more"] if len(value) > 1 else []
        return [cut(value[0], depth + 1), *rest] if value else []
    if isinstance(value, dict):
        if depth >= 5 and len(value) > 4:
            kept = {key: cut(inner, depth + 1) for key, inner in list(value.items())[:4]}
            return kept | {"…": f"{len(value) - 4} more members"}
        return {key: cut(inner, depth + 1) for key, inner in value.items()}
    return value


def visitor_id(access_token: str) -> str:
    """The `ulid` in a token."""
    body = access_token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return str(claims["ulid"])


def main() -> None:
    global token
    text.append(
        "# The API in one story\n\n"
        "A visitor fills a cart, says where and how it goes, uses a coupon, signs in by a one-time code, keeps the cart, "
        "logs out and goes on. Every request and "
        "answer below is from a real run against the demo store; tokens, long texts and lists are cut (`…`).\n\n"
        "The rules that hold everywhere: the base path is `/api/v1/{store_id}/storefront`, without a trailing slash. "
        "Success is 200 and `{message, success, content}`; refusals are in [errors.md](errors.md). Money is a JSON "
        "number in major units. `/docs` has every operation with all fields, and lets you try them.\n"
    )
    visitor = call(
        "A visitor", "POST", "/auth/anonymous", note="The key alone. Nothing is written: the tokens are all there is."
    )
    token = visitor["access_token"]
    shelf = call("Browse", "GET", "/catalog/products?limit=2", note="With a token or with the key alone.")
    product = shelf["products"][0]
    variant = product["variants"][0]["id"] if product["variants"] else None
    call("Look at one", "GET", f"/catalog/products/{product['slug']}", note="By id or by slug.")
    cart = call(
        "Put it into a cart",
        "POST",
        "/carts",
        {"items": [{"product_id": product["id"], "variant_id": variant, "quantity": 2}]},
    )["cart"]
    call(
        "Change the quantity",
        "POST",
        f"/carts/{cart['id']}/items",
        {"product_id": product["id"], "variant_id": variant, "quantity": 1},
        note="Absolute: 0 removes the line, repeating the call changes nothing.",
    )
    call(
        "A refusal",
        "POST",
        f"/carts/{cart['id']}/items",
        {"product_id": product["id"], "variant_id": variant, "quantity": 100000},
    )
    address = {
        "first_name": "Asha",
        "last_name": "Rao",
        "phone": "9876543210",
        "address_line1": "12 Lake Road",
        "pincode": "560001",
        "city": "Bengaluru",
        "state": "Karnataka",
        "country": "India",
    }
    call(
        "Where it goes",
        "POST",
        f"/carts/{cart['id']}/address",
        {"billing_address": address, "shipping_address": address},
        note="Two addresses, or two ids of the shopper's book. `status_error_message` says what is still missing.",
    )
    options = call(
        "How it can get there",
        "POST",
        "/carts/fulfillment-options",
        {"cart_id": cart["id"]},
        note="A cart may be sent in several shipments, each with methods of its own.",
    )
    shipments = [
        {"id": shipment["id"], "shipping_provider_id": shipment["shipping_methods"][0]["id"]}
        for shipment in options["deliver"]["shipments"]
    ]
    call(
        "Choose a way",
        "POST",
        f"/carts/{cart['id']}/fulfillment-preference",
        {"fulfillment_type": "delivery", "shipments": shipments},
        note="The cart is priced with it, and ready to be paid.",
    )
    coupons = call(
        "Which coupons fit", "GET", f"/carts/{cart['id']}/evaluate-coupons", note="And why others do not, yet."
    )
    fitting = coupons["applicable_coupons"]
    if fitting:
        call(
            "Apply one",
            "POST",
            f"/carts/{cart['id']}/coupon",
            {"coupon_code": fitting[0]["coupon_code"][0].lower()},
            note="In any spelling. A second one replaces it, and a later change that makes it invalid drops it.",
        )
    call("A coupon that is none", "POST", f"/carts/{cart['id']}/coupon", {"coupon_code": "NONE"})
    call(
        "Remember something",
        "POST",
        f"/wishlist/{visitor_id(token)}",
        {"product_id": product["id"], "variant_id": variant},
        note="Visitors have a wishlist, too. It comes along at login.",
    )
    asked = call(
        "Ask for a code",
        "POST",
        "/auth/login/phone",
        {"phone": "9876543210", "country_code": "+91"},
        note="`otp` is in the answer only because the demo store is in debug mode, on a development server, and the "
        "header asks. Otherwise look into the sandbox inbox in the admin.",
        x_debug_mode="true",
    )
    entered = call(
        "Sign in with it",
        "POST",
        "/auth/verify-otp",
        {"otp": asked["otp"], "otp_token": asked["otp_token"], "otp_action": asked["otp_action"]},
    )
    token = entered["access_token"]
    call("The cart is still there", "GET", f"/carts/{cart['id']}", note="Same id, now the shopper's.")
    fresh = call(
        "Refresh",
        "POST",
        "/auth/refresh-token",
        {"refresh_token": entered["refresh_token"]},
        note="Both tokens are new. The old refresh token gives the same pair again for 30 seconds, for parallel tabs.",
    )
    token = fresh["access_token"]
    left = call("Log out", "POST", "/auth/logout", note="The answer is the session that follows: a visitor's.")
    token = left["access_token"]
    PAGE.write_text("\n".join(text))
    print(f"Wrote {PAGE}")


if __name__ == "__main__":
    main()
