/** The details of one request, beside the list or in its place: its parts of time, what is known of it, its bodies, and a replay. */

import { api, Badge, Bar, Button, bytes, confirmDialog, Copy, count, dateTime, duration, Elapsed, ErrorNote, html, IconButton, link, Loading, parseEvents, percent, rate, running, segment, send, Tabs, toast, useEffect, useLayoutEffect, useLoad, useMemo, useRef, useState } from "../../ui/kit.js";
import { curlCommand, folded, modelName, phases, readable, replayable, statusBadge, textOfPart } from "./facts.js";

/**
 * @typedef {import("../../lib/api_types.js").BodyTexts} BodyTexts
 * @typedef {import("../../lib/api_types.js").RequestDetails} RequestDetails
 * @typedef {import("../../lib/api_types.js").StoredRequest} StoredRequest
 * @typedef {import("../../lib/api_types.js").RunningRequest} RunningRequest
 * @typedef {RunningRequest & {seenAt: number}} Running
 * @typedef {{state: "idle" | "running" | "done" | "cancelled" | "failed", text: string, id: string | null, seconds: number, error: Error | null}} Run
 */

const TABS = [{ id: "request", label: "Request" }, { id: "response", label: "Response" }];
const MAX_SHOWN = 200_000;

/** @param {{id: string, query: Record<string, string>, onClose: () => void}} props `query`: the filters of the list, which links keep. */
export function RequestDetail({ id, query, onClose }) {
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  const live = running.value.find((request) => request.request_id === id) ?? null;
  const { value, error, isLoading, reload } = useLoad((signal) => api.get(`/gglib/requests/${segment(id)}`, { signal }), [id, live === null]);
  // with the change itself: keys that follow at once are for the details
  useLayoutEffect(() => heading.current?.focus({ preventScroll: true }), [id]);
  const details = /** @type {RequestDetails | null} */ (value);
  const found = details?.request;
  // else it is that of the id before
  const stored = found && (String(found.id) === id || found.request_id === id) ? found : null;
  const shown = live ?? stored;
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape" && !event.defaultPrevented) onClose();
  };
  return html`<section class="card request-detail" aria-label="Details of the request" onKeyDown=${onKeyDown}>
    <header><h2 tabindex="-1" ref=${heading} class="clip">${shown ? modelName(shown) : "Request"}</h2>
      <${IconButton} icon="close" label="Close the details" onClick=${onClose} /></header>
    <div class="card-body stack">
      ${error && !isLoading && live === null ? html`<${ErrorNote} error=${error} onRetry=${reload} />` : null}
      ${live
        ? html`<${Progress} request=${live} />`
        : stored
          ? html`<${Finished} key=${id} request=${stored} bodies=${details?.bodies ?? null} query=${query} />`
          : error ? null : html`<${Loading} label="Loading the request" />`}
    </div>
  </section>`;
}

/** @param {{request: Running}} props */
function Progress({ request }) {
  const cancel = async () => {
    const isConfirmed = await confirmDialog({
      title: "Cancel this request?",
      text: `Its client${request.client ? ` (${request.client})` : ""} gets the error request_cancelled, and the model stops computing.`,
      action: "Cancel the request",
      danger: true,
    });
    if (!isConfirmed) return;
    await api.del(`/gglib/requests/${segment(request.request_id)}`);
    toast("The request was cancelled.", "success");
  };
  return html`<div class="row"><${Badge} tone="busy">${request.state}<//>
      <span>since <${Elapsed} seconds=${request.age_s} since=${request.seenAt} /></span>
      <span class="push"></span><${Button} kind="danger" small icon="stop" onClick=${cancel}>Cancel the request<//></div>
    <${Facts} request=${request} />`;
}

