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

/** Times are stored in milliseconds. */
const SAME_END_S = 0.0015;

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
      return withSwaps(state, [data.swap ?? data]);
    case "request_started":
      return withRunning(state, { ...data, seenAt: now });
    case "request_finished":
      return finished(state, data);
    default:
      return state;
  }
}

/**
 * Take over a listing. Events that came while it was read are newer: what they ended stays away, what they started stays.
 * @param {LiveState} state @param {readonly RunningRequest[]} running All requests in progress, from the listing.
 * @param {number} now @param {LiveState} before The state when the listing was asked for. @returns {LiveState}
 */
export function replaceRunning(state, running, now, before) {
  const earlier = new Set(before.finished);
  const ended = new Set(state.finished.filter((request) => request.id === null && !earlier.has(request)).map((request) => request.request_id));
  const listed = running.filter((request) => !ended.has(request.request_id)).map((request) => ({ ...request, seenAt: now }));
  const known = new Map(listed.map((request) => [request.request_id, request]));
  for (const [id, request] of state.running) if (!before.running.has(id) && !known.has(id)) known.set(id, request);
  return { ...state, running: known };
}

/**
 * Add a listing of finished requests to those of events, which stay as they are.
 * @param {LiveState} state @param {readonly StoredRequest[]} stored Newest first. @returns {LiveState}
 */
export function withHistory(state, stored) {
  const ofEvents = state.finished.filter((request) => request.id === null);
  const others = stored.filter((request) => !ofEvents.some((other) => isSameRequest(request, other)));
  const all = [...ofEvents, ...others].sort((a, b) => b.ended_at_s - a.ended_at_s);
  return { ...state, finished: all.slice(0, KEPT) };
}

/** @param {LiveState} state @param {readonly Swap[]} swaps Some that are known, maybe, and others. @returns {LiveState} */
export function withSwaps(state, swaps) {
  const others = state.swaps.filter((swap) => !swaps.some((other) => isSameSwap(swap, other)));
  const all = [...swaps, ...others].sort((a, b) => (b.ended_at ?? 0) - (a.ended_at ?? 0));
  return { ...state, swaps: all.slice(0, KEPT) };
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
  const isListed = state.finished.some((other) => other.id !== null && isSameRequest(request, other));
  return { ...state, running, finished: isListed ? state.finished : [request, ...state.finished].slice(0, KEPT) };
}

/** @param {StoredRequest} one @param {StoredRequest} other Clients may use an id again. */
function isSameRequest(one, other) {
  return one.request_id === other.request_id && Math.abs(one.ended_at_s - other.ended_at_s) <= SAME_END_S;
}

/** @param {Swap} one @param {Swap} other */
function isSameSwap(one, other) {
  return Boolean(one.ended_at) && one.ended_at === other.ended_at && one.from_model === other.from_model && one.to_model === other.to_model;
}
