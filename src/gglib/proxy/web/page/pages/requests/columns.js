/** The columns of the list: as many as there is room for. */

import { Badge, count, duration, Elapsed, html, Icon, NO_VALUE, rate } from "../../ui/kit.js";
import { fitting } from "./column_widths.js";
import { modelName, shortRoute, shortTime, statusBadge } from "./facts.js";

/**
 * @typedef {import("../../lib/api_types.js").StoredRequest} StoredRequest
 * @typedef {import("../../lib/api_types.js").RunningRequest & {seenAt: number}} RunningRequest
 * @typedef {StoredRequest | RunningRequest} Row
 */

/** @param {Row} row @returns {row is StoredRequest} */
const isStored = (row) => "ended_at_s" in row;

/** @type {(value: (request: StoredRequest) => unknown) => (row: Row) => unknown} */
const whenStored = (value) => (row) => (isStored(row) ? value(row) : NO_VALUE);

/** @type {Record<string, {title: string, cell: (row: Row) => unknown}>} */
const COLUMNS = {
  time: { title: "Time", cell: (row) => (isStored(row) ? shortTime(row.ended_at_s, Date.now() / 1000) : "now") },
  model: { title: "Model", cell: (row) => html`<span class="cell"><span class="clip">${modelName(row)}</span>${swapMark(row)}</span>` },
  client: { title: "Client", cell: ({ client }) => html`<span class="clip">${client ?? NO_VALUE}</span>` },
  key: { title: "Key", cell: ({ key }) => html`<span class="clip">${key ?? NO_VALUE}</span>` },
  route: { title: "Route", cell: ({ route }) => html`<span class="clip">${shortRoute(route)}</span>` },
  status: { title: "Status", cell: (row) => (isStored(row) ? status(row) : html`<${Badge} tone="busy">${row.state}<//>`) },
  waited: { title: "Waited", cell: ({ waited_s: waited }) => (waited === null || waited < 0.0005 ? NO_VALUE : duration(waited)) },
  first: { title: "First token", cell: whenStored(({ first_byte_s: first }) => duration(first)) },
  total: { title: "Total", cell: (row) => (isStored(row) ? duration(row.duration_s) : html`<${Elapsed} seconds=${row.age_s} since=${row.seenAt} />`) },
  prompt: { title: "In", cell: whenStored((request) => count(request.prompt_tokens)) },
  cached: { title: "Cached", cell: whenStored((request) => count(request.cached_tokens)) },
  completion: { title: "Out", cell: (row) => count(isStored(row) ? row.completion_tokens : row.chunks || null) },
  speed: { title: "Tokens/s", cell: whenStored(({ tokens_per_s: speed }) => rate(speed).replace(" /s", "")) },
};

/** @param {Row} row @returns {string} Its number in the history or, in progress, its request id. */
export function rowId(row) {
  return isStored(row) && row.id !== null ? String(row.id) : row.request_id;
}

/** @param {number} width In pixels. @param {boolean} hasKeys Whether any request has a key. */
export function columnsFor(width, hasKeys) {
  return fitting(width, hasKeys).map(({ id, isNumber }) => ({ id, ...at(id), class: `c-${id} ${isNumber ? "number" : ""}` }));
}

/** @param {string} id */
function at(id) {
  return /** @type {{title: string, cell: (row: Row) => unknown}} */ (COLUMNS[id]);
}

/** @param {Row} row */
function swapMark(row) {
  if (!isStored(row) || row.swap === null) return null;
  return html`<span class="swap-mark" title=${`Swap: ${row.swap}`}><${Icon} name="swap" label=${`Caused a swap: ${row.swap}`} /></span>`;
}

/** @param {StoredRequest} request */
function status(request) {
  const { tone, text } = statusBadge(request);
  const many = request.count > 1 ? html`<span class="quiet nowrap">× ${count(request.count)}</span>` : null;
  return html`<span class="cell"><${Badge} tone=${tone}>${text}<//>${many}${request.error ? html`<span class="clip quiet">${request.error}</span>` : null}</span>`;
}
