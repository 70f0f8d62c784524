/** The rows of the list of models: joined with their fit and state, filtered and sorted. Pure. */

import { NO_VALUE, ago, bytes, shortCount } from "../../lib/format.js";

/**
 * @typedef {import("../../lib/api_types.js").Model} Model
 * @typedef {import("../../lib/api_types.js").ModelFit} ModelFit
 * @typedef {import("../../lib/api_types.js").ResidentStatus} Resident
 * @typedef {{model: Model, fit: ModelFit | null, resident: Resident | null}} Row
 * @typedef {"chat" | "embedding" | "rerank"} Kind
 * @typedef {"name" | "quantization" | "parameters" | "size" | "context" | "fit" | "state" | "used"} SortKey
 * @typedef {{key: SortKey, isDescending: boolean}} Sort
 */

/** The values of the filter: kinds, capabilities and states. */
export const FILTERS = [
  { value: "", label: "All models" },
  { value: "memory", label: "In memory" },
  { value: "pinned", label: "Pinned" },
  { value: "chat", label: "Chat" },
  { value: "tools", label: "Chat with tools" },
  { value: "vision", label: "Chat with images" },
  { value: "embedding", label: "Embedding" },
  { value: "rerank", label: "Rerank" },
  { value: "fits", label: "Fits now" },
];

/** @type {Record<SortKey, string>} */
export const SORT_LABELS = {
  used: "Last used",
  name: "Name",
  quantization: "Quantization",
  parameters: "Parameters",
  size: "Size",
  context: "Context",
  fit: "Fit",
  state: "State",
};

const collator = new Intl.Collator(undefined, { numeric: true });
const FIT_ORDER = ["fits", "tight", "too large", "unknown"];
const STATE_ORDER = ["ready", "draining", "loading", "stopping"];

/** Keys whose most interesting rows have the highest values. @type {readonly SortKey[]} */
const DESCENDING_FIRST = ["parameters", "size", "context", "used"];

/** @param {Model} model @returns {Kind} How the model is served. */
export function kindOf(model) {
  if (model.kind !== null) return /** @type {Kind} */ (model.kind);
  return model.capabilities.includes("rerank") ? "rerank" : model.capabilities.includes("embedding") ? "embedding" : "chat";
}

/** @param {Model} model @returns {string[]} What it can do beside its kind. */
export function abilitiesOf(model) {
  return model.capabilities.filter((name) => !["chat", "embedding", "rerank"].includes(name));
}

/** @param {Model} model @returns {string} The facts that distinguish files of one model: "Q4_K_M · 3.2 B · 2 GB". */
export function shortFacts(model) {
  return [model.quantization, parametersOf(model), model.size_bytes === null ? null : bytes(model.size_bytes)]
    .filter((text) => text && text !== NO_VALUE)
    .join(" · ");
}

/** @param {{parameter_count: number | null}} model @returns {string} The number of parameters: "7.6 B", "494 M". */
export function parametersOf(model) {
  const total = model.parameter_count;
  if (total === null) return NO_VALUE;
  if (total < 999_500_000) return shortCount(total);
  const billions = total / 1e9;
  return `${billions < 99.5 ? Number(billions.toFixed(1)) : Math.round(billions)} B`;
}

/** @param {number | null} unixSeconds @param {number} now Unix seconds. @returns {string} */
export function usedAgo(unixSeconds, now) {
  return unixSeconds === null ? "never" : ago(Math.max(0, now - unixSeconds));
}

/**
 * @param {readonly Model[]} models @param {readonly ModelFit[]} fits @param {readonly Resident[]} residents
 * @returns {Row[]} In the order of the models.
 */
export function joined(models, fits, residents) {
  const fitById = new Map(fits.map((fit) => [fit.model_id, fit]));
  const residentById = new Map(residents.map((resident) => [resident.model_id, resident]));
  return models.map((model) => ({
    model,
    fit: fitById.get(model.id) ?? null,
    resident: residentById.get(model.id) ?? null,
  }));
}

/** @param {readonly Row[]} rows @param {string} text Words that names or facts must contain. @param {string} filter A value of `FILTERS`. */
export function filtered(rows, text, filter) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => matchesFilter(row, filter) && words.every((word) => searchedText(row.model).includes(word)));
}

/** @param {readonly Row[]} rows @param {Sort} sort @returns {Row[]} Rows without a value are last in both directions. */
export function sorted(rows, { key, isDescending }) {
  const sign = isDescending ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [a, b] = [valueOf(one, key), valueOf(other, key)];
    if (a === null || b === null) return a === b ? byName(one, other) : a === null ? 1 : -1;
    const order = typeof a === "string" ? collator.compare(a, String(b)) : a - Number(b);
    return order === 0 ? byName(one, other) : sign * order;
  });
}

/** @param {string | null} text A sort order in a URL: "size" or "-size". @returns {Sort} */
export function sortOf(text) {
  const key = (text ?? "").replace(/^-/, "");
  if (!(key in SORT_LABELS)) return { key: "used", isDescending: true };
  return { key: /** @type {SortKey} */ (key), isDescending: (text ?? "").startsWith("-") };
}

/** @param {Sort} sort @returns {string} The form for a URL. */
export function sortText({ key, isDescending }) {
  return `${isDescending ? "-" : ""}${key}`;
}

/** @param {Sort} current @param {SortKey} key @returns {Sort} The order after the heading of a column is pressed. */
export function nextSort(current, key) {
  if (current.key === key) return { key, isDescending: !current.isDescending };
  return { key, isDescending: DESCENDING_FIRST.includes(key) };
}

/** @param {Row} row @param {string} filter */
function matchesFilter({ model, fit, resident }, filter) {
  if (filter === "memory") return resident !== null;
  if (filter === "pinned") return model.is_pinned;
  if (filter === "fits") return fit?.fit === "fits";
  if (filter === "tools" || filter === "vision") return model.capabilities.includes(filter);
  return filter === "" || kindOf(model) === filter;
}

/** @param {Model} model */
function searchedText(model) {
  return [model.name, ...model.aliases, ...model.tags, model.architecture, model.quantization, model.source.repo]
    .join(" ")
    .toLowerCase();
}

/** @param {Row} row @param {SortKey} key @returns {string | number | null} */
function valueOf({ model, fit, resident }, key) {
  switch (key) {
    case "name":
      return model.name;
    case "quantization":
      return model.quantization;
    case "parameters":
      return model.parameter_count;
    case "size":
      return model.size_bytes;
    case "context":
      return model.context ?? model.trained_context;
    case "fit":
      return fit === null ? null : FIT_ORDER.indexOf(fit.fit);
    case "state":
      return resident === null ? null : STATE_ORDER.indexOf(resident.state);
    case "used":
      return model.last_used_at;
  }
}

/** @param {Row} one @param {Row} other */
function byName(one, other) {
  return collator.compare(one.model.name, other.model.name);
}
