/** Usage: periods, sums, stacks and CSV. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { axisTicks, barPaths, groupsOf, labelEvery, OTHERS, seriesOf, stepDate, stepLabel, stepsOf, tokensOf } from "../../../src/gglib/proxy/web/page/pages/usage/chart.js";
import { cell, PERIODS, periodOf, queryOf, requestsSince, servedTime, sorted, speedOf, usageCsv, viewOf } from "../../../src/gglib/proxy/web/page/pages/usage/page.js";

const DAY = 86_400;
const row = (start_s, model, numbers = {}) => ({ start_s, model, key: null, client: null, requests: 1, failed: 0, prompt_tokens: 10, completion_tokens: 5, cached_tokens: 4, busy_s: 2, ...numbers });

test("each period has a filter that the API of requests takes", () => {
  assert.deepEqual(PERIODS.map(({ value }) => requestsSince(value)), ["24h", "7d", "30d", ""]);
});

test("the view is in the URL, and unknown values are the default", () => {
  assert.deepEqual(viewOf(new URLSearchParams("since=30d&by=key&show=requests")), { since: "30d", by: "key", measure: "requests" });
  assert.deepEqual(viewOf(new URLSearchParams("since=x&by=y")), { since: "7d", by: "model", measure: "tokens" });
  const view = { since: "all", by: "client", measure: "groups" };
  assert.deepEqual(viewOf(new URLSearchParams(queryOf(view))), view);
  assert.deepEqual(periodOf("today"), { since: "today", step: "hour" });
  assert.deepEqual(periodOf("all"), { since: "", step: "day" });
});

test("steps have the date of the server, in hours the time", () => {
  const start = new Date(2026, 10, 28, 0, 0, 0).getTime() / 1000;
  assert.equal(stepDate(start, "day"), "2026-11-28");
  assert.equal(stepDate(start - 3 * 3600, "day"), "2026-11-28", "midnight of a server in the east");
  assert.equal(stepDate(start + 9 * 3600, "hour"), "2026-11-28 09:00");
  assert.equal(stepLabel(start + 9 * 3600, "hour"), "09:00");
  assert.match(stepLabel(new Date(1999, 0, 5).getTime() / 1000, "day"), /^1999-01-05$/);
});

test("steps without usage are there, also around a change of the clock and up to now", () => {
  assert.deepEqual(stepsOf([row(0, "a"), row(3 * DAY, "a"), row(3 * DAY, "b")], "day", 5 * DAY), [0, DAY, 2 * DAY, 3 * DAY, 4 * DAY, 5 * DAY]);
  assert.equal(stepsOf([row(0, "a"), row(2 * DAY + 3600, "a")], "day", 2 * DAY + 3600).length, 3);
  assert.deepEqual(stepsOf([], "hour", 100), []);
  assert.ok(stepsOf([row(0, "a"), row(1e9, "a")], "hour", 1e9).length < 4100);
});

test("tokens of the cache are a part of those in, failed requests a part of all", () => {
  const rows = [row(0, "a"), row(DAY, "a", { requests: 3, failed: 2 }), row(0, "b")];
  const steps = [0, DAY];
  assert.deepEqual(seriesOf(rows, steps, "tokens", "model"), [{ name: "Out", values: [10, 5] }, { name: "In", values: [12, 6] }, { name: "In, cached", values: [8, 4] }]);
  assert.deepEqual(seriesOf(rows, steps, "requests", "model"), [{ name: "Successful", values: [2, 1] }, { name: "Failed", values: [0, 2] }]);
  assert.deepEqual(seriesOf(rows, steps, "groups", "model"), [{ name: "a", values: [15, 15] }, { name: "b", values: [15, 0] }]);
});

test("the smallest groups are one", () => {
  const rows = Array.from({ length: 10 }, (_, index) => row(0, `m${index}`, { prompt_tokens: 100 - index, completion_tokens: 0 }));
  const series = seriesOf(rows, [0], "groups", "model");
  assert.equal(series.length, 7);
  assert.deepEqual(series.at(-1), { name: OTHERS, values: [94 + 93 + 92 + 91] });
});

test("a bar stands on the parts below it, and a part without a value has none", () => {
  const plot = { width: 100, height: 50, limit: 10 };
  assert.deepEqual(barPaths([{ values: [2, 4] }, { values: [0, 6] }], plot), [
    "M7.00 50.00h36.00v-10.00h-36.00zM57.00 50.00h36.00v-20.00h-36.00z",
    "M57.00 30.00h36.00v-30.00h-36.00z",
  ]);
  assert.deepEqual(barPaths([{ values: [1] }], { width: 500, height: 50, limit: 1 }), ["M218.00 50.00h64.00v-50.00h-64.00z"]);
  assert.deepEqual(barPaths([], plot), []);
  assert.deepEqual(barPaths([{ values: [] }], plot), [""]);
});

test("an axis has round integers, a few of them", () => {
  assert.deepEqual(axisTicks(1), [0, 1]);
  assert.deepEqual(axisTicks(3.2), [0, 1, 2, 3]);
  assert.deepEqual(axisTicks(10.6), [0, 5, 10]);
  assert.deepEqual(axisTicks(212_000), [0, 50_000, 100_000, 150_000, 200_000]);
  for (let limit = 1; limit < 1e12; limit *= 1.37) {
    const ticks = axisTicks(limit);
    assert.ok(ticks.length >= 2 && ticks.length <= 6, String(limit));
    assert.ok(ticks.every(Number.isInteger) && ticks.at(-1) <= limit, String(limit));
  }
});

test("labels have space between them, and there is always one", () => {
  assert.equal(labelEvery(7, 700), 1);
  assert.equal(labelEvery(24, 400), 4);
  assert.equal(labelEvery(30, 350), 6);
  assert.equal(labelEvery(4000, 300), 4000);
  assert.equal(labelEvery(3, 0), 3);
});

test("groups are sums, and can be sorted by any column", () => {
  const groups = groupsOf([row(0, "b"), row(DAY, "b"), row(0, "a", { busy_s: 0 }), row(0, null, { prompt_tokens: 100 })], "model");
  assert.deepEqual(groups.map(({ name, requests }) => [name, requests]), [["b", 2], ["a", 1], ["", 1]]);
  assert.deepEqual(sorted(groups, "tokens", true).map(({ name }) => name), ["", "b", "a"]);
  assert.deepEqual(sorted(groups, "name", false).map(({ name }) => name), ["", "a", "b"]);
  assert.deepEqual(sorted(groups, "requests", false).map(({ name }) => name), ["", "a", "b"]);
  assert.deepEqual(sorted(groups, "speed", true).map(({ name }) => name), ["", "b", "a"]);
  assert.equal(tokensOf(groups[0]), 30);
  assert.equal(speedOf(groups[0]), 2.5);
  assert.equal(servedTime(3600), "1 h");
  assert.equal(servedTime(100 * 3600), "100 h");
  assert.equal(speedOf({ completion_tokens: 1, busy_s: 0 }), null);
});

test("CSV is quoted, and no cell is a formula", () => {
  assert.equal(cell("a"), "a");
  assert.equal(cell('a "b", c'), '"a ""b"", c"');
  assert.equal(cell("a\nb"), '"a\nb"');
  for (const start of ["=", "+", "-", "@", "\t", "\r", " =", "|", "%"]) assert.match(cell(`${start}cmd()`), /^"?'/, start);
  assert.equal(cell(-1.5), "-1.5");
  assert.equal(cell(null), "");
  assert.equal(usageCsv([row(0, "=x")], "model"), "start,model,requests,failed,prompt_tokens,completion_tokens,cached_tokens,busy_s\r\n1970-01-01T00:00:00.000Z,'=x,1,0,10,5,4,2\r\n");
});
