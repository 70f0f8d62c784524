import assert from "node:assert/strict";
import { test } from "node:test";

import { areValid, changedCount, imageBytes, imageProblem, NO_SETTINGS, problemOf, requestFields } from "../../../src/gglib/proxy/web/page/pages/chat/conversation.js";
import { waitText } from "../../../src/gglib/proxy/web/page/pages/chat/exchange.js";
import { choiceLabel, choicesOf, chosen } from "../../../src/gglib/proxy/web/page/pages/chat/page.js";

const MODEL = { isProfile: false };

test("without settings, only the limit on tokens; none for a profile, which may have its own", () => {
  assert.deepEqual(requestFields(NO_SETTINGS, MODEL), { max_tokens: 2048 });
  assert.deepEqual(requestFields(NO_SETTINGS, { isProfile: true }), {});
  assert.equal(changedCount(NO_SETTINGS), 0);
});

test("all settings as fields", () => {
  const settings = { system: "s", temperature: "0.2", top_p: "0.9", top_k: "40", min_p: "0", max_tokens: "100", seed: "-1", stop: "END\n\n  ###", thinking: "off" };
  assert.deepEqual(requestFields(settings, MODEL), {
    ...{ max_tokens: 100, temperature: 0.2, top_p: 0.9, top_k: 40, min_p: 0, seed: -1, stop: ["END", "  ###"] },
    chat_template_kwargs: { enable_thinking: false },
  });
  assert.equal(changedCount(settings), 9);
});

test("thinking", () => {
  const kwargs = (thinking) => requestFields({ thinking }, MODEL).chat_template_kwargs;
  assert.deepEqual(kwargs("on"), { enable_thinking: true });
  assert.deepEqual(kwargs("high"), { enable_thinking: true, reasoning_effort: "high" });
  assert.equal(kwargs(""), undefined);
});

test("max_tokens 0 is no limit", () => {
  assert.deepEqual(requestFields({ max_tokens: "0" }, MODEL), {});
});

test("wrong values are named, and not sent", () => {
  for (const [name, text] of [["temperature", "6"], ["temperature", "-0.1"], ["top_p", "1.1"], ["top_k", "1.5"], ["seed", "-2"], ["max_tokens", "x"], ["min_p", "1e999"]]) {
    assert.match(problemOf({ [name]: text }, name), /^Enter an? (number|integer) (from|of at least) /, `${name} ${text}`);
    assert.equal(areValid({ [name]: text }), false);
    assert.notEqual(requestFields({ [name]: text }, MODEL)[name], Number(text));
  }
  assert.equal(problemOf({ temperature: " 1 " }, "temperature"), null);
  assert.equal(problemOf({}, "temperature"), null);
  assert.equal(problemOf({ system: "x" }, "system"), null);
  assert.equal(areValid(NO_SETTINGS), true);
});

const DATA = [
  { id: "qwen:7b", capabilities: ["chat", "vision", "reasoning"], description: "d" },
  { id: "qwen:7b:brief", capabilities: ["chat"] },
  { id: "embed", capabilities: ["embedding"] },
  { id: "plain" },
];

test("choices are what can chat, with the model of a profile", () => {
  const choices = choicesOf(DATA);
  assert.deepEqual(choices.map(({ id, base, isProfile }) => [id, base, isProfile]), [["qwen:7b", "qwen:7b", false], ["qwen:7b:brief", "qwen:7b", true], ["plain", "plain", false]]);
  assert.deepEqual([choices[0].hasVision, choices[0].canThink, choices[2].hasVision], [true, true, false]);
});

test("the first wanted model that exists, else the first", () => {
  const choices = choicesOf(DATA);
  assert.equal(chosen(choices, ["gone", null, "plain", "qwen:7b"])?.id, "plain");
  assert.equal(chosen(choices, ["gone"])?.id, "qwen:7b");
  assert.equal(chosen([], ["plain"]), null);
});

test("a choice says the state of its model", () => {
  const [model, profile, plain] = choicesOf(DATA);
  const residents = [{ model_name: "qwen:7b", state: "ready" }, { model_name: "plain", state: "odd" }];
  assert.deepEqual([model, profile, plain].map((choice) => choiceLabel(choice, residents)), ["qwen:7b (in memory)", "qwen:7b:brief (in memory)", "plain"]);
});

const resident = (model_name, state, more = {}) => ({ model_name, state, in_flight: 0, ...more });
const waits = (residents, waiting = [], waitedS = 5, ageS = 1) => waitText({ residents, waiting }, "m", waitedS, ageS);

test("what a request waits for", () => {
  assert.equal(waits([resident("m", "loading", { loading_for_s: 3, expected_load_s: 9 })]), "Loading m, 4 s of about 9 s");
  assert.equal(waits([resident("m", "loading")]), "Loading m, 1 s");
  assert.equal(waits([resident("m", "ready")]), "Waiting for the first token of m, 5 s so far");
  assert.equal(waitText(null, "m", 0.2, 0), "Waiting for the answer");
  const queue = [{ model_name: "m", runs_in_s: 12 }];
  assert.equal(waits([resident("o", "stopping")], queue), "Unloading o to load m, 5 s so far, about 11 s more");
  assert.equal(waits([resident("o", "draining", { in_flight: 1 })], queue), "Waiting for o to finish its requests, 5 s so far, about 11 s more");
  assert.equal(waits([resident("p", "ready"), resident("o", "ready", { in_flight: 1 })], [{ model_name: "m" }]), "Waiting for o to finish its requests, 5 s so far");
  assert.equal(waits([resident("o", "loading")], [{ model_name: "m", runs_in_s: null }]), "Waiting for o to load, 5 s so far");
  assert.equal(waits([resident("m", "ready")], [{ model_name: "m", runs_in_s: 1 }]), "Queued for m, 5 s so far");
});

test("images: type, size, and the size of all", () => {
  const file = (more) => ({ type: "image/png", size: 10, name: "a.png", ...more });
  assert.equal(imageProblem([file({})], 0), null);
  assert.match(imageProblem([file({ type: "image/svg+xml", name: "a.svg" })], 0), /^a.svg is not a PNG/);
  assert.match(imageProblem([file({ type: "", name: "" })], 0), /^The file is not/);
  assert.match(imageProblem([file({ size: 20_000_001 })], 0), /larger than 20 MB/);
  assert.match(imageProblem([file({ size: 15_000_000 }), file({ size: 15_000_000 })], 15_000_000), /40 MB together/);
  assert.equal(imageBytes("data:image/png;base64,AAAA"), 3);
});
