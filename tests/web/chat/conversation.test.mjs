import assert from "node:assert/strict";
import { test } from "node:test";

import { asJson, asMarkdown, askedContinuationBody, before, continuationBody, emptyAnswer, nextId, requestBody, withoutExchange } from "../../../src/gglib/proxy/web/page/pages/chat/conversation.js";

const prompt = (id, text, images = []) => ({ role: "user", id, text, images });
const answer = (id, content, more = {}) => ({ ...emptyAnswer(id, "m"), content, finish: "stop", ...more });
const TALK = [prompt(1, "Hi"), answer(2, "<think>hm</think>Hello"), prompt(3, "More"), answer(4, "Yes", { reasoning: "why" })];

test("ids are new", () => {
  assert.equal(nextId([]), 1);
  assert.equal(nextId(TALK), 5);
});

test("what precedes a message, and a conversation without an exchange", () => {
  assert.deepEqual(before(TALK, 3).map(({ id }) => id), [1, 2]);
  assert.deepEqual(before(TALK, 99).map(({ id }) => id), [1, 2, 3, 4]);
  assert.deepEqual(withoutExchange(TALK, 1).map(({ id }) => id), [3, 4]);
  assert.deepEqual(withoutExchange(TALK.slice(0, 3), 3).map(({ id }) => id), [1, 2]);
  assert.equal(withoutExchange(TALK, 99).length, 4);
});

test("a request has all messages, without thinking and without answers that have no text", () => {
  const messages = [...TALK, prompt(5, "x"), answer(6, "", { finish: "failed" })];
  const body = requestBody({ model: "m", system: " ", messages, fields: { temperature: 0 } });
  assert.deepEqual(body, {
    model: "m",
    messages: [
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello" },
      { role: "user", content: "More" },
      { role: "assistant", content: "Yes" },
      { role: "user", content: "x" },
    ],
    stream: true,
    stream_options: { include_usage: true },
    temperature: 0,
  });
});

test("the system prompt precedes, and images precede their text", () => {
  const images = [{ name: "a.png", url: "data:image/png;base64,AA" }, { name: "lost.png", url: "" }];
  const body = requestBody({ model: "m", system: "Be brief.", messages: [prompt(1, "See", images), prompt(2, "", images), prompt(3, "t", [images[1]])], fields: {} });
  const image = { type: "image_url", image_url: { url: "data:image/png;base64,AA" } };
  assert.deepEqual(body.messages, [
    { role: "system", content: "Be brief." },
    { role: "user", content: [image, { type: "text", text: "See" }] },
    { role: "user", content: [image] },
    { role: "user", content: "t" },
  ]);
});

test("the two ways to continue", () => {
  const body = requestBody({ model: "m", system: "", messages: TALK, fields: { chat_template_kwargs: { enable_thinking: true, reasoning_effort: "low" } } });
  assert.deepEqual(continuationBody(body).chat_template_kwargs, { enable_thinking: false, reasoning_effort: "low" });
  const asked = askedContinuationBody(body);
  assert.equal(asked.messages.length, 5);
  assert.match(asked.messages[4].content, /^Continue your last answer/);
  assert.equal(body.messages.length, 4);
});

test("as Markdown", () => {
  const messages = [prompt(1, "See", [{ name: "a.png", url: "" }]), answer(2, "<think>x</think>**Yes**")];
  assert.equal(asMarkdown({ model: "m", system: " Be brief. ", messages }), "## System prompt\n\nBe brief.\n\n## You\n\n(image: a.png)\n\nSee\n\n## m\n\n**Yes**\n");
  assert.equal(asMarkdown({ model: "m", system: "", messages: [prompt(1, "a")] }), "## You\n\na\n");
});

test("as JSON: a request that a program can send, and the figures of the answers", () => {
  const read = JSON.parse(asJson({ model: "m", system: "", messages: TALK, fields: { seed: 1 } }));
  assert.deepEqual(Object.keys(read), ["model", "messages", "seed", "answers"]);
  assert.equal(read.answers.length, 2);
  assert.equal(read.answers[1].reasoning, "why");
});
