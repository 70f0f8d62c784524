/** Repositories of the hub, with the fit of each of their models. */

import { Badge, Button, count, counted, dateTime, Empty, html, Icon, Note, shortCount, useState } from "../../ui/kit.js";
import { memoryText } from "../../lib/memory_fit.js";
import { HeldMemory, NeedLegend } from "../../ui/fit.js";
import { parametersOf } from "../models/listing.js";
import { OfferRow } from "./offer_row.js";
import { modelOf, shownVariants } from "./variants.js";

/**
 * @typedef {import("../../lib/api_types.js").Repository} Repository
 * @typedef {import("../../lib/api_types.js").Memory} Memory
 * @typedef {import("../../lib/api_types.js").Model} Model
 */

const MAX_LIMIT = 100;
const HUB = "https://huggingface.co";
const GATES = /** @type {Record<string, string>} */ ({
  automatic: "This repository is gated: accept its terms on the hub and set HF_TOKEN where gglib runs.",
  manual: "This repository is gated: its authors approve each account. Ask on the hub and set HF_TOKEN where gglib runs.",
});

/**
 * @param {{found: {memory: Memory, repositories: Repository[], left_out: number}, models: Model[], isLoading: boolean,
 *   search: {q: string, limit: number}, onMore: (limit: number) => void}} props
 */
export function Results({ found, models, isLoading, search, onMore }) {
  const { repositories, memory, left_out: leftOut } = found;
  const hasMore = repositories.length + leftOut >= search.limit && search.limit < MAX_LIMIT;
  if (repositories.length === 0) {
    return html`<${Empty} icon="find" title="Nothing found"><p role="status">${leftOut > 0
      ? `${counted(leftOut, "repository", "repositories")} matched, but without a model that can be pulled within this size.`
      : "Try fewer or other words: the hub searches the names of repositories."}</p>
      ${hasMore ? html`<${Button} onClick=${() => onMore(Math.min(MAX_LIMIT, search.limit * 2))}>Search further<//>` : null}<//>`;
  }
  return html`
    <p class="quiet small" role="status">${counted(repositories.length, "repository", "repositories")}${leftOut > 0 ? `, ${count(leftOut)} without a suitable model left out` : ""}. ${memoryText(memory)}.</p>
    <p class="quiet small held"><${HeldMemory} /></p>
    <div class="small quiet legend-line">Memory need: <${NeedLegend} /></div>
    ${repositories.map((repository) => html`<${RepositoryCard} key=${repository.repo} repository=${repository} memory=${memory} models=${models} />`)}
    ${hasMore ? html`<div><${Button} isBusy=${isLoading} onClick=${() => onMore(Math.min(MAX_LIMIT, search.limit * 2))}>Show more<//></div>` : null}`;
}

/** @param {{repository: Repository, memory: Memory, models: Model[]}} props */
function RepositoryCard({ repository, memory, models }) {
  const [isOpen, setOpen] = useState(false);
  const variants = shownVariants(repository, isOpen);
  const hidden = repository.variants.length - variants.length;
  const { repo } = repository;
  return html`<article class="card repository" aria-label=${repo}>
    <header>
      <h2 class="break"><a href=${`${HUB}/${repo}`} target="_blank" rel="noreferrer">${repo} <${Icon} name="open" label="on the hub, in a new tab" /></a></h2>
      <p class="row small quiet">${factsOf(repository).map((fact) => html`<span class="nowrap">${fact}</span>`)}
        ${repository.projectors.length > 0 ? html`<${Badge} tone="accent">images<//>` : null}
        ${repository.gate === "open" ? null : html`<${Badge} tone="warn">gated<//>`}</p>
    </header>
    ${GATES[repository.gate] ? html`<${Note} tone="warn" icon="key">${GATES[repository.gate]}<//>` : null}
    ${repository.variants.length === 0 ? html`<p class="card-body quiet">It has no GGUF model that can be pulled.</p>` : null}
    <ul class="offers">${variants.map((variant) => html`<${OfferRow} key=${variant.label} offer=${variant} title=${variant.label} memory=${memory}
      mark=${variant.label === repository.suggested ? "suggested" : null} note=${variant.files.length > 1 ? counted(variant.files.length, "file") : ""}
      model=${modelOf(variant, repo, models)} models=${models} />`)}</ul>
    ${hidden > 0 || isOpen ? html`<div class="card-more"><${Button} small kind="ghost" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)}>${isOpen ? "Show fewer" : `Show all ${repository.variants.length} models`}<//></div>` : null}
    ${repository.incomplete.length > 0 ? html`<p class="card-body small quiet">Incomplete on the hub: ${repository.incomplete.join(", ")}</p>` : null}
  </article>`;
}

/** @param {Repository} repository @returns {string[]} */
function factsOf(repository) {
  const { parameter_count: total, downloads, likes, updated_at: updated, licence } = repository;
  return [
    total ? `${parametersOf(repository)} parameters` : "",
    `${shortCount(downloads)} downloads`,
    `${shortCount(likes)} likes`,
    updated ? `updated ${dateTime(updated).slice(0, 10)}` : "",
    licence ?? "",
  ].filter(Boolean);
}
