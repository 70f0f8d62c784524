/**
 * Lines of a log as rows of the view: the newest ones, their texts and times, and where rows of different heights are in
 * a long list. Pure.
 */

import { clock, count, dateTime } from "../../lib/format.js";

/**
 * @typedef {import("../../lib/api_types.js").LogLine} LogLine
 * @typedef {{id: number, kind: "line" | "day" | "gap", time: string, level: string | null, severity: number,
 *   text: string, raw: string, width: number, isAscii: boolean, measured: {columns: number, lines: number} | null}} Row
 * `severity`: that of the level, or of the line that this one continues; 0: none. `raw`: the text as received.
 * `width`: columns of a font with one width. `measured`: its lines, where the browser found another number.
 */

/** @type {Record<string, number>} */
const SEVERITIES = { DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40, CRITICAL: 50 };
const LEVEL_COLUMNS = 7;
const TIME_COLUMNS = "22:41:07.123 ".length;
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const NARROW = /^[\x20-\x7e]*$/;

/** How many rows are kept. */
const LIMIT = 10_000;
/** How many lines have to be the same for the place at which a log goes on. */
const OVERLAP = 20;

/** Filters for the lowest level, of the levels in `SEVERITIES`. */
export const LEVELS = [
  { value: "0", label: "All levels" },
  { value: "20", label: "Info and above" },
  { value: "30", label: "Warnings and errors" },
  { value: "40", label: "Errors" },
];

