/** Counts how often the connection to the server came back. */

import { connection, useEffect, useRef, useState } from "../../ui/kit.js";

/** @returns {number} Changes when the server is reachable again: what was read before may be of another run. */
export function useReconnections() {
  const [count, setCount] = useState(0);
  const wasLost = useRef(false);
  const state = connection.value;
  useEffect(() => {
    if (state === "lost") wasLost.current = true;
    if (state !== "live" || !wasLost.current) return;
    wasLost.current = false;
    setCount(count + 1);
  }, [state]);
  return count;
}
