// Every catalogue call of the published TypeScript client against a running server, once with the API key alone and
// once as a visitor with a token. Reads the shop from the environment, as story.mjs does, and exits with an error at
// the first call that doesn't behave.
import assert from "node:assert/strict";
import { createStorefront, MemoryTokenStorage, SessionStorefrontSDK } from "@commercengine/storefront-sdk";

const { BASE_URL: baseUrl, API_KEY: apiKey, STORE_ID: storeId } = process.env;
const ORDER = JSON.stringify({ name: "asc" });
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

const ids = (rows) => rows.map((row) => row.id);

async function products(who, catalog) {
  const first = await ok(`${who}: first page of products`, catalog.listProducts({ page: 1, limit: 5, sort_by: ORDER }));
  const second = await ok(`${who}: second page`, catalog.listProducts({ page: 2, limit: 5, sort_by: ORDER }));
  assert.equal(first.products.length, 5);
  assert.equal(first.pagination.next_page, 2);
  assert.equal(second.pagination.previous_page, 1);
  assert.equal(new Set([...ids(first.products), ...ids(second.products)]).size, 10, "pages do not overlap");
  const { products: all } = await ok(`${who}: products at once`, catalog.listProducts({ limit: 100 }));
  for (const product of all.filter((_, index) => index % 5 === 0)) {
    const byId = await ok(`${who}: ${product.slug} by id`, catalog.getProductDetail({ product_id: product.id }));
    const bySlug = await ok(`${who}: ${product.slug} by slug`, catalog.getProductDetail({ product_id: product.slug }));
    assert.deepEqual(byId, bySlug);
    assert.equal(byId.product.id, product.id);
    assert.deepEqual(byId.product.pricing, product.pricing);
  }
  await refused(`${who}: an unknown product`, catalog.getProductDetail({ product_id: "no-such-thing" }), 404);
  await refused(`${who}: too long a page`, catalog.listProducts({ limit: 101 }), 400);
  await refused(`${who}: an unknown order`, catalog.listProducts({ sort_by: JSON.stringify({ colour: "asc" }) }), 400);
  return all;
}

async function variants(who, catalog, product) {
  const byId = await ok(`${who}: variants by id`, catalog.listProductVariants({ product_id: product.id }));
  const bySlug = await ok(`${who}: variants by slug`, catalog.listProductVariants({ product_id: product.slug }));
  assert.deepEqual(byId, bySlug);
  assert.deepEqual(ids(byId.variants), ids(product.variants));
  for (const variant of byId.variants.slice(0, 2)) {
    const one = await ok(`${who}: variant by id`, catalog.getVariantDetail(
      { product_id: product.id, variant_id: variant.id }));
    const same = await ok(`${who}: variant by slug`, catalog.getVariantDetail(
      { product_id: product.slug, variant_id: variant.slug }));
    assert.equal(one.variant.id, variant.id);
    assert.equal(same.variant.id, variant.id);
    assert.deepEqual(one.variant.pricing, variant.pricing);
  }
  await refused(`${who}: an unknown variant`, catalog.getVariantDetail(
    { product_id: product.id, variant_id: "no-such-thing" }), 404);
}

async function skusAndCategories(who, catalog) {
  const { skus, pagination } = await ok(`${who}: skus`, catalog.listSkus({ page: 1, limit: 10 }));
  assert.equal(skus.length, 10);
  assert.ok(pagination.total_records > 10);
  const { categories } = await ok(`${who}: categories`, catalog.listCategories({ limit: 100 }));
  const category = categories.find((row) => row.parent_category_id && row.product_count);
  const { categories: below } = await ok(`${who}: categories below one`, catalog.listCategories(
    { parent_category_id: [category.parent_category_id] }));
  assert.ok(ids(below).includes(category.id));
  const inside = await ok(`${who}: products of a category`, catalog.listProducts(
    { category_slug: [category.slug], limit: 100 }));
  assert.ok(inside.products.length);
  assert.ok(inside.products.every((row) => row.category_ids.includes(category.id)));
}

