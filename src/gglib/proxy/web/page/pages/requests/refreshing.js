/** When the list is read again: after requests have ended, at most once a second, and only while the page is visible. */

import { useEffect, useRef } from "../../lib/html.js";

const INTERVAL_MS = 1000;

/**
 * @param {readonly import("../../lib/api_types.js").StoredRequest[]} finished
 * @returns {string | null} The newest request that is not a reading by this or another page: a failed one is stored, but reading it again would be another.
 */
export function newestOfClients(finished) {
  const newest = finished.find(({ model, route }) => model !== null || !route.startsWith("/gglib/"));
  return newest === undefined ? null : `${newest.request_id} ${newest.ended_at_s}`;
}

/** Call `action` after `cause` has changed. @param {() => unknown} action @param {unknown} cause */
export function useThrottled(action, cause) {
  const latest = useRef(action);
  latest.current = action;
  const state = useRef({ timer: 0, isWanted: false });
  const run = () => {
    const { current } = state;
    if (!current.isWanted || current.timer !== 0 || document.hidden) return;
    current.isWanted = false;
    latest.current();
    current.timer = setTimeout(() => {
      current.timer = 0;
      run();
    }, INTERVAL_MS);
  };
  useEffect(() => {
    document.addEventListener("visibilitychange", run);
    return () => {
      document.removeEventListener("visibilitychange", run);
      clearTimeout(state.current.timer);
    };
  }, []);
  const isFirst = useRef(true);
  useEffect(() => {
    state.current.isWanted = !isFirst.current;
    isFirst.current = false;
    run();
  }, [cause]);
}
