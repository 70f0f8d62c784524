/** What a model is, and where it comes from. */

import { isSafeLink } from "../../lib/safe_link.js";
import { Badge, bytes, count, dateTime, html, Icon, link } from "../../ui/kit.js";
import { kindOf, parametersOf } from "./listing.js";

/** @typedef {import("../../lib/api_types.js").Model} Model */

const HUB = "https://huggingface.co";

/** @param {{model: Model}} props */
export function FactsCard({ model }) {
  const isOwnContext = model.context !== null;
  return html`<section class="card">
    <header><h2>Facts</h2><span class="quiet small">number ${model.id}</span></header>
    <dl class="facts card-body">
      <dt>Kind</dt><dd>${kindOf(model)}${model.kind === null ? "" : " (set)"}</dd>
      <dt>Can do</dt><dd>${model.capabilities.join(", ") || "–"}</dd>
      <dt>Architecture</dt><dd>${model.architecture ?? "–"}</dd>
      <dt>Parameters</dt><dd>${parametersOf(model)}</dd>
      <dt>Quantization</dt><dd>${model.quantization ?? "–"}</dd>
      <dt>Size</dt><dd>${bytes(model.size_bytes)}</dd>
      <dt>Context</dt><dd>${isOwnContext ? `${count(model.context)} set, ` : ""}trained for ${count(model.trained_context)}</dd>
      <dt>Also called</dt><dd>${model.aliases.length === 0 ? "–" : html`<${Names} names=${model.aliases} />`}</dd>
      ${model.alias_lists.length > 0 ? html`<dt>In alias lists</dt><dd><${Names} names=${model.alias_lists} /> <a class="small" href=${link("models", "", { tab: "aliases" })}>All aliases</a></dd>` : null}
      ${model.tags.length > 0 ? html`<dt>Tags</dt><dd class="row">${model.tags.map((tag) => html`<${Badge}>${tag}<//>`)}</dd>` : null}
      <dt>Source</dt><dd><${SourceText} model=${model} /></dd>
      <dt>Added</dt><dd>${dateTime(model.added_at)}</dd>
      <dt>Last used</dt><dd>${model.last_used_at === null ? "never" : dateTime(model.last_used_at)}</dd>
    </dl>
  </section>`;
}

/** @param {{names: readonly string[]}} props */
export function Names({ names }) {
  return html`${names.map((name, index) => html`${index > 0 ? ", " : ""}<code>${name}</code>`)}`;
}

/** @param {{model: Model}} props */
function SourceText({ model: { source } }) {
  if (source.origin === null) return html`a file that you added`;
  const address = source.repo !== null ? `${HUB}/${source.repo}${source.revision ? `/tree/${source.revision}` : ""}` : source.url;
  const text = source.repo ?? source.url ?? source.origin;
  const isLink = (source.origin === "hub" || source.origin === "url") && address !== null && isSafeLink(address);
  return html`${isLink
      ? html`<a href=${address} target="_blank" rel="noreferrer">${text} <${Icon} name="open" label="in a new tab" /></a>`
      : text}
    ${source.revision ? html`<div class="small quiet">revision <code>${source.revision.slice(0, 12)}</code>${source.asked_revision ? html`, pinned to <code>${source.asked_revision}</code>` : null}</div>` : null}
    ${source.file ? html`<div class="small quiet break">${source.file}</div>` : null}`;
}
