import assert from "node:assert/strict";
import test from "node:test";

import { matching, MOST_SHOWN } from "../../../src/gglib/proxy/web/page/pages/now/models.js";

const model = (name, aliases = []) => ({ name, aliases });

test("models match by all words, in their names and aliases", () => {
  const models = [model("qwen-coder-30b"), model("Qwen-7b", ["fast"]), model("gemma-4b")];
  assert.deepEqual(matching(models, "qwen").shown.map(({ name }) => name), ["Qwen-7b", "qwen-coder-30b"]);
  assert.deepEqual(matching(models, " 30b QWEN ").shown.map(({ name }) => name), ["qwen-coder-30b"]);
  assert.deepEqual(matching(models, "fast").shown.map(({ name }) => name), ["Qwen-7b"]);
  assert.equal(matching(models, "").shown.length, 3);
});

test("a long catalogue is cut, and the rest is counted", () => {
  const { shown, more } = matching(Array.from({ length: 130 }, (_, index) => model(`m${index}`)), "");
  assert.deepEqual([shown.length, more, shown[2].name], [MOST_SHOWN, 30, "m2"]);
});
