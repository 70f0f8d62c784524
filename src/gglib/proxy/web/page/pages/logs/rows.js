/** Lines of a log as rows of the view: time in local time, level, text, and their width in columns. Pure. */

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

/** Filters for the lowest level, of the levels in `SEVERITIES`. */
export const LEVELS = [
  { value: "0", label: "All levels" },
  { value: "20", label: "Info and above" },
  { value: "30", label: "Warnings and errors" },
  { value: "40", label: "Errors" },
];

/** @param {number} id @param {LogLine} line @param {number} severity Of the line before. @returns {Row} */
export function lineRow(id, line, severity) {
  const text = messageOf(line).replaceAll("\t", "    ");
  const time = localTime(line.time);
  const level = line.level;
  const width = columnsOf(text) + (time === "" ? 0 : TIME_COLUMNS) + (level === null ? 0 : LEVEL_COLUMNS + 1);
  return row(id, "line", text, { time, level, width, raw: line.text, severity: level === null ? severity : SEVERITIES[level] ?? 20 });
}

/** @param {number} id @param {number} skipped @returns {Row} */
export function skippedRow(id, skipped) {
  return row(id, "gap", `${skipped.toLocaleString("en-US")} lines left out here: they were written faster than they can be sent.`);
}

/** @param {number} id @returns {Row} */
export function reconnectedRow(id) {
  return row(id, "gap", "The connection was lost: lines may be missing here.");
}

/** @param {number} id @param {string} day @returns {Row} */
export function dayRow(id, day) {
  return row(id, "day", day);
}

/** @param {LogLine} line @returns {string | null} The local day: "2026-11-29"; null without a time. */
export function dayOf({ time }) {
  const date = dateOf(time);
  return date === null ? null : [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
}

/** @param {string} level @returns {string} At the width of the longest level. */
export function paddedLevel(level) {
  return `${level.padEnd(LEVEL_COLUMNS)} `;
}

/** @param {Row} shown @returns {string} As text for a file. */
export function rowText({ kind, time, level, text }) {
  if (kind !== "line") return `--- ${text}`;
  return `${time === "" ? "" : `${time} `}${level === null ? "" : paddedLevel(level)}${text}`;
}

/** @param {string} text @returns {number} Columns that it takes: wide characters take two, marks none. */
export function columnsOf(text) {
  if (NARROW.test(text)) return text.length;
  let columns = 0;
  for (const character of text) columns += WIDE.test(character) ? 2 : /\p{M}/u.test(character) ? 0 : 1;
  return columns;
}

/** @param {LogLine} line @returns {string} Its text without the time and the level, which have places of their own. */
function messageOf({ text, time, level }) {
  const start = time === null || level === null ? "" : `${time} ${paddedLevel(level)}`;
  return start !== "" && text.startsWith(start) ? text.slice(start.length) : text;
}

/** @param {number} id @param {Row["kind"]} kind @param {string} text @param {Partial<Row>} [values] @returns {Row} */
function row(id, kind, text, values = {}) {
  const isAscii = NARROW.test(text);
  return { id, kind, text, raw: "", time: "", level: null, severity: 0, width: columnsOf(text), isAscii, measured: null, ...values };
}

/** @param {string | null} time @returns {string} "22:41:07.123"; empty without a time. */
function localTime(time) {
  const date = dateOf(time);
  if (date === null) return "";
  const seconds = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${seconds}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** @param {string | null} time @returns {Date | null} */
function dateOf(time) {
  const date = time === null ? null : new Date(time);
  return date === null || Number.isNaN(date.getTime()) ? null : date;
}

/** @param {number} value */
function two(value) {
  return String(value).padStart(2, "0");
}
