// Saved means of payment, mandates, debits and the credit line through the published TypeScript client, as the demo's
// shopper on a running server. Reads the shop from the environment, as story.mjs does, and exits with an error at the
// first call that doesn't behave.
import assert from "node:assert/strict";
import { MemoryTokenStorage, SessionStorefrontSDK } from "@commercengine/storefront-sdk";

const { BASE_URL: baseUrl, API_KEY: apiKey, STORE_ID: storeId } = process.env;
const login = { email: "shopper@example.com", password: "demo-Shopper-1" };
const NOBODY = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
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
  assert.equal(error.code, code, `${name}: ${JSON.stringify(error)}`);
  assert.equal(response?.status, status, `${name}: ${JSON.stringify(error)}`);
  console.log(`ok   ${name} is refused: ${error.code}`);
}

function asked(account) {
  return {
    payment_method_type: "NB",
    payment_method: "NACH",
    service_provider_slug: "sandbox",
    gateway_reference_id: "sandbox",
    bank_ifsc: "HDFC0000001",
    bank_account_number: account,
    bank_beneficiary_name: "Asha Rao",
  };
}

const sdk = new SessionStorefrontSDK({ storeId, apiKey, baseUrl, tokenStorage: new MemoryTokenStorage() });
await refused("a visitor's cards", sdk.customer.listCustomerCards({ customer_id: NOBODY }), "login_required", 401);
const { user } = await ok("log in", sdk.auth.loginWithPassword(login));
const { customer } = sdk;

// What is saved
const { cards } = await ok("cards", customer.listCustomerCards());
const visa = cards.find((card) => card.card_number.endsWith("4242"));
assert.ok(visa && visa.card_brand === "VISA" && !visa.expired);
const { saved_payment_methods: all } = await ok("saved methods", customer.listSavedPaymentMethods());
assert.ok(all.card.length && all.upi_collect[0].vpa.includes("***@"));
const { saved_payment_methods: upi } = await ok("saved methods, UPI only",
  customer.listSavedPaymentMethods({ customer_id: user.customer_id }, { payment_methods: ["upi_collect"] }));
assert.deepEqual(Object.keys(upi), ["upi_collect"]);

// Mandates, from the bank's yes to the end
const { mandate } = await ok("ask for a mandate", customer.createMandate(asked("50100000000002")));
assert.equal(mandate.status, "created");
assert.ok(!JSON.stringify(mandate).includes("50100000000002"), "the account is masked");
const where = { mandate_id: mandate.id };
await refused("pause what is not active yet", customer.pauseMandate(where), "mandate_not_active", 400);
const looked = await ok("look at the provider", customer.getMandate(where, { sync: true }));
assert.equal(looked.mandate.status, "active");
const changed = await ok("change the largest debit", customer.updateMandate(where, { max_amount: 1500.5 }));
assert.equal(changed.mandate.max_amount, 1500.5);
const credit = await ok("credit line", customer.getCreditLineBalance());
assert.ok(credit.is_eligible && credit.active_mandates.some((row) => row.id === mandate.id));
const { total_credit_limit: limit, utilized_amount: used, balance_amount: left } = credit.credit_line_balance;
assert.equal(left, limit - used);
assert.equal((await ok("pause", customer.pauseMandate(where))).mandate.status, "paused");
await refused("change what is paused", customer.updateMandate(where, { max_amount: 10 }), "mandate_not_active", 400);
const resting = await ok("credit line with a paused mandate", customer.getCreditLineBalance());
assert.ok(!resting.active_mandates.some((row) => row.id === mandate.id));
assert.equal((await ok("resume", customer.resumeMandate(where))).mandate.status, "active");
assert.equal((await ok("revoke", customer.revokeMandate(where))).mandate.status, "revoked");
await refused("resume what is revoked", customer.resumeMandate(where), "mandate_revoked", 400);
const { mandates } = await ok("mandates", customer.listMandates());
assert.equal(mandates.find((row) => row.id === mandate.id).status, "revoked");

// What does not go
await refused("a bank that refuses", customer.createMandate(asked("50100000000005")), "mandate_refused", 400);
await refused("a bank that is away", customer.createMandate(asked("50100000000004")), "temporarily_unavailable", 503);
await refused("an IFSC that is none", customer.createMandate({ ...asked("50100000000001"), bank_ifsc: "HDFC" }),
  "validation_error", 400);
await refused("a mandate of nobody", customer.getMandate({ mandate_id: NOBODY }), "mandate_not_found", 404);
await refused("another customer", customer.listMandates({ customer_id: NOBODY }), "not_found", 404);

const debits = await ok("debits", customer.listMandateDebitSchedules({ page: 1, limit: 5 }));
assert.ok(Array.isArray(debits.mandate_debit_schedules) && debits.pagination.limit === 5);
console.log(`${calls} calls of the published client behaved.`);
