import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.location = /** @type {any} */ ({ origin: "http://127.0.0.1:8080", hash: "" });
const { insertedKey, isKeyShown } = await import("../../../src/gglib/proxy/web/page/pages/connect/page.js");
const { enterKey, forgetKey } = await import("../../../src/gglib/proxy/web/page/state/session.js");

test("a key is inserted once that is asked for, and the next one is not", () => {
  enterKey("sk-1");
  assert.equal(insertedKey(), null);
  isKeyShown.value = true;
  assert.equal(insertedKey(), "sk-1");
  forgetKey();
  enterKey("sk-2");
  assert.equal(insertedKey(), null);
});
