/** What happens now: memory, the models in it, requests that wait and are served, and the last swaps. */

import { Button, connection, connectionError, counted, ErrorNote, forgetKey, html, key, link, Loading, Note, now, rate, status, statusAt, useState } from "../../ui/kit.js";
import { load, unloadAll } from "./actions.js";
import { rates } from "./derived.js";
import { LoadDialog } from "./load_dialog.js";
import { MemoryCard } from "./memory_card.js";
import { InFlightCard, QueueCard } from "./request_cards.js";
import { Residents } from "./residents.js";
import { SwapCard } from "./swap_card.js";
import { counting, secondsSince } from "./times.js";

export function Page() {
  const [isChoosing, setChoosing] = useState(false);
  const isKnown = status.value !== null;
  const choose = () => setChoosing(true);
  return html`<div class="page-head"><h1>Now</h1>${isKnown ? html`<${Actions} onLoad=${choose} />` : null}</div>
    ${isKnown ? html`<div class="stack">
      <${Stale} /><${Failed} /><${Hint} />
      <${Totals} />
      <div class="now-top"><${MemoryCard} /><${QueueCard} /></div>
      <section class="stack" aria-labelledby="residents-title"><h2 id="residents-title" class="visually-hidden">Models in memory</h2><${Residents} onLoad=${choose} /></section>
      <div class="now-columns"><${InFlightCard} /><${SwapCard} /></div>
    </div>` : html`<${Unknown} />`}
    ${isChoosing ? html`<${LoadDialog} onClose=${() => setChoosing(false)} />` : null}`;
}

/** @param {{onLoad: () => void}} props */
function Actions({ onLoad }) {
  const residents = status.value?.residents ?? [];
  return html`<${Button} icon="load" kind="primary" onClick=${onLoad}>Load a model<//>
    <${Button} icon="unload" disabled=${residents.length === 0} onClick=${() => unloadAll(residents)}>Unload all<//>`;
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
  if (connection.value !== "lost") return null;
  return html`<${Note} tone="warn" icon="warn">The connection to the server was lost; it is tried again. This was the state
    ${" "}${counting(secondsSince(now.value, statusAt.value))} ago.<//>`;
}

function Hint() {
  const hint = status.value?.hint;
  return hint ? html`<${Note} tone="accent" icon="swap">${hint}<//>` : null;
}

/** Models whose last load failed. */
function Failed() {
  const failed = status.value?.failed ?? [];
  const spoken = html`<p class="visually-hidden" role="status">${failed.map((entry) => `${entry.model_name} failed`).join(", ")}</p>`;
  if (failed.length === 0) return spoken;
  return html`${spoken}<section class="card failed" aria-label="Models that failed">
    <header><h2>${counted(failed.length, "model")} failed</h2></header>
    <ul>${failed.map(({ model_name: model, reason }) => html`<li key=${model}>
      <div><a href=${link("models", model)}>${model}</a><p class="small break">${reason}</p></div>
      <${Button} small onClick=${() => load(model)} icon="retry">Load again<//>
    </li>`)}</ul>
  </section>`;
}

/** The numbers of the whole server. */
function Totals() {
  const { residents = [], waiting = [] } = status.value ?? {};
  const busy = residents.reduce((sum, resident) => sum + resident.in_flight, 0);
  const queued = waiting.reduce((sum, entry) => sum + entry.waiting, 0);
  return html`<dl class="totals card">
    <${Total} name="In memory" value=${residents.length} unit=${residents.length === 1 ? "model" : "models"} />
    <${Total} name="In flight" value=${busy} unit=${busy === 1 ? "request" : "requests"} />
    <${Total} name="Waiting" value=${queued} unit=${queued === 1 ? "request" : "requests"} isNotable=${queued > 0} />
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

/** @param {{name: string, value: unknown, unit: string, isNotable?: boolean}} props */
function Total({ name, value, unit, isNotable = false }) {
  return html`<div class=${isNotable ? "notable" : ""}><dt>${name}</dt><dd><strong>${value}</strong> <span>${unit}</span></dd></div>`;
}
