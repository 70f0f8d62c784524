/** Usage: requests and tokens over time, and by model, key or client. */

import { api, Bar, Button, count, duration, Empty, ErrorNote, html, link, Loading, NO_VALUE, percent, rate, saveText, Select, setQuery, ShowAll, shortCount, Tabs, useEffect, useLoad, useMemo, useState } from "../../ui/kit.js";
import { NONE } from "../requests/listing.js";
import { groupsOf, seriesOf, StackedChart, stepDate, stepsOf, tokensOf } from "./chart.js";

/**
 * @typedef {import("./chart.js").Group} Group
 * @typedef {import("./chart.js").GroupField} GroupField
 * @typedef {{since: string, by: GroupField, measure: string}} View
 * @typedef {{count: number, isMore: boolean, waited: number | null}} Swaps `isMore`: there are more than were read; `waited`: the mean wait, in seconds.
 * @typedef {import("../../lib/api_types.js").Usage} Usage
 * @typedef {import("../../lib/api_types.js").Requests} Requests
 * @typedef {import("../../lib/api_types.js").UsageRow} UsageRow
 */

export const PERIODS = [
  { value: "today", label: "Today", since: "today", step: "hour" },
  { value: "7d", label: "7 days", since: "6d", step: "day" },
  { value: "30d", label: "30 days", since: "29d", step: "day" },
  { value: "all", label: "All", since: "", step: "day" },
];
/** @type {{value: GroupField, label: string}[]} */
export const GROUPS = [{ value: "model", label: "Model" }, { value: "key", label: "Key" }, { value: "client", label: "Client" }];
export const MEASURES = [
  { value: "tokens", label: "Tokens" },
  { value: "requests", label: "Requests" },
  { value: "groups", label: "Tokens by group" },
];
/** The columns of CSV. @type {("key" | "model" | "client" | "requests" | "failed" | "prompt_tokens" | "completion_tokens" | "cached_tokens" | "busy_s")[]} */
const FIELDS = ["key", "model", "client", "requests", "failed", "prompt_tokens", "completion_tokens", "cached_tokens", "busy_s"];
const RELOAD_MS = 30_000;
const MAX_SWAPS = 500;
/** Names of usage without one. @type {Record<string, string>} */
const NAMELESS = { model: "No model", key: "No key", client: "Unknown client" };
const SHOWN = 25;
/** @type {{id: string, title: string, isName?: boolean, cell: (group: Group) => unknown}[]} */
const NUMBERS = [
  { id: "requests", title: "Requests", cell: (group) => count(group.requests) },
  { id: "failed", title: "Failed", cell: (group) => (group.failed === 0 ? NO_VALUE : count(group.failed)) },
  { id: "prompt_tokens", title: "In", cell: (group) => html`<span title=${count(group.prompt_tokens)}>${shortCount(group.prompt_tokens)}</span>` },
  { id: "cached_tokens", title: "Cached", cell: (group) => (group.prompt_tokens === 0 ? NO_VALUE : percent(group.cached_tokens / group.prompt_tokens)) },
  { id: "completion_tokens", title: "Out", cell: (group) => html`<span title=${count(group.completion_tokens)}>${shortCount(group.completion_tokens)}</span>` },
  { id: "speed", title: "Tokens/s", cell: (group) => rate(speedOf(group)).replace(" /s", "") },
  { id: "busy_s", title: "Served", cell: (group) => servedTime(group.busy_s) },
];

/** @param {{query: URLSearchParams}} props */
export function Page({ query }) {
  const view = useMemo(() => viewOf(query), [query.toString()]);
  const { value, error, isLoading, reload } = useLoad((signal) => readUsage(view, signal), [view.since, view.by]);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) void reload();
    }, RELOAD_MS);
    return () => clearInterval(timer);
  }, [reload]);
  const change = (/** @type {Partial<View>} */ changes) => setQuery(queryOf({ ...view, ...changes }));
  return html`<div class="page-head"><h1>Usage</h1>
      <div class="segments" role="group" aria-label="Period">${PERIODS.map((period) => html`<button type="button" key=${period.value} aria-pressed=${period.value === view.since} onClick=${() => change({ since: period.value })}>${period.label}</button>`)}</div>
      <${Button} icon="load" disabled=${!value || value.usage.usage.length === 0} onClick=${() => value && saveText(`usage-by-${value.view.by}-${value.view.since}.csv`, usageCsv(value.usage.usage, value.view.by))}>CSV<//></div>
    ${error ? html`<${ErrorNote} error=${error} onRetry=${reload} />` : null}
    ${value ? html`<${Content} usage=${value.usage} swaps=${value.swaps} read=${value.view} view=${view} onChange=${change} />` : isLoading ? html`<${Loading} label="Loading the usage" />` : null}`;
}

