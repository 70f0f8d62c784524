/** Known models for a start, shown before a search. */

import { api, ErrorNote, html, Loading, Note, useLoad } from "../../ui/kit.js";
import { memoryText } from "../../lib/memory_fit.js";
import { HeldMemory } from "../../ui/fit.js";
import { OfferRow } from "./offer_row.js";

/**
 * @typedef {import("../../lib/api_types.js").FirstModel} FirstModel
 * @typedef {import("../../lib/api_types.js").FirstModels} List
 * @typedef {import("../../lib/api_types.js").Model} Model
 */

/** @param {{models: Model[]}} props */
export function FirstModels({ models }) {
  const { value, error, reload } = useLoad((signal) => api.get("/gglib/hub/first-models", { signal }), []);
  if (value === null) return error ? html`<${ErrorNote} error=${error} onRetry=${reload} />` : html`<${Loading} label="Looking for first models" />`;
  /** @type {List} */
  const list = value;
  return html`<div class="stack">
    ${list.is_hub_reachable ? null : html`<${Note} tone="warn" icon="warn">The hub cannot be reached: check the network of the server's machine. Models that are in the catalogue still work.<//>`}
    <section class="card repository">
      <header><h2>First models</h2><p class="small quiet">Known instruct models of many sizes, checked ${list.date}. ${memoryText(list.memory)}. <${HeldMemory} /></p></header>
      <ul class="offers titled">${list.models.map((model) => html`<${OfferRow} key=${model.pull} offer=${model} title=${model.title} memory=${list.memory}
        mark=${list.recommended === model.pull ? "recommended" : null} note=${model.licence}
        model=${knownModel(model, models)} models=${models} />`)}</ul>
      ${list.models.length === 0 ? html`<p class="card-body quiet">None of them is on the hub now: search for a model instead.</p>` : null}
    </section>
  </div>`;
}

/** @param {FirstModel} model @param {readonly Model[]} models @returns {Model | null} The model of the catalogue that was pulled so. */
function knownModel(model, models) {
  return models.find((entry) => entry.aliases.includes(model.pull) || entry.name === model.pull) ?? null;
}
