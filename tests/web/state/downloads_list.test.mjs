import assert from "node:assert/strict";
import { test } from "node:test";

import { inOrder, isActive, merged, replaced, shareOf, stateText } from "../../../src/gglib/proxy/web/page/state/downloads.js";

const download = (id, state, fields = {}) => ({
  id, state, phase: null, done_bytes: 0, total_bytes: null, bytes_per_s: null, left_s: null, created_at: 1, ...fields,
});
const ids = (list) => list.map(({ id }) => id);

test("active downloads are first, then the newest", () => {
  const list = [
    download("a", "done", { created_at: 1 }), download("b", "failed", { created_at: 9 }), download("c", "paused"),
    download("d", "queued"), download("e", "running"), download("f", "running", { created_at: 2 }),
  ];
  assert.deepEqual(ids(inOrder(list)), ["f", "e", "d", "c", "b", "a"]);
  assert.deepEqual(list.filter(isActive).map(({ id }) => id), ["d", "e", "f"]);
});

test("a state replaces the one before, or is new", () => {
  const list = [download("a", "queued"), download("b", "queued")];
  assert.deepEqual(replaced(list, download("a", "running")).map(({ state }) => state), ["running", "queued"]);
  assert.deepEqual(ids(replaced(list, download("c", "queued"))), ["a", "b", "c"]);
});

test("a listing keeps the progress of a stream, which is newer", () => {
  const known = [download("a", "running", { done_bytes: 9 }), download("b", "running", { done_bytes: 9 }), download("gone", "done")];
  const listed = [download("a", "running", { done_bytes: 5 }), download("b", "done", { done_bytes: 5 }), download("c", "queued")];
  assert.deepEqual(merged(known, listed).map(({ id, state, done_bytes: done }) => [id, state, done]), [
    ["a", "running", 9], ["b", "done", 5], ["c", "queued", 0],
  ]);
});

test("the share is unknown where nothing can be counted", () => {
  const running = { done_bytes: 5, total_bytes: 10 };
  assert.equal(shareOf(download("a", "running", { ...running, phase: "downloading" })), 0.5);
  assert.equal(shareOf(download("a", "running", { ...running, phase: "adding" })), null);
  assert.equal(shareOf(download("a", "running", { done_bytes: 5 })), null);
  assert.equal(shareOf(download("a", "done")), 1);
});

test("a state is one line", () => {
  const text = (state, fields) => stateText(download("a", state, fields));
  const half = { done_bytes: 5e8, total_bytes: 1e9 };
  assert.equal(text("running", { ...half, phase: "downloading", bytes_per_s: 1e7, left_s: 50 }), "Downloading · 500 MB of 1 GB · 10 MB/s · 50 s left");
  assert.equal(text("running", { ...half, phase: "downloading" }), "Downloading · 500 MB of 1 GB");
  assert.equal(text("running", { phase: "downloading", bytes_per_s: 1e7, done_bytes: 1e6 }), "Downloading · 1 MB · 10 MB/s");
  assert.equal(text("running", { ...half, phase: "verifying", bytes_per_s: 1e7 }), "Verifying · 500 MB of 1 GB");
  assert.equal(text("running", {}), "Starting");
  assert.equal(text("queued", {}), "Waiting for its turn");
  assert.equal(text("paused", half), "Paused at 500 MB of 1 GB");
  assert.equal(text("cancelled", {}), "Cancelled");
  assert.equal(text("failed", half), "Failed");
  assert.equal(text("done", half), "Ready to use · 1 GB");
});

test("a listing does not undo what changed while it was read", () => {
  const before = [download("a", "running"), download("b", "running"), download("removed", "done")];
  const known = [before[0], download("b", "paused"), before[2], download("new", "queued")];
  const listed = [download("a", "done"), download("b", "running")];
  assert.deepEqual(merged(known, listed, before).map(({ id, state }) => [id, state]), [["a", "done"], ["b", "paused"], ["new", "queued"]]);
});
