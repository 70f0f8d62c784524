/** How events of `GET /gglib/events` change the state of the page. Pure. */

/**
 * @typedef {import("../lib/api_types.js").Status} Status
 * @typedef {import("../lib/api_types.js").RunningRequest} RunningRequest
 * @typedef {import("../lib/api_types.js").StoredRequest} StoredRequest
 * @typedef {import("../lib/api_types.js").SwapStatus} Swap
 * @typedef {{
 *   status: Status | null,
 *   statusAt: number,
 *   running: ReadonlyMap<string, RunningRequest & {seenAt: number}>,
 *   finished: readonly StoredRequest[],
 *   swaps: readonly Swap[],
 * }} LiveState
 */

/** How many of the newest finished requests and swaps are kept. */
export const KEPT = 200;

/** @returns {LiveState} Times are those of `performance.now()`, in milliseconds. */
export function emptyState() {
  return { status: null, statusAt: 0, running: new Map(), finished: [], swaps: [] };
}

/**
 * @param {LiveState} state @param {string} name @param {any} data @param {number} now
 * @returns {LiveState} The state after an event; the same object if the event changes nothing.
 */
export function applyEvent(state, name, data, now) {
  switch (name) {
    case "snapshot":
      return { ...state, status: data, statusAt: now };
    case "loading":
      return withResident(state, data.model_id, {
        model_id: data.model_id,
        model_name: data.model_name,
        state: "loading",
        effective_ctx: data.effective_ctx,
        expected_load_s: data.expected_s,
        loading_for_s: (state.statusAt - now) / 1000, // 0 now: times are as of statusAt
      });
    case "ready":
      return withResident(state, data.model_id, {
        state: "ready",
        load_time_s: data.load_s,
        loading_for_s: null,
        expected_load_s: null,
      });
    case "stopping":
      return withResident(state, data.model_id, { state: "stopping" });
    case "load_failed":
    case "gone":
      return withoutResident(state, data.model_id);
    case "swap":
      return { ...state, swaps: [data.swap ?? data, ...state.swaps].slice(0, KEPT) };
    case "request_started":
      return withRunning(state, { ...data, seenAt: now });
    case "request_finished":
      return finished(state, data);
    default:
      return state;
  }
}

/**
 * @param {LiveState} state @param {readonly RunningRequest[]} running All requests in progress, from a listing.
 * @param {number} now @returns {LiveState}
 */
export function replaceRunning(state, running, now) {
  return {
    ...state,
    running: new Map(running.map((request) => [request.request_id, { ...request, seenAt: now }])),
  };
}

/** @param {LiveState} state @param {number} id @param {Record<string, unknown>} changes */
function withResident(state, id, changes) {
  if (state.status === null) return state;
  const residents = state.status.residents;
  const old = residents.find((resident) => resident.model_id === id);
  if (old === undefined && changes.model_name === undefined) return state;
  const blank = { in_flight: 0, slots: null, size: {}, is_measured: false, is_pinned: false, idle_s: null };
  const changed = /** @type {Status["residents"][number]} */ ({ ...(old ?? blank), ...changes });
  const others = old === undefined
    ? [...residents, changed]
    : residents.map((resident) => (resident === old ? changed : resident));
  return { ...state, status: { ...state.status, residents: others } };
}

/** @param {LiveState} state @param {number} id @returns {LiveState} */
function withoutResident(state, id) {
  if (state.status === null) return state;
  const residents = state.status.residents.filter((resident) => resident.model_id !== id);
  return { ...state, status: { ...state.status, residents } };
}

/** @param {LiveState} state @param {RunningRequest & {seenAt: number}} request @returns {LiveState} */
function withRunning(state, request) {
  return { ...state, running: new Map(state.running).set(request.request_id, request) };
}

/** @param {LiveState} state @param {StoredRequest} request @returns {LiveState} */
function finished(state, request) {
  const running = new Map(state.running);
  running.delete(request.request_id);
  return { ...state, running, finished: [request, ...state.finished].slice(0, KEPT) };
}
