/** Models: the catalogue as a table that stays smooth with hundreds of models, all aliases, and newer versions. */

import { downloads, startDownload, stateText, useDownloads } from "../../state/downloads.js";
import { api, Badge, Button, bytes, connection, count, counted, Empty, ErrorNote, FitBadge, go, HeldMemory, html, Icon, IconButton, link, memoryText, SearchInput, Select, setQuery, status, Tabs, TextField, toast, useEffect, useLoad, useMemo, useRef, useState } from "../../ui/kit.js";
import { VirtualTable } from "../../ui/virtual_table.js";
import { memoryAction } from "./actions.js";
import { ModelDetail } from "./detail.js";
import { namesIn } from "./forms.js";
import { FILTERS, SORTS, abilitiesOf, doneIds, filtered, joined, kindOf, nextSort, nodeNames, nodesText, parametersOf, pullOf, shortFacts, sorted, sortOf, sortText, usedAgo } from "./listing.js";
import { FormDialog, Pending, PLAIN, ProfilesTab, StateBadge, choices, useForm } from "./settings.js";

/**
 * @typedef {import("./listing.js").Row} Row
 * @typedef {import("./listing.js").Sort} Sort
 * @typedef {import("./listing.js").SortKey} SortKey
 * @typedef {import("../../lib/api_types.js").Alias} Alias
 * @typedef {import("../../lib/api_types.js").Memory} Memory
 * @typedef {import("../../lib/api_types.js").Update} Update
 * @typedef {import("../../lib/api_types.js").Download} Download
 * @typedef {{rows: Row[] | null, memory: Memory | null, error: Error | null, reload: () => Promise<void>}} Catalogue `rows`: null before the first response.
 */

const ROW_HEIGHT = 56;
const REFRESH_MS = 20_000;
const SORT_OPTIONS = Object.entries(SORTS).map(([value, [title]]) => ({ value, label: `By ${title.toLowerCase()}` }));
const TABS = { catalogue: "Catalogue", profiles: "Profiles", aliases: "Aliases", updates: "Updates" };
const SOURCES = /** @type {Record<string, string>} */ ({ catalogue: "of the model", config: "config.toml", "built-in": "built in" });

/** The states of updates, with the tones and texts of their marks. */
const UPDATES = /** @type {Record<string, [tone: string, text: string]>} */ ({
  changed: ["accent", "newer version"],
  done: ["ok", "updated"],
  current: ["ok", "current"],
  gone: ["bad", "gone"],
  pinned: ["quiet", "pinned"],
  unchecked: ["warn", "not checked"],
  unknown: ["quiet", "cannot be compared"],
});

/** @param {{rest: string, query: URLSearchParams}} props `rest`: the name of a model, or "". */
export function Page({ rest, query }) {
  return rest ? html`<${ModelDetail} key=${rest} name=${rest} />` : html`<${Catalogue} query=${query} />`;
}

/** @param {{query: URLSearchParams}} props */
function Catalogue({ query }) {
  const catalogue = useCatalogue();
  const [isAdding, setAdding] = useState(false);
  const asked = query.get("tab") ?? "";
  const tab = /** @type {keyof typeof TABS} */ (Object.hasOwn(TABS, asked) ? asked : "catalogue");
  const names = (catalogue.rows ?? []).map((row) => row.model.name);
  const tabs = choices(TABS).map(({ value, label }) => ({ id: value, label }));
  return html`
    <div class="page-head">
      <h1>Models</h1>
      <${Button} icon="add" onClick=${() => setAdding(true)}>Add a file<//>
      <a class="button primary" href=${link("find")}>Find models</a>
    </div>
    <div class="stack">
      <${Tabs} label="Models" tabs=${tabs} current=${tab} onSelect=${(/** @type {string} */ id) => go("models", "", { tab: id === "catalogue" ? null : id })} />
      <div role="tabpanel" aria-label=${TABS[tab]}>
        ${tab === "catalogue" ? html`<${ModelList} catalogue=${catalogue} query=${query} onAdd=${() => setAdding(true)} />` : null}
        ${tab === "profiles" ? html`<${ProfilesTab} names=${names} />` : null}
        ${tab === "aliases" ? html`<${AliasesTab} names=${names} />` : null}
        ${tab === "updates" ? html`<${UpdatesTab} />` : null}
      </div>
    </div>
    ${isAdding ? html`<${AddDialog} onClose=${() => setAdding(false)} />` : null}`;
}

