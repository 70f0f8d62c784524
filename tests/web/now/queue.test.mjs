import assert from "node:assert/strict";
import test from "node:test";

import { clientText, queueGroups, runsInText, waitsForText } from "../../../src/gglib/proxy/web/page/pages/now/figures.js";

const waiting = (model, longest, changes = {}) => ({ model_name: model, waiting: 1, longest_wait_s: longest, runs_in_s: null, is_minimum: false, waits_for: "", ...changes });

test("the longest wait is first, with its requests", () => {
  const requests = [
    { request_id: "1", state: "waiting", model: "a" },
    { request_id: "2", state: "running", model: "a" },
    { request_id: "3", state: "waiting", model: "b" },
    { request_id: "4", state: "waiting", model: null },
    { request_id: "5", state: "waiting", model: "not in the queue yet" },
  ];
  const groups = queueGroups([waiting("a", 3), waiting("b", 9)], requests);
  assert.deepEqual(groups.map((group) => [group.model_name, group.requests.map((request) => request.request_id)]), [["b", ["3"]], ["a", ["1"]]]);
});

test("the list of the status is not changed", () => {
  const entries = Object.freeze([waiting("a", 3), waiting("b", 9)]);
  assert.equal(queueGroups(entries, [])[0].model_name, "b");
});

test("a server without expectations", () => {
  const [group] = queueGroups([{ model_name: "a", waiting: 2, longest_wait_s: 1 }], []);
  assert.equal(runsInText(group, 0), "not known");
  assert.equal(waitsForText(group), "–");
});

test("the expected time is counted down", () => {
  assert.equal(runsInText({ runs_in_s: 12, is_minimum: false }, 3), "about 9 s");
  assert.equal(runsInText({ runs_in_s: 12, is_minimum: true }, 3), "at least 9 s");
  assert.equal(runsInText({ runs_in_s: 12, is_minimum: false }, 30), "now");
  assert.equal(runsInText({ runs_in_s: 12, is_minimum: true }, 30), "not known");
  assert.equal(waitsForText({ waits_for: "its load" }), "its load");
});

test("a client is its program, or its address", () => {
  assert.equal(clientText({ client: "codex", address: "10.0.0.2" }), "codex");
  assert.equal(clientText({ client: null, address: "10.0.0.2" }), "10.0.0.2");
  assert.equal(clientText({ client: null, address: null }), "unknown client");
});
