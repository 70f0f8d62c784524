/** The models in memory, as cards. */

import { deviceTitle } from "../../lib/memory_fit.js";
import { Badge, Bar, Button, bytes, count, duration, Empty, html, IconButton, link, now, Progress, rate, status, statusAt } from "../../ui/kit.js";
import { togglePin, unload } from "./actions.js";
import { colours, rates } from "./derived.js";
import { sumOf } from "./memory.js";
import { counting, loadProgress, secondsSince, unloadsText } from "./times.js";

/** @typedef {import("../../lib/api_types.js").ResidentStatus} Resident */

/** @type {Record<string, "ok" | "busy" | "warn" | "quiet">} */
const TONES = { ready: "ok", loading: "busy", draining: "warn", stopping: "warn" };

/** @param {{onLoad: () => void}} props */
export function Residents({ onLoad }) {
  const residents = status.value?.residents ?? [];
  if (residents.length === 0) return html`<div class="card"><${NothingLoaded} onLoad=${onLoad} /></div>`;
  return html`<ul class="residents">${residents.map((resident) => html`<${Card} key=${resident.model_id} resident=${resident} />`)}</ul>`;
}

/** @param {{onLoad: () => void}} props */
function NothingLoaded({ onLoad }) {
  return html`<${Empty} icon="models" title="No model is in memory">
    <p>The first request to a model loads it: <a href=${link("connect")}>connect a program</a>, or load one now.</p>
    <${Button} kind="primary" icon="load" onClick=${onLoad}>Load a model<//>
  <//>`;
}

/** @param {{resident: Resident}} props */
function Card({ resident }) {
  const name = resident.model_name;
  const isLeaving = resident.state === "stopping" || resident.state === "draining";
  return html`<li class="card resident">
    <div class="resident-head">
      <i class=${`swatch bar-part s${colours.value.get(resident.model_id) ?? 1}`} aria-hidden="true"></i>
      <h3 class="break"><a href=${link("models", name)}>${name}</a></h3>
      <span class="resident-actions">
        <${IconButton} icon="pin" label=${`Pin ${name}`} isPressed=${resident.is_pinned} onClick=${() => togglePin(resident)} />
        <${IconButton} icon="unload" label=${`Unload ${name}`} disabled=${isLeaving} onClick=${() => unload(resident)} />
      </span>
    </div>
    <${Work} resident=${resident} />
    <${Facts} resident=${resident} />
    <${Details} resident=${resident} />
  </li>`;
}

/** The load of a model, or what it serves, at the same height. @param {{resident: Resident}} props */
function Work({ resident }) {
  const progress = resident.state === "loading" ? loadProgress(resident, secondsSince(now.value, statusAt.value)) : null;
  const badge = html`<${Badge} tone=${TONES[resident.state] ?? "quiet"}>${resident.state}<//>`;
  if (progress) return html`<div class="work"><span>${badge}${progress.text}</span><${Progress} value=${progress.fraction} label=${`Load of ${resident.model_name}`} /></div>`;
  const { in_flight: busy, slots } = resident;
  const text = slots === null ? `${count(busy)} in flight` : `${count(busy)} in flight, ${slots} ${slots === 1 ? "slot" : "slots"}`;
  return html`<div class="work"><span>${badge}${text}</span>
    <${Bar} total=${Math.max(slots ?? busy, busy, 1)} label=${text} parts=${[{ size: busy, tone: busy > (slots ?? busy) ? "over" : "", label: text }]} mark=${slots !== null && busy > slots ? slots : undefined} />
  </div>`;
}

/** @param {{resident: Resident}} props */
function Facts({ resident }) {
  const since = secondsSince(now.value, statusAt.value);
  const own = rates.value.byModel.get(resident.model_name);
  return html`<dl class="resident-facts">
    <div><dt>Tokens</dt><dd>${rate(own?.tokens)}</dd></div>
    <div><dt>Requests</dt><dd>${rate(own?.requests)}</dd></div>
    <div><dt>Memory</dt><dd>${bytes(sumOf(resident.size))}</dd></div>
    <div><dt>Context</dt><dd>${count(resident.effective_ctx)}</dd></div>
    <div class="wide"><dt>Unloads</dt><dd>${unloadsText(resident, since)}</dd></div>
  </dl>`;
}

/** @param {{resident: Resident}} props */
function Details({ resident }) {
  const since = secondsSince(now.value, statusAt.value);
  const { uptime_s: uptime = null, load_time_s: loadTime = null, threads = null, pid = null } = resident;
  return html`<details class="small"><summary>Details<span class="visually-hidden"> of ${resident.model_name}</span></summary>
    <dl class="facts">
      <dt>Ready for</dt><dd>${uptime === null ? "–" : counting(uptime + since)}</dd>
      <dt>Load took</dt><dd>${duration(loadTime)}</dd>
      ${["measured_size", "estimated_size"].map((field) => html`<${Sizes} title=${field === "measured_size" ? "Measured" : "Estimated"} sizes=${resident[/** @type {"measured_size"} */ (field)]} />`)}
      <dt>Threads</dt><dd>${threads ?? "–"}</dd>
      <dt>Process</dt><dd>${pid ?? "–"}</dd>
    </dl>
  </details>`;
}

/** @param {{title: string, sizes: Record<string, number> | undefined}} props By device. */
function Sizes({ title, sizes = {} }) {
  const text = Object.entries(sizes).map(([device, size]) => `${bytes(size)} ${deviceTitle(device)}`).join(", ");
  return html`<dt>${title}</dt><dd>${text || "–"}</dd>`;
}
