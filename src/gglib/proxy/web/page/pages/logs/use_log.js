/** Follows a log of the server, and connects again when the connection is lost. */

import { isAway, until } from "../../state/waiting.js";
import { effect, IDLE_MS, key, needsKey, segment, streamEvents, useEffect, useMemo, useRef, useState } from "../../ui/kit.js";
import { LogBuffer } from "./log_buffer.js";

const FIRST_LINES = 500;
const LINES_AGAIN = 2000;
const RETRY_MS = 2000;

/**
 * @param {string} name
 * @returns {{buffer: LogBuffer, version: number, state: "connecting" | "live" | "lost", error: Error | null, changed: () => void, retry: () => void}}
 * `version` changes with the content of `buffer`; `changed` is to be called by views that change it. `error`: the
 * log cannot be read, and is not tried again until `retry` is called.
 */
export function useLog(name) {
  const buffer = useMemo(() => new LogBuffer(), [name]);
  const [attempt, setAttempt] = useState(0);
  const [version, setVersion] = useState(0);
  const [followed, setFollowed] = useState(/** @type {{state: "connecting" | "live" | "lost", error: Error | null}} */ ({ state: "connecting", error: null }));
  const changed = useRef(() => setVersion((before) => before + 1)).current;
  useEffect(() => {
    const controller = new AbortController();
    let connection = new AbortController();
    setFollowed({ state: "connecting", error: null });
    void follow(controller.signal);
    return () => {
      controller.abort();
      connection.abort();
    };

    /** @param {AbortSignal} signal */
    async function follow(signal) {
      while (!signal.aborted) {
        connection = new AbortController();
        const unwatch = effect(() => {
          if (isAway.value) connection.abort();
        });
        try {
          await readOnce(connection.signal);
        } catch (error) {
          if (!signal.aborted && isFinal(error)) {
            setFollowed({ state: "lost", error: /** @type {Error} */ (error) });
            return;
          }
        } finally {
          unwatch();
        }
        if (signal.aborted) return;
        setFollowed({ state: "lost", error: null });
        if (!connection.signal.aborted) await waited(RETRY_MS);
        await until(() => !needsKey.value && !isAway.value, signal);
      }
    }

    /** @param {AbortSignal} signal */
    async function readOnce(signal) {
      const isFirst = buffer.rows.length === 0;
      let isNew = true;
      const events = streamEvents(`/gglib/logs/${segment(name)}/events`, { query: { lines: isFirst ? FIRST_LINES : LINES_AGAIN }, signal, idleMs: IDLE_MS });
      for await (const { event, data } of events) {
        if (event !== "lines") continue;
        const { lines, skipped } = JSON.parse(data);
        if (isNew && !isFirst) buffer.appendAgain(lines, skipped);
        else buffer.append(lines, skipped);
        if (isNew) setFollowed({ state: "live", error: null });
        isNew = false;
        changed();
      }
    }
  }, [buffer, attempt, key.value]);
  return { buffer, version, ...followed, changed, retry: () => setAttempt(attempt + 1) };
}

/** @param {any} error Whether another attempt would fail, too: there is no such log, or no right to read it. */
function isFinal(error) {
  return (error.status >= 400 && error.status < 500 && error.status !== 401) || error.status === 501;
}

/** @param {number} milliseconds */
function waited(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