/** The newest lines, those that pass a filter, and those that are held back while the view is paused. Pure. */
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
    if (isGap) this.rows.push(row(this.#nextId(), "gap", "The connection was lost: lines may be missing here."));
    if (skipped > 0) this.rows.push(skippedRow(this.#nextId(), skipped));
    for (const line of lines) this.#push(line);
    this.#take(first);
  }

  /**
   * Add the lines of a new connection: those that are known already are left out.
   * @param {readonly LogLine[]} lines @param {number} [skipped] Lines left out before them: known ones, if any of `lines` is.
   */
  appendAgain(lines, skipped = 0) {
    const known = this.#waiting?.length ? this.#waiting.map(({ text }) => text) : this.rows.filter(({ kind }) => kind === "line").map(({ raw }) => raw);
    const next = overlapEnd(known.slice(-OVERLAP), lines);
    if (next === null) this.append(lines, skipped, known.length > 0);
    else this.append(lines.slice(next));
  }

  /** Show rows with this text and at least this severity. @param {string} search @param {number} minimum */
  filter(search, minimum) {
    this.#search = search.toLowerCase();
    this.#minimum = minimum;
    this.shown = this.rows.filter(this.#passes);
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
    this.#waiting = all.slice(-this.#limit);
    this.#waitingSkipped += skipped + all.length - this.#waiting.length;
    this.held += lines.length + skipped;
  }

  /** @param {LogLine} line */
  #push(line) {
    const day = dayOf(line);
    if (day !== null && day !== this.#day) {
      this.#day = day;
      this.rows.push(row(this.#nextId(), "day", day));
    }
    const added = lineRow(this.#nextId(), line, this.#severity);
    this.#severity = added.severity;
    this.hasLevels ||= added.level !== null;
    this.rows.push(added);
  }

  /** Show the rows from this index on, and drop the oldest above the limit. @param {number} first */
  #take(first) {
    this.shown = [...this.shown, ...this.rows.slice(first).filter(this.#passes)];
    const excess = this.rows.length - this.#limit;
    if (excess <= 0) return;
    this.rows = this.rows.slice(excess);
    this.shown = this.shown.slice(firstAfter(this.shown, (this.rows[0]?.id ?? 0) - 1));
  }

  #passes = (/** @type {Row} */ { kind, severity, text }) => (kind === "line"
    ? severity >= this.#minimum && text.toLowerCase().includes(this.#search)
    : this.#search === "" && this.#minimum === 0);

  #nextId() {
    this.#lastId += 1;
    return this.#lastId;
  }
}

/** @param {number} id @param {LogLine} line @param {number} severity Of the line before. @returns {Row} */
export function lineRow(id, { text: raw, time: at, level }, severity) {
  // The time and the level have places of their own.
  const start = at === null || level === null ? "" : `${at} ${paddedLevel(level)}`;
  const text = (raw.startsWith(start) ? raw.slice(start.length) : raw).replaceAll("\t", "    ");
  const time = localTime(at);
  const plain = row(id, "line", text);
  const width = plain.width + (time === "" ? 0 : TIME_COLUMNS) + (level === null ? 0 : LEVEL_COLUMNS + 1);
  return { ...plain, time, level, width, raw, severity: level === null ? severity : SEVERITIES[level] ?? 20 };
}

/** @param {number} id @param {number} skipped @returns {Row} */
export function skippedRow(id, skipped) {
  return row(id, "gap", `${count(skipped)} lines left out here: they were written faster than they can be sent.`);
}

/** @param {LogLine} line @returns {string | null} The local day: "2026-11-29"; null without a time. */
export function dayOf({ time }) {
  const at = Date.parse(time ?? "");
  return Number.isNaN(at) ? null : dateTime(at / 1000).slice(0, 10);
}

/** @param {string} level @returns {string} At the width of the longest level. */
export function paddedLevel(level) {
  return `${level.padEnd(LEVEL_COLUMNS)} `;
}

/** @param {Row} shown @returns {string} As text for a file. */
export function rowText({ kind, time, level, text }) {
  if (kind !== "line") return `--- ${text}`;
  return `${time && `${time} `}${level === null ? "" : paddedLevel(level)}${text}`;
}

/** @param {string} text @returns {number} Columns that it takes: wide characters take two, marks none. */
export function columnsOf(text) {
  if (NARROW.test(text)) return text.length;
  let columns = 0;
  for (const character of text) columns += WIDE.test(character) ? 2 : /\p{M}/u.test(character) ? 0 : 1;
  return columns;
}

/**
 * @param {string} text @param {string} search
 * @returns {{text: string, isMatch: boolean}[]} The text in parts; upper and lower case are the same.
 */
export function partsOf(text, search) {
  const lower = text.toLowerCase();
  const wanted = search.toLowerCase();
  // The lower case of some letters is longer: then nothing is marked.
  const next = (/** @type {number} */ from) => (search !== "" && lower.length === text.length ? lower.indexOf(wanted, from) : -1);
  const parts = [];
  let from = 0;
  for (let at = next(0); at >= 0; at = next(from)) {
    if (at > from) parts.push({ text: text.slice(from, at), isMatch: false });
    from = at + wanted.length;
    parts.push({ text: text.slice(at, from), isMatch: true });
  }
  if (from < text.length) parts.push({ text: text.slice(from), isMatch: false });
  return parts;
}

/**
 * @param {readonly Row[]} rows @param {number | null} columns After which lines wrap; null: they do not.
 * @returns {Float64Array} The start of each row, and the end of the last. In lines of text, not in pixels.
 */
export function offsetsOf(rows, columns) {
  const offsets = new Float64Array(rows.length + 1);
  let sum = 0;
  rows.forEach((row, index) => {
    sum += linesOf(row, columns);
    offsets[index + 1] = sum;
  });
  return offsets;
}

/** @param {Row} row @param {number | null} columns @returns {number} */
export function linesOf({ measured, width }, columns) {
  if (columns === null) return 1;
  return measured?.columns === columns ? measured.lines : Math.max(1, Math.ceil(width / columns));
}

/** @param {Row} row @param {number} columns @returns {boolean} Whether its number of lines is an estimate until it is measured. */
export function mayWrap(row, columns) {
  return row.width > columns || !row.isAscii;
}

/** @param {Float64Array} offsets @param {number} line @returns {number} Index of the row at a line; that of the last row if it is beyond. */
export function rowAt(offsets, line) {
  return Math.max(0, firstWith(offsets.length - 1, (index) => /** @type {number} */ (offsets[index]) > line) - 1);
}

/** @param {readonly {id: number}[]} rows Ids ascend. @param {number} id @returns {number} Index of the first row with a greater id. */
export function firstAfter(rows, id) {
  return firstWith(rows.length, (index) => /** @type {Row} */ (rows[index]).id > id);
}

/**
 * @param {Float64Array} offsets @param {number} top @param {number} height In lines. @param {number} [margin] Rows beyond each edge.
 * @returns {{first: number, last: number}} Rows from `first` up to `last` (exclusive).
 */
export function rowsInView(offsets, top, height, margin = 10) {
  return {
    first: Math.max(0, rowAt(offsets, top) - margin),
    last: Math.min(offsets.length - 1, rowAt(offsets, top + height) + 1 + margin),
  };
}

/** @param {readonly Row[]} rows @returns {number} Columns of the widest one. */
export function widestOf(rows) {
  return rows.reduce((widest, row) => Math.max(widest, row.width), 0);
}

/**
 * @param {readonly string[]} known The last known lines. @param {readonly LogLine[]} lines
 * @returns {number | null} The index in `lines` after the known ones; null: they are not in `lines`.
 */
function overlapEnd(known, lines) {
  for (let end = known.length > 0 ? lines.length : 0; end > 0; end -= 1) {
    const compared = Math.min(known.length, end);
    if (known.slice(-compared).every((text, index) => text === lines[end - compared + index]?.text)) return end;
  }
  return null;
}

/** @param {number} length @param {(index: number) => boolean} isMet Once it is met, it is for all that follow. @returns {number} The first index. */
function firstWith(length, isMet) {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isMet(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** @param {number} id @param {Row["kind"]} kind @param {string} text @returns {Row} */
function row(id, kind, text) {
  return { id, kind, text, raw: "", time: "", level: null, severity: 0, width: columnsOf(text), isAscii: NARROW.test(text), measured: null };
}

/** @param {string | null} time @returns {string} "22:41:07.123"; empty without a time. */
function localTime(time) {
  const at = Date.parse(time ?? "");
  return Number.isNaN(at) ? "" : `${clock(at / 1000)}.${String(at % 1000).padStart(3, "0")}`;
}
