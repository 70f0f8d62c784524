/** The form of a model's names and settings: its fields as text, and the merge patch that it makes. Pure. */

/**
 * @typedef {import("../../lib/api_types.js").Model} Model
 * @typedef {{name: string, aliases: string, tags: string, context: string, idle_ttl_s: string, kind: string,
 *   priority: string, is_pinned: boolean}} Form
 * @typedef {Partial<Record<keyof Form, string>>} Errors
 */

const MAX_CONTEXT = 2 ** 31 - 1;
const SHORT_UNITS = /** @type {[string, number][]} */ ([["d", 86400], ["h", 3600], ["m", 60]]);
const UNIT_SECONDS = /** @type {Record<string, number>} */ ({ ...Object.fromEntries(SHORT_UNITS), min: 60, s: 1 });

/** @param {Model} model @returns {Form} */
export function formOf(model) {
  return {
    name: model.name,
    aliases: model.aliases.join(", "),
    tags: model.tags.join(", "),
    context: model.context === null ? "" : String(model.context),
    idle_ttl_s: model.idle_ttl_s === null ? "" : secondsText(model.idle_ttl_s),
    kind: model.kind ?? "",
    priority: model.priority ?? "",
    is_pinned: model.is_pinned,
  };
}

/**
 * @param {Form} before The form as it was filled in. @param {Form} form
 * @returns {{changes: Record<string, unknown>, errors: Errors}} The body of `PATCH /gglib/models/{name}`, with the
 *   fields that differ only; null resets a field.
 */
export function changesOf(before, form) {
  /** @type {Record<string, unknown>} */
  const changes = {};
  /** @type {Errors} */
  const errors = {};
  for (const field of /** @type {(keyof Form)[]} */ (Object.keys(form))) {
    if (form[field] === before[field]) continue;
    const { value, error } = read(field, form[field]);
    if (error) errors[field] = error;
    else changes[field] = value;
  }
  return { changes, errors };
}

/**
 * @param {Form} before The form as it was filled in. @param {Form} form @param {Form} now The form of the model as it is now.
 * @returns {Form} What the user changed, and the new values of all other fields.
 */
export function rebased(before, form, now) {
  const fields = /** @type {(keyof Form)[]} */ (Object.keys(form));
  return { ...now, ...Object.fromEntries(fields.filter((field) => form[field] !== before[field]).map((field) => [field, form[field]])) };
}

/** @param {string} text Names with commas between them. @returns {string[]} */
export function namesIn(text) {
  return [...new Set(text.split(/[,\n]/).map((name) => name.trim()).filter(Boolean))];
}

/** @param {string} text "90", "30s", "10m", "2h", "1d". @returns {number | null} Seconds; null: not a duration. */
export function secondsIn(text) {
  const found = /^(\d+(?:\.\d+)?)\s*(s|m|min|h|d)?$/.exec(text.trim().toLowerCase());
  return found === null ? null : Number(found[1]) * (UNIT_SECONDS[found[2] ?? "s"] ?? 1);
}

/** @param {number} seconds @returns {string} The shortest form that `secondsIn` reads. */
export function secondsText(seconds) {
  const [unit, size] = SHORT_UNITS.find(([, unitSeconds]) => seconds > 0 && seconds % unitSeconds === 0) ?? ["s", 1];
  return `${seconds / size}${unit}`;
}

/** @param {keyof Form} field @param {string | boolean} value @returns {{value?: unknown, error?: string}} */
function read(field, value) {
  if (typeof value === "boolean") return { value };
  const text = value.trim();
  switch (field) {
    case "name":
      return text ? { value: text } : { error: "Enter a name." };
    case "aliases":
    case "tags":
      return { value: namesIn(text) };
    case "context": {
      if (!text) return { value: null };
      const tokens = Number(text.replace(/[,_\s]/g, ""));
      const isValid = Number.isInteger(tokens) && tokens >= 1 && tokens <= MAX_CONTEXT;
      return isValid ? { value: tokens } : { error: "Enter a number of tokens, such as 16384." };
    }
    case "idle_ttl_s": {
      if (!text || text.toLowerCase() === "off") return { value: null };
      const seconds = secondsIn(text);
      return seconds === null ? { error: "Enter a time such as 30s, 10m or 2h." } : { value: seconds || null };
    }
    default:
      return { value: text || null };
  }
}
