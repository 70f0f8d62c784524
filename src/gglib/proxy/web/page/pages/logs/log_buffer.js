/** The newest lines of a log, those that pass a filter, and those that are held back while the view is paused. Pure. */

import { dayOf, dayRow, lineRow, reconnectedRow, skippedRow } from "./rows.js";

/**
 * @typedef {import("./rows.js").Row} Row
 * @typedef {import("./rows.js").LogLine} LogLine
 */

/** How many rows are kept. */
export const LIMIT = 10_000;

/** How many lines have to be the same for the place at which a log goes on. */
const OVERLAP = 20;

export class LogBuffer {
  /** All rows, oldest first; their ids ascend. @type {Row[]} */
  rows = [];
  /** Those that pass the filter. @type {Row[]} */
  shown = [];
  /** Number of lines that came since `hold`. */
  held = 0;
  /** Whether lines have levels. */
  hasLevels = false;

  #limit;
  #lastId = 0;
  #severity = 0;
  /** @type {string | null} */
  #day = null;
  #search = "";
  #minimum = 0;
  /** @type {LogLine[] | null} */
  #waiting = null;
  #waitingSkipped = 0;

  /** @param {number} [limit] Number of rows that are kept. */
  constructor(limit = LIMIT) {
    this.#limit = limit;
  }

  /**
   * Add new lines; older ones are dropped.
   * @param {readonly LogLine[]} lines @param {number} [skipped] Lines left out before them. @param {boolean} [isGap] Whether others may be missing there.
   */
  append(lines, skipped = 0, isGap = false) {
    if (this.#waiting !== null) {
      this.#keepWaiting(lines, skipped);
      return;
    }
    const first = this.rows.length;
    if (isGap) this.rows.push(reconnectedRow(this.#nextId()));
    if (skipped > 0) this.rows.push(skippedRow(this.#nextId(), skipped));
    for (const line of lines) this.#push(line);
    this.#take(first);
  }

  /**
   * Add the lines of a new connection: those that are known already are left out.
   * @param {readonly LogLine[]} lines @param {number} [skipped] Lines left out before them: known ones, if any of `lines` is.
   */
  appendAgain(lines, skipped = 0) {
    const known = this.#waiting?.length ? this.#waiting.map(({ text }) => text) : this.rows.filter(({ kind }) => kind === "line").slice(-OVERLAP).map(({ raw }) => raw);
    const next = overlapEnd(known.slice(-OVERLAP), lines);
    if (next === null) this.append(lines, skipped, known.length > 0);
    else this.append(lines.slice(next));
  }

  /** Show rows with this text and at least this severity. @param {string} search @param {number} minimum */
  filter(search, minimum) {
    this.#search = search.toLowerCase();
    this.#minimum = minimum;
    this.shown = this.rows.filter((row) => this.#passes(row));
  }

  /** From now on, count new lines instead of showing them. */
  hold() {
    this.#waiting ??= [];
  }

  /** Show the lines that were held back, and new ones. */
  release() {
    const lines = this.#waiting ?? [];
    const skipped = this.#waitingSkipped;
    this.#waiting = null;
    this.#waitingSkipped = 0;
    this.held = 0;
    this.append(lines, skipped);
  }

  /** @param {readonly LogLine[]} lines @param {number} skipped */
  #keepWaiting(lines, skipped) {
    const all = [...(this.#waiting ?? []), ...lines];
    const kept = all.slice(-this.#limit);
    this.#waiting = kept;
    this.#waitingSkipped += skipped + all.length - kept.length;
    this.held += lines.length + skipped;
  }

  /** @param {LogLine} line */
  #push(line) {
    const day = dayOf(line);
    if (day !== null && day !== this.#day) {
      this.#day = day;
      this.rows.push(dayRow(this.#nextId(), day));
    }
    const row = lineRow(this.#nextId(), line, this.#severity);
    this.#severity = row.severity;
    this.hasLevels ||= row.level !== null;
    this.rows.push(row);
  }

  /** Show the rows from this index on, and drop the oldest above the limit. @param {number} first */
  #take(first) {
    const added = this.rows.slice(first).filter((row) => this.#passes(row));
    this.shown = [...this.shown, ...added];
    const excess = this.rows.length - this.#limit;
    if (excess <= 0) return;
    this.rows = this.rows.slice(excess);
    const oldest = this.rows[0]?.id ?? 0;
    this.shown = this.shown.slice(firstAfter(this.shown, oldest - 1));
  }

  /** @param {Row} row */
  #passes(row) {
    if (row.kind !== "line") return this.#search === "" && this.#minimum === 0;
    return row.severity >= this.#minimum && (this.#search === "" || row.text.toLowerCase().includes(this.#search));
  }

  #nextId() {
    this.#lastId += 1;
    return this.#lastId;
  }
}

/** @param {readonly Row[]} rows Ids ascend. @param {number} id @returns {number} Index of the first row with a greater id. */
export function firstAfter(rows, id) {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (/** @type {Row} */ (rows[middle]).id <= id) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * @param {readonly string[]} known The last known lines. @param {readonly LogLine[]} lines
 * @returns {number | null} The index in `lines` after the known ones; null: they are not in `lines`.
 */
function overlapEnd(known, lines) {
  if (known.length === 0) return null;
  for (let end = lines.length; end > 0; end -= 1) {
    const compared = Math.min(known.length, end);
    let same = 0;
    while (same < compared && known[known.length - 1 - same] === lines[end - 1 - same]?.text) same += 1;
    if (same === compared) return end;
  }
  return null;
}
