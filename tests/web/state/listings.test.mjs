/** Listings that were read while events came. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { applyEvent, emptyState, replaceRunning, withHistory, withSwaps } from "../../../src/gglib/proxy/web/page/state/live.js";

const started = (state, id) => applyEvent(state, "request_started", { request_id: id }, 1);
const finished = (state, id, end = 1) => applyEvent(state, "request_finished", { id: null, request_id: id, ended_at_s: end }, 1);
const stored = (number, id, end = 1) => ({ id: number, request_id: id, ended_at_s: end });
const listed = (...ids) => ids.map((id) => ({ request_id: id }));
const running = (state) => [...state.running.keys()];
const names = (state) => state.finished.map((request) => `${request.id ?? "event"} ${request.request_id}`);

test("a listing does not bring back a request that ended while it was read", () => {
  const before = started(started(emptyState(), "a"), "b");
  const state = replaceRunning(finished(before, "a"), listed("a", "b"), 2, before);
  assert.deepEqual(running(state), ["b"]);
  assert.equal(state.running.get("b").seenAt, 2);
  const both = replaceRunning(finished(started(before, "c"), "c"), listed("a", "b", "c"), 2, before);
  assert.deepEqual(running(both), ["a", "b"]);
});

test("a listing does not remove a request that began while it was read, but one that ended unseen", () => {
  const before = started(emptyState(), "unseen");
  assert.deepEqual(running(replaceRunning(started(before, "new"), listed("old"), 2, before)), ["old", "new"]);
});

test("an id that a client uses again is a request of its own", () => {
  const before = started(finished(emptyState(), "a"), "a");
  assert.deepEqual(running(replaceRunning(before, listed("a"), 2, before)), ["a"]);
});

test("the history is added to the requests of events, each once", () => {
  const state = finished(finished(emptyState(), "a", 1), "c", 3);
  const whole = withHistory(state, [stored(9, "b", 2), stored(8, "a", 1.0004), stored(7, "a", 0.5)]);
  assert.deepEqual(names(whole), ["event c", "9 b", "event a", "7 a"]);
  assert.deepEqual(names(withHistory(whole, [stored(10, "d", 4)])), ["10 d", "event c", "event a"]);
  assert.equal(finished(whole, "b", 2.0003).finished, whole.finished, "its event may come after it was listed");
});

test("swaps of a listing and of events are shown once, newest first", () => {
  const swap = (end, from) => ({ ended_at: end, from_model: from, to_model: "x" });
  const state = applyEvent(applyEvent(emptyState(), "swap", swap(3, "a"), 1), "swap", { swap: swap(4, "b") }, 1);
  const whole = withSwaps(state, [swap(3, "a"), swap(2, "c"), swap(1, "d")]);
  assert.deepEqual(whole.swaps.map(({ ended_at: end }) => end), [4, 3, 2, 1]);
  assert.equal(applyEvent(whole, "swap", swap(4, "b"), 1).swaps.length, 4);
});
