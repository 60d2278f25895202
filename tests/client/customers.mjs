// Every customer call of the published TypeScript client that is about addresses, bank accounts and sellers, against a
// running server; and documents as a client sends them, which the client has types for but no method. Reads the shop
// from the environment, as story.mjs does, and exits with an error at the first call that doesn't behave.
import assert from "node:assert/strict";
import { MemoryTokenStorage, SessionStorefrontSDK } from "@commercengine/storefront-sdk";

const { BASE_URL: baseUrl, API_KEY: apiKey, STORE_ID: storeId } = process.env;
const storage = new MemoryTokenStorage();
const sdk = new SessionStorefrontSDK({ storeId, apiKey, baseUrl, tokenStorage: storage });
const PDF = "%PDF-1.4\n1 0 obj\n<</Type/Catalog>>\nendobj\ntrailer<</Root 1 0 R>>\n%%EOF\n";
let calls = 0;

async function ok(name, promise) {
  const { data, error, response } = await promise;
  calls += 1;
  assert.equal(error, null, `${name}: ${JSON.stringify(error)} (${response?.status})`);
  console.log(`ok   ${name}`);
  return data;
}

async function refused(name, promise, code) {
  const { data, error } = await promise;
  calls += 1;
  assert.equal(data, null, `${name}: expected a refusal, got ${JSON.stringify(data)}`);
  assert.equal(error.code, code, `${name}: ${JSON.stringify(error)}`);
  console.log(`ok   ${name} is refused: ${error.code}`);
}

async function send(name, method, path, body, status = 200) {
  const headers = { authorization: `Bearer ${await storage.getAccessToken()}` };
  if (typeof body === "string") headers["content-type"] = "application/json";
  const response = await fetch(baseUrl + path, { method, headers, body });
  const answer = await response.json();
  calls += 1;
  assert.equal(response.status, status, `${name}: ${JSON.stringify(answer)}`);
  console.log(`ok   ${name}`);
  return answer.content ?? answer;
}

function claims(token) {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
}

const address = {
  first_name: "Asha", last_name: "Rao", country_code: "+91", phone: "9876543210", email: "", nickname: "Home",
  address_line1: "12 Church Street", address_line2: null, landmark: null, pincode: "560001", city: "Bengaluru",
  state: "Karnataka", country: "India", tax_identification_number: null, business_name: null,
};

// A guest gives an address, registers, and finds it in the book.
await ok("visitor: list categories, for a token", sdk.catalog.listCategories());
const guest = claims(await storage.getAccessToken());
const given = await send("guest: give an address", "POST", "/customers", JSON.stringify({ address, business: null }));
assert.equal(given.customer_detail.id, guest.ulid);
assert.equal(claims(await storage.getAccessToken()).is_logged_in, false);
const contact = `customers-${Date.now()}@example.com`;
const otp = await ok("ask for a code", sdk.auth.loginWithEmail(
  { email: contact, register_if_not_exists: true }, { "x-debug-mode": true }));
const { user } = await ok("register", sdk.auth.verifyOtp(
  { otp: otp.otp, otp_token: otp.otp_token, otp_action: otp.otp_action }));
assert.equal(user.customer_id, guest.ulid);

// Addresses.
const kept = await ok("list addresses", sdk.customer.listAddresses());
assert.equal(kept.addresses.length, 1);
assert.ok(kept.addresses[0].is_default_billing && kept.addresses[0].is_default_shipping);
const mumbai = { ...address, nickname: "Office", city: "Mumbai", state: "Maharashtra", pincode: "400001" };
const second = await ok("create address", sdk.customer.createAddress(
  { ...mumbai, is_default_billing: false, is_default_shipping: true }));
const one = { address_id: second.address.id };
assert.deepEqual(await ok("get address", sdk.customer.getAddress(one)), second);
const mine = await ok("update address", sdk.customer.updateAddress(one, { ...second.address, email: contact }));
assert.equal(mine.address.is_email_verified, true);
const page = await ok("second page of addresses", sdk.customer.listAddresses({ page: 2, limit: 1 }));
assert.equal(page.pagination.total_records, 2);
assert.equal(page.addresses[0].is_default_shipping, false);
await refused("a wrong postal code", sdk.customer.createAddress({ ...address, pincode: "0" }), "validation_error");
await refused("somebody else's book", sdk.customer.listAddresses({ customer_id: "01ARZ3NDEKTSV4RRFFQ69G5FAV" }), "not_found");
await ok("delete address", sdk.customer.deleteAddress(one));
await refused("a deleted address", sdk.customer.getAddress(one), "address_not_found");

