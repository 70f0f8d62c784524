import assert from "node:assert/strict";
import { test } from "node:test";

import { canContinue, emptyAnswer, ended, endText, joined, partsOf, received } from "../../../src/gglib/proxy/web/page/pages/chat/conversation.js";

const delta = (delta, finish_reason = null) => ({ choices: [{ index: 0, delta, finish_reason }] });

/** @param {...[any, number]} events */
const after = (...events) => events.reduce((answer, [event, s]) => received(answer, event, s), emptyAnswer(1, "m"));

test("content and reasoning are joined, with the times of the first of each", () => {
  const answer = after([delta({ role: "assistant", content: null }), 0.1], [delta({ reasoning_content: "Hm. " }), 0.5], [delta({ reasoning_content: "Yes." }), 0.6], [delta({ content: "A" }), 2], [delta({ content: "B" }), 3]);
  assert.equal(answer.content, "AB");
  assert.deepEqual(partsOf(answer), { thinking: "Hm. Yes.", text: "AB", isThinking: false });
  assert.deepEqual([answer.firstAfter, answer.textAfter, answer.parts], [0.5, 2, 4]);
});

test("usage and timings of the last events", () => {
  const usage = { prompt_tokens: 812, completion_tokens: 90, prompt_tokens_details: { cached_tokens: 640 } };
  const answer = after([delta({ content: "x" }), 1], [delta({}, "length"), 2], [{ choices: [], usage, timings: { predicted_per_second: 45.4, cache_n: 1 } }, 2]);
  assert.deepEqual(answer.usage, { prompt: 812, cached: 640, written: 90 });
  assert.equal(ended(answer, 3).speed, 45.4);
  assert.equal(ended(answer, 3).finish, "length");
  const older = after([{ usage: { prompt_tokens: 5 }, timings: { cache_n: 4 } }, 1]);
  assert.deepEqual(older.usage, { prompt: 5, cached: 4, written: null });
});

test("without timings the speed is measured from the first part on", () => {
  const answer = after([delta({ content: "x" }), 1], [{ usage: { completion_tokens: 20 } }, 3]);
  assert.equal(ended(answer, 3).speed, 10);
  assert.equal(ended(after([delta({ content: "x" }), 1]), 3).speed, null);
  assert.equal(ended(emptyAnswer(1, "m"), 3).speed, null);
});

test("events of another form change nothing", () => {
  for (const event of [null, 3, [], "x", {}, { choices: 3 }, { choices: [null] }, { choices: [{ delta: 3 }] }, { choices: [{ delta: { content: 3 } }] }, { usage: 3 }, { usage: null, timings: { predicted_per_second: "x" } }]) {
    assert.deepEqual(received(emptyAnswer(1, "m"), event, 1), emptyAnswer(1, "m"), JSON.stringify(event));
  }
});

test("how an answer ends", () => {
  const answer = after([delta({ content: "x" }), 1]);
  assert.equal(ended(answer, 2).finish, "stop");
  assert.deepEqual([ended(answer, 2, { finish: "failed", error: "no" })].map(({ finish, error, durationS }) => [finish, error, durationS]), [["failed", "no", 2]]);
});

test("an answer that was cut can be continued if it has text", () => {
  for (const [finish, content, expected] of [["length", "x", true], ["interrupted", "x", true], ["failed", "x", true], ["stop", "x", false], [null, "x", false], ["length", "", false], ["length", "<think>x", false]]) {
    assert.equal(canContinue({ finish, content, reasoning: "" }), expected, `${finish} ${content}`);
  }
});

test("a continuation is appended, and its figures replace those before", () => {
  const first = ended(after([delta({ content: "One " }), 1]), 2);
  const second = { ...ended(after([delta({ content: "two" }), 1]), 5, { finish: "length" }), id: 9 };
  const whole = joined(first, second);
  assert.deepEqual([whole.id, whole.content, whole.finish, whole.durationS], [1, "One two", "length", 5]);
});

test("thinking between tags", () => {
  const parts = (content) => partsOf({ content, reasoning: "" });
  assert.deepEqual(parts("<think>\na\n</think>\n\nText"), { thinking: "a", text: "Text", isThinking: false });
  assert.deepEqual(parts("\n<think>a"), { thinking: "a", text: "", isThinking: true });
  assert.deepEqual(parts("a\n</think>\nText"), { thinking: "a", text: "Text", isThinking: false });
  assert.deepEqual(parts("Use `</think>` in text"), { thinking: "", text: "Use `</think>` in text", isThinking: false });
  assert.deepEqual(parts("A text with <think> inside"), { thinking: "", text: "A text with <think> inside", isThinking: false });
  assert.deepEqual(parts("<table>"), { thinking: "", text: "<table>", isThinking: false });
  for (let length = 1; length < 7; length += 1) assert.equal(parts("<think>".slice(0, length)).text, "", "no flash of a tag that is not complete");
  assert.deepEqual(partsOf({ content: "<think>b</think>c", reasoning: " a " }), { thinking: "a\n\nb", text: "c", isThinking: false });
});

test("the first text after the tags ends the time of thinking", () => {
  const answer = after([delta({ content: "<think>" }), 1], [delta({ content: "a</think>" }), 2], [delta({ content: "\n\nText" }), 3]);
  assert.equal(answer.textAfter, 3);
});

test("the end of an answer is announced as what it was", () => {
  const texts = ["stop", "tool_calls", "length", "interrupted", "failed"].map((finish) => endText({ finish }));
  assert.deepEqual(texts, ["The answer is complete.", "The answer is complete.", "The answer stopped at a limit.", "The answer was stopped.", ""]);
  assert.equal(endText(null), "");
});
