/** The catalogue as a table that stays smooth with hundreds of models. */

import { bytes, count, counted, Empty, ErrorNote, go, html, Icon, IconButton, link, Loading, SearchInput, Select, setQuery, useMemo } from "../../ui/kit.js";
import { memoryText } from "../../lib/memory_fit.js";
import { FitBadge, HeldMemory } from "../../ui/fit.js";
import { VirtualTable } from "../../ui/virtual_table.js";
import { memoryAction } from "./actions.js";
import { FILTERS, SORT_LABELS, abilitiesOf, filtered, kindOf, nextSort, parametersOf, shortFacts, sorted, sortOf, sortText, usedAgo } from "./listing.js";
import { StateBadge } from "./marks.js";

/**
 * @typedef {import("./listing.js").Row} Row
 * @typedef {import("./listing.js").Sort} Sort
 * @typedef {import("./listing.js").SortKey} SortKey
 * @typedef {ReturnType<typeof import("./catalogue.js").useCatalogue>} Catalogue
 */

const ROW_HEIGHT = 56;

/** @param {{catalogue: Catalogue, query: URLSearchParams, onAdd: () => void}} props */
export function ModelList({ catalogue, query, onAdd }) {
  const [text, filter, sort] = [query.get("q") ?? "", query.get("show") ?? "", sortOf(query.get("sort"))];
  const change = (/** @type {Record<string, string>} */ changes) =>
    setQuery({ q: text, show: filter, sort: query.get("sort"), ...changes });
  const { rows, memory, error, reload } = catalogue;
  const shown = useMemo(() => sorted(filtered(rows ?? [], text, filter), sort), [rows, text, filter, sortText(sort)]);
  if (rows === null) return error ? html`<${ErrorNote} error=${error} onRetry=${reload} />` : html`<${Loading} label="Reading the catalogue" />`;
  if (rows.length === 0) return html`<${NoModels} onAdd=${onAdd} />`;
  const columns = columnsOf(sort, (key) => change({ sort: sortText(nextSort(sort, key)) }), reload);
  return html`<div class="stack">
    <div class="row models-filter">
      <${SearchInput} label="Search models" placeholder="Search by name, tag, quantization" value=${text} onInput=${(/** @type {string} */ q) => change({ q })} />
      <${Select} aria-label="Show" value=${filter} options=${FILTERS} onChange=${(/** @type {string} */ show) => change({ show })} />
      <span class="narrow-only"><${Select} aria-label="Sort by" value=${sort.key} options=${SORT_OPTIONS} onChange=${(/** @type {SortKey} */ key) => change({ sort: sortText(nextSort(sort, key)) })} /></span>
      <span class="quiet small push" role="status">${shown.length === rows.length ? counted(rows.length, "model") : `${count(shown.length)} of ${counted(rows.length, "model")}`}</span>
    </div>
    ${shown.length === 0
      ? html`<${Empty} icon="find" title="No model matches"><p>Change the search or the filter.</p><//>`
      : html`<${VirtualTable} label="Models of the catalogue" items=${shown} columns=${columns} rowKey=${(/** @type {Row} */ row) => row.model.id} rowHeight=${ROW_HEIGHT} onOpen=${(/** @type {Row} */ row) => go("models", row.model.name)} />`}
    ${memory ? html`<p class="quiet small">Fit is judged against the memory that is free now: ${memoryText(memory)}. <${HeldMemory} /></p>` : null}
  </div>`;
}

const SORT_OPTIONS = Object.entries(SORT_LABELS).map(([value, label]) => ({ value, label: `By ${label.toLowerCase()}` }));

/** @param {Sort} sort @param {(key: SortKey) => void} onSort @param {() => Promise<void>} reload */
function columnsOf(sort, onSort, reload) {
  /** @param {SortKey} key @param {(row: Row) => unknown} cell @param {string} [classes] @param {string} [label] */
  const column = (key, cell, classes = "", label = SORT_LABELS[key]) => {
    const direction = sort.key !== key ? undefined : sort.isDescending ? "descending" : "ascending";
    const title = html`<button type="button" class="sort" onClick=${() => onSort(key)}>${label}${direction ? html`<span aria-hidden="true">${sort.isDescending ? "↓" : "↑"}</span>` : null}</button>`;
    return { id: key, title, sort: direction, class: classes, cell };
  };
  return [
    column("name", nameCell, "model-name"),
    column("quantization", ({ model }) => model.quantization ?? "–", "wide-only", "Quant"),
    column("parameters", ({ model }) => parametersOf(model), "number wide-only", "Params"),
    column("size", ({ model }) => bytes(model.size_bytes), "number wide-only"),
    column("context", contextCell, "number wide-only"),
    column("fit", ({ fit }) => (fit ? html`<${FitBadge} fit=${fit.fit} reason=${fit.reason} />` : "–"), "fit"),
    column("state", ({ resident }) => html`<${StateBadge} state=${resident?.state} />`, "state wide-only"),
    column("used", ({ model }) => usedAgo(model.last_used_at, Date.now() / 1000), "wide-only quiet"),
    { id: "actions", title: html`<span class="visually-hidden">Actions</span>`, class: "right actions", cell: (/** @type {Row} */ row) => html`<${RowActions} row=${row} reload=${reload} />` },
  ];
}

/** @param {Row} row */
function nameCell({ model, resident }) {
  const marks = [kindOf(model) === "chat" ? null : kindOf(model), ...abilitiesOf(model)].filter(Boolean);
  return html`<span class="model-title clip">${model.is_pinned ? html`<${Icon} name="pin" label="Pinned" />` : null}<a class="clip" href=${link("models", model.name)} tabindex="-1">${model.name}</a></span>
    <span class="quiet small clip"><span class="narrow-only">${[resident?.state, shortFacts(model)].filter(Boolean).join(" · ")}</span><span class="wide-only">${[...marks, model.architecture, ...model.tags].filter(Boolean).join(" · ")}</span></span>`;
}

/** @param {Row} row */
function contextCell({ model }) {
  const tokens = model.context ?? model.trained_context;
  if (tokens === null) return "–";
  return html`${count(tokens)}<span class="quiet small context-origin">${model.context === null ? "trained" : "set"}</span>`;
}

/** @param {{row: Row, reload: () => Promise<void>}} props */
function RowActions({ row: { model: { name }, resident }, reload }) {
  const { verb, icon, run, attributes } = memoryAction(name, resident);
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
