/** Usage as CSV (RFC 4180). Pure. */

/**
 * @typedef {import("../../lib/api_types.js").UsageRow} UsageRow
 * @type {("key" | "model" | "client" | "requests" | "failed" | "prompt_tokens" | "completion_tokens" | "cached_tokens" | "busy_s")[]}
 */
const FIELDS = ["key", "model", "client", "requests", "failed", "prompt_tokens", "completion_tokens", "cached_tokens", "busy_s"];

/** @param {readonly UsageRow[]} rows @param {string} by The field of names that they are grouped by. @returns {string} */
export function usageCsv(rows, by) {
  const fields = FIELDS.filter((field) => field === by || !["key", "model", "client"].includes(field));
  const lines = rows.map((row) => [new Date((row.start_s ?? 0) * 1000).toISOString(), ...fields.map((field) => row[field])]);
  return [["start", ...fields], ...lines].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
}

/**
 * @param {string | number | null} value
 * @returns {string} Quoted where needed. A text that a spreadsheet would compute begins with an apostrophe.
 */
export function cell(value) {
  if (typeof value === "number") return String(value);
  const text = value ?? "";
  const safe = /^\s*[=+\-@|%]|^[\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}
