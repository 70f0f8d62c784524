/** What can be done with one model. Each action returns when the server has done it. */

import { api, count, segment, toast } from "../../ui/kit.js";

/** @param {string} name */
export const modelPath = (name) => `/gglib/models/${segment(name)}`;

/** Load a model; returns when it is ready. @param {string} name */
export async function loadModel(name) {
  const loaded = await api.post(`${modelPath(name)}/load`, {});
  const where = loaded.node === null ? "" : ` on ${loaded.node}`;
  const context = loaded.effective_ctx === null ? "" : `, with a context of ${count(loaded.effective_ctx)} tokens`;
  toast(`${loaded.model_name} is ready${where}${context}.`, "success");
}

/** Unload a model after its responses in flight. @param {string} name */
async function unloadModel(name) {
  const { stopped } = await api.post(`${modelPath(name)}/unload`);
  toast(`${name} ${stopped.length > 0 ? "is unloaded" : "was not in memory"}.`);
}

/**
 * What the button beside a model does now. It is one button, which keeps the focus; while the model stops, it does nothing.
 * @param {string} name @param {string | null} state Null if it is not in memory.
 * @returns {{verb: string, icon: string, run: () => Promise<void>, attributes: {"aria-disabled"?: "true"}}}
 */
export function memoryAction(name, state) {
  if (state === null) return { verb: "Load", icon: "load", run: () => loadModel(name), attributes: {} };
  const isStopping = state === "stopping";
  return { verb: "Unload", icon: "unload", run: async () => isStopping ? undefined : unloadModel(name), attributes: isStopping ? { "aria-disabled": "true" } : {} };
}

/** @param {string} name @param {boolean} isPinned */
export async function pinModel(name, isPinned) {
  await api.post(`${modelPath(name)}/${isPinned ? "pin" : "unpin"}`);
  toast(`${name} ${isPinned ? "stays in memory once it is loaded" : "may be unloaded for other models"}.`);
}
