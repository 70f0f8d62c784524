/** Short messages at the edge of the page. */

import { signal } from "../vendor/signals.js";

/** @typedef {{id: number, text: string, kind: "info" | "error" | "success"}} Toast */

const SHOWN_MS = { info: 4000, success: 4000, error: 10000 };

/** The messages that are shown, oldest first. @type {import("../vendor/signals.js").Signal<Toast[]>} */
export const toasts = signal([]);
let lastId = 0;

/** @param {string} text @param {Toast["kind"]} [kind] */
export function toast(text, kind = "info") {
  lastId += 1;
  const id = lastId;
  toasts.value = [...toasts.value.slice(-3), { id, text, kind }];
  setTimeout(() => dismiss(id), SHOWN_MS[kind]);
}

/** @param {number} id */
export function dismiss(id) {
  toasts.value = toasts.value.filter((shown) => shown.id !== id);
}
