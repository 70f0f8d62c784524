import assert from "node:assert/strict";
import { test } from "node:test";

import { modelOf, shownVariants } from "../../../src/gglib/proxy/web/page/pages/find/results.js";

const variant = (label, gigabytes) => ({ label, size_bytes: gigabytes * 1e9, files: [{ name: `${label}.gguf` }] });
const variants = ["Q2", "Q3", "Q4", "Q5", "Q6", "Q8", "F16"].map((label, index) => variant(label, index + 2));
const labels = (list) => list.map(({ label }) => label);

test("the suggested model is first, with its neighbours by size", () => {
  assert.deepEqual(labels(shownVariants({ variants, suggested: "Q5" }, false)), ["Q5", "Q3", "Q4", "Q6"]);
  assert.deepEqual(labels(shownVariants({ variants, suggested: "Q5" }, true)), ["Q5", "Q2", "Q3", "Q4", "Q6", "Q8", "F16"]);
  assert.deepEqual(labels(shownVariants({ variants, suggested: null }, false)), ["Q2", "Q3", "Q4", "Q5"]);
});

test("a list is not cut for one more", () => {
  assert.equal(shownVariants({ variants: variants.slice(0, 5), suggested: null }, false).length, 5);
  assert.deepEqual(shownVariants({ variants: [], suggested: null }, false), []);
});

test("a model of the catalogue is found by repository and file", () => {
  const models = [{ name: "x", source: { repo: "a/b", file: "Q4.gguf" } }, { name: "y", source: { repo: null, file: null } }];
  assert.equal(modelOf(variants[2], "a/b", models)?.name, "x");
  assert.equal(modelOf(variants[2], "a/c", models), null);
  assert.equal(modelOf(variants[3], "a/b", models), null);
});