/** @returns {Catalogue} The models with their fit and state, kept current while the page is shown. */
function useCatalogue() {
  const residents = status.value?.residents ?? [];
  const inputs = [residents.map((resident) => `${resident.model_id} ${resident.state}`).join(), connection.value === "live"];
  const models = useLoad((signal) => api.get("/gglib/models", { signal }), inputs);
  const fits = useLoad((signal) => api.get("/gglib/fits", { signal }), inputs);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) void models.reload();
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, [models.reload]);
  const rows = useMemo(() => models.value && joined(models.value.models, fits.value?.fits ?? [], residents), [models.value, fits.value, residents]);
  return { rows, memory: fits.value?.memory ?? null, error: models.error, reload: async () => void (await Promise.all([models.reload(), fits.reload()])) };
}

/** @param {{catalogue: Catalogue, query: URLSearchParams, onAdd: () => void}} props */
function ModelList({ catalogue: { rows, memory, error, reload }, query, onAdd }) {
  const [text, filter, sort] = [query.get("q") ?? "", query.get("show") ?? "", sortOf(query.get("sort"))];
  const change = (/** @type {Record<string, string>} */ changes) => setQuery({ q: text, show: filter, sort: query.get("sort"), ...changes });
  const sortBy = (/** @type {SortKey} */ key) => change({ sort: sortText(nextSort(sort, key)) });
  const shown = useMemo(() => sorted(filtered(rows ?? [], text, filter), sort), [rows, text, filter, sortText(sort)]);
  if (rows === null) return html`<${Pending} error=${error} onRetry=${reload} label="Reading the catalogue" />`;
  if (rows.length === 0) return html`<${NoModels} onAdd=${onAdd} />`;
  const total = counted(rows.length, "model");
  const hasNodes = rows.some(({ model }) => model.nodes.length > 0);
  return html`<div class="stack">
    <div class="row models-filter">
      <${SearchInput} label="Search models" placeholder="Search by name, tag, quantization" value=${text} onInput=${(/** @type {string} */ q) => change({ q })} />
      <${Select} aria-label="Show" value=${filter} options=${choices(FILTERS)} onChange=${(/** @type {string} */ show) => change({ show })} />
      <span class="narrow-only"><${Select} aria-label="Sort by" value=${sort.key} options=${SORT_OPTIONS.filter(({ value }) => hasNodes || value !== "nodes")} onChange=${sortBy} /></span>
      <span class="quiet small push" role="status">${shown.length === rows.length ? total : `${count(shown.length)} of ${total}`}</span>
    </div>
    ${shown.length === 0
      ? html`<${Empty} icon="find" title="No model matches"><p>Change the search or the filter.</p><//>`
      : html`<${VirtualTable} label="Models of the catalogue" items=${shown} columns=${columnsOf(sort, sortBy, reload, hasNodes)} rowKey=${(/** @type {Row} */ row) => row.model.id} rowHeight=${ROW_HEIGHT} onOpen=${(/** @type {Row} */ row) => go("models", row.model.name)} />`}
    ${memory ? html`<p class="quiet small">Fit is judged against the memory that is free now: ${memoryText(memory)}. <${HeldMemory} /></p>` : null}
  </div>`;
}

/** @param {Sort} sort @param {(key: SortKey) => void} onSort @param {() => Promise<void>} reload @param {boolean} hasNodes */
function columnsOf(sort, onSort, reload, hasNodes) {
  const arrow = sort.isDescending ? "↓" : "↑";
  /** @param {SortKey} key @param {(row: Row) => unknown} cell @param {string} [classes] @param {string} [label] */
  const column = (key, cell, classes = "", label = SORTS[key][0]) => {
    const isSorted = sort.key === key;
    const title = html`<button type="button" class="sort" onClick=${() => onSort(key)}>${label}${isSorted ? html`<span aria-hidden="true">${arrow}</span>` : null}</button>`;
    return { id: key, title, sort: isSorted ? (sort.isDescending ? "descending" : "ascending") : undefined, class: classes, cell };
  };
  return [
    column("name", nameCell, "model-name"),
    column("quantization", ({ model }) => model.quantization ?? "–", "wide-only", "Quant"),
    column("parameters", ({ model }) => parametersOf(model), "number wide-only", "Params"),
    column("size", ({ model }) => bytes(model.size_bytes), "number wide-only"),
    column("context", contextCell, "number wide-only"),
    column("fit", ({ fit }) => (fit ? html`<${FitBadge} fit=${fit.fit} reason=${fit.reason} />` : "–"), "fit"),
    column("state", ({ state }) => html`<${StateBadge} state=${state ?? undefined} />`, "state wide-only"),
    ...(hasNodes ? [column("nodes", ({ model }) => html`<span class="clip" title=${nodesText(model)}>${nodeNames(model) || "–"}</span>`, "nodes wide-only")] : []),
    column("used", ({ model }) => usedAgo(model.last_used_at, Date.now() / 1000), "used wide-only quiet"),
    { id: "actions", title: html`<span class="visually-hidden">Actions</span>`, class: "right actions", cell: (/** @type {Row} */ row) => html`<${RowAction} row=${row} reload=${reload} />` },
  ];
}

/** @param {Row} row */
function nameCell({ model, state }) {
  const kind = kindOf(model);
  const line = (/** @type {unknown[]} */ ...facts) => facts.filter(Boolean).join(" · ");
  return html`<span class="model-title clip">${model.is_pinned ? html`<${Icon} name="pin" label="Pinned" />` : null}<a class="clip" href=${link("models", model.name)} tabindex="-1">${model.name}</a></span>
    <span class="quiet small clip"><span class="narrow-only">${line(state, shortFacts(model), nodeNames(model))}</span><span class="wide-only">${line(kind !== "chat" && kind, ...abilitiesOf(model), model.architecture, ...model.tags)}</span></span>`;
}

/** @param {Row} row */
function contextCell({ model: { context, trained_context: trained } }) {
  const tokens = context ?? trained;
  return tokens === null ? "–" : html`${count(tokens)}<span class="quiet small context-origin">${context === null ? "trained" : "set"}</span>`;
}

/** @param {{row: Row, reload: () => Promise<void>}} props */
function RowAction({ row: { model: { name }, state }, reload }) {
  const { verb, icon, run, attributes } = memoryAction(name, state);
  return html`<${IconButton} icon=${icon} label=${`${verb} ${name}`} onClick=${() => run().then(reload)} ...${attributes} />`;
}

/** @param {{onAdd: () => void}} props */
function NoModels({ onAdd }) {
  return html`<${Empty} icon="models" title="The catalogue is empty">
    <p>Pull a first model from the hub, or add a GGUF file that is on the server's machine.</p>
    <div class="row"><a class="button primary" href=${link("find")}>Find a first model</a>
      <button type="button" class="button" onClick=${onAdd}>Add a file</button></div>
    <p class="small">In a terminal: <code>gglib pull</code> or <code>gglib add FILE</code></p>
  <//>`;
}