// Bank accounts.
const account = {
  account_type: "outbound", account_name: "Asha Rao", account_number: "501000123456", ifsc_code: "HDFC0000123",
  bank_name: "HDFC Bank",
};
const { bank_account: saved } = await ok("create bank account", sdk.customer.createBankAccount(account));
assert.equal(saved.account_number, "XXXXXXXX3456");
const it = { account_id: saved.id };
assert.deepEqual((await ok("get bank account", sdk.customer.getBankAccount(it))).bank_account, saved);
const verified = await ok("verify bank account", sdk.customer.verifyBankAccount(it, { is_verified: true }));
assert.equal(verified.bank_account.is_verified, true);
const renamed = await ok("update bank account", sdk.customer.updateBankAccount(it, { ...saved, account_name: "A Rao" }));
assert.equal(renamed.bank_account.is_verified, false);
await refused("the same account again", sdk.customer.createBankAccount(account), "bank_account_exists");
const inbound = await ok("open an inbound account", sdk.customer.createBankAccount(
  { account_type: "inbound", service_provider_slug: "sandbox" }));
const all = await ok("list bank accounts", sdk.customer.listBankAccounts());
const some = await ok("list inbound bank accounts", sdk.customer.listBankAccounts({ account_type: "inbound" }));
assert.equal(all.bank_accounts.length, 2);
assert.deepEqual(some.bank_accounts, [inbound.bank_account]);
await ok("delete bank account", sdk.customer.deleteBankAccount(it));

// Sellers.
const sellers = await ok("list authorized sellers", sdk.customer.listAuthorizedSellers());
assert.deepEqual(sellers.authorized_sellers, []);

// The business, and documents.
const path = `/customers/${user.customer_id}`;
const business = { business_type: "firm", name: "Rao Spices", pan_number: "AAPFU0939F", gstin: "27AAPFU0939F1ZV" };
const told = await send("tell of the business", "PUT", path, JSON.stringify({ business }));
assert.deepEqual(told.customer_detail.business, business);
const config = await fetch(`${baseUrl}/store/kyc-document`, { headers: { "x-api-key": apiKey } });
const pan = (await config.json()).content.kyc_documents.find((kind) => kind.document_type === "pan");
const number = { document_number: "AAPFU0931F" };
const known = await send("look a number up", "POST", `${path}/documents/verify`,
  JSON.stringify({ ...number, document_type_id: pan.id }));
assert.equal(known.document.is_verified, true);
const form = new FormData();
form.set("document_number", "AAPFU0939F");  // unknown to the sandbox's registry
form.set("kyc_document_id", pan.id);
form.set("file", new Blob([PDF], { type: "application/pdf" }), "../../pan.pdf");
const { document: first } = await send("give a document", "POST", `${path}/documents`, form);
assert.equal(first.status, "rejected");
form.set("document_number", number.document_number);
form.set("modified_reason", "Typing error");
form.delete("file");
const { document: again } = await send("give it again", "PUT", `${path}/documents/${first.id}`, form);
assert.equal(again.status, "approved");
const file = await fetch(again.file_url);
assert.equal(await file.text(), PDF);
assert.match(file.headers.get("content-disposition"), /^attachment; filename="PAN card.pdf"$/);
await send("a third time is refused", "PUT", `${path}/documents/${first.id}`, form, 400);
assert.equal((await send("list documents", "GET", `${path}/documents`)).documents.length, 1);
await send("read a document", "GET", `${path}/documents/${first.id}`);
await send("delete a document", "DELETE", `${path}/documents/${first.id}`);
assert.equal((await fetch(again.file_url)).status, 404);

await ok("delete the account", sdk.auth.deleteUser({ id: user.id }));
console.log(`${calls} calls behaved.`);
