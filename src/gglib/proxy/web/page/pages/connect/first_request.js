/** Finds the next request of a client among those that the server reports, and says how far it is. Pure. */

/**
 * @typedef {import("../../lib/api_types.js").RunningRequest} Running
 * @typedef {import("../../lib/api_types.js").StoredRequest} Stored
 * @typedef {{running: readonly Running[], finished: readonly Stored[]}} Seen
 * @typedef {"expected" | "waiting" | "answering" | "answered" | "failed"} Stage
 * @typedef {{stage: Stage, id: string, client: string | null, model: string | null, route: string,
 *   running: Running | null, stored: Stored | null}} Observed
 */

/** Routes of the admin API, which this page uses itself. */
const OWN = "/gglib/";

/** @param {Seen} seen @returns {ReadonlySet<string>} The requests that are none of the next ones. */
export function knownRequests({ running, finished }) {
  return new Set([...running, ...finished].map((request) => request.request_id));
}

/**
 * @param {ReadonlySet<string>} known @param {Seen} seen
 * @returns {string | null} The id of the oldest request that is not known; null: none has come.
 */
export function nextRequest(known, { running, finished }) {
  const isNext = (/** @type {Running | Stored} */ request) => !request.route.startsWith(OWN) && !known.has(request.request_id);
  const ended = finished.findLast(isNext); // newest first
  return (ended ?? running.find(isNext))?.request_id ?? null;
}

/**
 * @param {string} id @param {Seen} seen
 * @returns {Observed | null} The state of a request; null if it is in neither list, as after a restart of the server.
 */
export function observe(id, { running, finished }) {
  const stored = finished.find((request) => request.request_id === id) ?? null;
  const current = stored === null ? running.find((request) => request.request_id === id) ?? null : null;
  const request = stored ?? current;
  if (request === null) return null;
  const { client, model, route } = request;
  return { stage: stageOf(current, stored), id, client, model, route, running: current, stored };
}

/**
 * @param {Observed | null} before What was observed last. @param {string} id @param {Seen} seen
 * @returns {Observed | null} As `observe`; a request that has ended stays so when newer ones have taken its place in the list.
 */
export function observeOn(before, id, seen) {
  return observe(id, seen) ?? (before?.id === id && before.stored !== null ? before : null);
}

/** @param {Running | null} running @param {Stored | null} stored @returns {Stage} */
function stageOf(running, stored) {
  if (stored !== null) return stored.error === null && stored.status !== null && stored.status < 400 ? "answered" : "failed";
  return running?.state === "waiting" ? "waiting" : "answering";
}
