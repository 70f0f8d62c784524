/** What happens now: memory, the models in it, requests that wait and are served, and the last swaps. */

import { nodes, useNodes } from "../../state/nodes.js";
import { api, Badge, Bar, Button, bytes, clock, confirmDialog, connection, connectionError, count, counted, duration, ErrorNote, forgetKey, html, Icon, IconButton, key, link, Loading, Note, now, rate, running, segment, ShowAll, status, swaps, toast, useEffect, useState } from "../../ui/kit.js";
import { clientText, counting, deviceBars, hintsOf, keptText, keyOf, lengthOf, moveText, PHASES, queueGroups, rates, runsInText, scaleOf, secondsSince, segmentsOf, solidAndLighter, waitsForText } from "./figures.js";
import { colours, load, LoadDialog, Residents, sinceStatus, unloadAll } from "./models.js";

/**
 * @typedef {import("../../lib/api_types.js").Status} Status
 * @typedef {import("./figures.js").DeviceBar} DeviceBar
 * @typedef {import("./figures.js").Request} Request
 * @typedef {import("./figures.js").Swap} Swap
 */

const MOST_REQUESTS = 50;
const FIRST_SWAPS = 8;

export function Page() {
  const [isChoosing, setChoosing] = useState(false);
  const known = status.value;
  const choose = () => setChoosing(true);
  return html`<div class="page-head"><h1>Now</h1>${known && html`<${Button} icon="load" kind="primary" onClick=${choose}>Load a model<//>
      <${Button} icon="unload" disabled=${known.residents.length === 0} onClick=${() => unloadAll(known.residents)}>Unload all<//>`}</div>
    ${known ? html`<div class="stack">
      <${Stale} /><${Failed} />${hintsOf(known).map((hint) => html`<${Note} key=${hint} tone="accent" icon="swap">${hint}<//>`)}
      <${Totals} />
      <${Nodes} />
      <div class="now-top"><${MemoryCard} /><${QueueCard} /></div>
      <section class="stack" aria-labelledby="residents-title"><h2 id="residents-title" class="visually-hidden">Models in memory</h2><${Residents} onLoad=${choose} /></section>
      <div class="now-columns"><${InFlightCard} /><${SwapCard} /></div>
    </div>` : html`<${Unknown} />`}
    ${isChoosing && html`<${LoadDialog} onClose=${() => setChoosing(false)} />`}`;
}

/** Before the first snapshot. */
function Unknown() {
  const error = connectionError.value;
  if (error === null) return html`<${Loading} label="Connecting to the server" />`;
  const canChange = connection.value === "denied" && key.value !== null;
  return html`<${ErrorNote} error=${error} action="Use another key" onRetry=${canChange ? forgetKey : undefined} />`;
}

/** While the server is away, for example because it restarts. */
function Stale() {
  return connection.value === "lost" && html`<${Note} tone="warn" icon="warn">The connection to the server was lost; it is tried again. This was the state
    ${" "}${counting(sinceStatus())} ago.<//>`;
}

/** Models whose last load failed. */
function Failed() {
  const failed = status.value?.failed ?? [];
  return html`<p class="visually-hidden" role="status">${failed.map((entry) => `${entry.model_name} failed`).join(", ")}</p>
    ${failed.length > 0 && html`<section class="card failed" aria-label="Models that failed">
      <header><h2>${counted(failed.length, "model")} failed</h2></header>
      <ul>${failed.map(({ model_name: model, reason }) => html`<li key=${model}>
        <div><a href=${link("models", model)}>${model}</a><p class="small break">${reason}</p></div>
        <${Button} small onClick=${() => load(model)} icon="retry">Load again<//>
      </li>`)}</ul>
    </section>`}`;
}

/** The numbers of the whole server. */
function Totals() {
  const { residents, waiting } = /** @type {Status} */ (status.value);
  const busy = residents.reduce((sum, resident) => sum + resident.in_flight, 0);
  const queued = waiting.reduce((sum, entry) => sum + entry.waiting, 0);
  return html`<dl class="totals card">
    <${Total} name="In memory" value=${residents.length} unit="model" />
    <${Total} name="In flight" value=${busy} unit="request" />
    <${Total} name="Waiting" value=${queued} unit="request" isNotable=${queued > 0} />
    <${RateTotals} />
  </dl>`;
}

function RateTotals() {
  const { tokens, requests } = rates.value.total;
  return html`<${Total} name="Tokens" value=${perSecond(tokens)} unit="per second" />
    <${Total} name="Requests" value=${perSecond(requests)} unit="per second" />`;
}

/** @param {number} value */
function perSecond(value) {
  return value === 0 ? "0" : rate(value).replace(" /s", "");
}

/** @param {{name: string, value: number | string, unit: string, isNotable?: boolean}} props A number is of units, a text is not. */
function Total({ name, value, unit, isNotable = false }) {
  return html`<div class=${isNotable ? "notable" : ""}><dt>${name}</dt><dd><strong>${value}</strong> <span>${unit}${typeof value === "number" && value !== 1 && "s"}</span></dd></div>`;
}

/** The nodes, if there are any: most servers have none, so their module is loaded when the first one is known. */
function Nodes() {
  useNodes();
  const hasNodes = nodes.value.nodes.length > 0;
  const [part, setPart] = useState(/** @type {{NodesCard: any} | null} */ (null));
  useEffect(() => {
    if (hasNodes) import("./nodes.js").then(setPart, () => {}); // the server may have been updated meanwhile
  }, [hasNodes]);
  return hasNodes && part && html`<${part.NodesCard} />`;
}

/** Memory by device: models in memory, other use, what is free, and the budget. */
function MemoryCard() {
  const bars = deviceBars(/** @type {Status} */ (status.value), colours.value);
  return bars.length > 0 && html`<section class="card memory" aria-labelledby="memory-title">
    <header><h2 id="memory-title">Memory</h2>
      <span class="memory-key small quiet" aria-hidden="true"><i class="swatch bar-part"></i>measured <i class="swatch bar-part estimate"></i>expected</span>
    </header>
    <div class="card-body stack">${bars.map((bar) => html`<${Device} key=${bar.device} bar=${bar} />`)}</div>
  </section>`;
}

/** @param {{bar: DeviceBar}} props */
function Device({ bar }) {
  const { title, total, free, other, limit, used, models } = bar;
  const parts = models.flatMap((model) => {
    const { solid, lighter } = solidAndLighter(model);
    return [
      { size: solid, tone: `s${model.colour}`, label: `${model.name}: ${bytes(solid)} measured` },
      { size: lighter, tone: `s${model.colour} estimate`, label: `${model.name}: ${bytes(lighter)} expected` },
    ];
  });
  parts.push({ size: other, tone: "other", label: `Other programs: ${bytes(other)}` });
  return html`<div class="device">
    <div class="device-head">
      <h3>${title}</h3>
      <span class="quiet">models <span class="figure">${bytes(used)}</span>${limit !== null && html` of <i class="swatch mark" aria-hidden="true"></i>${bytes(limit)} budget`}</span>
      <span class="push">${free !== null && html`<strong>${bytes(free)}</strong> free`}${bar.isTotalKnown && html` <span class="quiet">of ${bytes(total)}</span>`}</span>
    </div>
    <${Bar} total=${total} parts=${parts} mark=${limit ?? undefined} label=${spoken(bar)} />
    <ul class="device-legend small">
      ${models.map(({ id, name, size, colour, isMeasured }) => html`<li key=${id}><i class=${`swatch bar-part s${colour} ${isMeasured ? "" : "estimate"}`} aria-hidden="true"></i>
        <span class="clip">${name}</span> <span class="figure">${bytes(size)}</span></li>`)}
      ${other > 0 && html`<li key="other"><i class="swatch bar-part other" aria-hidden="true"></i>Other programs <span class="figure">${bytes(other)}</span></li>`}
    </ul>
  </div>`;
}

/** @param {DeviceBar} bar The bar for screen readers. */
function spoken({ title, models, other, free, limit }) {
  return `${title}: ${[
    models.map(({ name, size }) => `${name} ${bytes(size)}`).join(", ") || "no models",
    other > 0 ? `other programs ${bytes(other)}` : "",
    free === null ? "" : `free ${bytes(free)}`,
    limit === null ? "" : `budget ${bytes(limit)}`,
  ].filter(Boolean).join("; ")}`;
}

/** The requests that wait, by model. */
function QueueCard() {
  const groups = queueGroups(status.value?.waiting ?? [], running.value);
  return html`<section class="card queue" aria-labelledby="queue-title">
    <header><h2 id="queue-title">Queue</h2></header>
    ${groups.length === 0 && html`<p class="card-body quiet">No request waits for a model.</p>`}
    ${groups.map((group) => html`<${Waiting} key=${group.model_name} group=${group} />`)}
  </section>`;
}

/** @param {{group: import("./figures.js").Group}} props */
function Waiting({ group }) {
  const since = sinceStatus();
  const { model_name: model, requests } = group;
  return html`<div class="queue-group">
    <div class="queue-head">
      <h3 class="break"><a href=${link("models", model)}>${model}</a></h3>
      <${Badge} tone="warn">${group.waiting} waiting<//>
    </div>
    <dl class="queue-facts">
      <div><dt>Runs in</dt><dd>${runsInText(group, since)}</dd></div>
      <div><dt>Longest</dt><dd>${counting(group.longest_wait_s + since)}</dd></div>
      <div><dt>Waits for</dt><dd>${waitsForText(group)}</dd></div>
    </dl>
    ${requests.length > 0 && html`<${RequestRows} requests=${requests} label=${`Requests that wait for ${model}`} />`}
  </div>`;
}

function InFlightCard() {
  const requests = running.value.filter((request) => request.state !== "waiting");
  return html`<section class="card in-flight" aria-labelledby="in-flight-title">
    <header><h2 id="in-flight-title">In flight</h2><span class="small quiet">${counted(requests.length, "request")}</span></header>
    ${requests.length === 0
      ? html`<p class="card-body quiet">No request is served now. <a href=${link("requests")}>Earlier requests</a></p>`
      : html`<div class="in-flight-rows" tabindex="0" role="group" aria-label="Requests in flight"><${RequestRows} requests=${requests} label="Requests in flight" isServed /></div>`}
  </section>`;
}

/** @param {{requests: readonly Request[], label: string, isServed?: boolean}} props `isServed`: with the model and the tokens so far. */
function RequestRows({ requests, label, isServed = false }) {
  const more = requests.length - MOST_REQUESTS;
  const hidden = (/** @type {string} */ text) => html`<span class="visually-hidden">${text}</span>`;
  return html`<table class="request-rows" aria-label=${label}>
      <thead><tr>
        <th scope="col">${isServed ? "Model and client" : hidden("Client")}</th>
        ${isServed && html`<th scope="col" class="number">Tokens</th><th scope="col" class="number per-second">Per second</th>`}
        <th scope="col" class="number age">${isServed ? "Age" : hidden("Age")}</th>
        <th scope="col" class="end">${hidden("Cancel")}</th>
      </tr></thead>
      <tbody>${requests.slice(0, MOST_REQUESTS).map((request) => html`<${RequestRow} key=${request.request_id} request=${request} isServed=${isServed} />`)}</tbody>
    </table>
    ${more > 0 && html`<p class="small quiet more">and ${count(more)} more: <a href=${link("requests")}>all requests</a></p>`}`;
}

/** @param {{request: Request, isServed: boolean}} props */
function RequestRow({ request, isServed }) {
  const client = clientText(request);
  const speed = rates.value.byRequest.get(request.request_id);
  const by = [isServed ? client : "", request.key === null ? "" : `key ${request.key}`].filter(Boolean).join(", ");
  return html`<tr>
    <td class="who"><a class="break" href=${link("requests", request.request_id)}>${isServed ? request.model ?? request.route : client}</a>
      ${by && html`<span class="break small quiet">${by}</span>`}</td>
    ${isServed && html`<td class="number">${count(request.chunks)}</td><td class="number per-second">${speed ? rate(speed) : "–"}</td>`}
    <td class="number age">${counting(request.age_s + secondsSince(now.value, request.seenAt))}</td>
    <td class="end"><${IconButton} icon="close" label=${`Cancel the request of ${client}`} onClick=${() => cancel(request, client)} /></td>
  </tr>`;
}

/** Cancel a request, after a question. @param {Request} request @param {string} client */
async function cancel({ state, model, request_id: id }, client) {
  const text = state === "waiting"
    ? `The request of ${client} waits for ${model ?? "a model"}. It gets the error request_cancelled.`
    : `The response to ${client} is cut off, and ends with the error request_cancelled.`;
  if (!(await confirmDialog({ title: "Cancel this request?", text, action: "Cancel the request", danger: true }))) return;
  await api.del(`/gglib/requests/${segment(id)}`);
  toast("The request is cancelled.");
}

/** The last swaps: what replaced what, why, and how long each phase took. */
function SwapCard() {
  const [isWhole, setWhole] = useState(false);
  const all = /** @type {readonly Swap[]} */ (swaps.value);
  const shown = isWhole ? all : all.slice(0, FIRST_SWAPS);
  const scale = scaleOf(shown);
  const total = (status.value?.swaps ?? []).reduce((sum, entry) => sum + entry.count, 0);
  return html`<section class="card swaps" aria-labelledby="swaps-title">
    <header><h2 id="swaps-title">Swaps</h2>${total > 0 && html`<span class="small quiet">${count(total)} since the start</span>`}</header>
    ${all.length === 0
      ? html`<p class="card-body quiet">Models were not loaded or unloaded yet. Each change is listed here with its reason.</p>`
      : html`<p class="swap-legend small quiet" aria-hidden="true">
          ${PHASES.map((phase) => html`<span><i class=${`swatch bar-part ${phase.id}`}></i>${phase.title}</span>`)}
        </p>
        <ol class="swap-list">${shown.map((swap, index) => html`<${SwapRow} key=${keyOf(swap, index)} swap=${swap} scale=${scale} />`)}</ol>
        ${all.length > FIRST_SWAPS && html`<${ShowAll} all=${all.length} isOpen=${isWhole} onToggle=${setWhole} />`}`}
  </section>`;
}

/** @param {{swap: Swap, scale: number}} props */
function SwapRow({ swap, scale }) {
  const { from_model: from, to_model: to, total_s: total, request_id: request, ended_at: endedAt, why, error } = swap;
  const parts = segmentsOf(swap).map(({ id, title, seconds }) => ({ size: seconds, tone: id, label: `${title} ${duration(seconds)}` }));
  const label = `${duration(lengthOf(swap))}: ${parts.map((part) => part.label).join(", ") || "no time"}`;
  return html`<li class="swap">
    <div class="swap-head">
      <span class="swap-move"><span class="visually-hidden">${moveText(swap)}</span>
        <span class="break" aria-hidden="true">${from ?? "free memory"}</span><${Icon} name="right" />
        <span class="break" aria-hidden="true">${to ?? "unloaded"}</span></span>
      <strong class="figure">${total > 0 ? duration(total) : "–"}</strong>
    </div>
    <${Bar} total=${scale} label=${label} parts=${parts} />
    <p class="small quiet">${parts.map((part, index) => html`${index > 0 && ", "}<span class="nowrap">${part.label}</span>`)}</p>
    ${error && html`<p class="small bad break"><${Icon} name="warn" />${error}</p>`}
    <p class="small quiet swap-why"><span class="break">${why}${keptText(swap)}</span>
      <span class="nowrap">${request && html`<a href=${link("requests", request)}>request</a> `}<time>${clock(endedAt)}</time></span></p>
  </li>`;
}