/** @param {{usage: Usage, swaps: Swaps | null, read: View, view: View, onChange: (changes: Partial<View>) => void}} props `read`: what the usage is of; `view`: what is chosen, and perhaps still read. */
function Content({ usage, swaps, read, view, onChange }) {
  const { step } = periodOf(read.since);
  const rows = usage.usage;
  const groups = useMemo(() => groupsOf(rows, read.by), [rows, read.by]);
  const steps = useMemo(() => stepsOf(rows, step, Date.now() / 1000), [rows, step]);
  const series = useMemo(() => seriesOf(rows, steps, view.measure, read.by), [rows, steps, view.measure, read.by]);
  const nameOf = (/** @type {string} */ name) => name || (NAMELESS[read.by] ?? "");
  const groupLabel = (GROUPS.find(({ value }) => value === read.by)?.label ?? "").toLowerCase();
  const measures = MEASURES.map(({ value, label }) => ({ id: value, label: label.replace("group", groupLabel) }));
  if (rows.length === 0) {
    return html`<${Empty} icon="usage" title="No usage in this period"><p>Choose a longer period, or <a href=${link("connect")}>connect a program</a>.</p><//>`;
  }
  return html`<div class="stack usage">
    <${Tiles} total=${usage.total} swaps=${swaps} since=${read.since} />
    <section class="card" aria-label="Over time">
      <${Tabs} tabs=${measures} current=${view.measure} onSelect=${(/** @type {string} */ measure) => onChange({ measure })} label="Shown over time" />
      <div class="card-body">
        <${StackedChart} steps=${steps} series=${series} step=${step} nameOf=${nameOf} label=${`${measures.find(({ id }) => id === view.measure)?.label} by ${step}; the same numbers are in the table "Numbers by ${step}" below.`} />
        <details class="numbers"><summary>Numbers by ${step}</summary><${Numbers} steps=${steps} series=${series} step=${step} nameOf=${nameOf} /></details>
      </div>
    </section>
    <section class="card" aria-label="By name">
      <header><h2>By ${groupLabel}</h2><${Select} aria-label="Group by" value=${view.by} options=${GROUPS} onChange=${(/** @type {View["by"]} */ by) => onChange({ by })} /></header>
      <${GroupTable} groups=${groups} by=${read.by} title=${groupLabel.replace(/^./, (first) => first.toUpperCase())} nameOf=${nameOf} />
    </section>
  </div>`;
}

/** @param {{steps: readonly number[], series: readonly import("./chart.js").Series[], step: "hour" | "day", nameOf: (name: string) => string}} props */
function Numbers({ steps, series, step, nameOf }) {
  return html`<div class="table-scroll" tabindex="0" role="region" aria-label=${`Numbers by ${step}`}><table>
    <thead><tr><th scope="col">${step === "hour" ? "Hour" : "Day"}</th>${series.map(({ name }) => html`<th scope="col" class="number">${nameOf(name)}</th>`)}</tr></thead>
    <tbody>${steps.map((start, index) => html`<tr key=${start}><th scope="row">${stepDate(start, step)}</th>${series.map(({ values }) => html`<td class="number">${count(values[index])}</td>`)}</tr>`).reverse()}</tbody>
  </table></div>`;
}

