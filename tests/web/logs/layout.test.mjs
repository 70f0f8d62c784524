import assert from "node:assert/strict";
import { test } from "node:test";

import { linesOf, mayWrap, offsetsOf, partsOf, rowAt, rowsInView, widestOf } from "../../../src/gglib/proxy/web/page/pages/logs/rows.js";

const row = (width, values = {}) => ({ width, isAscii: true, measured: null, ...values });

test("rows wrap after a number of columns, or not at all", () => {
  const rows = [row(0), row(10), row(11), row(25)];
  assert.deepEqual([...offsetsOf(rows, 10)], [0, 1, 2, 4, 7]);
  assert.deepEqual([...offsetsOf(rows, null)], [0, 1, 2, 3, 4]);
});

test("what the browser measured counts, for the same number of columns", () => {
  const measured = row(25, { measured: { columns: 10, lines: 4 } });
  assert.deepEqual([10, 5].map((columns) => linesOf(measured, columns)), [4, 5]);
  assert.deepEqual([row(10), row(11), row(2, { isAscii: false })].map((shown) => mayWrap(shown, 10)), [false, true, true]);
});

test("the row at a line, and the rows in view", () => {
  const offsets = offsetsOf([row(5), row(25), row(5), row(5)], 10); // 0, 1, 4, 5, 6
  assert.deepEqual([-1, 0, 0.5, 1, 3.9, 4, 5.5, 99].map((line) => rowAt(offsets, line)), [0, 0, 0, 1, 1, 2, 3, 3]);
  assert.deepEqual(rowsInView(offsets, 2, 2.5, 0), { first: 1, last: 3 });
  assert.deepEqual(rowsInView(offsets, 2, 2.5, 1), { first: 0, last: 4 });
  assert.deepEqual(rowsInView(offsetsOf([], 10), 0, 10), { first: 0, last: 0 });
});

test("the widest row", () => {
  assert.deepEqual([widestOf([row(3), row(9), row(1)]), widestOf([])], [9, 0]);
});

test("matches are parts of the text, in any case", () => {
  const shown = (text, search) => partsOf(text, search).map((part) => (part.isMatch ? `[${part.text}]` : part.text)).join("|");
  assert.equal(shown("Error: no error", "ERROR"), "[Error]|: no |[error]");
  assert.equal(shown("aaa", "aa"), "[aa]|a");
  assert.equal(shown("<b>x</b>", "b>"), "<|[b>]|x</|[b>]");
  assert.equal(shown("text", ""), "text");
  assert.equal(shown("text", "none"), "text");
  assert.equal(shown("İ error", "error"), "İ error"); // its lower case is longer: nothing is marked
});
