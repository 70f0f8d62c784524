/** Preact with htm templates, hooks and signals, and the hooks of this page: everything that components import. */

import { Fragment, h, render } from "../vendor/preact.js";
import htm from "../vendor/htm.js";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "../vendor/hooks.js";
import { connection } from "../state/live.js";
import { key } from "../state/session.js";

/** Template tag for components: html`<p class="x">${text}</p>`. Text and attributes are escaped by Preact. */
export const html = htm.bind(h);

export { Fragment, h, render };
export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
export { batch, computed, effect, signal, untracked } from "../vendor/signals.js";

/**
 * Load data for a view.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} read
 * @param {unknown[]} inputs The data is loaded again when one of them, or the access key, changes; the old value stays until then.
 * @returns {{value: T | null, error: Error | null, isLoading: boolean, reload: () => Promise<void>}}
 */
export function useLoad(read, inputs) {
  const [state, setState] = useState(/** @type {{value: T | null, error: Error | null, isLoading: boolean}} */ ({ value: null, error: null, isLoading: true }));
  const controller = useRef(/** @type {AbortController | null} */ (null));
  const reload = useCallback(async () => {
    controller.current?.abort();
    const current = new AbortController();
    controller.current = current;
    setState((before) => ({ ...before, isLoading: true }));
    try {
      const value = await read(current.signal);
      if (!current.signal.aborted) setState({ value, error: null, isLoading: false });
    } catch (error) {
      if (!current.signal.aborted) setState((before) => ({ ...before, error: /** @type {Error} */ (error), isLoading: false }));
    }
  }, [...inputs, key.value]);
  useEffect(() => {
    void reload();
    return () => controller.current?.abort();
  }, [reload]);
  useWhenServerReturns(() => {
    if (state.error) void reload();
  });
  return { ...state, reload };
}

/** Call `action` when the server is reachable again, for what failed while it was not. @param {() => void} action */
export function useWhenServerReturns(action) {
  const latest = useRef(action);
  latest.current = action;
  const isLive = connection.value === "live";
  useEffect(() => {
    if (isLive) latest.current();
  }, [isLive]);
}

/** @template T @param {T} value @param {number} delayMs @returns {T} The value, once it has been the same for this time. */
export function useSettled(value, delayMs) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), delayMs);
    return () => clearTimeout(timer);
  }, [value, delayMs]);
  return settled;
}

/**
 * Keep the keyboard's focus when the control that has it goes away.
 * If the focus was inside of the element, and what had it is gone after a change, it moves to another control there.
 * @param {string} selector The control. @returns {{current: HTMLElement | null}} The ref of the element.
 */
export function useKeptFocus(selector) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const hadFocus = place.current?.contains(document.activeElement) ?? false;
  useLayoutEffect(() => {
    if (hadFocus && !place.current?.contains(document.activeElement)) {
      /** @type {HTMLElement | null | undefined} */ (place.current?.querySelector(selector))?.focus({ preventScroll: true });
    }
  });
  return place;
}
