/** The filters of the list of requests. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { filtersOf, isFiltered, matchesRunning, NO_FILTERS, NONE, pathOf, queryOf } from "../../../src/gglib/proxy/web/page/pages/requests/listing.js";

const filters = (/** @type {object} */ changes) => ({ ...NO_FILTERS, ...changes });
const request = { request_id: "req_1", route: "/v1/chat/completions", model: "llama", requested_model: "gpt-4o", profile: null, key: null, client: "curl", address: "10.0.0.1" };

test("the query of the URL has what is set, and is read back", () => {
  const set = filters({ q: "a&b", model: "llama:3b", status: "failed", swap: true });
  assert.deepEqual(queryOf(set), { q: "a&b", model: "llama:3b", status: "failed", swap: "true" });
  assert.deepEqual(filtersOf(new URLSearchParams(queryOf(set))), set);
  assert.deepEqual(queryOf(NO_FILTERS), {});
  assert.equal(isFiltered(NO_FILTERS), false);
  assert.equal(isFiltered(set), true);
});

test("a filter longer than the API takes is cut", () => {
  assert.equal(filtersOf(new URLSearchParams({ q: "x".repeat(300) })).q.length, 256);
});

test("the path asks for stored requests, and for those without a name by an empty parameter", () => {
  assert.equal(pathOf(NO_FILTERS, { limit: 200 }), "/gglib/requests?state=finished&limit=200");
  const path = pathOf(filters({ key: NONE, q: NONE, model: "a b" }), { limit: 5, before: 9, after: 0 });
  const query = new URLSearchParams(path.split("?")[1]);
  assert.equal(query.get("key"), "");
  assert.equal(query.get("q"), NONE);
  assert.equal(query.get("model"), "a b");
  assert.equal(query.get("before"), "9");
  assert.equal(query.get("after"), "0");
});

test("requests in progress have no status and no swap, and are part of every period", () => {
  assert.ok(matchesRunning(request, NO_FILTERS));
  assert.ok(matchesRunning(request, filters({ since: "15m" })));
  assert.ok(!matchesRunning(request, filters({ status: "failed" })));
  assert.ok(!matchesRunning(request, filters({ swap: true })));
});

test("requests in progress are found by exact names and by parts of any name", () => {
  assert.ok(matchesRunning(request, filters({ model: "llama", client: "curl", key: NONE })));
  assert.ok(!matchesRunning(request, filters({ model: "lla" })));
  assert.ok(!matchesRunning(request, filters({ key: "alice" })));
  assert.ok(matchesRunning(request, filters({ q: "GPT" })));
  assert.ok(!matchesRunning(request, filters({ q: "mistral" })));
});
