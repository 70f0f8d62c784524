/** The downloads of the server: listed, and followed while a view shows them. */

import { api, IDLE_MS, isDenied, segment, streamEvents } from "../lib/api.js";
import { computed, effect, signal, useEffect } from "../lib/html.js";
import { key } from "./session.js";
import { toast } from "./toasts.js";
import { isAway } from "./waiting.js";
import { inOrder, merged, replaced } from "./downloads_list.js";

/** @typedef {import("../lib/api_types.js").Download} Download */

const LIST_INTERVAL_MS = 3000;

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
