/** The route in the fragment of the URL: `#/models/NAME?tab=settings`. */

import { signal } from "../vendor/signals.js";

/** @typedef {{page: string, rest: string, query: URLSearchParams}} Route */

export const DEFAULT_PAGE = "now";

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
 * @param {string} page @param {string} [rest] @param {Record<string, string | number | null | undefined>} [query]
 * @returns {string} A value for `href`.
 */
export function link(page, rest = "", query = {}) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return `#/${page}${rest ? `/${encodeURIComponent(rest)}` : ""}${text ? `?${text}` : ""}`;
}

/** The current route. */
export const route = signal(parseRoute(globalThis.location?.hash ?? ""));

globalThis.addEventListener?.("hashchange", () => {
  route.value = parseRoute(location.hash);
});

/** Go to another route. @type {typeof link} */
export function go(page, rest, query) {
  const target = link(page, rest, query);
  location.hash = target;
  return target;
}

/** Change the query of the current route without an entry in the history. @param {Record<string, string | number | null | undefined>} query */
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
