/** What the list and the details say of a request. Pure. */

import { clock, dateTime, NO_VALUE } from "../../lib/format.js";

/**
 * @typedef {import("../../lib/api_types.js").StoredRequest} StoredRequest
 * @typedef {import("../../lib/api_types.js").RunningRequest} RunningRequest
 */

const CLIENT_LEFT = 499;
/** Parts that are shorter are as good as none. */
const SHORTEST_S = 0.0005;

/** @param {{status: number | null, error: string | null}} request Whether it failed, as the server counts it. */
export function isFailed({ status, error }) {
  return error !== null || status === null || status >= 400;
}

/** @param {{status: number | null, error: string | null}} request @returns {{tone: "quiet" | "warn" | "bad", text: string}} */
export function statusBadge(request) {
  const { status } = request;
  if (status === null) return { tone: "bad", text: "none" };
  if (status === CLIENT_LEFT || !isFailed(request)) return { tone: "quiet", text: String(status) };
  return { tone: status >= 400 && status < 500 ? "warn" : "bad", text: String(status) };
}

/** @param {{model: string | null, requested_model: string | null, profile: string | null}} request "MODEL:PROFILE" */
export function modelName({ model, requested_model: requested, profile }) {
  const name = model ?? requested;
  return name === null ? NO_VALUE : profile ? `${name}:${profile}` : name;
}

/** @param {string} route Without the prefix that most have. */
export function shortRoute(route) {
  return route.replace(/^\/v1\//, "");
}

/** @param {number} endedAt @param {number} now Both Unix times. @returns {string} "22:41:07" within a day, else "11-28 22:41". */
export function shortTime(endedAt, now) {
  return Math.abs(now - endedAt) < 20 * 3600 ? clock(endedAt) : dateTime(endedAt).slice(5, 16);
}

/**
 * The parts of a request's duration, in seconds, in their order.
 * @param {{waited_s: number | null, first_byte_s: number | null, duration_s: number, is_streamed: boolean}} request
 * @returns {{name: string, seconds: number, tone: string}[]} Without parts that are missing. The first token is counted from the start of its model's work.
 */
export function phases({ waited_s: waited, first_byte_s: first, duration_s: total, is_streamed: isStreamed }) {
  const wait = Math.min(waited ?? 0, total);
  const start = first === null ? null : Math.min(Math.max(first, wait), total);
  const found = [
    { name: "Waited", seconds: wait, tone: "s5" },
    ...(start === null
      ? [{ name: "Until its end", seconds: total - wait, tone: "s8" }]
      : [{ name: isStreamed ? "First token" : "Until the response", seconds: start - wait, tone: "s4" }, { name: "Response", seconds: total - start, tone: "" }]),
  ];
  return found.filter((phase) => phase.seconds >= SHORTEST_S);
}
