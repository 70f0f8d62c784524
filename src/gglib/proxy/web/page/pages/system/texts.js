/** Checks, settings and keys for people. Pure. */

import { counted } from "../../lib/format.js";

/**
 * @typedef {import("../../lib/api_types.js").MachineCheck} Check
 * @typedef {import("../../lib/api_types.js").SettingValue} Setting
 */

export const VERDICTS = /** @type {const} */ ({
  fail: { tone: "bad", icon: "close", word: "failed" },
  warn: { tone: "warn", icon: "warn", word: "warning" },
  ok: { tone: "ok", icon: "check", word: "passed" },
});

const FILE = "config.toml";
const DEFAULT = "default";
/** Commands that messages quote. gglib calls itself by the command that it was started with. */
const PROGRAM = String.raw`(?:(?:\S*python\S* -m )?gglib|chmod|pip|uv|sudo|ulimit) `;
const COMMAND = new RegExp(`'(${PROGRAM}[^']+)'|"(${PROGRAM}[^"]+)"`, "g");

/** @param {readonly Check[]} checks @returns {{tone: "ok" | "warn" | "bad", text: string}} */
export function summaryOf(checks) {
  const amount = (/** @type {string} */ verdict) => checks.filter((check) => check.verdict === verdict).length;
  const failed = amount("fail");
  const warnings = amount("warn");
  if (failed + warnings === 0) return { tone: "ok", text: `all ${checks.length} passed` };
  const text = [failed > 0 ? `${failed} failed` : "", warnings > 0 ? counted(warnings, "warning") : ""].filter(Boolean).join(", ");
  return { tone: failed > 0 ? "bad" : "warn", text };
}

/** @param {readonly Check[]} checks @returns {Check[]} What needs attention first; otherwise in the same order. */
export function byUrgency(checks) {
  return Object.keys(VERDICTS).flatMap((verdict) => checks.filter((check) => check.verdict === verdict));
}

/** @param {string} message @returns {{text: string, isCommand: boolean}[]} Commands that it quotes are parts of their own. */
export function messageParts(message) {
  const parts = [];
  let from = 0;
  for (const match of message.matchAll(COMMAND)) {
    parts.push({ text: message.slice(from, match.index), isCommand: false }, { text: match[1] ?? match[2] ?? "", isCommand: true });
    from = match.index + match[0].length;
  }
  parts.push({ text: message.slice(from), isCommand: false });
  return parts.filter(({ text }) => text !== "");
}

/**
 * @param {readonly Setting[]} settings @param {string} search Words that all have to be found. @param {boolean} isSetOnly
 * @returns {Setting[]}
 */
export function foundSettings(settings, search, isSetOnly) {
  const words = search.toLowerCase().split(/\s+/);
  return settings.filter(({ setting, shown, source, help }) => {
    const text = `${setting} ${shown} ${source} ${help}`.toLowerCase();
    return (!isSetOnly || source !== DEFAULT) && words.every((word) => text.includes(word));
  });
}

/** @param {Setting} setting @returns {string} The command that changes it. */
export function changeCommand({ setting }) {
  return setting === "api_keys" ? "gglib key new NAME" : `gglib config set ${setting} VALUE`;
}

/** @param {Setting} setting @returns {string} When a change of `config.toml` takes effect. */
export function changeNote({ source, is_live: isLive }) {
  if (source !== DEFAULT && source !== FILE) return `${source} has precedence over ${FILE}`;
  return `Applied by a ${isLive ? "reload" : "restart"}`;
}

/** @param {Setting} setting @returns {string} Where the value comes from. */
export function sourceText({ source, overrides }) {
  return overrides.length === 0 ? source : `${source}, not ${overrides.join(", ")}`;
}

/**
 * @param {import("../../lib/api_types.js").Reloaded} reloaded
 * @returns {string} What a reload did, in one sentence.
 */
export function reloadText({ settings, replaced_models: models }) {
  const applied = settings.filter((change) => change.applied).length;
  const left = settings.length - applied;
  const changes = [applied > 0 ? `${applied} applied` : "", left > 0 ? `${left} at the next start of the server` : ""].filter(Boolean).join(", ");
  return [changes && `Changes: ${changes}.`, models.length > 0 ? `Unloaded after their requests: ${models.join(", ")}.` : ""].filter(Boolean).join(" ")
    || "Nothing has changed since the last reload.";
}

/** @param {import("../../lib/api_types.js").Key} key @returns {{name: string, limit: number, used: number | null}[]} */
export function limitsOf({ rpm, tpm, parallel, use }) {
  const limits = [
    { name: "requests per minute", limit: rpm, used: use?.requests ?? null },
    { name: "tokens per minute", limit: tpm, used: use === null ? null : use.tokens + use.reserved_tokens },
    { name: "requests at once", limit: parallel, used: use?.running ?? null },
  ];
  return limits.flatMap(({ name, limit, used }) => (limit === null ? [] : [{ name, limit, used }]));
}