/** All aliases, alias lists and patterns. @param {{names: string[]}} props The models of the catalogue. */
function AliasesTab({ names }) {
  const { value, error, reload } = useLoad((signal) => api.get("/gglib/aliases", { signal }), [names.join()]);
  if (value === null) return html`<${Pending} error=${error} onRetry=${reload} label="Reading the aliases" />`;
  /** @type {Alias[]} */
  const aliases = value.aliases;
  return html`<div class="stack">
    <p class="quiet">Aliases of one model are set in its settings; lists and patterns under <code>[aliases]</code> in <code>config.toml</code>. In a list, the first model that can run serves a request.</p>
    ${aliases.length === 0 ? html`<${Empty} title="No aliases"><p>Give a model another name in its settings.</p><//>` : html`<div class="card table-scroll"><table class="halves">
      <thead><tr><th scope="col">Alias</th><th scope="col">Models</th><th scope="col" class="wide-only">From</th></tr></thead>
      <tbody>${aliases.map((alias) => html`<${AliasRow} key=${`${alias.source} ${alias.name}`} alias=${alias} />`)}</tbody>
    </table></div>`}
  </div>`;
}

/** @param {{alias: Alias}} props */
function AliasRow({ alias: { name, models, missing, source, is_ignored: isIgnored } }) {
  const from = SOURCES[source] ?? source;
  return html`<tr>
    <td><code class="break">${name}</code>${isIgnored ? html` <${Badge} tone="warn">ignored: a model has this name<//>` : null}<div class="small quiet narrow-only">${from}</div></td>
    <td>${models.length === 0 ? html`<span class="quiet">the model in memory that was used last</span>` : html`<ol class=${`alias-models ${models.length === 1 ? "single" : ""}`}>${models.map((model) => html`<li>
      ${missing.includes(model) ? html`<span class="break">${model}</span> <${Badge} tone="warn">not in the catalogue<//>` : html`<a class="break" href=${link("models", model)}>${model}</a>`}
    </li>`)}</ol>`}</td>
    <td class="quiet nowrap wide-only">${from}</td>
  </tr>`;
}

/** Compares the models with their sources, and pulls newer versions. */
function UpdatesTab() {
  useDownloads();
  const { value, error, isLoading, reload } = useLoad(async (signal) => {
    const known = doneIds(downloads.value);
    return { ...await api.get("/gglib/hub/updates", { signal }), known };
  }, []);
  /** @type {{update: Update, pull: Download | null}[]} `pull`: the download that makes the update, or has made it. */
  const updates = (value?.updates ?? []).map((/** @type {Update} */ update) => ({ update, pull: pullOf(update, downloads.value, value?.known) }));
  const made = updates.filter(({ pull }) => pull?.state === "done").length;
  useEffect(() => {
    if (made > 0) void reload();
  }, [made]);
  if (value === null) return html`<${Pending} error=${error} onRetry=${reload} label="Asking the sources" />`;
  if (updates.length === 0) {
    return html`<${Empty} icon="models" title="Nothing to compare"><p>Only models that came from the hub or a URL have a source.</p><p><a href=${link("find")}>Find models</a></p><//>`;
  }
  const changed = updates.filter(({ update, pull }) => update.state === "changed" && pull?.state !== "done");
  const startable = changed.filter(({ pull }) => pull === null);
  return html`<div class="stack">
    <div class="row">
      <p role="status">${changed.length === 0 ? "No model has a newer version." : `${counted(changed.length, "model has", "models have")} a newer version.`}</p>
      <span class="push row">
        ${startable.length > 1 ? html`<${Button} kind="primary" icon="load" onClick=${() => Promise.all(startable.map(({ update }) => update.pull && startDownload(update.pull)))}>Update all<//>` : null}
        <${Button} icon="retry" isBusy=${isLoading} onClick=${reload}>Check again<//>
      </span>
    </div>
    <${ErrorNote} error=${error} onRetry=${reload} />
    <div class="card table-scroll"><table>
      <thead><tr><th scope="col">Model</th><th scope="col" class="wide-only">State</th><th scope="col" class="wide-only">Version here</th><th scope="col" class="wide-only">Newest</th><th scope="col" class="number wide-only">To download</th><th scope="col"><span class="visually-hidden">Actions</span></th></tr></thead>
      <tbody>${updates.map(({ update, pull }) => html`<${UpdateRow} key=${update.model_name} update=${update} pull=${pull} />`)}</tbody>
    </table></div>
  </div>`;
}

/** @param {{update: Update, pull: Download | null}} props */
function UpdateRow({ update, pull }) {
  const { model_name: name, reason, old_revision: here, new_revision: newest, new_size_bytes: size, pull: target } = update;
  const [tone, text] = UPDATES[pull?.state === "done" ? "done" : update.state] ?? ["quiet", update.state];
  const state = html`<${Badge} tone=${tone}>${text}<//>${reason ? html`<div class="small quiet break">${reason}</div>` : null}`;
  const button = target && html`<${Button} small icon="load" aria-label=${`Update ${name}`} onClick=${() => startDownload(target)}>Update<//>`;
  return html`<tr>
    <td><a class="break" href=${link("models", name)}>${name}</a><div class="small quiet break">${update.repo}</div>
      <div class="narrow-only">${state} <span class="small quiet">${bytes(size ?? update.size_bytes)}</span></div></td>
    <td class="wide-only">${state}</td>
    <td class="wide-only"><code>${here?.slice(0, 10) ?? "–"}</code></td>
    <td class="wide-only"><code>${newest?.slice(0, 10) ?? "–"}</code></td>
    <td class="number wide-only">${bytes(size)}</td>
    <td class="right">${pull ? html`<span class="small quiet">${stateText(pull)}</span>` : update.state === "changed" ? button : null}</td>
  </tr>`;
}

