/** To which model the messages of a chat go. The server is scripted. */

import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.requestAnimationFrame = (draw) => setTimeout(draw);
const asked = [];
globalThis.fetch = async (_, { body }) => {
  asked.push(JSON.parse(body).model);
  return new Response(`data: {"choices":[{"delta":{"content":"x"},"finish_reason":"length"}]}\n\ndata: [DONE]\n\n`);
};

const { addPrompt, ask, chooseModel, continueAnswer, messages, startNew, wantedModel } = await import("../../../src/gglib/proxy/web/page/pages/chat/exchange.js");

test("a model that was shown, but not chosen, is chosen by the first message to it", async () => {
  assert.equal(wantedModel.value, "");
  addPrompt("Hi", []);
  await ask({ id: "gemma" });
  assert.deepEqual(asked, ["gemma"]);
  assert.equal(wantedModel.value, "gemma");
});

test("so is one in the place of a model that is gone, and by a continuation", async () => {
  chooseModel("gone");
  await continueAnswer({ id: "llama" }, messages.value.at(-1));
  assert.equal(wantedModel.value, "llama");
  startNew();
  assert.equal(wantedModel.value, "llama", "a new chat is with the same model");
});
