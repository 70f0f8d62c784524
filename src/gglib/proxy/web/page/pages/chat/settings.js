/** The settings of a chat, as they are typed, and the fields of a request that they become. Pure. */

export const DEFAULT_MAX_TOKENS = 2048;

/** @typedef {{[name: string]: string}} Settings Texts by name; empty: the default. */

/** @type {{name: string, label: string, low: number, high: number, step?: string, hint: string, isInteger?: boolean}[]} */
export const NUMBERS = [
  { name: "temperature", label: "Temperature", low: 0, high: 5, step: "0.1", hint: "0 to 5" },
  { name: "top_p", label: "Top p", low: 0, high: 1, step: "0.05", hint: "0 to 1" },
  { name: "top_k", label: "Top k", low: 0, high: 2 ** 31 - 1, hint: "0: no limit", isInteger: true },
  { name: "min_p", label: "Min p", low: 0, high: 1, step: "0.01", hint: "0 to 1" },
  { name: "max_tokens", label: "Max tokens", low: 0, high: 2 ** 31 - 1, hint: "0: no limit", isInteger: true },
  { name: "seed", label: "Seed", low: -1, high: 2 ** 32 - 1, hint: "-1: random", isInteger: true },
];

export const THINKING = [
  { value: "", label: "The model's default" },
  { value: "on", label: "On" },
  { value: "off", label: "Off" },
  { value: "low", label: "Low effort" },
  { value: "medium", label: "Medium effort" },
  { value: "high", label: "High effort" },
];

/** @type {Settings} */
export const NO_SETTINGS = { system: "", stop: "", thinking: "" };

/** @param {Settings} settings @param {string} name @returns {string | null} What is wrong with a number; null: nothing. */
export function problemOf(settings, name) {
  const rule = NUMBERS.find((number) => number.name === name);
  const text = settings[name]?.trim() ?? "";
  if (rule === undefined || text === "") return null;
  const value = Number(text);
  const isValid = Number.isFinite(value) && value >= rule.low && value <= rule.high && (!rule.isInteger || Number.isInteger(value));
  const range = rule.high > 1e6 ? `of at least ${rule.low}` : `from ${rule.low} to ${rule.high}`;
  return isValid ? null : `Enter ${rule.isInteger ? "an integer" : "a number"} ${range}.`;
}

/** @param {Settings} settings @returns {boolean} Whether a request can be sent with them. */
export function areValid(settings) {
  return NUMBERS.every(({ name }) => problemOf(settings, name) === null);
}

/**
 * @param {Settings} settings @param {{isProfile: boolean}} choice A profile may limit answers itself: it gets no default.
 * @returns {Record<string, unknown>} Invalid values are left out.
 */
export function requestFields(settings, { isProfile }) {
  /** @type {Record<string, unknown>} */
  const fields = isProfile ? {} : { max_tokens: DEFAULT_MAX_TOKENS };
  for (const { name } of NUMBERS) {
    const text = settings[name]?.trim() ?? "";
    if (text !== "" && problemOf(settings, name) === null) fields[name] = Number(text);
  }
  if (fields.max_tokens === 0) delete fields.max_tokens;
  const stop = (settings.stop ?? "").split("\n").filter((line) => line !== "");
  if (stop.length > 0) fields.stop = stop;
  const thinking = settings.thinking ?? "";
  if (thinking !== "") {
    const effort = thinking === "on" || thinking === "off" ? {} : { reasoning_effort: thinking };
    fields.chat_template_kwargs = { enable_thinking: thinking !== "off", ...effort };
  }
  return fields;
}

/** @param {Settings} settings @returns {number} How many differ from their default. */
export function changedCount(settings) {
  return Object.values(settings).filter((text) => text.trim() !== "").length;
}
