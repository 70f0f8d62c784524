/** Requests to the server's API. Every request carries the key of the session in a header, never a cookie. */

import { key, rejectKey } from "../state/session.js";
import { parseEvents } from "./sse.js";

/**
 * @typedef {{[name: string]: string | number | boolean | null | undefined}} Query
 * @typedef {{query?: Query, signal?: AbortSignal, headers?: Record<string, string>}} Options
 */

/** `idleMs` for streams that the server keeps up: thrice the usual time between heartbeats. */
export const IDLE_MS = 30_000;

/** An error response, or a server that cannot be reached (status 0). */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string | null} code
   * @param {string} message
   * @param {string | null} param The field that the error is about.
   */
  constructor(status, code, message, param = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.param = param;
  }
}

/** @param {any} error Whether another attempt with the same key would fail, too: it has no such right, or the server no such function. */
export function isDenied(error) {
  return error?.status === 403 || error?.status === 501;
}

/** @param {string} path @param {Query} [query] Entries that are null, undefined or "" are left out. */
export function urlOf(path, query = {}) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text ? `${path}?${text}` : path;
}

/**
 * @param {string} name A model's name, a request's id: one segment of a path. Raises ApiError for `.` and `..`, with
 *   which a URL leads to another path, however they are encoded; nothing has such a name.
 */
export function segment(name) {
  if (name === "." || name === "..") throw new ApiError(404, "not_found", `Nothing is called '${name}': check the address.`);
  return encodeURIComponent(name);
}

/**
 * Send a request and return the response, whose status is a success. A body that is a text is sent as it is: it is JSON.
 * @param {string} method @param {string} path @param {unknown} [body] @param {Options} [options]
 * @returns {Promise<Response>}
 */
export async function send(method, path, body, options = {}) {
  /** @type {Record<string, string>} */
  const headers = { accept: "application/json", ...options.headers };
  const usedKey = key.value;
  if (usedKey !== null) headers.authorization = `Bearer ${usedKey}`;
  /** @type {RequestInit} */
  const init = { method, headers, credentials: "omit", cache: "no-store", redirect: "error" };
  if (options.signal) init.signal = options.signal;
  if (body !== undefined) {
    headers["content-type"] = "application/json";
    init.body = typeof body === "string" ? body : JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(urlOf(path, options.query), init);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, "unreachable", "The server cannot be reached: is gglib running?");
  }
  if (response.ok) return response;
  const error = await readError(response);
  if (response.status === 401) rejectKey(usedKey);
  throw error;
}

/** @param {Response} response @returns {Promise<ApiError>} */
async function readError(response) {
  let detail = null;
  try {
    detail = (await response.json()).error;
  } catch {
    // A reverse proxy may send another form.
  }
  const text = typeof detail?.message === "string" ? detail.message : `The server responded with ${response.status}.`;
  return new ApiError(response.status, detail?.code ?? null, text, detail?.param ?? null);
}

/** @param {string} method @returns {(path: string, body?: unknown, options?: Options) => Promise<any>} */
const sending = (method) => async (path, body, options) => {
  const response = await send(method, path, body, options);
  return response.status === 204 ? null : response.json();
};

export const api = {
  /** @param {string} path @param {Options} [options] @returns {Promise<any>} */
  get: (path, options) => sending("GET")(path, undefined, options),
  /** @param {string} path @param {Options} [options] @returns {Promise<any>} */
  del: (path, options) => sending("DELETE")(path, undefined, options),
  post: sending("POST"),
  put: sending("PUT"),
  patch: sending("PATCH"),
};

/**
 * Send a request and yield the server-sent events of its response. Aborting the signal ends it with an AbortError.
 * @param {string} path @param {Options & {method?: string, body?: unknown, idleMs?: number}} [options] `idleMs`: as for `parseEvents`.
 * @returns {AsyncGenerator<{event: string, data: string}, void, void>}
 */
export async function* streamEvents(path, { method = "GET", body, idleMs, ...options } = {}) {
  const response = await send(method, path, body, { ...options, headers: { accept: "text/event-stream" } });
  if (response.body === null) return;
  yield* parseEvents(response.body, { idleMs });
}
