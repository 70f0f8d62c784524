/** Models that can be pulled: a target, those of a search or a repository, and known ones for a start; each with its size and fit, and a button. */

import { api, Badge, Button, bytes, count, counted, dateTime, Empty, ErrorNote, FitBadge, fitReason, HeldMemory, html, Icon, link, Loading, memoryText, NeedBar, NeedLegend, Note, percent, ShowAll, shortCount, toast, useKeptFocus, useLoad, useState } from "../../ui/kit.js";
import { downloads, isActive, shareOf, startDownload } from "../../state/downloads.js";
import { parametersOf } from "../models/listing.js";

/**
 * @typedef {import("../../lib/api_types.js").Repository} Repository
 * @typedef {import("../../lib/api_types.js").Memory} Memory
 * @typedef {import("../../lib/api_types.js").Model} Model
 * @typedef {import("../../lib/api_types.js").Variant} Variant
 * @typedef {import("../../lib/api_types.js").Download} Download
 * @typedef {{pull: string, size_bytes: number, fit: string, slots: number, need: import("../../lib/api_types.js").Need}} Offer
 */

const MAX_LIMIT = 100;
const HUB = "https://huggingface.co";
const GATES = /** @type {Record<string, string>} */ ({
  automatic: "This repository is gated: accept its terms on the hub and set HF_TOKEN where gglib runs.",
  manual: "This repository is gated: its authors approve each account. Ask on the hub and set HF_TOKEN where gglib runs.",
});
/** How many models of a repository are shown before "Show all". */
export const SHOWN_FIRST = 4;
const NAME = "[A-Za-z0-9][A-Za-z0-9._-]*";
const REPOSITORY = new RegExp(`^${NAME}/${NAME}$`);
const TARGET = new RegExp(`^${NAME}/${NAME}(?:(?:/[^:@\\s]+\\.gguf)|:[^\\s@/]+)?(?:@[^\\s]+)?$`, "i");
const HUB_PAGE = new RegExp(`^https?://(?:www\\.)?(?:huggingface\\.co|hf\\.co)/(${NAME}/${NAME})(?:/tree/[^/]+)?/?$`);

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
    ${hidden > 0 || isOpen ? html`<${ShowAll} all=${`${repository.variants.length} models`} isOpen=${isOpen} onToggle=${setOpen} />` : null}
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

