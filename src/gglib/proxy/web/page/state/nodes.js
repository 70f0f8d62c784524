/** The nodes of the server, read again and again while a view shows them. */

import { api, isDenied } from "../lib/api.js";
import { signal, useEffect } from "../lib/html.js";
import { connection } from "./live.js";
import { isAway, key } from "./session.js";

/** @typedef {import("../lib/api_types.js").Nodes} Nodes */

const INTERVAL_MS = 2000;
/** Nodes can be added while the page is open. */
const INTERVAL_WITHOUT_MS = 15_000;

/** @type {Nodes} */
const NONE = { nodes: [], conflicts: [] };

/** As last read; without nodes both lists are empty. While the server is away, they stay. @type {import("../vendor/signals.js").Signal<Nodes>} */
export const nodes = signal(NONE);

/** Keep `nodes` current while the component is shown. */
export function useNodes() {
  const isLive = connection.value === "live";
  useEffect(() => {
    if (!isLive) return undefined;
    const controller = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const read = async () => {
      if (!document.hidden && !isAway.value) await readNodes(controller.signal);
      if (!controller.signal.aborted) timer = setTimeout(read, nodes.value.nodes.length > 0 ? INTERVAL_MS : INTERVAL_WITHOUT_MS);
    };
    void read();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [isLive, key.value]);
}

/** @param {AbortSignal} signal */
async function readNodes(signal) {
  try {
    nodes.value = await api.get("/gglib/nodes", { signal });
  } catch (error) {
    if (isDenied(error)) nodes.value = NONE; // they may be of another key
  }
}
