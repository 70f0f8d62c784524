/** The downloads of the server: listed, and followed while a view shows them. */

import { ApiError, api, segment, streamEvents } from "../lib/api.js";
import { computed, signal, useEffect } from "../lib/html.js";
import { key } from "./session.js";
import { toast } from "./toasts.js";
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
    if (!document.hidden) void list();
  }, LIST_INTERVAL_MS);
}

function stop() {
  clearInterval(timer);
  for (const controller of streams.values()) controller.abort();
  streams.clear();
}

async function list() {
  try {
    const { downloads: listed } = await api.get("/gglib/downloads");
    state.value = { downloads: merged(state.value.downloads, listed), error: null, isLoaded: true };
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) clearInterval(timer); // only another key would see them
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
    const events = streamEvents(`/gglib/downloads/${segment(id)}/events`, { signal: controller.signal });
    for await (const { data } of events) {
      const value = JSON.parse(data);
      if (value.error && !value.id) break; // the server shuts down
      note(value);
    }
  } catch {
    // The next listing follows it again.
  } finally {
    streams.delete(id);
  }
}
