/** What the server does now: models in memory, the queue, requests and swaps, followed over one stream of events. */

import { api, IDLE_MS, isDenied, streamEvents } from "../lib/api.js";
import { computed, effect, signal } from "../vendor/signals.js";
import { isAway, key, needsKey, until } from "./session.js";

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

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 5000;
const RUNNING_INTERVAL_MS = 1500;
/** How many of the newest finished requests and swaps are kept. */
export const KEPT = 200;
/** Times are stored in milliseconds. */
const SAME_END_S = 0.0015;

const state = signal(emptyState());

/** `connecting`, `live`, `lost`: the page connects again by itself, or `denied`: it waits for another key. */
export const connection = signal("connecting");

/** Why the stream ended or cannot be opened, such as a key without admin rights; null while it is open. @type {import("../vendor/signals.js").Signal<Error | null>} */
export const connectionError = signal(null);

/** The version of the server; changes when another one is started at the address. */
export const serverVersion = computed(() => state.value.status?.version ?? null);

/** `GET /gglib/status`, kept current by events; null before the first snapshot. */
export const status = computed(() => state.value.status);

/** When `status` was received (`performance.now()`): its times are those of that moment. */
export const statusAt = computed(() => state.value.statusAt);

/** Requests in progress, oldest first. `seenAt`: when their times were received. */
export const running = computed(() => [...runningById.value.values()]);
const runningById = computed(() => state.value.running);

/** The newest finished requests of this connection, newest first, at most 200. */
export const finished = computed(() => state.value.finished);

/** The newest swaps, newest first, at most 200. */
export const swaps = computed(() => state.value.swaps);

/** A clock for views with elapsed times: `performance.now()`, each second while the page is visible. */
export const now = signal(performance.now());

/** Follow the server until the page is closed. */
export function follow() {
  setInterval(() => {
    if (!document.hidden) now.value = performance.now();
  }, 1000);
  setInterval(() => {
    const hasRunning = state.value.running.size > 0 || (state.value.status?.waiting.length ?? 0) > 0;
    if (!document.hidden && hasRunning && connection.value === "live") refreshRunning().catch(() => {});
  }, RUNNING_INTERVAL_MS);
  void reconnecting();
}

/** Read the requests in progress anew: events report their start and end, not their progress. */
export async function refreshRunning() {
  const before = state.value;
  const page = await api.get("/gglib/requests", { query: { state: "running", limit: 1 } });
  state.value = replaceRunning(state.value, page.running, performance.now(), before);
}

async function reconnecting() {
  let delay = FIRST_RETRY_MS;
  for (;;) {
    await until(() => !needsKey.value && !isAway.value);
    const startedAt = performance.now();
    const controller = new AbortController();
    const usedKey = key.value;
    const unwatch = effect(() => {
      if (key.value !== usedKey || isAway.value) controller.abort(); // another key may see other things
    });
    /** @type {unknown} */
    let failure = null;
    try {
      await followOnce(controller.signal);
    } catch (error) {
      if (!controller.signal.aborted) failure = error;
    }
    const isWanted = !controller.signal.aborted;
    unwatch();
    controller.abort();
    connection.value = "lost";
    if (!isWanted) {
      await until(() => !isAway.value);
      connection.value = "connecting";
      continue;
    }
    if (failure !== null) connectionError.value = /** @type {Error} */ (failure);
    if (isDenied(failure)) {
      connection.value = "denied";
      state.value = emptyState(); // it may be of another key
      await until(() => key.value !== usedKey);
      connection.value = "connecting";
      connectionError.value = null;
      continue;
    }
    if (performance.now() - startedAt > LAST_RETRY_MS) delay = FIRST_RETRY_MS;
    if (!needsKey.value) await waited(delay);
    delay = Math.min(LAST_RETRY_MS, delay * 1.6);
  }
}

/** @param {AbortSignal} signal */
async function followOnce(signal) {
  const events = streamEvents("/gglib/events", { query: { requests: true }, signal, idleMs: IDLE_MS });
  for await (const { event, data } of events) {
    if (connection.value !== "live") {
      connection.value = "live";
      connectionError.value = null;
      readPast(signal);
    }
    const value = JSON.parse(data);
    if (event === "error" || event === "message") throw new Error(value.error?.message); // the last event of a shutdown
    state.value = applyEvent(state.value, event, value, performance.now());
  }
}

/** Read what happened before the stream began; each part by itself, since the history may be unavailable. @param {AbortSignal} signal */
function readPast(signal) {
  const before = state.value;
  api.get("/gglib/requests", { query: { limit: 50 }, signal })
    .then(({ running: listed, requests }) => {
      state.value = withHistory(replaceRunning(state.value, listed, performance.now(), before), requests);
    })
    .catch(() => {});
  api.get("/gglib/swaps", { query: { limit: 50 }, signal })
    .then((past) => { state.value = withSwaps(state.value, past.swaps); })
    .catch(() => {});
}

/** @param {number} milliseconds */
function waited(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

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
      return withFinished(state, data);
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
function withFinished(state, request) {
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
