/** Settings for people: a search in them, and how each is changed. Pure. */

/** @typedef {import("../../lib/api_types.js").SettingValue} Setting */

const FILE = "config.toml";
const DEFAULT = "default";

/**
 * @param {readonly Setting[]} settings @param {string} search Words that all have to be found. @param {boolean} isSetOnly
 * @returns {Setting[]}
 */
export function foundSettings(settings, search, isSetOnly) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return settings.filter((setting) => {
    const text = `${setting.setting} ${setting.shown} ${setting.source} ${setting.help}`.toLowerCase();
    return (!isSetOnly || setting.source !== DEFAULT) && words.every((word) => text.includes(word));
  });
}

/** @param {Setting} setting @returns {string} The command that changes it. */
export function changeCommand({ setting }) {
  return setting === "api_keys" ? "gglib key new NAME" : `gglib config set ${setting} VALUE`;
}

/** @param {Setting} setting @returns {string} When a change of `config.toml` takes effect. */
export function changeNote({ source, is_live }) {
  if (source !== DEFAULT && source !== FILE) return `${source} has precedence over ${FILE}`;
  return is_live ? "Applied by a reload" : "Applied by a restart";
}

/** @param {Setting} setting @returns {string} Where the value comes from. */
export function sourceText({ source, overrides }) {
  return overrides.length === 0 ? source : `${source}, not ${overrides.join(", ")}`;
}

/**
 * @param {import("../../lib/api_types.js").Reloaded} reloaded
 * @returns {string} What a reload did, in one sentence.
 */
export function reloadText({ settings, replaced_models }) {
  const applied = settings.filter((change) => change.applied).length;
  const left = settings.length - applied;
  if (settings.length === 0 && replaced_models.length === 0) return "Nothing has changed since the last reload.";
  const parts = [];
  if (applied > 0) parts.push(`${applied} applied`);
  if (left > 0) parts.push(`${left} at the next start of the server`);
  const models = replaced_models.length === 0 ? "" : ` Unloaded after their requests: ${replaced_models.join(", ")}.`;
  return `${parts.length === 0 ? "" : `Changes: ${parts.join(", ")}.`}${models}`.trim();
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
