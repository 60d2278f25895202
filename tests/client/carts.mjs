// Every cart, wishlist, coupon and delivery call of the published TypeScript client against a running server, for a
// visitor and for a shopper who signed in. Reads the shop from the environment (BASE_URL, API_KEY, STORE_ID: see
// `manage.py demo --json`); GIFT_CARD and GIFT_CARD_PIN may name a card. Exits with an error at the first call that
// doesn't behave.
import assert from "node:assert/strict";
import { createStorefront, MemoryTokenStorage, SessionStorefrontSDK } from "@commercengine/storefront-sdk";

const { BASE_URL: baseUrl, API_KEY: apiKey, STORE_ID: storeId, GIFT_CARD: giftCard, GIFT_CARD_PIN: pin } = process.env;
const debug = { "x-debug-mode": true };
const nobody = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
let calls = 0;

async function ok(name, promise) {
  const { data, error, response } = await promise;
  calls += 1;
  assert.equal(error, null, `${name}: ${JSON.stringify(error)} (${response?.status})`);
  console.log(`ok   ${name}`);
  return data;
}

async function refused(name, promise, status, ...codes) {
  const { data, error, response } = await promise;
  calls += 1;
  assert.equal(data, null, `${name}: expected a refusal, got ${JSON.stringify(data)}`);
  assert.equal(response?.status, status, `${name}: ${JSON.stringify(error)}`);
  if (codes.length) assert.ok(codes.includes(error.code), `${name}: ${JSON.stringify(error)}`);
  console.log(`ok   ${name} is refused: ${error.code}`);
  return error;
}

