/** The filters of the list: as the query of the page's URL, and as parameters of `GET /gglib/requests`. Pure. */

/**
 * @typedef {{q: string, model: string, key: string, client: string, status: string, since: string, swap: boolean}} Filters
 * @typedef {import("../../lib/api_types.js").RunningRequest} RunningRequest
 */

/** The value of a filter for requests without a key, client or model: an empty parameter in the API. */
export const NONE = "(none)";

/** @type {Filters} */
export const NO_FILTERS = { q: "", model: "", key: "", client: "", status: "", since: "", swap: false };

export const STATUSES = [
  { value: "", label: "Any status" },
  { value: "failed", label: "Failed" },
  { value: "4xx", label: "4xx: the request" },
  { value: "5xx", label: "5xx: the server" },
  { value: "499", label: "499: the client left" },
];

export const PERIODS = [
  { value: "", label: "Any time" },
  { value: "15m", label: "Last 15 min" },
  { value: "1h", label: "Last hour" },
  { value: "6h", label: "Last 6 h" },
  { value: "24h", label: "Last 24 h" },
  { value: "7d", label: "Last 7 d" },
];

/** @type {("q" | "model" | "key" | "client" | "status" | "since")[]} */
const TEXTS = ["q", "model", "key", "client", "status", "since"];
const MAX_LENGTH = 256; // the API refuses longer ones

/** @param {URLSearchParams} query @returns {Filters} */
export function filtersOf(query) {
  const filters = { ...NO_FILTERS, swap: query.get("swap") === "true" };
  for (const name of TEXTS) filters[name] = (query.get(name) ?? "").slice(0, MAX_LENGTH);
  return filters;
}

/** @param {Filters} filters @returns {Record<string, string>} The query of the page's URL; what is not set is left out. */
export function queryOf(filters) {
  /** @type {Record<string, string>} */
  const query = {};
  for (const name of TEXTS) if (filters[name]) query[name] = filters[name];
  if (filters.swap) query.swap = "true";
  return query;
}

/** @param {Filters} filters */
export function isFiltered(filters) {
  return Object.keys(queryOf(filters)).length > 0;
}

/**
 * The path of one page of stored requests. Built here since an empty parameter has a meaning: requests without a name.
 * @param {Filters} filters @param {{limit: number, before?: number | null, after?: number | null}} page
 * @returns {string}
 */
export function pathOf(filters, { limit, before = null, after = null }) {
  const parameters = new URLSearchParams({ state: "finished", limit: String(limit) });
  for (const [name, value] of Object.entries(queryOf(filters))) parameters.set(name, value === NONE && name !== "q" ? "" : value);
  if (before !== null) parameters.set("before", String(before));
  if (after !== null) parameters.set("after", String(after));
  return `/gglib/requests?${parameters}`;
}

/**
 * Whether a request in progress belongs to the list. It has no status and no swap yet, and is part of every period.
 * @param {RunningRequest} request @param {Filters} filters
 */
export function matchesRunning(request, filters) {
  return !filters.status && !filters.swap
    && fits(request.model, filters.model) && fits(request.key, filters.key) && fits(request.client, filters.client)
    && (!filters.q || contains(request, filters.q));
}

/** @param {string | null} value @param {string} wanted */
function fits(value, wanted) {
  return !wanted || (value ?? "") === (wanted === NONE ? "" : wanted);
}

/** @param {RunningRequest} request @param {string} text */
function contains(request, text) {
  const { request_id, route, key, client, address, model, requested_model, profile } = request;
  const part = text.toLowerCase();
  return [request_id, route, key, client, address, model, requested_model, profile].some((value) => value?.toLowerCase().includes(part));
}
