import assert from "node:assert/strict";
import test from "node:test";

import { counting, secondsSince } from "../../../src/gglib/proxy/web/page/pages/now/figures.js";
import { loadProgress, unloadsText } from "../../../src/gglib/proxy/web/page/pages/now/models.js";

const resident = (changes) => ({ state: "ready", is_pinned: false, idle_ttl_s: null, idle_s: null, loading_for_s: null, expected_load_s: null, ...changes });

test("counted times are whole seconds, never negative", () => {
  assert.equal(counting(3.4), "3 s");
  assert.equal(counting(-2), "0 s");
  assert.equal(counting(59.4), "59 s");
  assert.equal(counting(200), "3 min 20 s");
  assert.equal(counting(null), "–");
  assert.equal(counting(undefined), "–");
});

test("a clock that is behind counts as no time", () => {
  assert.equal(secondsSince(5000, 2000), 3);
  assert.equal(secondsSince(1000, 2000), 0);
});

test("the progress of a load counts on, and stays short of its end", () => {
  const loading = resident({ state: "loading", loading_for_s: 4, expected_load_s: 20 });
  assert.deepEqual(loadProgress(loading, 6), { fraction: 0.5, text: "10 s of about 20 s" });
  assert.equal(loadProgress(loading, 600)?.fraction, 0.97);
  assert.deepEqual(loadProgress(resident({ state: "loading" }), 3), { fraction: null, text: "for 3 s" });
  assert.equal(loadProgress(resident({ state: "loading", expected_load_s: 0 }), 3)?.fraction, null);
  assert.equal(loadProgress(resident({}), 3), null);
});

test("a load that began after the snapshot has taken no time", () => {
  assert.equal(loadProgress(resident({ state: "loading", loading_for_s: -5, expected_load_s: 10 }), 5)?.fraction, 0);
});

test("when an idle model is unloaded", () => {
  assert.equal(unloadsText(resident({ idle_ttl_s: 600, idle_s: 200 }), 20), "in 6 min 20 s");
  assert.equal(unloadsText(resident({ idle_ttl_s: 600, idle_s: 700 }), 0), "in 0 s");
  assert.equal(unloadsText(resident({ idle_ttl_s: 600 }), 20), "after 10 min idle");
  assert.equal(unloadsText(resident({ idle_ttl_s: 600, idle_s: 200, is_pinned: true }), 20), "pinned");
  assert.equal(unloadsText(resident({}), 20), "no idle limit");
  assert.equal(unloadsText({ state: "loading" }, 20), "no idle limit");
});