/** @param {{request: StoredRequest, bodies: BodyTexts | null, query: Record<string, string>}} props */
function Finished({ request, bodies, query }) {
  const { error, error_message: message, route } = request;
  const { tone, text } = statusBadge(request);
  const replay = replayable(request, bodies);
  const curl = curlCommand(request, replay.body, location.origin);
  return html`<div class="row"><${Badge} tone=${tone}>${text}<//>
      ${error ? html`<code>${error}</code>` : null}
      <span class="push"></span>${curl ? html`<${Copy} text=${curl} label="Copy as curl" />` : null}</div>
    ${message ? html`<${ErrorNote} error=${{ message }} />` : null}
    <${Timeline} request=${request} />
    <${Facts} request=${request} query=${query} />
    ${bodies ? html`<${Bodies} bodies=${bodies} />` : null}
    <${Replay} route=${route} replay=${replay} />`;
}

/** @param {{request: StoredRequest}} props */
function Timeline({ request }) {
  const total = duration(request.duration_s);
  const parts = phases(request).map(({ name, seconds, tone }) => ({ name, size: seconds, tone, label: `${name}: ${duration(seconds)}` }));
  return html`<figure class="timeline">
    <${Bar} total=${request.duration_s} label=${`${total} in all. ${parts.map(({ label }) => label).join(", ")}`} parts=${parts} />
    <figcaption>${parts.map(({ name, size, tone }) => html`<span><span class=${`bar-part swatch ${tone}`} aria-hidden="true"></span>${name} <strong>${duration(size)}</strong></span>`)}
      <span class="push">Total <strong>${total}</strong></span></figcaption>
  </figure>`;
}

/** @param {{request: StoredRequest | RunningRequest, query?: Record<string, string>}} props With `query`, names are links that filter the list by them. */
function Facts({ request, query }) {
  const { request_id: id } = request;
  const stored = "ended_at_s" in request ? request : null;
  const filter = (/** @type {"model" | "client" | "key"} */ field) => {
    const name = request[field];
    return name && query ? html`<a href=${link("requests", "", { ...query, [field]: name })}>${name}</a>` : name;
  };
  /** @type {[string, unknown][]} */
  const facts = [
    ["Ended", stored && dateTime(stored.ended_at_s)],
    ["Route", `${request.route}${request.is_streamed ? ", streamed" : ""}`],
    ["Model", filter("model")],
    ["Requested as", request.requested_model],
    ["Profile", request.profile],
    ["Client", filter("client")],
    ["Address", request.address],
    ["Key", filter("key")],
    ["Node", stored?.node],
    ["Swap", stored?.swap?.replace(/^-> /, "loaded ").replace(" -> ", " → ")],
    ["Prompt", stored && stored.prompt_tokens !== null && `${count(stored.prompt_tokens)} tokens${cached(stored)}`],
    ["Response", tokens(request)],
    ["Stands for", stored && stored.count > 1 && `${count(stored.count)} requests in the same second: times are means, tokens are sums`],
    ["Number", stored?.id],
  ];
  return html`<dl class="facts">
    ${facts.filter(([, value]) => value || value === 0).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
    <dt>Request id</dt><dd class="row id-row"><code>${id}</code><${Copy} text=${id} label="Copy the request id" iconOnly /></dd>
  </dl>`;
}

/** @param {StoredRequest} request */
function cached({ prompt_tokens: prompt, cached_tokens: reused }) {
  return reused === null || !prompt ? "" : `, ${count(reused)} of them cached (${percent(reused / prompt).replace(" ", "\u00a0")})`;
}

/** @param {StoredRequest | RunningRequest} request */
function tokens(request) {
  if (!("ended_at_s" in request)) return request.chunks > 0 && `${count(request.chunks)} parts so far`;
  const { completion_tokens: completion, tokens_per_s: speed } = request;
  return completion !== null && `${count(completion)} tokens${speed === null ? "" : `, ${rate(speed).replace(" /s", " tokens/s")}`}`;
}

/** The recorded bodies of a request: as text only. @param {{bodies: BodyTexts}} props */
function Bodies({ bodies }) {
  const [current, setCurrent] = useState("request");
  const [text, isCut] = current === "request" ? [bodies.request, bodies.is_request_cut] : [bodies.response, bodies.is_response_cut];
  return html`<div class="bodies">
    <${Tabs} tabs=${TABS} current=${current} onSelect=${setCurrent} label="Recorded bodies" />
    <div role="tabpanel" aria-label=${current === "request" ? "Request" : "Response"}>
      <${BodyText} key=${current} text=${text} isCut=${isCut} />
    </div>
  </div>`;
}

