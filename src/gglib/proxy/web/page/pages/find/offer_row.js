/** One model that can be pulled: its size, its fit with the reason, and the button. */

import { Badge, bytes, html } from "../../ui/kit.js";
import { fitReason } from "../../lib/memory_fit.js";
import { FitBadge, NeedBar } from "../../ui/fit.js";
import { PullButton } from "./pull_button.js";

/**
 * @typedef {import("../../lib/api_types.js").Need} Need
 * @typedef {import("../../lib/api_types.js").Memory} Memory
 * @typedef {import("../../lib/api_types.js").Model} Model
 * @typedef {{pull: string, size_bytes: number, fit: string, slots: number, need: Need}} Offer
 */

/**
 * @param {{offer: Offer, title: string, mark: string | null, note: string, memory: Memory, model: Model | null, models: readonly Model[]}} props
 * `mark`: why it is the first choice; null: it is not. `model`: the one of the catalogue with these files.
 */
export function OfferRow({ offer, title, mark, note, memory, model, models }) {
  return html`<li>
    <div class="offer-name"><strong class="break">${title}</strong><span class="offer-size">${bytes(offer.size_bytes)}</span>
      ${mark ? html`<${Badge} tone="accent">${mark}<//>` : null}
      ${note ? html`<span class="small quiet">${note}</span>` : null}</div>
    <div class="offer-fit">
      <div class="row"><${FitBadge} fit=${offer.fit} /><span class="small quiet">${fitReason(offer, memory)}</span></div>
      <${NeedBar} need=${offer.need} memory=${memory} />
    </div>
    <div class="offer-pull"><${PullButton} target=${offer.pull} model=${model} models=${models} kind=${mark ? "primary" : "plain"} /></div>
  </li>`;
}
