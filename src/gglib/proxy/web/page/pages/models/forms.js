/** The forms of a model's settings and of a profile: fields as text, and the bodies of requests that they make. Pure. */

/**
 * @typedef {import("../../lib/api_types.js").Model} Model
 * @typedef {import("../../lib/api_types.js").Profile} Profile
 * @typedef {import("../../lib/api_types.js").NewProfile} NewProfile
 * @typedef {{name: string, aliases: string, tags: string, context: string, idle_ttl_s: string, kind: string,
 *   priority: string, keep_conversations: string, is_pinned: boolean}} SettingsForm
 * @typedef {{name: string, model: string, description: string, system: string, sampling: Record<string, string>,
 *   defaults: string, template_kwargs: string, strip: string}} ProfileForm `model` is "" for a profile of all models.
 * @typedef {Record<string, string>} Errors By name of the field; those of sampling by the name of the value.
 */

const MAX_CONTEXT = 2 ** 31 - 1;
const UNIT_SECONDS = /** @type {Record<string, number>} */ ({ d: 86400, h: 3600, m: 60, min: 60, s: 1 });
const PROFILE_NAME = /^[A-Za-z0-9._-]{1,64}$/;
const MAX_DESCRIPTION = 512;
const UNQUOTED = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** The values of a profile with a field of their own: what a request accepts. */
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

/** @param {Model} model @returns {SettingsForm} */
export function settingsForm({ name, aliases, tags, context, idle_ttl_s: idleS, kind, priority, keep_conversations: isKept, is_pinned }) {
  return {
    name,
    aliases: aliases.join(", "),
    tags: tags.join(", "),
    context: String(context ?? ""),
    idle_ttl_s: idleS === null ? "" : secondsText(idleS),
    kind: kind ?? "",
    priority: priority ?? "",
    keep_conversations: String(isKept ?? ""),
    is_pinned,
  };
}

/**
 * @param {SettingsForm} before The form as it was filled in. @param {SettingsForm} form
 * @returns {{changes: Record<string, unknown>, errors: Errors}} The body of `PATCH /gglib/models/{name}`, with the
 *   fields that differ only; null resets a field.
 */
export function changesOf(before, form) {
  /** @type {Record<string, unknown>} */
  const changes = {};
  /** @type {Errors} */
  const errors = {};
  for (const [field, entered] of changed(before, form)) {
    const [value, error] = typeof entered === "boolean" ? [entered] : read(field, entered.trim());
    if (error) errors[field] = error;
    else changes[field] = value;
  }
  return { changes, errors };
}

/**
 * @param {SettingsForm} before The form as it was filled in. @param {SettingsForm} form @param {SettingsForm} now The form of the model as it is now.
 * @returns {SettingsForm} What the user changed, and the new values of all other fields.
 */
export function rebased(before, form, now) {
  return { ...now, ...Object.fromEntries(changed(before, form)) };
}

/** @param {SettingsForm} before @param {SettingsForm} form @returns {[string, string | boolean][]} The fields that differ. */
function changed(before, form) {
  return Object.entries(form).filter(([field, value]) => value !== before[/** @type {keyof SettingsForm} */ (field)]);
}

/** @param {string} field @param {string} text @returns {[value?: unknown, error?: string]} */
function read(field, text) {
  if (field === "name") return text ? [text] : [null, "Enter a name."];
  if (field === "aliases" || field === "tags") return [namesIn(text)];
  if (!text) return [null];
  if (field === "keep_conversations") return [text === "true"];
  if (field === "context") {
    const tokens = Number(text.replace(/[,_\s]/g, ""));
    return Number.isInteger(tokens) && tokens >= 1 && tokens <= MAX_CONTEXT ? [tokens] : [null, "Enter a number of tokens, such as 16384."];
  }
  if (field !== "idle_ttl_s") return [text];
  const seconds = text.toLowerCase() === "off" ? 0 : secondsIn(text);
  return [seconds || null, seconds === null ? "Enter a time such as 30s, 10m or 2h." : ""];
}

/** @param {string} text Names with commas between them. @returns {string[]} */
export function namesIn(text) {
  return [...new Set(text.split(/[,\n]/).map((name) => name.trim()).filter(Boolean))];
}

