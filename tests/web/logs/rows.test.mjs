import assert from "node:assert/strict";
import { test } from "node:test";

import { columnsOf, dayOf, lineRow, paddedLevel, rowText, skippedRow } from "../../../src/gglib/proxy/web/page/pages/logs/rows.js";

const TIME = "2026-11-29T13:00:00.123+00:00";
const line = (values) => ({ text: "", time: null, level: null, source: null, ...values });
const local = new Date(TIME);
const clock = [local.getHours(), local.getMinutes(), local.getSeconds()].map((value) => String(value).padStart(2, "0")).join(":");

test("time and level of a line have their own places, in local time", () => {
  const row = lineRow(1, line({ text: `${TIME} WARNING slow disk`, time: TIME, level: "WARNING" }), 0);
  assert.deepEqual([row.time, row.level, row.text, row.severity], [`${clock}.123`, "WARNING", "slow disk", 30]);
  assert.equal(row.width, rowText(row).length);
  assert.equal(rowText(row), `${clock}.123 WARNING slow disk`);
});

test("a line that continues another has its severity", () => {
  const row = lineRow(2, line({ text: "  Traceback\tend" }), 40);
  assert.deepEqual([row.time, row.level, row.text, row.severity], ["", null, "  Traceback    end", 40]);
  assert.equal(rowText(row), "  Traceback    end");
});

test("a text of another form, a time that is none, and an unknown level stay as they are", () => {
  assert.equal(lineRow(1, line({ text: "other form", time: TIME, level: "INFO" }), 0).text, "other form");
  const row = lineRow(1, line({ text: "text", time: "yesterday", level: "NOTICE" }), 0);
  assert.deepEqual([row.time, row.text, row.severity], ["", "text", 20]);
});

test("days are local", () => {
  assert.equal(dayOf(line({ time: TIME })), `${local.getFullYear()}-${local.getMonth() + 1}-${local.getDate()}`);
  assert.equal(dayOf(line({})), null);
});

test("wide characters take two columns, marks none", () => {
  assert.deepEqual(["abc", "日本", "é", "e\u0301", "🙂", ""].map(columnsOf), [3, 4, 1, 1, 2, 0]);
});

test("left out lines are counted in a row of their own", () => {
  const row = skippedRow(3, 12345);
  assert.equal(row.kind, "gap");
  assert.match(rowText(row), /^--- 12,345 lines left out/);
});

test("levels have the same width", () => {
  assert.deepEqual([...new Set(["INFO", "WARNING", "ERROR"].map((level) => paddedLevel(level).length))], [8]);
});
