import assert from "node:assert/strict";
import test from "node:test";

import { hintsOf, keptText, keyOf, lengthOf, moveText, scaleOf, segmentsOf } from "../../../src/gglib/proxy/web/page/pages/now/figures.js";

const swap = (changes) => ({ from_model: "a", to_model: "b", why: "", waited_s: 0, drain_s: 0, stop_s: 0, load_s: 0, total_s: 0, ended_at: null, ...changes });

test("phases are in their order; those that took no notable time are left out", () => {
  const segments = segmentsOf(swap({ waited_s: 2, drain_s: 0, stop_s: 0.01, load_s: 3 }));
  assert.deepEqual(segments.map((segment) => [segment.id, segment.seconds]), [["wait", 2], ["load", 3]]);
});

test("the longest swap is the scale of the chart", () => {
  assert.equal(scaleOf([swap({ total_s: 4 }), swap({ total_s: 19 })]), 19);
  assert.equal(scaleOf([]), 1);
  assert.equal(scaleOf([swap({ total_s: 0.2 })]), 1);
  assert.equal(lengthOf(swap({ total_s: 4, waited_s: 2, load_s: 3 })), 5);
});

test("a swap keeps its key when newer ones come", () => {
  assert.equal(keyOf(swap({ ended_at: 17 }), 0), keyOf(swap({ ended_at: 17 }), 3));
  assert.notEqual(keyOf(swap({}), 0), keyOf(swap({}), 1));
});

test("a swap in words", () => {
  assert.equal(moveText(swap({})), "a replaced by b");
  assert.equal(moveText(swap({ from_model: null })), "b loaded");
  assert.equal(moveText(swap({ to_model: null })), "a unloaded");
});

test("prompts that a swap kept are said after its reason", () => {
  assert.equal(keptText(swap({})), "");
  assert.equal(keptText(swap({ saved: null, restored: { tokens: 2006 } })), "; restored 2,006 tokens");
  assert.equal(keptText(swap({ saved: { tokens: 50 }, restored: { tokens: 2006 } })), "; saved 50 tokens; restored 2,006 tokens");
});

test("hints of single models follow that of swapped ones", () => {
  assert.deepEqual(hintsOf({ hint: null, residents: [{ keep_hint: null }, {}] }), []);
  assert.deepEqual(hintsOf({ hint: "both", residents: [{ keep_hint: "keep" }] }), ["both", "keep"]);
});
