/** The results of `gglib doctor` for people. Pure. */

import { counted } from "../../lib/format.js";

/** @typedef {import("../../lib/api_types.js").MachineCheck} Check */

export const VERDICTS = /** @type {const} */ ({
  ok: { tone: "ok", icon: "check", word: "passed" },
  warn: { tone: "warn", icon: "warn", word: "warning" },
  fail: { tone: "bad", icon: "close", word: "failed" },
});

/** Commands that messages quote. gglib calls itself by the command that it was started with. */
const PROGRAM = String.raw`(?:(?:\S*python\S* -m )?gglib|chmod|pip|uv|sudo|ulimit) `;
const COMMAND = new RegExp(`'(${PROGRAM}[^']+)'|"(${PROGRAM}[^"]+)"`, "g");

/** @param {readonly Check[]} checks @returns {{tone: "ok" | "warn" | "bad", text: string}} */
export function summaryOf(checks) {
  const amount = (/** @type {string} */ verdict) => checks.filter((check) => check.verdict === verdict).length;
  const failed = amount("fail");
  const warnings = amount("warn");
  const parts = [failed > 0 ? `${failed} failed` : "", warnings > 0 ? counted(warnings, "warning") : ""].filter(Boolean);
  if (parts.length === 0) return { tone: "ok", text: `all ${checks.length} passed` };
  return { tone: failed > 0 ? "bad" : "warn", text: parts.join(", ") };
}

/** @param {readonly Check[]} checks @returns {Check[]} What needs attention first; otherwise in the same order. */
export function byUrgency(checks) {
  const order = ["fail", "warn", "ok"];
  return checks.toSorted((one, other) => order.indexOf(one.verdict) - order.indexOf(other.verdict));
}

/** @param {string} message @returns {{text: string, isCommand: boolean}[]} Commands that it quotes are parts of their own. */
export function messageParts(message) {
  const parts = [];
  let from = 0;
  for (const match of message.matchAll(COMMAND)) {
    if (match.index > from) parts.push({ text: message.slice(from, match.index), isCommand: false });
    parts.push({ text: match[1] ?? match[2] ?? "", isCommand: true });
    from = match.index + match[0].length;
  }
  if (from < message.length) parts.push({ text: message.slice(from), isCommand: false });
  return parts;
}