// A call of an older client, which the published one has no method for.
async function older(sdk, storage, method, path, body) {
  const response = await fetch(`${baseUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${await storage.getAccessToken()}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  return { data: answer.success ? answer.content : null, error: answer.success ? null : answer, response };
}

function session() {
  const storage = new MemoryTokenStorage();
  return { storage, sdk: new SessionStorefrontSDK({ storeId, apiKey, baseUrl, tokenStorage: storage }) };
}

const cents = (amount) => Math.round(amount * 100);

// What must hold for every cart that the server shows.
function addsUp(cart) {
  const sum = (name) => cart.cart_items.reduce((total, line) => total + cents(line[name]), 0);
  assert.equal(sum("tax_amount"), cents(cart.items_tax_amount));
  assert.equal(sum("promotion_discount_amount"), cents(cart.promotion_discount_amount));
  assert.equal(sum("coupon_discount_amount"), cents(cart.coupon_discount_amount));
  const paid = cents(cart.to_be_paid) + cents(cart.other_savings);
  assert.equal(paid, cents(cart.grand_total));
  const discounts = cents(cart.promotion_discount_amount) + cents(cart.coupon_discount_amount);
  const whole = cents(cart.subtotal_including_tax) - discounts + cents(cart.handling_charge_including_tax) +
    cents(cart.shipping_amount_including_tax ?? 0);
  assert.equal(whole, cents(cart.grand_total));
  assert.ok(cart.to_be_paid >= 0);
  assert.equal(cart.status === "ready-for-payment", cart.status_error_message === null);
  return cart;
}

const address = (name, more = {}) => ({
  first_name: name, last_name: "Rao", country_code: "+91", phone: "9876543210", email: "asha@example.com",
  address_line1: "12 Lake Road", address_line2: null, landmark: null, pincode: "411001", city: "Pune",
  state: "Maharashtra", country: "India", tax_identification_number: null, business_name: null, nickname: null, ...more,
});

async function goods() {
  const shop = createStorefront({ storeId, apiKey, baseUrl }).public();
  const { products } = await ok("list products", shop.catalog.listProducts({ limit: 50 }));
  const plain = products.filter((p) => !p.variants.length && p.stock_available && p.product_type === "physical" &&
    p.pricing?.min_order_quantity === 1 && p.pricing?.incremental_quantity === 1);
  const varied = products.find((p) => p.variants.some((v) => v.stock_available));
  assert.ok(plain.length >= 2 && varied);
  return { first: plain[0], second: plain[1], varied, variant: varied.variants.find((v) => v.stock_available) };
}

async function wishlist(who, sdk, { first, varied, variant }) {
  assert.deepEqual((await ok(`${who}: the empty wishlist`, sdk.cart.getWishlist())).products, []);
  await ok(`${who}: remember a product`, sdk.cart.addToWishlist({ product_id: first.id, variant_id: null }));
  await ok(`${who}: remember it twice`, sdk.cart.addToWishlist({ product_id: first.id, variant_id: null }));
  const two = await ok(`${who}: remember a variant`, sdk.cart.addToWishlist(
    { product_id: varied.id, variant_id: variant.id }));
  assert.deepEqual(two.products.map((item) => item.product_id), [varied.id, first.id]);
  await refused(`${who}: remember nothing`, sdk.cart.addToWishlist({ product_id: nobody, variant_id: null }), 404,
    "product_not_found");
  const one = await ok(`${who}: forget it`, sdk.cart.removeFromWishlist({ product_id: first.id, variant_id: null }));
  assert.equal(one.products.length, 1);
}

async function coupons(who, sdk, cart, line) {
  await refused(`${who}: a coupon that is none`, sdk.cart.applyCoupon({ id: cart.id }, { coupon_code: "NO-SUCH-CODE" }),
    400);
  const listed = await ok(`${who}: the coupons`, sdk.cart.getAvailableCoupons());
  await ok(`${who}: the promotions`, sdk.cart.getAvailablePromotions());
  await ok(`${who}: promotions for the cart`, sdk.cart.evaluatePromotions({ id: cart.id }));
  const found = await ok(`${who}: coupons for the cart`, sdk.cart.evaluateCoupons({ id: cart.id }));
  assert.ok(Array.isArray(listed.coupons) && Array.isArray(found.inapplicable_coupons));
  const usable = found.applicable_coupons.find((coupon) => coupon.coupon_code?.length);
  if (usable) {
    const code = usable.coupon_code[0];
    const applied = addsUp((await ok(`${who}: apply ${code}`, sdk.cart.applyCoupon(
      { id: cart.id }, { coupon_code: ` ${code.toLowerCase()} ` }))).cart);
    assert.ok(applied.is_coupon_applied && applied.coupon_code);
    assert.equal(cents(applied.coupon_savings), cents(usable.estimated_discount), "as it was estimated");
    await ok(`${who}: change the cart under it`, sdk.cart.addDeleteCartItem({ id: cart.id }, { ...line, quantity: 3 }));
  }
  const without = (await ok(`${who}: remove the coupon`, sdk.cart.removeCoupon({ id: cart.id }))).cart;
  assert.ok(!without.is_coupon_applied && without.coupon_code === null && without.coupon_discount_amount === 0);
  await ok(`${who}: remove it again`, sdk.cart.removeCoupon({ id: cart.id }));
}

async function delivery(who, sdk, storage, cart, { first }) {
  const waiting = await ok(`${who}: options without an address`, sdk.cart.getFulfillmentOptions({ cart_id: cart.id }));
  assert.equal(typeof waiting.summary.deliver_available, "boolean");
  await refused(`${who}: half of the addresses`, sdk.cart.updateCartAddress(
    { id: cart.id }, { billing_address: address("Asha") }), 400, "validation_error");
  const wrong = await refused(`${who}: a pincode that is none`, sdk.cart.updateCartAddress(
    { id: cart.id }, { billing_address: address("Asha"), shipping_address: address("Asha", { pincode: "1" }) }), 400);
  assert.ok(wrong.errors["shipping_address.pincode"]);
  const sent = addsUp((await ok(`${who}: addresses`, sdk.cart.updateCartAddress(
    { id: cart.id }, { billing_address: address("Asha"), shipping_address: address("Ravi") }))).cart);
  assert.equal(sent.shipping_address.first_name, "Ravi");
  for (const body of [{ cart_id: cart.id }, { items: [{ product_id: first.id, variant_id: null }] }]) {
    const able = await ok(`${who}: can it be sent to Pune`, sdk.cart.checkPincodeDeliverability(
      { delivery_pincode: "411001", ...body }));
    assert.equal(typeof able.is_serviceable, "boolean");
  }
  const options = await ok(`${who}: options`, sdk.cart.getFulfillmentOptions({ cart_id: cart.id }));
  await ok(`${who}: options of older clients`, older(sdk, storage, "POST", "/shipping/fulfillment-options",
    { cart_id: cart.id, delivery_pincode: "411001" }));
  await refused(`${who}: a way that is none`, sdk.cart.updateFulfillmentPreference({ id: cart.id },
    { fulfillment_type: "collect-in-store", pickup_location_id: nobody }), 400);
  if (options.deliver?.is_serviceable) {
    const shipments = options.deliver.shipments.map((shipment) => {
      const method = shipment.shipping_methods[0];
      const courier = method.courier_companies?.[0]?.id;
      return { id: shipment.id, shipping_provider_id: method.id, ...(courier ? { courier_company_id: courier } : {}) };
    });
    const ready = addsUp((await ok(`${who}: have it sent`, sdk.cart.updateFulfillmentPreference(
      { id: cart.id }, { fulfillment_type: "delivery", shipments }))).cart);
    assert.equal(ready.fulfillment_preference.fulfillment_type, "delivery");
    assert.equal(ready.status, "ready-for-payment", ready.status_error_message);
    assert.ok(ready.shipments.length >= 1 && ready.shipping_amount !== null);
  }
  if (options.collect?.length) {
    const place = options.collect[0];
    const ready = addsUp((await ok(`${who}: collect it`, sdk.cart.updateFulfillmentPreference(
      { id: cart.id }, { fulfillment_type: "collect-in-store", pickup_location_id: place.id }))).cart);
    assert.equal(ready.fulfillment_preference.pickup_location_id, place.id);
  }
}

async function giftCards(who, sdk, storage, cart) {
  const path = `/carts/${cart.id}/gift-card`;
  await refused(`${who}: a gift card that is none`, older(sdk, storage, "POST", path, { gift_card_code: "NONE-0000" }),
    400, "invalid_gift_card");
  if (giftCard) {
    const redeemed = await ok(`${who}: a gift card`, older(sdk, storage, "POST", path,
      { gift_card_code: giftCard, pin }));
    assert.ok(addsUp(redeemed.cart).gift_card_amount > 0);
    assert.equal(redeemed.cart.gift_card_last4.length, 4);
    assert.equal(redeemed.gift_card_amount, redeemed.cart.gift_card_amount, "older clients read it beside the cart");
  }
  const removed = await ok(`${who}: no gift card`, older(sdk, storage, "DELETE", path));
  assert.equal(removed.cart.gift_card_amount, 0);
}

async function wallets(who, sdk, cart) {
  const few = ["insufficient_points", "points_not_available", "points_below_minimum", "points_above_maximum"];
  await refused(`${who}: more points than there are`, sdk.cart.redeemLoyaltyPoints(
    { id: cart.id }, { loyalty_point_redeemed: 900000000 }), 400, ...few);
  await refused(`${who}: more credit than there is`, sdk.cart.redeemCreditBalance(
    { id: cart.id }, { credit_balance_used: 900000 }), 400, "insufficient_credit", "credit_not_available");
  addsUp((await ok(`${who}: no points`, sdk.cart.removeLoyaltyPoints({ id: cart.id }))).cart);
  addsUp((await ok(`${who}: no credit`, sdk.cart.removeCreditBalance({ id: cart.id }))).cart);
}

async function signIn(sdk, contact) {
  const asked = await ok("ask for a code", sdk.auth.loginWithEmail(
    { email: contact, register_if_not_exists: true }, debug));
  await ok("sign in", sdk.auth.verifyOtp({ otp: asked.otp, otp_token: asked.otp_token, otp_action: asked.otp_action }));
}

const shop = await goods();
const line = { product_id: shop.first.id, variant_id: null };
const { sdk, storage } = session();
await refused("a cart of nothing", sdk.cart.createCart({ items: [] }), 400, "validation_error");
await refused("no cart yet", sdk.cart.getUserCart(), 404, "cart_not_found");
let { cart } = await ok("a cart", sdk.cart.createCart({
  items: [{ ...line, quantity: 2 }, { product_id: shop.varied.id, variant_id: shop.variant.id, quantity: 1 }],
  metadata: { source: "story" },
}));
addsUp(cart);
await refused("a product without its variant", sdk.cart.addDeleteCartItem(
  { id: cart.id }, { product_id: shop.varied.id, variant_id: null, quantity: 1 }), 400, "variant_required");
await refused("a million of it", sdk.cart.addDeleteCartItem({ id: cart.id }, { ...line, quantity: 1000000 }), 400);
addsUp((await ok("another product", sdk.cart.addDeleteCartItem(
  { id: cart.id }, { product_id: shop.second.id, variant_id: null, quantity: 1 }))).cart);
addsUp((await ok("none of it", sdk.cart.addDeleteCartItem(
  { id: cart.id }, { product_id: shop.second.id, variant_id: null, quantity: 0 }))).cart);

for (const who of ["visitor", "shopper"]) {
  if (who === "shopper") await signIn(sdk, `carts-${Date.now()}@example.com`);
  await coupons(who, sdk, cart, line);
  await delivery(who, sdk, storage, cart, shop);
  await giftCards(who, sdk, storage, cart);
  if (who === "visitor") {
    await wishlist(who, sdk, shop);
    await refused(`${who}: points`, sdk.cart.redeemLoyaltyPoints({ id: cart.id }, { loyalty_point_redeemed: 1 }), 401,
      "login_required");
    await refused(`${who}: credit`, sdk.cart.redeemCreditBalance({ id: cart.id }, { credit_balance_used: 1 }), 401,
      "login_required");
  } else {
    await wallets(who, sdk, cart);
    const kept = await ok(`${who}: the wishlist came along`, sdk.cart.getWishlist());
    assert.equal(kept.products.length, 1);
    const mine = await ok(`${who}: the cart by user`, sdk.cart.getUserCart());
    assert.equal(addsUp(mine.cart).id, cart.id);
  }
  cart = addsUp((await ok(`${who}: the cart`, sdk.cart.getCart({ id: cart.id }))).cart);
}

const other = session();
await ok("another visitor", other.sdk.auth.getAnonymousToken());
for (const [name, call] of [
  ["read", other.sdk.cart.getCart({ id: cart.id })],
  ["coupon", other.sdk.cart.applyCoupon({ id: cart.id }, { coupon_code: "X" })],
  ["addresses", other.sdk.cart.updateCartAddress({ id: cart.id },
    { billing_address: address("Mallory"), shipping_address: address("Mallory") })],
  ["options", other.sdk.cart.getFulfillmentOptions({ cart_id: cart.id })],
  ["delete", other.sdk.cart.deleteCart({ id: cart.id })],
]) await refused(`somebody else's cart: ${name}`, call, 404, "cart_not_found");

await ok("delete the cart", sdk.cart.deleteCart({ id: cart.id }));
await refused("the cart is gone", sdk.cart.getCart({ id: cart.id }), 404, "cart_not_found");
const { cart: last } = await ok("a new cart", sdk.cart.createCart({ items: [{ ...line, quantity: 1 }] }));
assert.notEqual(last.id, cart.id);
await ok("delete the cart by user", sdk.cart.deleteUserCart());
console.log(`${calls} calls of the published client behaved.`);
