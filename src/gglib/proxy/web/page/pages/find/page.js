/** Find: searches the hub, and pulls models; and the downloads of the server, with all that can be done with them. */

import { ago, api, Button, bytes, confirmDialog, counted, ErrorNote, html, IconButton, link, Loading, Menu, Progress, segment, Select, setQuery, ShowAll, toast, useEffect, useKeptFocus, useLoad, useRef, useState } from "../../ui/kit.js";
import { cancelDownload, downloads, downloadsError, isActive, pauseDownload, resumeDownload, shareOf, stateText, useDownloads } from "../../state/downloads.js";
import { loadModel } from "../models/actions.js";
import { doneIds } from "../models/listing.js";
import { FirstModels, isSecret, PullButton, questionOf, Results } from "./results.js";

/**
 * @typedef {import("../../lib/api_types.js").Model} Model
 * @typedef {import("../../lib/api_types.js").Download} Download
 * @typedef {{models: readonly Model[], done: ReadonlySet<string>}} Catalogue `done`: the downloads that were done before it was read.
 * @typedef {{q: string, sort: string, max: string, limit: number}} Search
 */

const FIRST_LIMIT = 10;
const SORTS = [
  { value: "", label: "Downloads" },
  { value: "trending", label: "Trending" },
  { value: "likes", label: "Likes" },
  { value: "updated", label: "Newest" },
];
const SIZES = [
  { value: "", label: "Any size" },
  ...[2, 4, 8, 16, 32, 64].map((gigabytes) => ({ value: String(gigabytes * 1e9), label: `Up to ${gigabytes} GB` })),
];
const SHOWN_ENDED = 4;

/** @param {{query: URLSearchParams}} props `q`: the search; `sort`, `max` (bytes) and `limit` as in the API. */
export function Page({ query }) {
  useDownloads();
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  const doneCount = downloads.value.filter((download) => download.state === "done").length;
  const catalogue = useLoad(async (signal) => {
    const done = doneIds(downloads.value);
    return { ...await api.get("/gglib/models", { signal }), done };
  }, [doneCount]);
  const [secret, setSecret] = useState("");
  const text = query.get("q") || secret;
  const search = { q: text, sort: query.get("sort") ?? "", max: query.get("max") ?? "", limit: Number(query.get("limit")) || FIRST_LIMIT };
  /** @type {Model[]} */
  const models = catalogue.value?.models ?? [];
  const onSearch = (/** @type {Record<string, string>} */ changed) => {
    const typed = changed.q ?? "";
    const isHidden = isSecret(typed);
    setSecret(isHidden ? typed : "");
    setQuery({ ...changed, q: isHidden ? "" : typed });
  };
  return html`
    <div class="page-head"><h1>Find</h1></div>
    <div class=${`find-columns ${downloads.value.some(isActive) ? "is-downloading" : ""}`} ref=${root}>
      <div class="find-search"><${SearchForm} search=${search} onSearch=${onSearch} onDown=${() => focusNext(root.current, null, 1)} /></div>
      <aside class="find-downloads" aria-label="Downloads"><${DownloadsPanel} catalogue=${catalogue.value} /></aside>
      <div class="find-results" onKeyDown=${(/** @type {KeyboardEvent} */ event) => moveBetween(root.current, event)}>
        ${text.trim() ? html`<${Answer} key=${text} search=${search} models=${models} />` : html`<${FirstModels} models=${models} />`}
      </div>
    </div>`;
}

/** @param {HTMLElement | null} root @param {KeyboardEvent} event */
function moveBetween(root, event) {
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (step === 0 || !(event.target instanceof Element) || !event.target.matches("[data-pull]")) return;
  focusNext(root, event.target, step);
  event.preventDefault();
}

