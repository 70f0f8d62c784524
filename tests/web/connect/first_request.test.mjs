import assert from "node:assert/strict";
import { test } from "node:test";

import { knownRequests, nextRequest, observe, observeOn } from "../../../src/gglib/proxy/web/page/pages/connect/texts.js";

const CHAT = "/v1/chat/completions";
const running = (request_id, values = {}) => ({ request_id, route: CHAT, state: "waiting", client: "aider", model: "m", ...values });
const stored = (request_id, values = {}) => ({ request_id, route: CHAT, status: 200, error: null, client: "aider", model: "m", ...values });

test("requests from before, and those of the admin API, are not the next one", () => {
  const before = { running: [running("a")], finished: [stored("b")] };
  const known = knownRequests(before);
  assert.equal(nextRequest(known, before), null);
  const after = { running: [running("a"), running("c", { route: "/gglib/reload" })], finished: [stored("b")] };
  assert.equal(nextRequest(known, after), null);
});

test("the oldest of the new requests is taken, finished or not", () => {
  const known = new Set(["a"]);
  assert.equal(nextRequest(known, { running: [running("a"), running("b"), running("c")], finished: [] }), "b");
  assert.equal(nextRequest(known, { running: [running("d")], finished: [stored("c"), stored("b"), stored("a")] }), "b");
});

test("a request waits, is answered, and ends", () => {
  const stage = (seen) => observe("a", { running: [], finished: [], ...seen })?.stage;
  assert.equal(stage({ running: [running("a")] }), "waiting");
  assert.equal(stage({ running: [running("a", { state: "running" })] }), "answering");
  assert.equal(stage({ finished: [stored("a")] }), "answered");
  assert.equal(stage({ finished: [stored("a", { status: 404, error: "model_not_found" })] }), "failed");
  assert.equal(stage({ finished: [stored("a", { error: "client_closed" })] }), "failed");
  assert.equal(stage({ finished: [stored("a", { status: null })] }), "failed");
  assert.equal(stage({}), undefined);
});

test("what is known of the request is passed on", () => {
  const request = stored("a", { client: "codex", model: "other" });
  assert.deepEqual(observe("a", { running: [], finished: [request] }), {
    stage: "answered", id: "a", client: "codex", model: "other", route: CHAT, running: null, stored: request,
  });
});

test("what has ended stays when it has left the list; what was running may have been lost", () => {
  const nothing = { running: [], finished: [] };
  const ended = observeOn(null, "a", { running: [], finished: [stored("a")] });
  assert.equal(observeOn(ended, "a", nothing), ended);
  assert.equal(observeOn(ended, "b", nothing), null);
  assert.equal(observeOn(observeOn(null, "a", { running: [running("a")], finished: [] }), "a", nothing), null);
});