/** The sums of the period. @param {{total: UsageRow, swaps: Swaps | null, since: string}} props */
function Tiles({ total, swaps, since }) {
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

/** Usage by name: a table that can be sorted, with the share of each. @param {{groups: readonly Group[], by: string, title: string, nameOf: (name: string) => string}} props */
function GroupTable({ groups, by, title, nameOf }) {
  const [order, setOrder] = useState({ column: "tokens", isDescending: true });
  const [isWhole, setWhole] = useState(false);
  const rows = useMemo(() => sorted(groups, order.column, order.isDescending), [groups, order]);
  const all = groups.reduce((sum, group) => sum + tokensOf(group), 0);
  const sortBy = (/** @type {string} */ column) => setOrder((before) => ({ column, isDescending: before.column === column ? !before.isDescending : column !== "name" }));
  const head = (/** @type {string} */ id, /** @type {string} */ text, /** @type {string} */ extra) => html`<${Heading} id=${id} text=${text} extra=${extra} order=${order} onSort=${sortBy} />`;
  return html`<div class="table-scroll"><table class="usage-table">
      <thead><tr>${head("name", title, "")}${head("tokens", "Share of tokens", "c-share")}${NUMBERS.map(({ id, title: text }) => head(id, text, "number"))}</tr></thead>
      <tbody>${(isWhole ? rows : rows.slice(0, SHOWN)).map((group) => html`<tr key=${group.name}>
        <th scope="row"><a class="clip" href=${link("requests", "", { [by]: group.name === "" ? NONE : group.name })}>${nameOf(group.name)}</a></th>
        <td class="c-share"><${Share} value=${all === 0 ? 0 : tokensOf(group) / all} /></td>
        ${NUMBERS.map(({ id, cell }) => html`<td key=${id} class="number">${cell(group)}</td>`)}
      </tr>`)}</tbody>
    </table></div>
    ${rows.length > SHOWN ? html`<${ShowAll} all=${count(rows.length)} isOpen=${isWhole} onToggle=${setWhole} />` : null}`;
}

/** @param {{id: string, text: string, extra: string, order: {column: string, isDescending: boolean}, onSort: (column: string) => void}} props */
function Heading({ id, text, extra, order, onSort }) {
  const isCurrent = order.column === id;
  return html`<th scope="col" class=${extra} aria-sort=${isCurrent ? (order.isDescending ? "descending" : "ascending") : undefined}>
    <button type="button" class="sort" onClick=${() => onSort(id)}>${text}${isCurrent ? html`<span aria-hidden="true">${order.isDescending ? "↓" : "↑"}</span>` : null}</button></th>`;
}

/** @param {{value: number}} props */
function Share({ value }) {
  const text = value > 0 && value < 0.01 ? "< 1 %" : percent(value);
  return html`<span class="share"><${Bar} total=${1} parts=${[{ size: value, label: text }]} label=${text} /><span class="number">${text}</span></span>`;
}

/** @param {View} view @param {AbortSignal} signal */
async function readUsage(view, signal) {
  const { since, step } = periodOf(view.since);
  const [usage, swaps] = await Promise.all([
    /** @type {Promise<Usage>} */ (api.get("/gglib/usage", { query: { by: `${step},${view.by}`, since }, signal })),
    readSwaps(since, signal).catch(() => null), // a key without admin rights sees its usage and no requests
  ]);
  return { usage, swaps, view };
}

/** @param {string} since @param {AbortSignal} signal @returns {Promise<Swaps>} */
async function readSwaps(since, signal) {
  /** @type {Requests} */
  const page = await api.get("/gglib/requests", { query: { state: "finished", swap: true, since, limit: MAX_SWAPS }, signal });
  const waits = page.requests.map(({ waited_s: waited }) => waited ?? 0);
  return { count: waits.length, isMore: page.next_before !== null, waited: waits.length === 0 ? null : waits.reduce((sum, wait) => sum + wait, 0) / waits.length };
}

/** @param {URLSearchParams} query @returns {View} Unknown values are the default ones. */
export function viewOf(query) {
  return { since: known(PERIODS, query.get("since"), "7d"), by: /** @type {GroupField} */ (known(GROUPS, query.get("by"), "model")), measure: known(MEASURES, query.get("show"), "tokens") };
}

/** @param {View} view @returns {Record<string, string>} The query of the page's URL. */
export function queryOf({ since, by, measure }) {
  return { since, by, show: measure };
}

/** @param {string} since @returns {{since: string, step: "hour" | "day"}} Of a period: the time from which, and the length of the chart's steps. */
export function periodOf(since) {
  const found = PERIODS.find(({ value }) => value === since);
  return { since: found?.since ?? "", step: found?.step === "hour" ? "hour" : "day" };
}

/** @param {string} since @returns {string} The filter for the requests of a period, as near as there is one; empty: for all. */
export function requestsSince(since) {
  return { today: "24h", all: "" }[since] ?? since;
}

/** @param {{value: string}[]} options @param {string | null} value @param {string} other */
function known(options, value, other) {
  return options.some((option) => option.value === value) ? /** @type {string} */ (value) : other;
}

/** @param {readonly Group[]} groups @param {string} column A field, "tokens" or "name". @param {boolean} isDescending @returns {Group[]} */
export function sorted(groups, column, isDescending) {
  const value = (/** @type {any} */ group) => (column === "tokens" ? tokensOf(group) : column === "speed" ? speedOf(group) ?? -1 : group[column]);
  const sign = isDescending ? -1 : 1;
  return [...groups].sort((one, other) => {
    const [first, second] = [value(one), value(other)];
    const order = typeof first === "string" ? first.localeCompare(second) : first - second;
    return sign * order || one.name.localeCompare(other.name);
  });
}

/** @param {{completion_tokens: number, busy_s: number}} usage @returns {number | null} Response tokens for each second in which a model served a request. */
export function speedOf({ completion_tokens: tokens, busy_s: busy }) {
  return busy > 0 && tokens > 0 ? tokens / busy : null;
}

/** @param {number} seconds @returns {string} In hours, beyond a day. */
export function servedTime(seconds) {
  return seconds < 86_400 ? duration(seconds) : `${count(seconds / 3600)} h`;
}

/** @param {readonly UsageRow[]} rows @param {string} by The field of names that they are grouped by. @returns {string} CSV (RFC 4180). */
export function usageCsv(rows, by) {
  const fields = FIELDS.filter((field) => field === by || !["key", "model", "client"].includes(field));
  const lines = rows.map((row) => [new Date((row.start_s ?? 0) * 1000).toISOString(), ...fields.map((field) => row[field])]);
  return [["start", ...fields], ...lines].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
}

/**
 * @param {string | number | null} value
 * @returns {string} Quoted where needed. A text that a spreadsheet would compute begins with an apostrophe.
 */
export function cell(value) {
  if (typeof value === "number") return String(value);
  const text = value ?? "";
  const safe = /^\s*[=+\-@|%]|^[\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}
