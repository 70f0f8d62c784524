/** The rows of the list of models: joined with their fit and state, filtered and sorted; and their updates. Pure. */

import { NO_VALUE, ago, bytes, shortCount } from "../../lib/format.js";
import { isActive } from "../../state/downloads.js";

/**
 * @typedef {import("../../lib/api_types.js").Model} Model
 * @typedef {import("../../lib/api_types.js").ModelFit} ModelFit
 * @typedef {import("../../lib/api_types.js").ResidentStatus} Resident
 * @typedef {import("../../lib/api_types.js").Download} Download
 * @typedef {import("../../lib/api_types.js").Update} Update
 * @typedef {{model: Model, fit: ModelFit | null, resident: Resident | null, state: string | null}} Row `state`: on the machine of the server, else on a node.
 * @typedef {"used" | "name" | "quantization" | "parameters" | "size" | "context" | "fit" | "state" | "nodes"} SortKey
 * @typedef {{key: SortKey, isDescending: boolean}} Sort
 */

/** The values of the filter, with their titles: kinds, capabilities and states. */
export const FILTERS = {
  "": "All models",
  memory: "In memory",
  pinned: "Pinned",
  chat: "Chat",
  tools: "Chat with tools",
  vision: "Chat with images",
  embedding: "Embedding",
  rerank: "Rerank",
  fits: "Fits now",
};

const KINDS = ["rerank", "embedding", "chat"];
const FIT_ORDER = ["fits", "tight", "too large", "unknown"];
const STATE_ORDER = ["ready", "draining", "loading", "stopping"];
const collator = new Intl.Collator(undefined, { numeric: true });

/**
 * The sort orders, with their titles and the values of rows. `true`: the most interesting rows have the highest values.
 * @type {Record<SortKey, [title: string, valueOf: (row: Row) => string | number | null, isDescendingFirst?: true]>}
 */
export const SORTS = {
  used: ["Last used", ({ model }) => model.last_used_at, true],
  name: ["Name", ({ model }) => model.name],
  quantization: ["Quantization", ({ model }) => model.quantization],
  parameters: ["Parameters", ({ model }) => model.parameter_count, true],
  size: ["Size", ({ model }) => model.size_bytes, true],
  context: ["Context", ({ model }) => model.context ?? model.trained_context, true],
  fit: ["Fit", ({ fit }) => fit && FIT_ORDER.indexOf(fit.fit)],
  state: ["State", ({ state }) => (state === null ? null : STATE_ORDER.indexOf(state))],
  nodes: ["Nodes", ({ model }) => nodesText(model) || null],
};

/** @param {Model} model @returns {string} How the model is served: "chat", "embedding" or "rerank". */
export function kindOf(model) {
  return model.kind ?? KINDS.find((kind) => model.capabilities.includes(kind)) ?? "chat";
}

/** @param {Model} model @returns {string[]} What it can do beside its kind. */
export function abilitiesOf(model) {
  return model.capabilities.filter((name) => !KINDS.includes(name));
}

/** @param {Model} model @returns {string} The facts that distinguish files of one model: "Q4_K_M · 3.2 B · 2 GB". */
export function shortFacts(model) {
  return [model.quantization, parametersOf(model), bytes(model.size_bytes)].filter((text) => text && text !== NO_VALUE).join(" · ");
}

/** @param {{parameter_count: number | null}} model @returns {string} The number of parameters: "7.6 B", "494 M". */
export function parametersOf({ parameter_count: total }) {
  if (total === null || total < 999_500_000) return shortCount(total);
  const billions = total / 1e9;
  return `${Number(billions.toFixed(billions < 99.5 ? 1 : 0))} B`;
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
  return models.map((model) => {
    const resident = residentById.get(model.id) ?? null;
    return { model, fit: fitById.get(model.id) ?? null, resident, state: resident?.state ?? stateOnNodes(model) };
  });
}

/** @param {Pick<Model, "nodes">} model @returns {string | null} Its best state on a node; null if it is in memory on none. */
export function stateOnNodes({ nodes = [] }) {
  const states = nodes.map((copy) => copy.state).filter((state) => state !== null);
  return STATE_ORDER.find((state) => states.includes(state)) ?? null;
}

