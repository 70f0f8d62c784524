import assert from "node:assert/strict";
import { test } from "node:test";

import { doneIds, pullOf } from "../../../src/gglib/proxy/web/page/pages/models/listing.js";

const update = { state: "changed", pull: "ada/a:Q4" };
const download = (id, state, target = "ada/a:Q4") => ({ id, state, target });
const pull = (downloads, known = [], changed = update) => pullOf(changed, downloads, new Set(known))?.id ?? null;

test("an update is made by the active download of its target", () => {
  assert.equal(pull([download("a", "running", "ada/b:Q4"), download("b", "queued")]), "b");
  assert.equal(pull([download("a", "failed"), download("b", "paused"), download("c", "cancelled")]), null);
  assert.equal(pull([download("b", "running")], [], { ...update, state: "current" }), null);
});

test("a download has made an update only if it was not done when the sources were asked", () => {
  const done = [download("a", "done")];
  assert.equal(pull(done), "a");
  assert.equal(pull(done, ["a"]), null);
  assert.equal(pull([download("b", "running"), ...done], ["a"]), "b");
  assert.deepEqual(doneIds([download("b", "running"), ...done]), new Set(["a"]));
});