/** @param {{text: string, isCut: boolean}} props */
function BodyText({ text, isCut }) {
  const [isOpen, setOpen] = useState(false);
  const whole = useMemo(() => readable(text), [text]);
  const { text: beginning, lines, isFolded } = useMemo(() => folded(whole), [whole]);
  if (text === "") return html`<p class="hint">Empty${isCut ? ": it was too long to be recorded" : ""}.</p>`;
  return html`<${Text} label="Recorded text" text=${isOpen ? whole : beginning} />
    <div class="row">
      <span class="hint">${bytes(new TextEncoder().encode(text).length)}${isCut ? ", recorded in part: it was longer than the limit" : ""}</span>
      <span class="push"></span>
      ${isFolded ? html`<${Button} small kind="ghost" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>${isOpen ? "Show less" : `Show all ${count(lines)} lines`}<//>` : null}
      <${Copy} text=${text} />
    </div>`;
}

/** @param {{label: string, text: string}} props */
function Text({ label, text }) {
  return html`<pre class="body-text" tabindex="0" role="region" aria-label=${label}>${text}</pre>`;
}

/**
 * Sends a recorded request again, and shows the response as it arrives.
 * @param {{route: string, replay: import("./facts.js").Replayable}} props
 */
function Replay({ route, replay }) {
  const [run, setRun] = useState(/** @type {Run} */ ({ state: "idle", text: "", id: null, seconds: 0, error: null }));
  const controller = useRef(/** @type {AbortController | null} */ (null));
  useEffect(() => () => controller.current?.abort(), []);
  if (replay.body === null) return html`<p class="hint">${replay.reason}</p>`;
  const start = async () => {
    const { signal } = controller.current = new AbortController();
    const startedAt = performance.now();
    const change = (/** @type {Partial<Run>} */ changes) => setRun((before) => ({ ...before, ...changes, seconds: (performance.now() - startedAt) / 1000 }));
    change({ state: "running", text: "", id: null, error: null });
    try {
      const response = await send("POST", route, replay.body, { signal, headers: { accept: "*/*" } });
      change({ id: response.headers.get("x-request-id") });
      let text = "";
      for await (const part of partsOf(response)) {
        text = (text + part).slice(0, MAX_SHOWN);
        change({ text });
      }
      change({ state: "done" });
    } catch (error) {
      change(signal.aborted ? { state: "cancelled" } : { state: "failed", error: /** @type {Error} */ (error) });
    }
  };
  const { state, text, id, error } = run;
  const isRunning = state === "running";
  return html`<div class="replay stack">
    <div class="row"><h3>Replay</h3><span class="push"></span>
      ${isRunning
        ? html`<${Button} small icon="stop" onClick=${() => controller.current?.abort()}>Cancel<//>`
        : html`<${Button} small icon="retry" onClick=${() => { void start(); }}>${state === "idle" ? "Send again" : "Send once more"}<//>`}</div>
    <p class="hint" role="status">${described(run)}${id && !isRunning ? html` <a href=${link("requests", id)}>Show that request</a>` : null}</p>
    <${ErrorNote} error=${error} />
    ${text ? html`<${Text} label="Response" text=${readable(text)} />` : null}
  </div>`;
}

/** @param {Run} run */
function described({ state, seconds }) {
  if (state === "idle") return "Sends the recorded body to the same route. The model is loaded for it if it is not in memory.";
  if (state === "running") return "Waiting for the response, or receiving it.";
  return `${state === "done" ? "Complete" : state === "cancelled" ? "Cancelled" : "Failed"} after ${duration(seconds)}.`;
}

/** @param {Response} response @returns {AsyncGenerator<string, void, void>} Its text, piece by piece. */
async function* partsOf(response) {
  const type = response.headers.get("content-type") ?? "";
  if (response.body === null) return;
  if (type.includes("event-stream")) {
    for await (const { data } of parseEvents(response.body)) yield textOfPart(data);
  } else if (type.includes("ndjson")) yield* linesOf(response.body);
  else yield await response.text();
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
