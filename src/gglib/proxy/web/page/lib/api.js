/** Requests to the server's API and the events of its streams. Every request carries the key of the session in a header, never a cookie. */

import { key, rejectKey, urlOf } from "../state/session.js";

/**
 * @typedef {{query?: import("../state/session.js").Query, signal?: AbortSignal, headers?: Record<string, string>}} Options
 */

/** `idleMs` for streams that the server keeps up: thrice the usual time between heartbeats. */
export const IDLE_MS = 30_000;
const LINK = /^(?:https?:\/\/|mailto:)/i;

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

/**
 * Yield the events of a stream. Comments, ids and retry times are ignored; an event without data is not yielded.
 *
 * A connection may be dead without an end, such as after the machine slept. So a stream that has sent comments, which
 * are its heartbeats, fails when it is silent for `idleMs`, or for thrice the time between its heartbeats. Without
 * heartbeats, which a server's settings can turn off, silence means nothing.
 * @param {ReadableStream<Uint8Array>} stream
 * @param {{idleMs?: number}} [limits] In milliseconds; by default a stream may be silent for ever.
 * @returns {AsyncGenerator<{event: string, data: string}, void, void>}
 */
export async function* parseEvents(stream, { idleMs = Infinity } = {}) {
  const parse = eventParser();
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let limitMs = Infinity;
  let readAt = performance.now();
  try {
    for (;;) {
      const { done, value } = await within(limitMs, reader.read());
      if (done) return;
      const { events, hasComments } = parse(decoder.decode(value, { stream: true }));
      if (hasComments) limitMs = Math.max(idleMs, 3 * (performance.now() - readAt));
      yield* events;
      readAt = performance.now();
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** @template T @param {number} limitMs @param {Promise<T>} promise @returns {Promise<T>} Rejects if it takes longer. */
async function within(limitMs, promise) {
  if (limitMs === Infinity) return promise;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("The connection to the server went silent.")), limitMs);
  });
  try {
    return await Promise.race([promise, /** @type {Promise<never>} */ (silence)]);
  } finally {
    clearTimeout(timer);
  }
}

/** @returns {(text: string) => {events: {event: string, data: string}[], hasComments: boolean}} An incremental parser: pieces of text in, events out when they are complete. */
function eventParser() {
  let rest = "";
  let event = "";
  /** @type {string[]} */
  let data = [];
  return (text) => {
    const events = [];
    let hasComments = false;
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
      if (line === "") {
        if (data.length > 0) events.push({ event: event || "message", data: data.join("\n") });
        event = "";
        data = [];
      } else if (field === "") hasComments = true;
      else if (field === "data") data.push(value);
      else if (field === "event") event = value;
    }
    return { events, hasComments };
  };
}

/** @param {string} href @returns {boolean} Whether it may be followed: never a script, a local file or a part of this page. */
export function isSafeLink(href) {
  return LINK.test(href) && URL.canParse(href);
}
