import assert from "node:assert/strict";
import { test } from "node:test";

import { firstAfter, LogBuffer } from "../../../src/gglib/proxy/web/page/pages/logs/rows.js";

const line = (text, level = null, time = null) => ({ text, time, level, source: null });
const lines = (first, end) => Array.from({ length: end - first }, (_, index) => line(`line ${first + index}`));
const texts = (rows) => rows.map((row) => row.text);

test("the newest rows are kept, with ascending ids", () => {
  const buffer = new LogBuffer(5);
  buffer.append(lines(0, 4));
  buffer.append(lines(4, 8));
  assert.deepEqual(texts(buffer.rows), ["line 3", "line 4", "line 5", "line 6", "line 7"]);
  assert.deepEqual(buffer.shown, buffer.rows);
  assert.deepEqual(buffer.rows.map((row) => row.id), [4, 5, 6, 7, 8]);
});

test("a filter applies to old and new lines, without regard to case", () => {
  const buffer = new LogBuffer(6);
  buffer.append(lines(0, 3));
  buffer.filter("LINE 1", 0);
  buffer.append(lines(10, 12), 7);
  assert.deepEqual(texts(buffer.shown), ["line 1", "line 10", "line 11"]);
  buffer.append(lines(20, 23));
  assert.deepEqual(texts(buffer.shown), ["line 10", "line 11"]);
  buffer.filter("", 0);
  assert.equal(buffer.shown.length, 6);
});

test("the level of a line is that of the lines which continue it", () => {
  const buffer = new LogBuffer();
  assert.equal(buffer.hasLevels, false);
  buffer.append([line("one", "INFO"), line("two", "ERROR")]);
  buffer.append([line("  trace"), line("three", "WARNING"), line("four", "DEBUG")]);
  buffer.filter("", 40);
  assert.deepEqual(texts(buffer.shown), ["two", "  trace"]);
  buffer.filter("t", 30);
  assert.deepEqual(texts(buffer.shown), ["two", "  trace", "three"]);
  assert.equal(buffer.hasLevels, true);
});

test("a new day and left out lines have rows of their own, which a filter hides", () => {
  const buffer = new LogBuffer();
  buffer.append([line("one", "INFO", "2026-11-28T12:00:00.000+00:00"), line("two", "INFO", "2026-11-28T12:00:01.000+00:00")]);
  buffer.append([line("three", "INFO", "2026-11-30T12:00:00.000+00:00")], 3);
  assert.deepEqual(buffer.rows.map((row) => row.kind), ["day", "line", "line", "gap", "day", "line"]);
  buffer.filter("t", 0);
  assert.deepEqual(texts(buffer.shown), ["two", "three"]);
});

test("while it is held, lines are counted, and a bounded number is kept", () => {
  const buffer = new LogBuffer(4);
  buffer.append(lines(0, 2));
  buffer.hold();
  buffer.append(lines(2, 5));
  buffer.append(lines(5, 8), 2);
  buffer.hold();
  assert.deepEqual([texts(buffer.rows), buffer.held], [["line 0", "line 1"], 8]);
  buffer.release();
  assert.deepEqual([texts(buffer.rows), buffer.held], [["line 4", "line 5", "line 6", "line 7"], 0]);
  buffer.release();
  assert.equal(buffer.rows.length, 4);
});

test("what is left out while it is held has a row", () => {
  const buffer = new LogBuffer(6);
  buffer.hold();
  buffer.append(lines(0, 9));
  buffer.release();
  assert.deepEqual(texts(buffer.rows).at(-1), "line 8");
  const small = new LogBuffer(6);
  small.hold();
  small.append(lines(0, 2), 1);
  small.release();
  assert.deepEqual(small.rows.map((row) => row.kind), ["gap", "line", "line"]);
});

test("a new connection goes on after the known lines", () => {
  const buffer = new LogBuffer();
  buffer.append(lines(0, 30));
  buffer.appendAgain(lines(5, 33));
  assert.deepEqual(texts(buffer.rows), texts(lines(0, 33)));
  buffer.appendAgain(lines(31, 33));
  assert.equal(buffer.rows.length, 33);
  buffer.appendAgain(lines(40, 42));
  assert.deepEqual(buffer.rows.slice(33).map((row) => row.kind), ["gap", "line", "line"]);
});

test("what may be missing between two connections is shown at once, with what was left out", () => {
  const buffer = new LogBuffer();
  buffer.append(lines(0, 30));
  buffer.appendAgain(lines(40, 42), 7);
  assert.deepEqual(buffer.shown.slice(30).map((row) => row.kind), ["gap", "gap", "line", "line"]);
  assert.match(buffer.shown[30].text, /lines may be missing/);
  assert.match(buffer.shown[31].text, /^7 lines left out/);
  buffer.appendAgain(lines(41, 43), 7); // left out before a known line
  assert.deepEqual(buffer.shown.slice(34).map((row) => row.text), ["line 42"]);
});

test("a new connection with an empty buffer, or while it is held", () => {
  const buffer = new LogBuffer();
  buffer.appendAgain(lines(0, 2));
  assert.deepEqual(texts(buffer.rows), ["line 0", "line 1"]);
  buffer.hold();
  buffer.appendAgain(lines(0, 4));
  buffer.appendAgain(lines(0, 5));
  assert.equal(buffer.held, 3);
  buffer.release();
  assert.deepEqual(texts(buffer.rows), texts(lines(0, 5)));
});

test("rows are found by id", () => {
  const rows = [{ id: 2 }, { id: 4 }, { id: 9 }];
  assert.deepEqual([0, 2, 3, 4, 9].map((id) => firstAfter(rows, id)), [0, 1, 1, 2, 3]);
});
