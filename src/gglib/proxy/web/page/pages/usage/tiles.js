/** The sums of the period. */

import { duration, html, link, percent, rate, shortCount } from "../../ui/kit.js";
import { requestsSince } from "./ranges.js";
import { servedTime, speedOf } from "./series.js";

/**
 * @typedef {{count: number, isMore: boolean, waited: number | null}} Swaps `isMore`: there are more than were read; `waited`: the mean wait, in seconds.
 * @param {{total: import("../../lib/api_types.js").UsageRow, swaps: Swaps | null, since: string}} props
 */
export function Tiles({ total, swaps, since }) {
  const speed = speedOf(total);
  return html`<div class="tiles">
    <${Tile} label="Requests" value=${shortCount(total.requests)} note=${`${servedTime(total.busy_s)} served`} />
    <${Tile} label="Failed" value=${shortCount(total.failed)} isBad=${total.failed > 0}
      note=${html`<a href=${link("requests", "", { status: "failed", since: requestsSince(since) })}>${share(total.failed, total.requests)} of requests</a>`} />
    <${Tile} label="Tokens in" value=${shortCount(total.prompt_tokens)} note=${`${share(total.cached_tokens, total.prompt_tokens)} from the cache`} />
    <${Tile} label="Tokens out" value=${shortCount(total.completion_tokens)} note=${speed === null ? "no speed known" : `${rate(speed).replace(" /s", " per second")} served`} />
    ${swaps ? html`<${Tile} label="Swaps" value=${`${shortCount(swaps.count)}${swaps.isMore ? "+" : ""}`}
      note=${html`<a href=${link("requests", "", { swap: "true", since: requestsSince(since) })}>${swaps.waited === null ? "none waited" : `${duration(swaps.waited)} wait each`}</a>`} />` : null}
  </div>`;
}

/** @param {{label: string, value: string, note: unknown, isBad?: boolean}} props */
function Tile({ label, value, note, isBad = false }) {
  return html`<div class="tile card"><p class="tile-label">${label}</p><p class=${`tile-value ${isBad ? "bad" : ""}`}>${value}</p><p class="hint">${note}</p></div>`;
}

/** @param {number} part @param {number} whole */
function share(part, whole) {
  if (whole === 0) return percent(0);
  const fraction = part / whole;
  return fraction > 0 && fraction < 0.01 ? "under 1 %" : percent(fraction);
}
