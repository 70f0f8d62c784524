import assert from "node:assert/strict";
import test from "node:test";

import { NO_RATES, RateMeter, WINDOW_MS } from "../../../src/gglib/proxy/web/page/pages/now/figures.js";

const reading = (seenAt, chunks, changes = {}) => ({ request_id: "a", model: "small", age_s: 0, waited_s: 0, chunks, seenAt, ...changes });
const ended = (changes = {}) => ({ id: null, request_id: "a", model: "small", count: 1, duration_s: 2, waited_s: 0, completion_tokens: null, ...changes });
const near = (value, expected) => assert.ok(Math.abs(value - expected) < 1e-6, `${value} is not ${expected}`);

test("without requests the rates are 0", () => {
  assert.deepEqual(new RateMeter(0).rates(60_000), NO_RATES);
});

test("tokens of a request in progress are the differences of its readings", () => {
  const meter = new RateMeter(0);
  for (let second = 10; second <= 20; second += 1) meter.addRunning([reading(1000 * second, 40 * (second - 10), { age_s: second - 10 })]);
  const { total, byModel, byRequest } = meter.rates(20_300);
  near(total.tokens, 40);
  near(byModel.get("small").tokens, 40);
  near(byRequest.get("a"), 40);
  assert.equal(total.requests, 0);
});

test("tokens between two readings are spread over the time between them", () => {
  const meter = new RateMeter(0);
  meter.addRunning([reading(90_000, 0)]);
  meter.addRunning([reading(110_000, 200)]); // the tab was hidden: 10 a second
  near(meter.rates(110_000).total.tokens, 10);
});

test("the first reading counts from when the request was admitted", () => {
  const meter = new RateMeter(0);
  meter.addRunning([reading(100_000, 100, { age_s: 30, waited_s: 25 })]);
  near(meter.rates(100_000).total.tokens, 10);
});

test("a reading that is not newer changes nothing", () => {
  const meter = new RateMeter(0);
  meter.addRunning([reading(50_000, 10, { age_s: 1 })]);
  meter.addRunning([reading(50_000, 10, { age_s: 1 })]);
  near(meter.rates(50_000).total.tokens, 1);
});

test("a finished request adds what was not read yet, once", () => {
  const meter = new RateMeter(0);
  meter.addRunning([reading(50_000, 60, { age_s: 1 })]);
  const first = ended({ completion_tokens: 100 });
  meter.addFinished([first], 51_000);
  meter.addFinished([first], 51_500);
  const { total } = meter.rates(52_000);
  near(total.tokens, 10);
  near(total.requests, 0.1);
  assert.equal(meter.rates(52_000).byRequest.size, 0);
});

test("a finished request that was never read is spread over its run time", () => {
  const meter = new RateMeter(0);
  meter.addFinished([ended({ completion_tokens: 400, duration_s: 25, waited_s: 5 })], 60_000);
  near(meter.rates(60_000).total.tokens, 20);
});

test("requests of the history, and of no model, are no requests of now", () => {
  const meter = new RateMeter(0);
  meter.addFinished([ended({ id: 7, completion_tokens: 400 })], 60_000);
  meter.addFinished([ended({ model: null })], 60_000);
  assert.deepEqual(meter.rates(60_000).total, { tokens: 0, requests: 0 });
});

test("aggregated requests count as many", () => {
  const meter = new RateMeter(0);
  meter.addFinished([ended({ count: 30 })], 60_000);
  near(meter.rates(60_000).total.requests, 3);
});

test("the mean is over the time since the start while it is shorter than the window", () => {
  const meter = new RateMeter(58_000);
  meter.addFinished([ended()], 59_500);
  near(meter.rates(60_000).total.requests, 0.5);
});

test("what is older than the window is forgotten", () => {
  const meter = new RateMeter(0);
  meter.addRunning([reading(50_000, 60, { age_s: 1 })]);
  meter.addFinished([ended()], 50_500);
  assert.deepEqual(meter.rates(50_500 + 2 * WINDOW_MS).total, { tokens: 0, requests: 0 });
  assert.equal(meter.shares.length, 0);
});

test("a request whose end was not seen is forgotten", () => {
  const meter = new RateMeter(0);
  meter.addRunning([reading(50_000, 60)]);
  assert.equal(meter.rates(50_000).byRequest.size, 1);
  assert.equal(meter.rates(50_000 + 7 * WINDOW_MS).byRequest.size, 0);
});

test("the speed of a stream begins with its first part", () => {
  const meter = new RateMeter(0);
  meter.addRunning([reading(50_000, 0)]);
  meter.addRunning([reading(55_000, 0, { age_s: 5 })]);
  meter.addRunning([reading(56_000, 30, { age_s: 6 })]);
  near(meter.rates(56_000).byRequest.get("a"), 30);
});

test("the speed of a long stream is that of the window", () => {
  const meter = new RateMeter(0);
  for (let second = 0; second <= 40; second += 1) meter.addRunning([reading(50_000 + 1000 * second, second <= 20 ? 100 * second : 2000 + 10 * (second - 20), { age_s: second })]);
  near(meter.rates(90_000).byRequest.get("a"), 10);
  assert.ok(meter.samples.get("a").length <= 12);
});
