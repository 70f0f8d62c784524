/** What the details of a request are made of: its parts of time, its status, and the text of its bodies. */

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  fitting, folded, isFailed, modelName, phases, readable, shortRoute, shortTime, statusBadge, textOfPart,
} from "../../../src/gglib/proxy/web/page/pages/requests/facts.js";

test("the parts of the time add up to the duration", () => {
  const parts = phases({ waited_s: 3, first_byte_s: 3.5, duration_s: 8, is_streamed: true });
  assert.deepEqual(parts.map(({ name, seconds }) => [name, seconds]), [["Waited", 3], ["First token", 0.5], ["Response", 4.5]]);
  assert.deepEqual(phases({ waited_s: 0.00002, first_byte_s: 1, duration_s: 2, is_streamed: true }).map(({ name }) => name), ["First token", "Response"]);
});

test("without a stream the response comes at once", () => {
  assert.deepEqual(phases({ waited_s: 1, first_byte_s: 3, duration_s: 3.0001, is_streamed: false }).map(({ name }) => name), ["Waited", "Until the response"]);
});

test("a request without a response has no first token", () => {
  assert.deepEqual(phases({ waited_s: null, first_byte_s: null, duration_s: 2 }).map(({ name, seconds }) => [name, seconds]), [["Until its end", 2]]);
  assert.deepEqual(phases({ waited_s: 5, first_byte_s: null, duration_s: 4 }).map(({ seconds }) => seconds), [4], "measured times may overlap");
});

test("the status is what the server counts as failed", () => {
  assert.deepEqual(statusBadge({ status: 200, error: null }), { tone: "quiet", text: "200" });
  assert.deepEqual(statusBadge({ status: 200, error: "engine_failed" }), { tone: "bad", text: "200" });
  assert.deepEqual(statusBadge({ status: 404, error: "x" }), { tone: "warn", text: "404" });
  assert.deepEqual(statusBadge({ status: 502, error: null }), { tone: "bad", text: "502" });
  assert.deepEqual(statusBadge({ status: 499, error: "client_left" }), { tone: "quiet", text: "499" });
  assert.deepEqual(statusBadge({ status: null, error: null }), { tone: "bad", text: "none" });
  assert.ok(isFailed({ status: 400, error: null }) && !isFailed({ status: 302, error: null }));
});

test("names, routes and times are short", () => {
  assert.equal(modelName({ model: "m", requested_model: "n", profile: "p" }), "m:p");
  assert.equal(modelName({ model: null, requested_model: "n", profile: null }), "n");
  assert.equal(modelName({ model: null, requested_model: null, profile: null }), "–");
  assert.equal(shortRoute("/v1/chat/completions"), "chat/completions");
  assert.equal(shortRoute("/api/chat"), "/api/chat");
  const now = new Date(2026, 10, 29, 22, 0, 0).getTime() / 1000;
  assert.equal(shortTime(now - 60, now), "21:59:00");
  assert.equal(shortTime(now - 86_400, now), "11-28 22:00");
});

test("bodies are indented if they are JSON, and hide nothing", () => {
  assert.equal(readable('{"a":[1]}'), '{\n  "a": [\n    1\n  ]\n}');
  assert.equal(readable('{"a": 1'), '{"a": 1', "a part of a document stays as it is");
  assert.equal(readable('{"seed":9223372036854775807}'), '{"seed":9223372036854775807}', "no digit is lost");
  assert.equal(readable("a\u0000b\u202Ec\r\nd\te"), "a\\u0000b\\u202ec\nd\te");
});

test("long bodies are folded at a line or a length", () => {
  assert.equal(folded("short").isFolded, false);
  const lines = folded("x\n".repeat(500));
  assert.ok(lines.isFolded && lines.lines === 501 && lines.text.split("\n").length === 60);
  assert.equal(folded("y".repeat(20_000)).text.length, 6000);
});

test("the most important columns stay, and keys and nodes are columns if there are some", () => {
  const names = (width, hasKeys = false, hasNodes = false) => fitting(width, { hasKeys, hasNodes }).map(({ id }) => id);
  assert.deepEqual(names(340), ["time", "model", "status", "total"]);
  assert.deepEqual(names(4000, true), ["time", "model", "client", "key", "route", "status", "waited", "first", "total", "prompt", "cached", "completion", "speed"]);
  assert.ok(!names(4000).includes("key") && !names(4000).includes("node"));
  assert.ok(names(4000, false, true).includes("node"));
});

test("the text of a streamed part, in each dialect", () => {
  const text = (value) => textOfPart(JSON.stringify(value));
  assert.equal(text({ choices: [{ delta: { reasoning_content: "hm ", content: "hi" } }] }), "hm hi");
  assert.equal(text({ choices: [{ delta: { tool_calls: [{ function: { name: "f", arguments: "{" } }] } }] }), "f{");
  assert.equal(text({ choices: [{ text: "a" }] }), "a");
  assert.equal(text({ type: "content_block_delta", delta: { text: "b" } }), "b");
  assert.equal(text({ type: "response.output_text.delta", delta: "c" }), "c");
  assert.equal(text({ message: { content: "d" } }), "d");
  assert.equal(text({ response: "e", done: false }), "e");
  assert.equal(text({ content: "f", stop: false }), "f");
  assert.equal(text({ error: { message: "no" } }), "\n[no]");
  assert.equal(text({ choices: [], usage: {} }), "");
  assert.equal(textOfPart("[DONE]"), "");
  assert.equal(textOfPart("plain"), "plain");
  assert.equal(textOfPart("null"), "");
});
