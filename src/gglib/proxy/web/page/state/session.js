/** The state of this tab: the access key, and the theme. */

import { effect, signal } from "../vendor/signals.js";

const KEY = "gglib.key";
const THEME = "gglib.theme";

/** The access key; null: none was entered. Kept until the tab is closed. @type {import("../vendor/signals.js").Signal<string | null>} */
export const key = signal(read("sessionStorage", KEY));

/** Whether the server requires a key that this tab does not have. */
export const needsKey = signal(false);

/** Whether the last key was refused. */
export const isKeyRefused = signal(false);

/** @type {import("../vendor/signals.js").Signal<"system" | "light" | "dark">} */
export const theme = signal(themeOf(read("localStorage", THEME)));

/** @param {string} text @returns {boolean} Whether it can be a key: a header has no other characters, such as a pasted dash or an invisible space. */
export function isKey(text) {
  return /^[\x21-\x7e]+$/.test(text);
}

/** @param {string} text As in `isKey`. */
export function enterKey(text) {
  key.value = text;
  write("sessionStorage", KEY, text);
  isKeyRefused.value = false;
  needsKey.value = false;
}

/** Forget the key. */
export function forgetKey() {
  key.value = null;
  write("sessionStorage", KEY, null);
}

/** Note that the server refused a request with this key. @param {string | null} refused */
export function rejectKey(refused) {
  if (refused !== key.value) return; // another one was entered meanwhile
  isKeyRefused.value = refused !== null;
  needsKey.value = true;
}

/** @param {"system" | "light" | "dark"} chosen */
export function setTheme(chosen) {
  theme.value = chosen;
  write("localStorage", THEME, chosen === "system" ? null : chosen);
}

/** Apply the theme to the document, now and after changes. */
export function applyTheme() {
  effect(() => {
    if (theme.value === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme.value;
  });
}

/** @param {string | null} text @returns {"system" | "light" | "dark"} */
function themeOf(text) {
  return text === "light" || text === "dark" ? text : "system";
}

/** @param {"sessionStorage" | "localStorage"} storage @param {string} name @returns {string | null} */
function read(storage, name) {
  try {
    return globalThis[storage]?.getItem(name) ?? null;
  } catch {
    return null; // storage is disabled
  }
}

/** @param {"sessionStorage" | "localStorage"} storage @param {string} name @param {string | null} value */
function write(storage, name, value) {
  try {
    if (value === null) globalThis[storage]?.removeItem(name);
    else globalThis[storage]?.setItem(name, value);
  } catch {
    // Storage is disabled: the value lives as long as the page.
  }
}
