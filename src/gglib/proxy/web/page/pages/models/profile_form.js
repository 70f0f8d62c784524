/** The form of a profile: sampling values as fields, everything else as JSON. Pure. */

/**
 * @typedef {import("../../lib/api_types.js").Profile} Profile
 * @typedef {import("../../lib/api_types.js").NewProfile} NewProfile
 * @typedef {{name: string, model: string, description: string, system: string, sampling: Record<string, string>,
 *   defaults: string, template_kwargs: string, strip: string}} Form `model` is "" for a profile of all models.
 * @typedef {Record<string, string>} Errors By name of the field; those of sampling by the name of the value.
 */

/** The values with a field of their own: what a request accepts. */
export const SAMPLING = [
  { name: "temperature", label: "Temperature", low: 0, high: 5 },
  { name: "top_p", label: "Top P", low: 0, high: 1 },
  { name: "top_k", label: "Top K", low: 0, isInteger: true },
  { name: "min_p", label: "Min P", low: 0, high: 1 },
  { name: "repeat_penalty", label: "Repeat penalty", low: 0, high: 5 },
  { name: "presence_penalty", label: "Presence penalty", low: -2, high: 2 },
  { name: "frequency_penalty", label: "Frequency penalty", low: -2, high: 2 },
  { name: "max_tokens", label: "Max tokens", low: 1, isInteger: true },
  { name: "seed", label: "Seed", low: -1, high: 2 ** 32 - 1, isInteger: true },
];

const SAMPLED = new Set(SAMPLING.map(({ name }) => name));
const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const MAX_DESCRIPTION = 512;

/** @param {Profile | null} profile @param {string} model The model of a new profile. @returns {Form} */
export function formOf(profile, model = "") {
  const defaults = Object.entries(profile?.defaults ?? {});
  const isField = (/** @type {[string, unknown]} */ [name, value]) => SAMPLED.has(name) && typeof value === "number";
  return {
    name: profile?.name ?? "",
    model: profile === null ? model : (profile.model ?? ""),
    description: profile?.description ?? "",
    system: profile?.system ?? "",
    sampling: Object.fromEntries(defaults.filter(isField).map(([name, value]) => [name, String(value)])),
    defaults: jsonText(Object.fromEntries(defaults.filter((entry) => !isField(entry)))),
    template_kwargs: jsonText(profile?.template_kwargs ?? {}),
    strip: (profile?.strip ?? []).join(", "),
  };
}

/** @param {Form} form @returns {{profile: NewProfile, errors: Errors}} The body of `PUT /gglib/profiles/{name}`. */
export function profileOf(form) {
  /** @type {Errors} */
  const errors = {};
  if (!NAME.test(form.name.trim())) errors.name = "Use 1 to 64 letters, digits and the characters . _ -";
  if (form.description.length > MAX_DESCRIPTION) errors.description = `Use at most ${MAX_DESCRIPTION} characters.`;
  const others = objectOf(form.defaults, "defaults", errors);
  for (const name of Object.keys(others)) {
    if (form.sampling[name]?.trim()) errors.defaults = `${name} is set above and here: remove one of them.`;
  }
  const profile = {
    description: form.description.trim(),
    system: form.system.trim() ? form.system : null,
    defaults: { ...sampledOf(form.sampling, errors), ...others },
    template_kwargs: objectOf(form.template_kwargs, "template_kwargs", errors),
    strip: form.strip.split(/[,\s]+/).filter(Boolean),
  };
  return { profile, errors };
}

/** @param {Profile} profile @returns {string} What it sets, in one line. */
export function summaryOf(profile) {
  const values = [...Object.entries(profile.defaults), ...Object.entries(profile.template_kwargs)];
  const texts = values.map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`);
  if (profile.system !== null) texts.push("system prompt");
  if (profile.strip.length > 0) texts.push(`without ${profile.strip.join(", ")}`);
  return texts.join(" · ") || "sets nothing";
}

/** @param {Record<string, string>} sampling @param {Errors} errors @returns {Record<string, number>} */
function sampledOf(sampling, errors) {
  /** @type {Record<string, number>} */
  const values = {};
  for (const { name, low, high = Infinity, isInteger = false } of SAMPLING) {
    const text = (sampling[name] ?? "").trim();
    if (!text) continue;
    const value = Number(text);
    const isValid = Number.isFinite(value) && value >= low && value <= high && (!isInteger || Number.isInteger(value));
    if (isValid) values[name] = value;
    else errors[name] = `${isInteger ? "An integer" : "A number"} ${high === Infinity ? `of at least ${low}` : `from ${low} to ${high}`}`;
  }
  return values;
}

/** @param {string} text @param {string} field @param {Errors} errors @returns {Record<string, unknown>} */
function objectOf(text, field, errors) {
  if (!text.trim()) return {};
  try {
    const value = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
    errors[field] = 'Enter a JSON object, such as {"stop": ["END"]}';
  } catch (error) {
    errors[field] = `This is not JSON: ${/** @type {Error} */ (error).message}`;
  }
  return {};
}

/** @param {Record<string, unknown>} value */
function jsonText(value) {
  return Object.keys(value).length === 0 ? "" : JSON.stringify(value, null, 2);
}
