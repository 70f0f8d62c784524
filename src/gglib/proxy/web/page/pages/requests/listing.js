/** The stored requests of the list: pages are added at the end, new requests at the start. Without a DOM. */

import { pathOf } from "./filters.js";

/**
 * @typedef {import("../../lib/api_types.js").StoredRequest} StoredRequest
 * @typedef {import("../../lib/api_types.js").Requests} Requests
 * @typedef {import("./filters.js").Filters} Filters
 */

const FIRST_PAGE = 200;
const NEXT_PAGE = 500;
const NEW_PAGE = 1000;
/** More rows than this are not kept, so that a page that is open for weeks needs no more memory: filters find older ones. */
const MAX_ROWS = 200_000;

/**
 * @template {{id?: number | null, request_id: string}} T
 * @param {readonly T[]} requests @param {string} id Its number in the history, or its request id, which it had in progress.
 * @returns {T | null}
 */
export function requestOf(requests, id) {
  return requests.find((request) => String(request.id) === id || request.request_id === id) ?? null;
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
  #onChange;
  /** @type {Filters} */
  #filters;
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
   * @param {() => void} [end]
   */
  async #attempt(page, take, end) {
    const { signal } = this.#controller;
    /** @type {() => void} */
    let finish;
    try {
      const found = await this.#read(pathOf(this.#filters, page), signal);
      finish = () => {
        take(found);
        this.error = null;
      };
    } catch (error) {
      finish = () => {
        this.error = /** @type {Error} */ (error);
      };
    }
    if (signal.aborted) return; // a later `load` has taken its place
    finish();
    end?.();
    this.#onChange();
  }
}
