/** What can be done with one model. Each action returns when the server has done it. */

import { api, count, segment, toast } from "../../ui/kit.js";

/** @param {string} name */
export const modelPath = (name) => `/gglib/models/${segment(name)}`;

/** Load a model; returns when it is ready. @param {string} name */
export async function loadModel(name) {
  const loaded = await api.post(`${modelPath(name)}/load`, {});
  toast(`${loaded.model_name} is ready, with a context of ${count(loaded.effective_ctx)} tokens.`, "success");
}

/** Unload a model after its responses in flight. @param {string} name */
export async function unloadModel(name) {
  const { stopped } = await api.post(`${modelPath(name)}/unload`);
  toast(stopped.length > 0 ? `${name} is unloaded.` : `${name} was not in memory.`);
}

/** @param {string} name @param {boolean} isPinned */
export async function pinModel(name, isPinned) {
  await api.post(`${modelPath(name)}/${isPinned ? "pin" : "unpin"}`);
  toast(isPinned ? `${name} stays in memory once it is loaded.` : `${name} may be unloaded for other models.`);
}
