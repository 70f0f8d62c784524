/** The last swaps: what replaced what, why, and how long each phase took. */

import { Bar, Button, clock, count, duration, html, Icon, link, status, swaps, useState } from "../../ui/kit.js";
import { keyOf, lengthOf, moveText, PHASES, scaleOf, segmentsOf } from "./swaps.js";

/** @typedef {import("./swaps.js").Swap} Swap */

const FIRST_SHOWN = 8;

export function SwapCard() {
  const [isWhole, setWhole] = useState(false);
  const all = /** @type {readonly Swap[]} */ (swaps.value);
  const shown = isWhole ? all : all.slice(0, FIRST_SHOWN);
  const scale = scaleOf(shown);
  const total = (status.value?.swaps ?? []).reduce((sum, entry) => sum + entry.count, 0);
  return html`<section class="card swaps" aria-labelledby="swaps-title">
    <header><h2 id="swaps-title">Swaps</h2>${total > 0 ? html`<span class="small quiet">${count(total)} since the start</span>` : null}</header>
    ${all.length === 0
      ? html`<p class="card-body quiet">Models were not loaded or unloaded yet. Each change is listed here with its reason.</p>`
      : html`<${Legend} />
        <ol class="swap-list">${shown.map((swap, index) => html`<${Row} key=${keyOf(swap, index)} swap=${swap} scale=${scale} />`)}</ol>
        ${all.length > FIRST_SHOWN ? html`<p class="more"><${Button} small kind="ghost" onClick=${() => setWhole(!isWhole)} aria-expanded=${String(isWhole)}>
          ${isWhole ? "Show the last ones" : `Show all ${all.length}`}<//></p>` : null}`}
  </section>`;
}

function Legend() {
  return html`<p class="swap-legend small quiet" aria-hidden="true">
    ${PHASES.map((phase) => html`<span><i class=${`swatch bar-part ${phase.id}`}></i>${phase.title}</span>`)}
  </p>`;
}

/** @param {{swap: Swap, scale: number}} props */
function Row({ swap, scale }) {
  const segments = segmentsOf(swap);
  const times = segments.map((segment) => `${segment.title} ${duration(segment.seconds)}`).join(", ");
  return html`<li class="swap">
    <div class="swap-head">
      <span class="swap-move"><span class="visually-hidden">${moveText(swap)}</span>
        <span class="break" aria-hidden="true">${swap.from_model ?? "free memory"}</span><${Icon} name="right" />
        <span class="break" aria-hidden="true">${swap.to_model ?? "unloaded"}</span></span>
      <strong class="figure">${swap.total_s > 0 ? duration(swap.total_s) : "–"}</strong>
    </div>
    <${Bar} total=${scale} label=${`${duration(lengthOf(swap))}: ${times || "no time"}`}
      parts=${segments.map((segment) => ({ size: segment.seconds, tone: segment.id, label: `${segment.title} ${duration(segment.seconds)}` }))} />
    <p class="small quiet">${segments.map((segment, index) => html`${index > 0 ? ", " : null}<span class="nowrap">${segment.title} ${duration(segment.seconds)}</span>`)}</p>
    ${swap.error ? html`<p class="small bad break"><${Icon} name="warn" />${swap.error}</p>` : null}
    <p class="small quiet swap-why"><span class="break">${swap.why}</span>
      <span class="nowrap">${swap.request_id ? html`<a href=${link("requests", swap.request_id)}>request</a> ` : null}<time>${clock(swap.ended_at)}</time></span></p>
  </li>`;
}