/** @param {{search: Search, models: Model[]}} props */
function Answer({ search, models }) {
  const { target, repo, words } = questionOf(search.q);
  const read = async (/** @type {AbortSignal} */ signal) => {
    if (repo !== null) {
      const [owner = "", name = ""] = repo.split("/");
      const found = await api.get(`/gglib/hub/models/${segment(owner)}/${segment(name)}`, { signal });
      return { memory: found.memory, repositories: [found], left_out: 0 };
    }
    if (!words) return null;
    return api.get("/gglib/hub/models", { signal, query: { q: words, sort: search.sort, max_size: search.max, limit: search.limit } });
  };
  const { value, error, isLoading, reload } = useLoad(read, [repo, words, search.sort, search.max, search.limit]);
  const isShown = value !== null && !error;
  return html`<div class="stack">
    ${target === null ? null : html`<section class="card card-body target" aria-label="Target">
      <div><h2>Pull this target</h2><p class="break"><code>${target}</code></p></div>
      <${PullButton} target=${target} models=${models} kind="primary" />
    </section>`}
    <${ErrorNote} error=${error} onRetry=${reload} />
    ${isLoading && !isShown ? html`<${Loading} label=${repo === null ? "Searching the hub" : `Reading ${repo}`} />` : null}
    ${isShown ? html`<${Results} found=${value} models=${models} isLoading=${isLoading} search=${search} onMore=${(/** @type {number} */ limit) => setQuery({ ...search, limit })} />` : null}
  </div>`;
}

/** @param {{search: Search, onSearch: (query: Record<string, string>) => void, onDown: () => void}} props `onDown`: the arrow to the results was pressed. */
function SearchForm({ search, onSearch, onDown }) {
  const [text, setText] = useState(search.q);
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => {
    if (globalThis.matchMedia("(pointer: fine)").matches) input.current?.focus();
  }, []);
  useEffect(() => setText(search.q), [search.q]);
  const change = (/** @type {Record<string, string>} */ changes) => onSearch({ q: text.trim(), sort: search.sort, max: search.max, ...changes });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    change({});
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    onDown();
  };
  return html`<form role="search" class="find-form" onSubmit=${submit}>
    <input ref=${input} type="search" aria-label="Search the hub" aria-describedby="find-hint" placeholder="Search the hub, or owner/repo:QUANT, or a URL" spellcheck="false" autocomplete="off"
      value=${text} onKeyDown=${onKeyDown} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} />
    <${Select} aria-label="Order by" value=${search.sort} options=${SORTS} onChange=${(/** @type {string} */ sort) => change({ sort })} />
    <${Select} aria-label="Size of the files" value=${search.max} options=${SIZES} onChange=${(/** @type {string} */ max) => change({ max })} />
    <${Button} kind="primary" type="submit" icon="find">Search<//>
    <p class="hint" id="find-hint">Enter searches; the arrow keys move to the models and between them, Enter pulls.</p>
  </form>`;
}

/**
 * Move the focus between the buttons that pull a model.
 * @param {HTMLElement | null} root @param {Element | null} current The button with the focus; null: before the first.
 * @param {1 | -1} step
 */
function focusNext(root, current, step) {
  const buttons = /** @type {HTMLElement[]} */ ([...(root?.querySelectorAll("[data-pull]:not(:disabled)") ?? [])]);
  const index = current === null ? -1 : buttons.indexOf(/** @type {HTMLElement} */ (current));
  const next = buttons[index + step];
  if (next) next.focus();
  else if (step < 0) /** @type {HTMLElement | null | undefined} */ (root?.querySelector("input"))?.focus();
}

