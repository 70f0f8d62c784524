/** Where rows of different heights are in a long list. In lines of text, not in pixels. Pure. */

/** @typedef {import("./rows.js").Row} Row */

/**
 * @param {readonly Row[]} rows @param {number | null} columns After which lines wrap; null: they do not.
 * @returns {Float64Array} The start of each row, and the end of the last.
 */
export function offsetsOf(rows, columns) {
  const offsets = new Float64Array(rows.length + 1);
  let sum = 0;
  rows.forEach((row, index) => {
    offsets[index] = sum;
    sum += linesOf(row, columns);
  });
  offsets[rows.length] = sum;
  return offsets;
}

/** @param {Row} row @param {number | null} columns @returns {number} */
export function linesOf(row, columns) {
  if (columns === null) return 1;
  if (row.measured?.columns === columns) return row.measured.lines;
  return Math.max(1, Math.ceil(row.width / columns));
}

/** @param {Row} row @param {number} columns @returns {boolean} Whether its number of lines is an estimate until it is measured. */
export function mayWrap(row, columns) {
  return row.width > columns || !row.isAscii;
}

/** @param {Float64Array} offsets @param {number} line @returns {number} Index of the row at a line; that of the last row if it is beyond. */
export function rowAt(offsets, line) {
  let low = 0;
  let high = Math.max(0, offsets.length - 2);
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (/** @type {number} */ (offsets[middle]) <= line) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * @param {Float64Array} offsets @param {number} top @param {number} height In lines. @param {number} [margin] Rows beyond each edge.
 * @returns {{first: number, last: number}} Rows from `first` up to `last` (exclusive).
 */
export function rowsInView(offsets, top, height, margin = 10) {
  const count = offsets.length - 1;
  if (count <= 0) return { first: 0, last: 0 };
  return {
    first: Math.max(0, rowAt(offsets, top) - margin),
    last: Math.min(count, rowAt(offsets, top + height) + 1 + margin),
  };
}

/** @param {readonly Row[]} rows @returns {number} Columns of the widest one. */
export function widestOf(rows) {
  return rows.reduce((widest, row) => Math.max(widest, row.width), 0);
}

/**
 * @param {string} text @param {string} search
 * @returns {{text: string, isMatch: boolean}[]} The text in parts; upper and lower case are the same.
 */
export function partsOf(text, search) {
  if (search === "") return [{ text, isMatch: false }];
  const lower = text.toLowerCase();
  const wanted = search.toLowerCase();
  if (lower.length !== text.length) return [{ text, isMatch: false }]; // a letter whose lower case is longer
  const parts = [];
  let from = 0;
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
    if (at > from) parts.push({ text: text.slice(from, at), isMatch: false });
    parts.push({ text: text.slice(at, at + wanted.length), isMatch: true });
    from = at + wanted.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), isMatch: false });
  return parts;
}