async function search(who, catalog, word) {
  const plain = await ok(`${who}: search a word`, catalog.searchProducts({ query: word, limit: 20 }));
  assert.ok(plain.skus.length, `nothing found for ${word}`);
  const all = await ok(`${who}: search with filter, facets and order`, catalog.searchProducts({
    query: "",
    filter: "product_type = physical AND pricing.selling_price >= 1",
    facets: ["product_type", "categories.name", "pricing.selling_price"],
    sort: ["pricing.selling_price:asc"],
    limit: 20,
  }));
  const prices = all.skus.map((sku) => sku.pricing.selling_price);
  assert.ok(prices.length > 1 && all.skus.every((sku) => sku.product_type === "physical"));
  assert.deepEqual(prices, [...prices].sort((a, b) => a - b));
  assert.equal(all.facet_distribution.product_type.physical, all.pagination.total_records);
  assert.equal(all.facet_stats["pricing.selling_price"].min, prices[0]);
  const [low, high] = [prices[0], prices.at(-1)];
  const listed = await ok(`${who}: search with lists of filters`, catalog.searchProducts({
    query: "",
    filter: [`pricing.selling_price ${low} TO ${high}`, ["product_type = physical", "product_type = digital"]],
    facets: ["*"],
  }));
  assert.ok(listed.pagination.total_records >= prices.length);
  await refused(`${who}: an open parenthesis`, catalog.searchProducts({ query: word, filter: "(rating > 1" }), 400);
  await refused(`${who}: an unknown attribute`, catalog.searchProducts({ query: word, filter: "wings = 2" }), 400);
}

async function recommendations(who, catalog, product) {
  const asked = { product_id: [product.id], limit: 5 };
  for (const [name, call] of [
    ["similar", catalog.listSimilarProducts(asked)],
    ["up-sell", catalog.listUpSellProducts(asked)],
    ["cross-sell", catalog.listCrossSellProducts(asked)],
  ]) {
    const found = await ok(`${who}: ${name} products`, call);
    assert.ok(Array.isArray(found.products) && found.products.length <= 5);
    assert.ok(!ids(found.products).includes(product.id), `${name}: the product itself`);
  }
}

async function reviews(who, catalog, product) {
  const found = await ok(`${who}: reviews`, catalog.listProductReviews({ product_id: product.id }, { page: 1, limit: 5 }));
  assert.ok(Array.isArray(found.reviews) && found.pagination.limit === 5);
  await refused(`${who}: reviews of nothing`, catalog.listProductReviews({ product_id: "no-such-thing" }), 404);
}

async function browse(who, catalog) {
  const all = await products(who, catalog);
  const varied = all.find((product) => product.variants.length);
  await variants(who, catalog, varied);
  await skusAndCategories(who, catalog);
  await search(who, catalog, varied.name.split(" ").at(-1).toLowerCase());
  await recommendations(who, catalog, varied);
  await reviews(who, catalog, all.find((product) => product.reviews_count) ?? varied);
  return ids(all);
}

const open = await browse("public", createStorefront({ storeId, apiKey, baseUrl }).public().catalog);
const sdk = new SessionStorefrontSDK({ storeId, apiKey, baseUrl, tokenStorage: new MemoryTokenStorage() });
assert.deepEqual(await browse("visitor", sdk.catalog), open, "a token changes nothing about what is on sale");

// Reviews are for those who bought the thing. The client answers a visitor's 401 by sending the request again with
// another token, and fails at that with the form it has already sent; so the one who is refused here is signed in.
const code = await ok("shopper: ask for a code", sdk.auth.loginWithEmail(
  { email: `catalogue-${Date.now()}@example.com`, register_if_not_exists: true }, { "x-debug-mode": true }));
await ok("shopper: sign in", sdk.auth.verifyOtp({ otp: code.otp, otp_token: code.otp_token, otp_action: code.otp_action }));
await refused("shopper: a review", sdk.catalog.createProductReview(
  { product_id: open[0] }, { user_name: "Asha", rating: 4.5, review_text: "Well made." }), 400);
console.log(`${calls} calls of the published client behaved.`);
