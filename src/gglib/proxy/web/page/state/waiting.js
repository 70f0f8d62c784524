/** Waits for states of the page, such as that it is shown. */

import { effect, signal } from "../vendor/signals.js";

const HIDDEN_MS = 30_000;

/**
 * Whether the page has been hidden for a while; false again at once when it is visible. Its streams end meanwhile: a
 * browser has six connections to a server for all tabs.
 */
export const isAway = signal(false);

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

globalThis.document?.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden) isAway.value = false;
  else timer = setTimeout(() => { isAway.value = true; }, HIDDEN_MS);
});

/**
 * Wait for a state of the page.
 * @param {() => boolean} isMet Reads signals. @param {AbortSignal} [signal] Ends the wait, too.
 * @returns {Promise<void>}
 */
export async function until(isMet, signal) {
  const wait = new AbortController();
  const stop = effect(() => {
    if (isMet()) wait.abort();
  });
  const signals = [wait.signal, ...(signal ? [signal] : [])];
  if (signals.every(({ aborted }) => !aborted)) {
    await new Promise((resolve) => {
      for (const each of signals) each.addEventListener("abort", resolve, { once: true });
    });
  }
  stop();
}
