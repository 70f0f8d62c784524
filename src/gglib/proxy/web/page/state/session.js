/** The state of this tab: the access key, the theme, the route, messages, and whether it is hidden. */

import { effect, signal } from "../vendor/signals.js";

/**
 * @typedef {{page: string, rest: string, query: URLSearchParams}} Route
 * @typedef {{[name: string]: string | number | boolean | null | undefined}} Query
 * @typedef {{id: number, text: string, kind: "info" | "error" | "success"}} Toast
 */

const KEY = "gglib.key";
const THEME = "gglib.theme";
const DEFAULT_PAGE = "now";
const SHOWN_MS = { info: 4000, success: 4000, error: 10000 };
const HIDDEN_MS = 30_000;

/** The access key; null: none was entered. Kept until the tab is closed. @type {import("../vendor/signals.js").Signal<string | null>} */
export const key = signal(read("sessionStorage", KEY));

/** Whether the server requires a key that this tab does not have. */
export const needsKey = signal(false);

/** Whether the last key was refused. */
export const isKeyRefused = signal(false);

/** @type {import("../vendor/signals.js").Signal<"system" | "light" | "dark">} */
export const theme = signal(themeOf(read("localStorage", THEME)));

/** The current route, in the fragment of the URL: `#/models/NAME?tab=settings`. */
export const route = signal(parseRoute(globalThis.location?.hash ?? ""));

/** The messages that are shown, oldest first. @type {import("../vendor/signals.js").Signal<Toast[]>} */
export const toasts = signal([]);
let lastToastId = 0;

/**
 * Whether the page has been hidden for a while; false again at once when it is visible. Its streams end meanwhile: a
 * browser has six connections to a server for all tabs.
 */
export const isAway = signal(false);
/** @type {ReturnType<typeof setTimeout> | undefined} */
let hiddenTimer;

globalThis.addEventListener?.("hashchange", () => {
  route.value = parseRoute(location.hash);
});
globalThis.document?.addEventListener("visibilitychange", () => {
  clearTimeout(hiddenTimer);
  if (!document.hidden) isAway.value = false;
  else hiddenTimer = setTimeout(() => { isAway.value = true; }, HIDDEN_MS);
});

/** @param {string} text @returns {boolean} Whether it can be a key: a header has no other characters, such as a pasted dash or an invisible space. */
export function isKey(text) {
  return /^[\x21-\x7e]+$/.test(text);
}

/** @param {string} text As in `isKey`. */
export function enterKey(text) {
  key.value = text;
  write("sessionStorage", KEY, text);
  isKeyRefused.value = false;
  needsKey.value = false;
}

/** Forget the key. */
export function forgetKey() {
  key.value = null;
  write("sessionStorage", KEY, null);
}

/** Note that the server refused a request with this key. @param {string | null} refused */
export function rejectKey(refused) {
  if (refused !== key.value) return; // another one was entered meanwhile
  isKeyRefused.value = refused !== null;
  needsKey.value = true;
}

/** @param {"system" | "light" | "dark"} chosen */
export function setTheme(chosen) {
  theme.value = chosen;
  write("localStorage", THEME, chosen === "system" ? null : chosen);
}

/** Apply the theme to the document, now and after changes. */
export function applyTheme() {
  effect(() => {
    if (theme.value === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme.value;
  });
}

/** @param {string | null} text @returns {"system" | "light" | "dark"} */
function themeOf(text) {
  return text === "light" || text === "dark" ? text : "system";
}

/** @param {"sessionStorage" | "localStorage"} storage @param {string} name @returns {string | null} */
function read(storage, name) {
  try {
    return globalThis[storage]?.getItem(name) ?? null;
  } catch {
    return null; // storage is disabled
  }
}

/** @param {"sessionStorage" | "localStorage"} storage @param {string} name @param {string | null} value */
function write(storage, name, value) {
  try {
    if (value === null) globalThis[storage]?.removeItem(name);
    else globalThis[storage]?.setItem(name, value);
  } catch {
    // Storage is disabled: the value lives as long as the page.
  }
}

/** @param {string} hash @returns {Route} */
export function parseRoute(hash) {
  const text = hash.replace(/^#\/?/, "");
  const mark = text.indexOf("?");
  const path = mark < 0 ? text : text.slice(0, mark);
  const slash = path.indexOf("/");
  return {
    page: (slash < 0 ? path : path.slice(0, slash)) || DEFAULT_PAGE,
    rest: slash < 0 ? "" : decoded(path.slice(slash + 1)),
    query: new URLSearchParams(mark < 0 ? "" : text.slice(mark + 1)),
  };
}

/**
 * @param {string} page @param {string} [rest] @param {Query} [query]
 * @returns {string} A value for `href`.
 */
export function link(page, rest = "", query = {}) {
  return urlOf(`#/${page}${rest ? `/${encodeURIComponent(rest)}` : ""}`, query);
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

/** Go to another route. @type {typeof link} */
export function go(page, rest, query) {
  const target = link(page, rest, query);
  location.hash = target;
  return target;
}

/** Change the query of the current route without an entry in the history. @param {Query} query */
export function setQuery(query) {
  const { page, rest } = route.value;
  history.replaceState(null, "", link(page, rest, query));
  route.value = parseRoute(location.hash);
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {string} text @param {Toast["kind"]} [kind] */
export function toast(text, kind = "info") {
  lastToastId += 1;
  const id = lastToastId;
  toasts.value = [...toasts.value.slice(-3), { id, text, kind }];
  setTimeout(() => dismiss(id), SHOWN_MS[kind]);
}

/** @param {number} id */
export function dismiss(id) {
  toasts.value = toasts.value.filter((shown) => shown.id !== id);
}

/**
 * Wait for a state of the page.
 * @param {() => boolean} isMet Reads signals. @param {AbortSignal} [signal] Ends the wait, too.
 * @returns {Promise<void>}
 */
export async function until(isMet, signal) {
  const wait = new AbortController();
  const stop = effect(() => {
    if (isMet()) wait.abort();
  });
  const signals = [wait.signal, ...(signal ? [signal] : [])];
  if (signals.every(({ aborted }) => !aborted)) {
    await new Promise((resolve) => {
      for (const each of signals) each.addEventListener("abort", resolve, { once: true });
    });
  }
  stop();
}
