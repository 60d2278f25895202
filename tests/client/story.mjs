// The published TypeScript client against a running server: visitor, browse, cart, sign in by code, the same cart,
// log out, refresh. Reads the shop from the environment (BASE_URL, API_KEY, STORE_ID: see `manage.py demo --json`) and
// exits with an error at the first call that doesn't behave.
import assert from "node:assert/strict";
import { createStorefront, MemoryTokenStorage, SessionStorefrontSDK } from "@commercengine/storefront-sdk";

const { BASE_URL: baseUrl, API_KEY: apiKey, STORE_ID: storeId } = process.env;
const debug = { "x-debug-mode": true };
let calls = 0;

async function ok(name, promise) {
  const { data, error, response } = await promise;
  calls += 1;
  assert.equal(error, null, `${name}: ${JSON.stringify(error)} (${response?.status})`);
  console.log(`ok   ${name}`);
  return data;
}

async function refused(name, promise, code, status) {
  const { data, error, response } = await promise;
  calls += 1;
  assert.equal(data, null, `${name}: expected a refusal, got ${JSON.stringify(data)}`);
  if (code) assert.equal(error.code, code, `${name}: ${JSON.stringify(error)}`);
  if (status) assert.equal(response?.status, status, `${name}: ${JSON.stringify(error)}`);
  console.log(`ok   ${name} is refused: ${error.code}`);
}

function claims(token) {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
}

function session() {
  const storage = new MemoryTokenStorage();
  return { storage, sdk: new SessionStorefrontSDK({ storeId, apiKey, baseUrl, tokenStorage: storage }) };
}

async function browse() {
  const shop = createStorefront({ storeId, apiKey, baseUrl }).public();
  const { products, pagination } = await ok("public: list products", shop.catalog.listProducts({ limit: 50 }));
  assert.ok(pagination.total_records >= 24);
  const plain = products.find((p) => !p.variants.length && p.stock_available && p.product_type === "physical" &&
    p.pricing?.min_order_quantity !== 2);
  const varied = products.find((p) => p.variants.some((v) => v.stock_available));
  for (const product of [plain, varied]) {
    const bySlug = await ok(`public: product ${product.slug}`, shop.catalog.getProductDetail({ product_id: product.slug }));
    assert.equal(bySlug.product.id, product.id);
  }
  await refused("public: unknown product", shop.catalog.getProductDetail({ product_id: "no-such-thing" }), null, 404);
  return { plain, varied };
}