/** The downloads of the server. @param {{catalogue: Catalogue | null}} props null: not known yet. */
function DownloadsPanel({ catalogue }) {
  const [isOpen, setOpen] = useState(false);
  const all = downloads.value;
  const ended = all.filter((download) => !isActive(download) && download.state !== "paused");
  const shown = isOpen ? all : all.filter((download) => !ended.includes(download) || ended.indexOf(download) < SHOWN_ENDED);
  return html`<section class=${`card downloads ${all.length === 0 ? "is-empty" : ""}`}>
    <header><h2>Downloads</h2>${all.some(isActive) ? html`<span class="quiet small">${counted(all.filter(isActive).length, "active", "active")}</span>` : null}</header>
    ${downloadsError.value && all.length === 0 ? html`<div class="card-body"><${ErrorNote} error=${downloadsError.value} /></div>` : null}
    ${all.length === 0
      ? html`<p class="card-body quiet small">Nothing is downloading. Models that are pulled here, or through the API, appear in this list; those of <code>gglib pull</code> do not.</p>`
      : html`<ul class="download-list">${shown.map((download) => html`<${DownloadRow} key=${download.id} download=${download} isKept=${isKept(download, catalogue)} />`)}</ul>`}
    ${shown.length < all.length || isOpen ? html`<${ShowAll} all=${all.length} isOpen=${isOpen} onToggle=${setOpen} />` : null}
  </section>`;
}

/** @param {Download} download @param {Catalogue | null} catalogue */
function isKept({ id, model_name: model }, catalogue) {
  return catalogue === null || !catalogue.done.has(id) || catalogue.models.some(({ name }) => name === model);
}

/** @param {{download: Download, isKept: boolean}} props `isKept`: whether its model is in the catalogue still. */
function DownloadRow({ download, isKept }) {
  const { target, state, error, model_name: name, ended_at: endedAt } = download;
  return html`<li>
    <div class="download-head"><strong class="break">${name ?? target}</strong><${Actions} download=${download} /></div>
    ${isActive(download) || state === "paused" ? html`<${Progress} value=${state === "queued" ? 0 : shareOf(download)} label=${`Progress of ${target}`} />` : null}
    <p class=${`small ${state === "failed" ? "download-failed" : "quiet"}`}>${state === "done" && !isKept ? "Removed since" : stateText(download)}${endedAt && state !== "failed" && state !== "paused" ? `, ${ago(Math.max(0, Date.now() / 1000 - endedAt))}` : ""}</p>
    ${error ? html`<p class="small break">${error.message}</p>` : null}
    ${name && state === "done" && isKept ? html`<div class="row">
      <a class="button small" href=${link("chat", "", { model: name })}>Chat</a>
      <${Button} small icon="load" onClick=${() => loadModel(name)}>Load<//>
      <a class="button small ghost" href=${link("models", name)}>Details</a></div>` : null}
    <span class="visually-hidden" role="status">${isActive(download) ? "" : `${target}: ${state}`}</span>
  </li>`;
}

/** One button for all states, so that the focus stays on it, and a menu. @param {{download: Download}} props */
function Actions({ download }) {
  const { id, target, state, error } = download;
  const place = useKeptFocus("button");
  if (state === "done") return null;
  const deletesFiles = async () => {
    const isConfirmed = await confirmDialog({
      title: "Delete the partial files?",
      text: `${target} has ${bytes(download.done_bytes)} on the disk. A later pull starts from the beginning. Files that another download needs are kept.`,
      action: isActive(download) || state === "paused" ? "Cancel and delete" : "Delete",
      danger: true,
    });
    if (!isConfirmed) return;
    await cancelDownload(id, true);
    toast(`Deleted the partial files of ${target}.`);
  };
  const isOngoing = isActive(download) || state === "paused";
  const [icon, label] = isActive(download) ? ["pause", `Pause ${target}`]
    : state === "paused" ? ["play", `Resume ${target}`]
    : ["retry", `${error ? "Try again" : "Resume"}: ${target}`];
  return html`<span class="nowrap" ref=${place}>
    <${IconButton} icon=${icon} label=${label} onClick=${() => (isActive(download) ? pauseDownload(id) : resumeDownload(id))} />
    ${isOngoing || download.done_bytes > 0 ? html`<${Menu} label=${`More for ${target}`} items=${[
      ...(isOngoing ? [{ label: "Cancel, keep partial files", icon: "close", onClick: () => cancelDownload(id, false) }] : []),
      { label: isOngoing ? "Cancel and delete partial files" : "Delete partial files", icon: "trash", danger: true, onClick: deletesFiles },
    ]} />` : null}
  </span>`;
}
