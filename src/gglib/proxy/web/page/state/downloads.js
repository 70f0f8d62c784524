/** The downloads of the server: listed, and followed while a view shows them. */

import { api, IDLE_MS, isDenied, segment, streamEvents } from "../lib/api.js";
import { bytes, duration } from "../lib/format.js";
import { computed, effect, signal, useEffect } from "../lib/html.js";
import { isAway, key, toast } from "./session.js";

/** @typedef {import("../lib/api_types.js").Download} Download */

const LIST_INTERVAL_MS = 3000;
const ORDER = ["running", "queued", "paused"];
const PHASES = /** @type {Record<string, string>} */ ({
  waiting: "Waiting for another download of the same file",
  downloading: "Downloading",
  verifying: "Verifying",
  adding: "Adding to the catalogue",
});

/** @type {import("../vendor/signals.js").Signal<{downloads: readonly Download[], error: Error | null, isLoaded: boolean}>} */
const state = signal({ downloads: [], error: null, isLoaded: false });

/** Active ones first, then the newest. */
export const downloads = computed(() => inOrder(state.value.downloads));

/** Why the list could not be read; null: it is current. */
export const downloadsError = computed(() => state.value.error);

/** Streams of running downloads, by id. At most two run at a time, so the browser's connections suffice. @type {Map<string, AbortController>} */
const streams = new Map();
let followers = 0;
/** @type {ReturnType<typeof setInterval> | undefined} */
let timer;
/** The key with which the list may not be read; undefined: none. @type {string | null | undefined} */
let deniedKey;

effect(() => {
  if (isAway.value) endStreams(); // the next listing follows them again
});

/** Keep `downloads` current while the component is shown. */
export function useDownloads() {
  useEffect(() => {
    followers += 1;
    if (followers === 1) start();
    return () => {
      followers -= 1;
      if (followers === 0) stop();
    };
  }, [key.value]);
}

/** Start a download. @param {string} target As for `gglib pull`. @returns {Promise<Download>} */
export async function startDownload(target) {
  const download = await api.post("/gglib/downloads", { target });
  note(download);
  toast(`Downloading ${download.target}`, "info");
  return download;
}

/** @param {string} id */
export const pauseDownload = async (id) => note(await api.post(`/gglib/downloads/${segment(id)}/pause`));

/** @param {string} id */
export const resumeDownload = async (id) => note(await api.post(`/gglib/downloads/${segment(id)}/resume`));

/** @param {string} id @param {boolean} withFiles Also delete its partial files. */
export const cancelDownload = async (id, withFiles) =>
  note(await api.del(`/gglib/downloads/${segment(id)}`, { query: { files: withFiles || null } }));

/** @param {Download} download A state that the server sent. */
function note(download) {
  state.value = { ...state.value, downloads: replaced(state.value.downloads, download) };
  if (followers > 0) followRunning();
}

function start() {
  void list();
  timer = setInterval(() => {
    if (!document.hidden && key.value !== deniedKey) void list();
  }, LIST_INTERVAL_MS);
}

function stop() {
  clearInterval(timer);
  endStreams();
}

function endStreams() {
  for (const controller of streams.values()) controller.abort();
  streams.clear();
}

async function list() {
  const before = state.value.downloads;
  const usedKey = key.value;
  try {
    const { downloads: listed } = await api.get("/gglib/downloads");
    deniedKey = undefined;
    state.value = { downloads: merged(state.value.downloads, listed, before), error: null, isLoaded: true };
  } catch (error) {
    if (isDenied(error)) deniedKey = usedKey;
    state.value = { ...state.value, error: /** @type {Error} */ (error), isLoaded: true };
  }
  if (followers > 0) followRunning();
}

function followRunning() {
  for (const download of state.value.downloads) {
    if (download.state === "running" && !streams.has(download.id)) void follow(download.id);
  }
}

/** @param {string} id */
async function follow(id) {
  const controller = new AbortController();
  streams.set(id, controller);
  try {
    const events = streamEvents(`/gglib/downloads/${segment(id)}/events`, { signal: controller.signal, idleMs: IDLE_MS });
    for await (const { data } of events) {
      const value = JSON.parse(data);
      if (value.error && !value.id) break; // the server shuts down
      note(value);
    }
  } catch {
    // The next listing follows it again.
  } finally {
    if (streams.get(id) === controller) streams.delete(id);
  }
}

/** @param {readonly Download[]} downloads @returns {Download[]} Active ones first, then the newest. */
export function inOrder(downloads) {
  const rank = (/** @type {Download} */ { state }) => (ORDER.includes(state) ? ORDER.indexOf(state) : ORDER.length);
  return [...downloads].sort((a, b) => rank(a) - rank(b) || b.created_at - a.created_at || b.id.localeCompare(a.id));
}

/** @param {readonly Download[]} downloads @param {Download} changed @returns {Download[]} */
export function replaced(downloads, changed) {
  return downloads.some(({ id }) => id === changed.id)
    ? downloads.map((download) => (download.id === changed.id ? changed : download))
    : [...downloads, changed];
}

/**
 * @param {readonly Download[]} known @param {readonly Download[]} listed @param {readonly Download[]} [before] The known ones when the listing was asked for.
 * @returns {Download[]} The listed ones. What changed since the listing was asked for stays as it is, and so does the progress of a stream, which is newer.
 */
export function merged(known, listed, before = known) {
  const byId = new Map(known.map((download) => [download.id, download]));
  const earlier = new Set(before);
  const ids = new Set(listed.map(({ id }) => id));
  const current = listed.map((download) => {
    const own = byId.get(download.id);
    const isNewer = own?.state === "running" && download.state === "running" && own.done_bytes > download.done_bytes;
    return own && (isNewer || !earlier.has(own)) ? own : download;
  });
  return [...current, ...known.filter((download) => !ids.has(download.id) && !earlier.has(download))];
}

/** @param {Download} download @returns {boolean} Whether it runs or will run by itself. */
export function isActive({ state }) {
  return state === "running" || state === "queued";
}

/** @param {Download} download @returns {number | null} From 0 to 1; null: unknown. */
export function shareOf({ state, done_bytes: done, total_bytes: total, phase }) {
  if (state === "done") return 1;
  if (phase === "waiting" || phase === "adding" || !total) return null;
  return Math.min(1, done / total);
}

/** @param {Download} download @returns {string} What it does now, in one line. */
export function stateText(download) {
  const { state, phase, done_bytes: done, total_bytes: total } = download;
  const sizes = total ? `${bytes(done)} of ${bytes(total)}` : done > 0 ? bytes(done) : "";
  switch (state) {
    case "queued":
      return "Waiting for its turn";
    case "running":
      return [PHASES[phase ?? ""] ?? "Starting", sizes, speedText(download)].filter(Boolean).join(" · ");
    case "paused":
      return ["Paused", sizes].filter(Boolean).join(" at ");
    case "cancelled":
      return ["Cancelled", sizes].filter(Boolean).join(" at ");
    case "failed":
      return "Failed";
    default:
      return ["Ready to use", total ? bytes(total) : ""].filter(Boolean).join(" · ");
  }
}

/** @param {Download} download @returns {string} */
function speedText({ phase, bytes_per_s: speed, left_s: left }) {
  if (phase !== "downloading" || !speed) return "";
  return `${bytes(speed)}/s${left === null ? "" : ` · ${duration(left)} left`}`;
}
