/** What the server does now: models in memory, the queue, requests and swaps, followed over one stream of events. */

import { api, IDLE_MS, isDenied, streamEvents } from "../lib/api.js";
import { computed, effect, signal } from "../vendor/signals.js";
import { isAway, until } from "./waiting.js";
import { key, needsKey } from "./session.js";
import { applyEvent, emptyState, replaceRunning, withHistory, withSwaps } from "./reduce.js";

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 5000;
const RUNNING_INTERVAL_MS = 1500;

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
