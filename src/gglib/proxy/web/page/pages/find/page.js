/** Find: searches the hub, and pulls models. */

import { api, ErrorNote, html, Loading, segment, setQuery, useLoad, useRef, useState } from "../../ui/kit.js";
import { downloads, useDownloads } from "../../state/downloads.js";
import { isActive } from "../../state/downloads_list.js";
import { doneIds } from "../models/updating.js";
import { DownloadsPanel } from "./downloads_panel.js";
import { FirstModels } from "./first_models.js";
import { focusNext } from "./keys.js";
import { PullButton } from "./pull_button.js";
import { Results } from "./results.js";
import { SearchForm } from "./search_form.js";
import { isSecret, questionOf } from "./target.js";

/** @typedef {import("../../lib/api_types.js").Model} Model */

const FIRST_LIMIT = 10;

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

/** @param {{search: {q: string, sort: string, max: string, limit: number}, models: Model[]}} props */
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