/** @param {string} text "90", "30s", "10m", "2h", "1d". @returns {number | null} Seconds; null: not a duration. */
export function secondsIn(text) {
  const found = /^(\d+(?:\.\d+)?)\s*(s|m|min|h|d)?$/.exec(text.trim().toLowerCase());
  return found && Number(found[1]) * (UNIT_SECONDS[found[2] ?? "s"] ?? 1);
}

/** @param {number} seconds @returns {string} The shortest form that `secondsIn` reads. */
export function secondsText(seconds) {
  const [unit, size] = Object.entries(UNIT_SECONDS).find(([, unitSeconds]) => seconds > 0 && seconds % unitSeconds === 0) ?? ["s", 1];
  return `${seconds / size}${unit}`;
}

/** @param {string} text @returns {string} One word of a POSIX shell. */
export function quoted(text) {
  return UNQUOTED.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}

/** @param {string} name @param {readonly string[]} engineArgs @returns {string} The command that sets the engine options of a model, which HTTP must not set. */
export function engineArgsCommand(name, engineArgs) {
  const value = engineArgs.map(quoted).join(" ") || "--flash-attn on";
  return `gglib set ${quoted(name)} --engine-args ${quoted(value)}`;
}

/** @param {Profile | null} profile @param {string} model The model of a new profile. @returns {ProfileForm} */
export function profileForm(profile, model = "") {
  const defaults = Object.entries(profile?.defaults ?? {});
  const isField = (/** @type {[string, unknown]} */ [name, value]) => typeof value === "number" && SAMPLING.some((field) => field.name === name);
  return {
    name: profile?.name ?? "",
    model: profile ? profile.model ?? "" : model,
    description: profile?.description ?? "",
    system: profile?.system ?? "",
    sampling: Object.fromEntries(defaults.filter(isField).map(([name, value]) => [name, String(value)])),
    defaults: jsonText(Object.fromEntries(defaults.filter((entry) => !isField(entry)))),
    template_kwargs: jsonText(profile?.template_kwargs ?? {}),
    strip: (profile?.strip ?? []).join(", "),
  };
}

/** @param {ProfileForm} form @returns {{profile: NewProfile, errors: Errors}} The body of `PUT /gglib/profiles/{name}`. */
export function profileOf(form) {
  /** @type {Errors} */
  const errors = {};
  if (!PROFILE_NAME.test(form.name.trim())) errors.name = "Use 1 to 64 letters, digits and the characters . _ -";
  if (form.description.length > MAX_DESCRIPTION) errors.description = `Use at most ${MAX_DESCRIPTION} characters.`;
  const others = objectOf(form, "defaults", errors);
  const twice = Object.keys(others).find((name) => form.sampling[name]?.trim());
  if (twice) errors.defaults = `${twice} is set above and here: remove one of them.`;
  const profile = {
    description: form.description.trim(),
    system: form.system.trim() ? form.system : null,
    defaults: { ...sampledOf(form.sampling, errors), ...others },
    template_kwargs: objectOf(form, "template_kwargs", errors),
    strip: form.strip.split(/[,\s]+/).filter(Boolean),
  };
  return { profile, errors };
}

/** @param {Profile} profile @returns {string} What it sets, in one line. */
export function summaryOf({ defaults, template_kwargs, system, strip }) {
  const values = [...Object.entries(defaults), ...Object.entries(template_kwargs)];
  const texts = values.map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`);
  if (system !== null) texts.push("system prompt");
  if (strip.length > 0) texts.push(`without ${strip.join(", ")}`);
  return texts.join(" · ") || "sets nothing";
}

/** @param {Record<string, string>} sampling @param {Errors} errors @returns {Record<string, number>} */
function sampledOf(sampling, errors) {
  /** @type {Record<string, number>} */
  const values = {};
  for (const { name, low, high = Infinity, isInteger } of SAMPLING) {
    const text = sampling[name]?.trim();
    if (!text) continue;
    const value = Number(text);
    if (Number.isFinite(value) && value >= low && value <= high && (!isInteger || Number.isInteger(value))) values[name] = value;
    else errors[name] = `${isInteger ? "An integer" : "A number"} ${high === Infinity ? `of at least ${low}` : `from ${low} to ${high}`}`;
  }
  return values;
}

/** @param {ProfileForm} form @param {"defaults" | "template_kwargs"} field @param {Errors} errors @returns {Record<string, unknown>} */
function objectOf(form, field, errors) {
  const text = form[field];
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
  return Object.keys(value).length > 0 ? JSON.stringify(value, null, 2) : "";
}