/** Adds a GGUF file of the server's machine to the catalogue. @param {{onClose: () => void}} props */
function AddDialog({ onClose }) {
  const [form, setForm] = useState({ path: "", name: "", aliases: "" });
  const { field, submit, error, isBusy } = useForm(form, setForm);
  const isOpen = useRef(true);
  useEffect(() => () => { isOpen.current = false; }, []);
  const path = form.path.trim();
  const add = () => submit({}, async () => {
    const aliases = namesIn(form.aliases);
    const model = await api.post("/gglib/models", { path, name: form.name.trim() || null, aliases: aliases.length > 0 ? aliases : null });
    toast(`Added ${model.name}.`, "success");
    if (!isOpen.current) return;
    onClose();
    go("models", model.name);
  });
  return html`<${FormDialog} title="Add a file" action="Add" error=${error} isBusy=${isBusy} disabled=${!path} onSubmit=${add} onClose=${onClose}>
    <${TextField} label="Path" ...${PLAIN} ...${field("path")} placeholder="/home/me/models/model.gguf" autofocus hint="A GGUF file, or any of its shards, on the server's machine. It stays where it is." />
    <${TextField} label="Name" ...${PLAIN} ...${field("name")} placeholder="from the file name" />
    <${TextField} label="Aliases" ...${PLAIN} ...${field("aliases")} hint="Further names, with commas between them." />
  <//>`;
}
