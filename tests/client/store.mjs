// The published TypeScript client against a running server: what is read of the store and its places with the key alone,
// then events and the newsletter with a visitor's token. Reads the shop from the environment (BASE_URL, API_KEY,
// STORE_ID: see `manage.py demo --json`) and exits with an error at the first call that doesn't behave.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createStorefront, MemoryTokenStorage, SessionStorefrontSDK } from "@commercengine/storefront-sdk";

const { BASE_URL: baseUrl, API_KEY: apiKey, STORE_ID: storeId } = process.env;
let calls = 0;

async function ok(name, promise) {
  const { data, error, response } = await promise;
  calls += 1;
  assert.equal(error, null, `${name}: ${JSON.stringify(error)} (${response?.status})`);
  console.log(`ok   ${name}`);
  return data;
}

async function refused(name, promise, status) {
  const { data, error, response } = await promise;
  calls += 1;
  assert.equal(data, null, `${name}: expected a refusal, got ${JSON.stringify(data)}`);
  assert.equal(response?.status, status, `${name}: ${JSON.stringify(error)}`);
  console.log(`ok   ${name} is refused: ${error.code}`);
}

async function read(kind, shop) {
  const check = await ok(`${kind}: check the store`, shop.store.checkStore());
  assert.equal(check.success, true);
  const { store_config: config } = await ok(`${kind}: store config`, shop.store.getStoreConfig());
  assert.equal(config.currency.code, "INR");
  assert.ok(config.brand.name && config.customer_groups.some((group) => group.is_default));
  assert.equal(config.terms_of_service.content_type, "markdown");
  const { countries } = await ok(`${kind}: countries`, shop.helpers.listCountries());
  assert.equal(countries[0].country_iso_code, "IN");
  const { states } = await ok(`${kind}: states`, shop.helpers.listCountryStates({ country_iso_code: "in" }));
  assert.ok(states.find((state) => state.iso_code === "KA").gst_code === "29");
  const found = await ok(`${kind}: postal codes`,
    shop.helpers.listCountryPincodes({ country_iso_code: "IN" }, { pincode: "5600", limit: 5 }));
  assert.equal(found.pincodes[0].pincode, "560001");
  assert.ok(found.pincodes.length <= 5);
  await refused(`${kind}: two digits of a code`,
    shop.helpers.listCountryPincodes({ country_iso_code: "IN" }, { pincode: "56" }), 400);
  await refused(`${kind}: states of nowhere`, shop.helpers.listCountryStates({ country_iso_code: "ZZ" }), 404);
}

async function tell(sdk, storage) {
  await ok("a visitor", sdk.auth.getAnonymousToken());
  const token = await storage.getAccessToken();
  const post = (path, body) => fetch(`${baseUrl.replace(/\/$/, "")}${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
  const now = new Date().toISOString();
  const event = {
    event: "Product Viewed", type: "track", userId: "anybody", channel: "website",
    context: { ip: "", userAgent: "story" }, properties: { product_id: "p" },
    messageId: randomUUID(), timestamp: now, sentAt: now,
  };
  for (const [name, path, body] of [
    ["an event", "/analytics/track", event],
    ["the same event again", "/analytics/track", event],
    ["the newsletter", "/campaigns/newsletter-subscribe", { email: "story@example.com" }],
    ["the newsletter again", "/campaigns/newsletter-subscribe", { email: "Story@Example.com" }],
  ]) {
    const response = await post(path, body);
    calls += 1;
    assert.equal(response.status, 200, `${name}: ${response.status}`);
    assert.equal((await response.json()).success, true);
    console.log(`ok   ${name}`);
  }
}

const storage = new MemoryTokenStorage();
const sdk = new SessionStorefrontSDK({ storeId, apiKey, baseUrl, tokenStorage: storage });
await read("public", createStorefront({ storeId, apiKey, baseUrl }).public());
await read("session", sdk);
await tell(sdk, storage);
const stranger = new SessionStorefrontSDK({
  storeId, apiKey: "pk_of_somebody_else", baseUrl, tokenStorage: new MemoryTokenStorage(),
});
await refused("a key of somebody else", stranger.store.getStoreConfig(), 401);
console.log(`${calls} calls behaved.`);
