/**
 * The filters of the list, as the query of the page's URL and as parameters of `GET /gglib/requests`; and the stored
 * requests that fit: pages are added at the end, new requests at the start. Without a DOM.
 */

/**
 * @typedef {{q: string, model: string, key: string, client: string, status: string, since: string, swap: boolean}} Filters
 * @typedef {import("../../lib/api_types.js").RunningRequest} RunningRequest
 * @typedef {import("../../lib/api_types.js").StoredRequest} StoredRequest
 * @typedef {import("../../lib/api_types.js").Requests} Requests
 */

/** The value of a filter for requests without a key, client or model: an empty parameter in the API. */
export const NONE = "(none)";

/** @type {Filters} */
export const NO_FILTERS = { q: "", model: "", key: "", client: "", status: "", since: "", swap: false };

/** The values of a filter, with their titles. @type {[value: string, label: string][]} */
export const STATUSES = [
  ["", "Any status"],
  ["failed", "Failed"],
  ["4xx", "4xx: the request"],
  ["5xx", "5xx: the server"],
  ["499", "499: the client left"],
];

/** @type {typeof STATUSES} */
export const PERIODS = [
  ["", "Any time"],
  ["15m", "Last 15 min"],
  ["1h", "Last hour"],
  ["6h", "Last 6 h"],
  ["24h", "Last 24 h"],
  ["7d", "Last 7 d"],
];

const TEXTS = /** @type {const} */ (["q", "model", "key", "client", "status", "since"]);
/** The API refuses longer ones. */
const MAX_LENGTH = 256;

const FIRST_PAGE = 200;
const NEXT_PAGE = 500;
const NEW_PAGE = 1000;
/** More rows than this are not kept, so that a page that is open for weeks needs no more memory: filters find older ones. */
const MAX_ROWS = 200_000;

/** @param {URLSearchParams} query @returns {Filters} */
export function filtersOf(query) {
  const filters = { ...NO_FILTERS, swap: query.get("swap") === "true" };
  for (const name of TEXTS) filters[name] = (query.get(name) ?? "").slice(0, MAX_LENGTH);
  return filters;
}

/** @param {Filters} filters @returns {Record<string, string>} The query of the page's URL; what is not set is left out. */
export function queryOf(filters) {
  return Object.fromEntries(Object.entries(filters).filter(([, value]) => value).map(([name, value]) => [name, String(value)]));
}

/** @param {Filters} filters */
export function isFiltered(filters) {
  return Object.values(filters).some(Boolean);
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
  const { request_id, route, key, client, address, model, requested_model, profile } = request;
  const part = filters.q.toLowerCase();
  return !filters.status && !filters.swap
    && fits(model, filters.model) && fits(key, filters.key) && fits(client, filters.client)
    && [request_id, route, key, client, address, model, requested_model, profile].some((value) => value?.toLowerCase().includes(part));
}

/** @param {string | null} value @param {string} wanted */
function fits(value, wanted) {
  return !wanted || (value ?? "") === (wanted === NONE ? "" : wanted);
}

/**
 * @template {{id?: number | null, request_id: string}} T
 * @param {readonly T[]} requests @param {string} id Its number in the history, or its request id, which it had in progress.
 * @returns {T | null}
 */
export function requestOf(requests, id) {
  return requests.find((request) => String(request.id) === id || request.request_id === id) ?? null;
}

/**
 * @param {readonly StoredRequest[]} finished
 * @returns {string | null} The newest request that is not a reading by this or another page: a failed one is stored, but reading it again would be another.
 */
export function newestOfClients(finished) {
  const newest = finished.find(({ model, route }) => model !== null || !route.startsWith("/gglib/"));
  return newest ? `${newest.request_id} ${newest.ended_at_s}` : null;
}

export class Listing {
  /** Newest first. @type {readonly StoredRequest[]} */
  rows = [];
  /** How many were added at the start since all rows were replaced. */
  added = 0;
  /** How often all rows were replaced. */
  epoch = 0;
  /** `before` of the next page; null after the last. @type {number | null} */
  nextBefore = null;
  /** Whether the server stores no requests. */
  isOff = false;
  /** Whether the first page was read. */
  isLoaded = false;
  isLoadingMore = false;
  /** Of the last reading; null after a success. @type {Error | null} */
  error = null;

  #read;
  #filters;
  #onChange;
  #controller = new AbortController();
  #isRefreshing = false;

  /**
   * @param {(path: string, signal: AbortSignal) => Promise<Requests>} read
   * @param {Filters} filters
   * @param {() => void} onChange
   */
  constructor(read, filters, onChange) {
    this.#read = read;
    this.#filters = filters;
    this.#onChange = onChange;
  }

  /** Read the first page, in place of all rows. */
  async load() {
    this.#controller.abort();
    this.#controller = new AbortController();
    this.#isRefreshing = false;
    this.isLoadingMore = false;
    await this.#attempt({ limit: FIRST_PAGE }, (page) => {
      this.#replace(page);
      this.isLoaded = true;
    });
  }

  /** Read the next page, if there is one. */
  async more() {
    if (this.nextBefore === null || this.isLoadingMore || this.rows.length >= MAX_ROWS) return;
    this.isLoadingMore = true;
    this.#onChange();
    await this.#attempt({ limit: NEXT_PAGE, before: this.nextBefore }, (page) => {
      this.rows = [...this.rows, ...page.requests];
      this.nextBefore = page.next_before;
    }, () => { this.isLoadingMore = false; });
  }

  /** Refresh after requests have ended; not after a request that the server refused, which it would refuse again. */
  async follow() {
    const status = /** @type {{status?: number} | null} */ (this.error)?.status ?? 0;
    if (status < 400 || status >= 500 || status === 429) await this.refresh();
  }

  /** Read the requests that ended since. After a gap of more than a page, the list begins anew. */
  async refresh() {
    const newest = this.rows[0]?.id ?? null;
    if (newest === null) return this.load();
    if (this.#isRefreshing) return undefined;
    this.#isRefreshing = true;
    return this.#attempt({ limit: NEW_PAGE, after: newest }, (page) => {
      if (page.next_before !== null) this.#replace(page);
      else if (page.requests.length > 0) {
        this.rows = [...page.requests, ...this.rows];
        this.added += page.requests.length;
        this.#dropOldest();
      }
    }, () => { this.#isRefreshing = false; });
  }

  /** Read again after an error. */
  async retry() {
    if (!this.isLoaded) return this.load();
    return this.nextBefore === null ? this.refresh() : this.more();
  }

  /** Stop all readings; the listing is not used any more. */
  close() {
    this.#controller.abort();
  }

  /** @param {Requests} page */
  #replace(page) {
    this.rows = page.requests;
    this.nextBefore = page.next_before;
    this.isOff = page.is_off;
    this.added = 0;
    this.epoch += 1;
  }

  #dropOldest() {
    if (this.rows.length <= MAX_ROWS) return;
    this.rows = this.rows.slice(0, MAX_ROWS);
    this.nextBefore = this.rows[MAX_ROWS - 1]?.id ?? null;
  }

  /**
   * @param {{limit: number, before?: number, after?: number}} page @param {(page: Requests) => void} take
   * @param {() => void} [end] Runs after a success and after an error, but not after a later `load` has taken its place.
   */
  async #attempt(page, take, end) {
    const { signal } = this.#controller;
    const [found, error] = await this.#read(pathOf(this.#filters, page), signal).then((value) => [value, null], (failure) => [null, failure]);
    if (signal.aborted) return;
    if (error === null) take(found);
    this.error = error;
    end?.();
    this.#onChange();
  }
}