async function signIn(channel, goods, contact) {
  const { sdk, storage } = session();
  const { plain, varied } = goods;
  const variant = varied.variants.find((v) => v.stock_available);
  // The first call that needs a token makes the client fetch a visitor's by itself.
  const { cart } = await ok(`${channel}: create cart`, sdk.cart.createCart({
    items: [
      { product_id: plain.id, variant_id: null, quantity: 1 },
      { product_id: varied.id, variant_id: variant.id, quantity: 1 },
    ],
    metadata: { source: "story" },
  }));
  const visitor = claims(await storage.getAccessToken());
  assert.ok(visitor.is_anonymous && !visitor.is_logged_in && visitor.customer_id === null);
  assert.equal(cart.cart_items.length, 2);
  const more = await ok(`${channel}: set quantity`, sdk.cart.addDeleteCartItem(
    { id: cart.id }, { product_id: plain.id, variant_id: null, quantity: 2 }));
  assert.equal(more.cart.cart_items.find((line) => line.product_id === plain.id).quantity, 2);
  await refused(`${channel}: a cart of nobody`, sdk.cart.getCart({ id: "01ARZ3NDEKTSV4RRFFQ69G5FAV" }), null, 404);

  const body = channel === "email" ? { email: contact } : { phone: contact, country_code: "+91" };
  const login = { email: "loginWithEmail", sms: "loginWithPhone", whatsapp: "loginWithWhatsApp" }[channel];
  const otp = await ok(`${channel}: ask for a code`, sdk.auth[login]({ ...body, register_if_not_exists: true }, debug));
  assert.equal(otp.otp_action, "register");
  assert.match(otp.otp, /^\d{6}$/);
  const wrong = otp.otp === "000000" ? "000001" : "000000";
  await refused(`${channel}: a wrong code`, sdk.auth.verifyOtp({ ...otp, otp: wrong }), null, 400);
  const signed = await ok(`${channel}: verify the code`, sdk.auth.verifyOtp(
    { otp: otp.otp, otp_token: otp.otp_token, otp_action: otp.otp_action }));
  assert.equal(signed.user.id, visitor.ulid, "registering keeps the visitor's id");
  assert.ok(signed.user.is_logged_in && !signed.user.is_anonymous);
  await refused(`${channel}: the code again`, sdk.auth.verifyOtp(
    { otp: otp.otp, otp_token: otp.otp_token, otp_action: otp.otp_action }), null, 400);

  const mine = await ok(`${channel}: the cart by user`, sdk.cart.getUserCart());
  assert.equal(mine.cart.id, cart.id, "the same cart is still theirs");
  assert.equal((await ok(`${channel}: the cart by id`, sdk.cart.getCart({ id: cart.id }))).cart.cart_items.length, 2);
  const { user } = await ok(`${channel}: profile`, sdk.auth.getUserDetails({ id: signed.user.id }));
  await ok(`${channel}: change the profile`, sdk.auth.updateUserDetails({ id: user.id }, { ...user, first_name: "Asha" }));
  const known = await ok(`${channel}: verified contacts`, sdk.auth.checkEmailOrPhoneIsVerified(
    channel === "email" ? { email: [contact], phone: [] } : { phone: [contact], email: [] }));
  assert.equal((channel === "email" ? known.verified_email : known.verified_phone).length, 1);

  const before = await storage.getRefreshToken();
  const pair = await ok(`${channel}: refresh`, sdk.auth.refreshToken({ refresh_token: before }));
  assert.notEqual(pair.refresh_token, before);
  const again = await ok(`${channel}: refresh again within the grace`, sdk.auth.refreshToken({ refresh_token: before }));
  assert.equal(again.refresh_token, pair.refresh_token, "parallel tabs get the same successor");
  await sdk.setTokens(pair.access_token, pair.refresh_token);

  const out = await ok(`${channel}: log out`, sdk.auth.logout());
  const after = claims(out.access_token);
  assert.ok(!after.is_logged_in && after.ulid === user.id && after.customer_id === null);
  assert.equal((await ok(`${channel}: the cart after log out`, sdk.cart.getCart({ id: cart.id }))).cart.id, cart.id);
  await refused(`${channel}: the profile after log out`, sdk.auth.getUserDetails({ id: user.id }), null, 401);
  await refused(`${channel}: the old refresh token`, sdk.auth.refreshToken({ refresh_token: pair.refresh_token }), null, 400);

  // Signing in again, as a new visitor with a cart of their own: the cart in hand stays, with both carts' lines.
  const other = session();
  const second = await ok(`${channel}: another visitor's cart`, other.sdk.cart.createCart(
    { items: [{ product_id: plain.id, variant_id: null, quantity: 3 }] }));
  const code = await ok(`${channel}: ask again`, other.sdk.auth[login](body, debug));
  assert.equal(code.otp_action, "login");
  await ok(`${channel}: sign in`, other.sdk.auth.verifyOtp(
    { otp: code.otp, otp_token: code.otp_token, otp_action: code.otp_action }));
  const merged = await ok(`${channel}: the merged cart`, other.sdk.cart.getUserCart());
  assert.equal(merged.cart.id, second.cart.id);
  assert.equal(merged.cart.cart_items.length, 2);
  assert.equal(merged.cart.cart_items.find((line) => line.product_id === plain.id).quantity, 3);
  await ok(`${channel}: empty the cart`, other.sdk.cart.deleteUserCart());
  await refused(`${channel}: no cart`, other.sdk.cart.getUserCart(), null, 404);
  await ok(`${channel}: delete the account`, other.sdk.auth.deleteUser({ id: user.id }));
}

const goods = await browse();
const tail = String(Date.now()).slice(-8);
await signIn("email", goods, `story-${tail}@example.com`);
await signIn("sms", goods, `98${tail}`);
await signIn("whatsapp", goods, `97${tail}`);
console.log(`${calls} calls of the published client behaved.`);
