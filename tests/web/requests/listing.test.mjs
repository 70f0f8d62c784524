/** The pages of the list of requests. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Listing, NO_FILTERS, requestOf } from "../../../src/gglib/proxy/web/page/pages/requests/listing.js";

/** A server with the requests 1 to `last`, which answers like the API. */
function server(last) {
  const state = { last, paths: [], fail: null, hold: null };
  const read = async (path, signal) => {
    state.paths.push(path);
    if (state.hold) await state.hold;
    if (state.fail) throw new Error(state.fail);
    const query = new URLSearchParams(path.split("?")[1]);
    const before = Number(query.get("before") ?? Infinity);
    const after = Number(query.get("after") ?? 0);
    const fitting = Array.from({ length: state.last }, (_, index) => state.last - index).filter((id) => id < before && id > after);
    const found = fitting.slice(0, Number(query.get("limit")));
    signal.throwIfAborted();
    return { running: [], requests: found.map((id) => ({ id })), next_before: found.length < fitting.length ? found.at(-1) : null, is_off: false };
  };
  let changes = 0;
  return { state, listing: new Listing(read, NO_FILTERS, () => { changes += 1; }), changes: () => changes };
}
const ids = (listing) => listing.rows.map(({ id }) => id);

test("the first page, then the next ones up to the oldest request", async () => {
  const { listing, state } = server(1150);
  await listing.load();
  assert.equal(listing.rows.length, 200);
  assert.equal(listing.rows[0].id, 1150);
  await listing.more();
  await listing.more();
  assert.equal(listing.rows.length, 1150);
  assert.equal(listing.nextBefore, null);
  const asked = state.paths.length;
  await listing.more();
  assert.equal(state.paths.length, asked, "after the last page nothing is read");
});

test("new requests are added at the start and counted", async () => {
  const { listing, state } = server(3);
  await listing.load();
  state.last = 5;
  await listing.refresh();
  assert.deepEqual(ids(listing), [5, 4, 3, 2, 1]);
  assert.equal(listing.added, 2);
  await listing.refresh();
  assert.equal(listing.added, 2);
  assert.equal(listing.epoch, 1);
});

test("an empty list begins with its first requests", async () => {
  const { listing, state } = server(0);
  await listing.load();
  assert.deepEqual(ids(listing), []);
  state.last = 1;
  await listing.refresh();
  assert.deepEqual(ids(listing), [1]);
});

test("after a gap the list begins anew, so that no request is missing in it", async () => {
  const { listing, state } = server(3);
  await listing.load();
  state.last = 5000;
  await listing.refresh();
  assert.equal(listing.rows.length, 1000);
  assert.equal(listing.rows[0].id, 5000);
  assert.equal(listing.nextBefore, 4001);
  assert.equal(listing.epoch, 2);
  assert.equal(listing.added, 0);
  await listing.more();
  assert.equal(listing.rows[1000].id, 4000);
});

test("two readings of the same page at a time are one", async () => {
  const { listing, state } = server(600);
  await listing.load();
  await Promise.all([listing.more(), listing.more()]);
  assert.equal(new Set(ids(listing)).size, listing.rows.length);
  state.last = 601;
  await Promise.all([listing.refresh(), listing.refresh()]);
  assert.equal(listing.added, 1);
});

test("an error leaves the rows, and the next success ends it", async () => {
  const { listing, state } = server(300);
  await listing.load();
  state.fail = "down";
  await listing.more();
  assert.equal(listing.error.message, "down");
  assert.equal(listing.rows.length, 200);
  assert.equal(listing.isLoadingMore, false);
  state.fail = null;
  await listing.more();
  assert.equal(listing.error, null);
  assert.equal(listing.rows.length, 300);
});

test("a closed listing takes nothing that arrives later", async () => {
  const { listing, state, changes } = server(3);
  let release;
  state.hold = new Promise((resolve) => { release = resolve; });
  const loading = listing.load();
  listing.close();
  release();
  await loading;
  assert.equal(changes(), 0);
  assert.equal(listing.isLoaded, false);
});

test("a request is found by its number and by the id which it had in progress", () => {
  const requests = [{ request_id: "req_b" }, { id: 7, request_id: "req_a" }, { id: null, request_id: "req_c" }];
  assert.equal(requestOf(requests, "7"), requests[1]);
  assert.equal(requestOf(requests, "req_a"), requests[1]);
  assert.equal(requestOf(requests, "req_b"), requests[0]);
  assert.equal(requestOf(requests, "null-or-other"), null);
});

test("after an error, what failed is read again: the first page, or the next ones", async () => {
  const { listing, state } = server(300);
  state.fail = "The server cannot be reached";
  await listing.load();
  assert.equal(listing.isLoaded, false);
  state.fail = null;
  await listing.retry();
  assert.equal(listing.rows.length, 200);
  state.fail = "The server cannot be reached";
  await listing.more();
  state.fail = null;
  await listing.retry();
  assert.equal(listing.rows.length, 300);
  state.last = 301;
  await listing.retry();
  assert.equal(listing.rows[0].id, 301);
  assert.equal(listing.error, null);
});
