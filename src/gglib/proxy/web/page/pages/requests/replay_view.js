/** Sends a recorded request again, and shows the response as it arrives. */

import { Button, duration, ErrorNote, html, link, send, useEffect, useRef, useState } from "../../ui/kit.js";
import { parseEvents } from "../../lib/sse.js";
import { readable } from "./body_text.js";
import { textOfPart } from "./response_text.js";

const MAX_SHOWN = 200_000;

/**
 * @typedef {{state: "idle" | "running" | "done" | "cancelled" | "failed", text: string, id: string | null, seconds: number, error: Error | null}} Run
 * @param {{route: string, replay: import("./replay.js").Replayable}} props
 */
export function Replay({ route, replay }) {
  const [run, setRun] = useState(/** @type {Run} */ ({ state: "idle", text: "", id: null, seconds: 0, error: null }));
  const controller = useRef(/** @type {AbortController | null} */ (null));
  useEffect(() => () => controller.current?.abort(), []);
  if (replay.body === null) return html`<p class="hint">${replay.reason}</p>`;
  const start = async () => {
    const current = new AbortController();
    controller.current = current;
    const startedAt = performance.now();
    const change = (/** @type {Partial<Run>} */ changes) => setRun((before) => ({ ...before, ...changes, seconds: (performance.now() - startedAt) / 1000 }));
    change({ state: "running", text: "", id: null, error: null });
    try {
      const response = await send("POST", route, replay.body, { signal: current.signal, headers: { accept: "*/*" } });
      change({ id: response.headers.get("x-request-id") });
      let text = "";
      for await (const part of partsOf(response)) {
        text = (text + part).slice(0, MAX_SHOWN);
        change({ text });
      }
      change({ state: "done" });
    } catch (error) {
      change(current.signal.aborted ? { state: "cancelled" } : { state: "failed", error: /** @type {Error} */ (error) });
    }
  };
  const isRunning = run.state === "running";
  return html`<div class="replay stack">
    <div class="row"><h3>Replay</h3><span class="push"></span>
      ${isRunning
        ? html`<${Button} small icon="stop" onClick=${() => controller.current?.abort()}>Cancel<//>`
        : html`<${Button} small icon="retry" onClick=${() => { void start(); }}>${run.state === "idle" ? "Send again" : "Send once more"}<//>`}</div>
    <p class="hint" role="status">${described(run)}${run.id && !isRunning ? html` <a href=${link("requests", run.id)}>Show that request</a>` : null}</p>
    <${ErrorNote} error=${run.error} />
    ${run.text ? html`<pre class="body-text" tabindex="0" role="region" aria-label="Response">${readable(run.text)}</pre>` : null}
  </div>`;
}

/** @param {Run} run */
function described({ state, seconds }) {
  switch (state) {
    case "idle":
      return "Sends the recorded body to the same route. The model is loaded for it if it is not in memory.";
    case "running":
      return "Waiting for the response, or receiving it.";
    case "done":
      return `Complete after ${duration(seconds)}.`;
    case "cancelled":
      return `Cancelled after ${duration(seconds)}.`;
    default:
      return `Failed after ${duration(seconds)}.`;
  }
}

/** @param {Response} response @returns {AsyncGenerator<string, void, void>} Its text, piece by piece. */
async function* partsOf(response) {
  const type = response.headers.get("content-type") ?? "";
  if (response.body === null) return;
  if (type.includes("event-stream")) {
    for await (const { data } of parseEvents(response.body)) yield textOfPart(data);
  } else if (type.includes("ndjson")) {
    yield* linesOf(response.body);
  } else yield await response.text();
}

/** @param {ReadableStream<Uint8Array>} stream */
async function* linesOf(stream) {
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const lines = (rest + decoder.decode(value, { stream: !done })).split("\n");
      rest = done ? "" : (lines.pop() ?? "");
      yield lines.map(textOfPart).join("");
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