/** Known models for a start, shown before a search. @param {{models: Model[]}} props */
export function FirstModels({ models }) {
  const { value, error, reload } = useLoad((signal) => api.get("/gglib/hub/first-models", { signal }), []);
  if (value === null) return error ? html`<${ErrorNote} error=${error} onRetry=${reload} />` : html`<${Loading} label="Looking for first models" />`;
  /** @type {import("../../lib/api_types.js").FirstModels} */
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

/** @param {import("../../lib/api_types.js").FirstModel} model @param {readonly Model[]} models @returns {Model | null} The model of the catalogue that was pulled so. */
function knownModel(model, models) {
  return models.find((entry) => entry.aliases.includes(model.pull) || entry.name === model.pull) ?? null;
}

/**
 * @param {{offer: Offer, title: string, mark: string | null, note: string, memory: Memory, model: Model | null, models: readonly Model[]}} props
 * `mark`: why it is the first choice; null: it is not. `model`: the one of the catalogue with these files.
 */
function OfferRow({ offer, title, mark, note, memory, model, models }) {
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

/**
 * @param {Repository} repository @param {boolean} isOpen Whether all are shown.
 * @returns {Variant[]} The suggested one first, the others smallest first. Unless open: those whose sizes are nearest.
 */
export function shownVariants({ variants, suggested }, isOpen) {
  const first = variants.find((variant) => variant.label === suggested);
  const others = variants.filter((variant) => variant !== first);
  if (isOpen || variants.length <= SHOWN_FIRST + 1) return first ? [first, ...others] : others;
  if (!first) return others.slice(0, SHOWN_FIRST);
  const distance = (/** @type {Variant} */ variant) => Math.abs(variant.size_bytes - first.size_bytes);
  const nearest = new Set([...others].sort((a, b) => distance(a) - distance(b)).slice(0, SHOWN_FIRST - 1));
  return [first, ...others.filter((variant) => nearest.has(variant))];
}

/** @param {Variant} variant @param {string} repo @param {readonly Model[]} models @returns {Model | null} The model of the catalogue with this file. */
export function modelOf(variant, repo, models) {
  const names = new Set(variant.files.map((file) => file.name));
  return models.find(({ source }) => source.repo === repo && source.file !== null && names.has(source.file)) ?? null;
}

/** @param {string} text @returns {string | null} `owner/name`, if the text is one, or the URL of its page on the hub. */
export function repositoryOf(text) {
  const trimmed = text.trim();
  if (REPOSITORY.test(trimmed)) return trimmed;
  return HUB_PAGE.exec(trimmed)?.[1] ?? null;
}

/**
 * @param {string} text
 * @returns {string | null} The target for `POST /gglib/downloads`, if the text names one model: `owner/repo:QUANT`,
 *   `owner/repo/FILE.gguf` or the URL of a GGUF file. A repository alone is none: it is shown with its models.
 */
export function targetOf(text) {
  const trimmed = text.trim();
  if (/^https?:\/\/\S+\.gguf(?:\?\S*)?$/i.test(trimmed)) return trimmed;
  return TARGET.test(trimmed) && !REPOSITORY.test(trimmed) ? trimmed : null;
}

/** @param {string} text @returns {boolean} Whether it is a URL with a query, which may be a signature: none for the history of the browser. */
export function isSecret(text) {
  return /^https?:\/\/[^\s?#]*[?#]/i.test(text.trim());
}

/** @param {string} target @returns {string} The target as downloads have it: a URL without its query. */
export function listedTarget(target) {
  return target.includes("://") ? target.replace(/[?#].*$/s, "") : target;
}

/**
 * @param {string} text What was typed.
 * @returns {{target: string | null, repo: string | null, words: string}} A target to pull, the repository to show, and
 *   the words to search for; a repository is not searched for.
 */
export function questionOf(text) {
  const target = targetOf(text);
  const repo = repositoryOf(text) ?? (target === null || target.includes("://") ? null : target.split(/[/:@]/).slice(0, 2).join("/"));
  return { target, repo, words: target === null && repo === null ? text.trim() : "" };
}

/**
 * Pulls a model; shows its download, or where it is once it is in the catalogue.
 * @param {{target: string, model?: Model | null, models: readonly Model[], kind?: "primary" | "plain"}} props
 * `model`: the one of the catalogue with these files; `models`: the catalogue. The focus stays here through all states.
 */
export function PullButton({ target, model = null, models, kind = "plain" }) {
  const place = useKeptFocus("[data-pull]");
  const [isStarting, setStarting] = useState(false);
  const listed = listedTarget(target);
  const download = downloads.value.find((entry) => entry.target === listed);
  const pulled = download?.state === "done" ? models.find((entry) => entry.name === download.model_name) : null;
  const name = (model ?? pulled)?.name;
  const isBusy = isStarting || (download !== undefined && isActive(download));
  const press = () => {
    if (isBusy) return;
    setStarting(true);
    startDownload(target)
      .catch((error) => toast(error.message, "error"))
      .finally(() => setStarting(false));
  };
  const verb = download?.state === "paused" ? "Resume" : "Pull";
  const text = isBusy ? progressText(download) : verb;
  return html`<span ref=${place}>${name
    ? html`<a class="in-catalogue" data-pull href=${link("models", name)}><${Icon} name="check" />In the catalogue</a>`
    : html`<${Button} small icon=${isBusy ? undefined : "load"} kind=${isBusy ? "plain" : kind} data-pull aria-disabled=${isBusy ? "true" : undefined} aria-label=${isBusy ? `${listed}: ${text}` : `${verb} ${listed}`} onClick=${press}>${text}<//>`}</span>`;
}

/** @param {Download | undefined} download */
function progressText(download) {
  if (download === undefined || !isActive(download)) return "Starting";
  const share = shareOf(download);
  return download.state === "queued" ? "Queued" : share === null ? "Working" : percent(share);
}
