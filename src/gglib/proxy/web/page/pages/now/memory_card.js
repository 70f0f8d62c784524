/** Memory by device: models in memory, other use, what is free, and the budget. */

import { Bar, bytes, html, status } from "../../ui/kit.js";
import { colours } from "./derived.js";
import { deviceBars, solidAndLighter } from "./memory.js";

/** @typedef {import("./memory.js").DeviceBar} DeviceBar */

export function MemoryCard() {
  const bars = deviceBars(/** @type {import("../../lib/api_types.js").Status} */ (status.value), colours.value);
  if (bars.length === 0) return null;
  return html`<section class="card memory" aria-labelledby="memory-title">
    <header><h2 id="memory-title">Memory</h2>
      <span class="memory-key small quiet" aria-hidden="true"><i class="swatch bar-part"></i>measured <i class="swatch bar-part estimate"></i>expected</span>
    </header>
    <div class="card-body stack">${bars.map((bar) => html`<${Device} key=${bar.device} bar=${bar} />`)}</div>
  </section>`;
}

/** @param {{bar: DeviceBar}} props */
function Device({ bar }) {
  const parts = bar.models.flatMap((model) => {
    const { solid, lighter } = solidAndLighter(model);
    return [
      { size: solid, tone: `s${model.colour}`, label: `${model.name}: ${bytes(solid)} measured` },
      { size: lighter, tone: `s${model.colour} estimate`, label: `${model.name}: ${bytes(lighter)} expected` },
    ];
  });
  parts.push({ size: bar.other, tone: "other", label: `Other programs: ${bytes(bar.other)}` });
  return html`<div class="device">
    <div class="device-head">
      <h3>${bar.title}</h3>
      <span class="quiet">models <span class="figure">${bytes(bar.used)}</span>${bar.limit === null ? null : html` of <i class="swatch mark" aria-hidden="true"></i>${bytes(bar.limit)} budget`}</span>
      <span class="push">${bar.free === null ? null : html`<strong>${bytes(bar.free)}</strong> free`}${bar.isTotalKnown ? html` <span class="quiet">of ${bytes(bar.total)}</span>` : null}</span>
    </div>
    <${Bar} total=${bar.total} parts=${parts} mark=${bar.limit ?? undefined} label=${spoken(bar)} />
    <ul class="device-legend small">
      ${bar.models.map((model) => html`<li key=${model.id}><i class=${`swatch bar-part s${model.colour} ${model.isMeasured ? "" : "estimate"}`} aria-hidden="true"></i>
        <span class="clip">${model.name}</span> <span class="figure">${bytes(model.size)}</span></li>`)}
      ${bar.other > 0 ? html`<li key="other"><i class="swatch bar-part other" aria-hidden="true"></i>Other programs <span class="figure">${bytes(bar.other)}</span></li>` : null}
    </ul>
  </div>`;
}

/** @param {DeviceBar} bar The bar for screen readers. */
function spoken(bar) {
  const models = bar.models.map((model) => `${model.name} ${bytes(model.size)}`).join(", ") || "no models";
  const rest = [
    bar.other > 0 ? `other programs ${bytes(bar.other)}` : null,
    bar.free === null ? null : `free ${bytes(bar.free)}`,
    bar.limit === null ? null : `budget ${bytes(bar.limit)}`,
  ].filter((text) => text !== null);
  return `${bar.title}: ${[models, ...rest].join("; ")}`;
}