/** @param {Pick<Model, "nodes">} model @returns {string} The nodes that have it, those with it in memory first, with its state there. */
export function nodesText({ nodes = [] }) {
  return inMemoryFirst(nodes).map(({ node, state }) => (state === null ? node : `${node} (${state})`)).join(", ");
}

/** @param {Pick<Model, "nodes">} model @returns {string} The same without states. */
export function nodeNames({ nodes = [] }) {
  return inMemoryFirst(nodes).map(({ node }) => node).join(", ");
}

/** @param {Model["nodes"]} nodes */
function inMemoryFirst(nodes) {
  return nodes.toSorted((one, other) => Number(other.state !== null) - Number(one.state !== null));
}

/** @param {Pick<Model, "id">} model @returns {boolean} Whether the server itself lacks it: only nodes have it, and change it. */
export function isElsewhere({ id }) {
  return id < 0;
}

/** @param {readonly Row[]} rows @param {string} text Words that names or facts must contain. @param {string} filter A key of `FILTERS`. */
export function filtered(rows, text, filter) {
  const words = text.toLowerCase().split(/\s+/);
  return rows.filter((row) => matchesFilter(row, filter) && words.every((word) => searchedText(row.model).includes(word)));
}

/** @param {readonly Row[]} rows @param {Sort} sort @returns {Row[]} Rows without a value are last in both directions. */
export function sorted(rows, { key, isDescending }) {
  const [, valueOf] = SORTS[key];
  return rows.toSorted((one, other) => {
    const [a, b] = [valueOf(one), valueOf(other)];
    if (a === null && b !== null) return 1;
    if (b === null && a !== null) return -1;
    const order = typeof a === "string" ? collator.compare(a, String(b)) : Number(a) - Number(b);
    return (isDescending ? -order : order) || collator.compare(one.model.name, other.model.name);
  });
}

/** @param {string | null} text A sort order in a URL: "size" or "-size". @returns {Sort} */
export function sortOf(text) {
  const [, sign, key = ""] = /^(-?)(.*)$/.exec(text ?? "") ?? [];
  return Object.hasOwn(SORTS, key) ? { key: /** @type {SortKey} */ (key), isDescending: sign === "-" } : { key: "used", isDescending: true };
}

/** @param {Sort} sort @returns {string} The form for a URL. */
export function sortText({ key, isDescending }) {
  return `${isDescending ? "-" : ""}${key}`;
}

/** @param {Sort} current @param {SortKey} key @returns {Sort} The order after the heading of a column is pressed. */
export function nextSort(current, key) {
  return { key, isDescending: current.key === key ? !current.isDescending : SORTS[key][2] === true };
}

/** @param {Row} row @param {string} filter */
function matchesFilter({ model, fit, state }, filter) {
  if (filter === "memory") return state !== null;
  if (filter === "pinned") return model.is_pinned;
  if (filter === "fits") return fit?.fit === filter;
  if (filter === "tools" || filter === "vision") return model.capabilities.includes(filter);
  return !filter || kindOf(model) === filter;
}

/** @param {Model} model */
function searchedText(model) {
  return [model.name, ...model.aliases, ...model.tags, model.architecture, model.quantization, model.source.repo].join(" ").toLowerCase();
}

/** @param {readonly Download[]} downloads @returns {Set<string>} The ids of those that are done. */
export function doneIds(downloads) {
  return new Set(downloads.filter(({ state }) => state === "done").map(({ id }) => id));
}

/**
 * @param {Update} update @param {readonly Download[]} downloads Active ones first. @param {ReadonlySet<string>} known Those
 *   that were done when the sources were asked: the update is newer than they are.
 * @returns {Download | null} The one that makes this update, or has made it.
 */
export function pullOf({ state, pull }, downloads, known) {
  const isMade = (/** @type {Download} */ download) => isActive(download) || (download.state === "done" && !known.has(download.id));
  return state === "changed" ? downloads.find((download) => download.target === pull && isMade(download)) ?? null : null;
}
