/** Loads data for a view: the value, an error, and a way to load it again. */

import { connection } from "../state/live.js";
import { key } from "../state/session.js";
import { useCallback, useEffect, useRef, useState } from "../vendor/hooks.js";

/**
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
