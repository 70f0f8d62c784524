/** Usage: requests and tokens over time, and by model, key or client. */

import { api, Button, count, Empty, ErrorNote, html, link, Loading, Select, setQuery, Tabs, useEffect, useLoad, useMemo } from "../../ui/kit.js";
import { StackedChart } from "./chart.js";
import { usageCsv } from "./csv.js";
import { GroupTable } from "./group_table.js";
import { GROUPS, MEASURES, PERIODS, periodOf, queryOf, stepDate, viewOf } from "./ranges.js";
import { groupsOf, seriesOf, stepsOf } from "./series.js";
import { Tiles } from "./tiles.js";

/**
 * @typedef {import("./ranges.js").View} View
 * @typedef {import("../../lib/api_types.js").Usage} Usage
 * @typedef {import("../../lib/api_types.js").Requests} Requests
 */

const RELOAD_MS = 30_000;
const MAX_SWAPS = 500;
/** Names of usage without one. @type {Record<string, string>} */
const NAMELESS = { model: "No model", key: "No key", client: "Unknown client" };

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
      <div class="segments" role="group" aria-label="Period">${PERIODS.map((period) => html`<button type="button" key=${period.value} aria-pressed=${String(period.value === view.since)} onClick=${() => change({ since: period.value })}>${period.label}</button>`)}</div>
      <${Button} icon="load" disabled=${!value || value.usage.usage.length === 0} onClick=${() => value && save(usageCsv(value.usage.usage, value.view.by), `usage-by-${value.view.by}-${value.view.since}.csv`)}>CSV<//></div>
    ${error ? html`<${ErrorNote} error=${error} onRetry=${reload} />` : null}
    ${value ? html`<${Content} usage=${value.usage} swaps=${value.swaps} read=${value.view} view=${view} onChange=${change} />` : isLoading ? html`<${Loading} label="Loading the usage" />` : null}`;
}

/** @param {{usage: Usage, swaps: import("./tiles.js").Swaps | null, read: View, view: View, onChange: (changes: Partial<View>) => void}} props `read`: what the usage is of; `view`: what is chosen, and perhaps still read. */
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

/** @param {{steps: readonly number[], series: readonly import("./series.js").Series[], step: "hour" | "day", nameOf: (name: string) => string}} props */
function Numbers({ steps, series, step, nameOf }) {
  return html`<div class="table-scroll" tabindex="0" role="region" aria-label=${`Numbers by ${step}`}><table>
    <thead><tr><th scope="col">${step === "hour" ? "Hour" : "Day"}</th>${series.map(({ name }) => html`<th scope="col" class="number">${nameOf(name)}</th>`)}</tr></thead>
    <tbody>${steps.map((start, index) => html`<tr key=${start}><th scope="row">${stepDate(start, step)}</th>${series.map(({ values }) => html`<td class="number">${count(values[index])}</td>`)}</tr>`).reverse()}</tbody>
  </table></div>`;
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

/** @param {string} since @param {AbortSignal} signal @returns {Promise<import("./tiles.js").Swaps>} */
async function readSwaps(since, signal) {
  /** @type {Requests} */
  const page = await api.get("/gglib/requests", { query: { state: "finished", swap: true, since, limit: MAX_SWAPS }, signal });
  const waits = page.requests.map(({ waited_s: waited }) => waited ?? 0);
  return { count: waits.length, isMore: page.next_before !== null, waited: waits.length === 0 ? null : waits.reduce((sum, wait) => sum + wait, 0) / waits.length };
}

/** @param {string} text @param {string} name Of the file that the browser saves. */
function save(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000); // the browser reads it after the click
}
