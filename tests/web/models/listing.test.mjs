import assert from "node:assert/strict";
import { test } from "node:test";

import {
  abilitiesOf, filtered, isElsewhere, joined, kindOf, nextSort, nodeNames, nodesText, parametersOf, shortFacts, sorted, sortOf, sortText, stateOnNodes, usedAgo,
} from "../../../src/gglib/proxy/web/page/pages/models/listing.js";

const model = (id, name, fields = {}) => ({
  id, name, aliases: [], tags: [], architecture: "llama", quantization: "Q4_K_M", parameter_count: 8e9, size_bytes: 5e9,
  trained_context: 8192, context: null, kind: null, capabilities: ["chat"], is_pinned: false, last_used_at: null,
  source: { repo: null }, ...fields,
});

const rows = joined(
  [
    model(1, "Llama 10", { last_used_at: 50, tags: ["work"] }),
    model(2, "Llama 9", { capabilities: ["chat", "tools", "vision"], size_bytes: null, is_pinned: true }),
    model(3, "nomic", { capabilities: ["embedding"], quantization: "F16", context: 512, source: { repo: "nomic-ai/Embed" } }),
    model(4, "judge", { kind: "rerank", last_used_at: 90, parameter_count: null }),
  ],
  [{ model_id: 1, fit: "too large" }, { model_id: 2, fit: "fits" }, { model_id: 4, fit: "unknown" }],
  [{ model_id: 3, state: "ready" }, { model_id: 1, state: "loading" }],
);
const names = (list) => list.map((row) => row.model.name);

test("fits and states join by the id of the model", () => {
  assert.equal(rows[0].fit.fit, "too large");
  assert.equal(rows[2].fit, null);
  assert.equal(rows[2].resident.state, "ready");
  assert.equal(rows[3].resident, null);
});

test("the kind is the user's setting, else what the header says", () => {
  assert.deepEqual(rows.map((row) => kindOf(row.model)), ["chat", "chat", "embedding", "rerank"]);
  assert.equal(kindOf(model(1, "x", { capabilities: ["rerank"] })), "rerank");
  assert.deepEqual(abilitiesOf(rows[1].model), ["tools", "vision"]);
});

test("all words of the search must be found, in any name or fact", () => {
  assert.deepEqual(names(filtered(rows, "llama work", "")), ["Llama 10"]);
  assert.deepEqual(names(filtered(rows, "NOMIC-AI f16", "")), ["nomic"]);
  assert.deepEqual(names(filtered(rows, "  ", "")), names(rows));
});

test("filters select kinds, capabilities and states", () => {
  const found = Object.fromEntries(
    ["memory", "pinned", "fits", "tools", "vision", "chat", "embedding", "rerank"].map((filter) => [filter, names(filtered(rows, "", filter))]),
  );
  assert.deepEqual(found, {
    memory: ["Llama 10", "nomic"], pinned: ["Llama 9"], fits: ["Llama 9"], tools: ["Llama 9"], vision: ["Llama 9"],
    chat: ["Llama 10", "Llama 9"], embedding: ["nomic"], rerank: ["judge"],
  });
});

test("rows without a value are last in both directions, and ties are by name", () => {
  const by = (key, isDescending = false) => names(sorted(rows, { key, isDescending }));
  assert.deepEqual(by("name"), ["judge", "Llama 9", "Llama 10", "nomic"]);
  assert.deepEqual(by("used", true), ["judge", "Llama 10", "Llama 9", "nomic"]);
  assert.deepEqual(by("used"), ["Llama 10", "judge", "Llama 9", "nomic"]);
  assert.deepEqual(by("size"), ["judge", "Llama 10", "nomic", "Llama 9"]);
  assert.deepEqual(by("parameters"), ["Llama 9", "Llama 10", "nomic", "judge"]);
  assert.deepEqual(by("fit"), ["Llama 9", "Llama 10", "judge", "nomic"]);
  assert.deepEqual(by("state"), ["nomic", "Llama 10", "judge", "Llama 9"]);
  assert.deepEqual(by("context", true), ["judge", "Llama 9", "Llama 10", "nomic"]);
  assert.deepEqual(by("quantization"), ["nomic", "judge", "Llama 9", "Llama 10"]);
});

test("a sort order survives the URL, and an unknown one is the default", () => {
  for (const text of ["name", "-size", "used", "-used"]) assert.equal(sortText(sortOf(text)), text);
  assert.equal(sortText(sortOf("-nonsense")), "-used");
  assert.equal(sortText(sortOf(null)), "-used");
});

test("pressing a heading again reverses it; another begins with its interesting end", () => {
  assert.deepEqual(nextSort({ key: "size", isDescending: true }, "size"), { key: "size", isDescending: false });
  assert.deepEqual(nextSort({ key: "name", isDescending: false }, "size"), { key: "size", isDescending: true });
  assert.deepEqual(nextSort({ key: "size", isDescending: true }, "name"), { key: "name", isDescending: false });
});

test("facts are short, and unknown ones are left out", () => {
  assert.equal(parametersOf(model(1, "x", { parameter_count: 7_615_616_512 })), "7.6 B");
  assert.equal(parametersOf(model(1, "x", { parameter_count: 494e6 })), "494 M");
  assert.equal(parametersOf(model(1, "x", { parameter_count: 405e9 })), "405 B");
  assert.equal(shortFacts(model(1, "x")), "Q4_K_M · 8 B · 5 GB");
  assert.equal(shortFacts(model(1, "x", { quantization: null, parameter_count: null, size_bytes: null })), "");
  assert.equal(usedAgo(null, 100), "never");
  assert.equal(usedAgo(40, 100), "1 min ago");
  assert.equal(usedAgo(101, 100), "just now");
});

test("a model has the best state of its nodes, unless it is in memory here", () => {
  const nodes = [{ node: "a", name: "m", state: null }, { node: "b", name: "m", state: "loading" }, { node: "c", name: "m", state: "ready" }];
  const all = joined([model(1, "here", { nodes }), model(-2, "there", { nodes }), model(3, "none", { nodes: [] })], [], [{ model_id: 1, state: "stopping" }]);
  assert.deepEqual(all.map((row) => row.state), ["stopping", "ready", null]);
  assert.deepEqual(names(filtered(all, "", "memory")), ["here", "there"]);
  assert.deepEqual(names(sorted(all, { key: "nodes", isDescending: false })), ["here", "there", "none"]);
  assert.equal(stateOnNodes({ nodes: [] }), null);
  assert.deepEqual(all.map((row) => isElsewhere(row.model)), [false, true, false]);
});

test("the nodes with a model in memory come first", () => {
  const nodes = [{ node: "a", name: "m", state: null }, { node: "b", name: "m", state: "ready" }];
  assert.equal(nodesText({ nodes }), "b (ready), a");
  assert.equal(nodeNames({ nodes }), "b, a");
  assert.equal(nodesText({}) + nodeNames({}), "");
});
