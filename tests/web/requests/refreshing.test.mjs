/** When the list of requests is read again. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Listing, newestOfClients, NO_FILTERS } from "../../../src/gglib/proxy/web/page/pages/requests/listing.js";

const request = (id, route, fields = {}) => ({ request_id: id, ended_at_s: 1, route, model: null, status: 200, ...fields });

test("readings of pages are no reason to read again, failed ones neither", () => {
  const readings = [request("a", "/gglib/requests"), request("b", "/gglib/requests", { status: 400 }), request("c", "/gglib/events", { status: null })];
  assert.equal(newestOfClients(readings), null);
  assert.equal(newestOfClients([...readings, request("d", "/v1/models")]), "d 1");
  assert.equal(newestOfClients([request("e", "/gglib/models/m/load", { model: "m" }), ...readings]), "e 1");
});

test("what the server refused is not asked for again by itself", async () => {
  let reads = 0;
  let status = 400;
  const read = async () => {
    reads += 1;
    throw Object.assign(new Error("no"), { status });
  };
  const listing = new Listing(read, NO_FILTERS, () => {});
  await listing.load();
  await listing.follow();
  assert.equal(reads, 1);
  await listing.refresh(); // by hand
  assert.equal(reads, 2);
  for (const passing of [503, 0, 429]) {
    status = passing;
    reads = 0;
    await listing.load();
    await listing.follow();
    assert.equal(reads, 2, String(passing));
  }
});
