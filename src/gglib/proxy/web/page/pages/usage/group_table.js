/** Usage by name: a table that can be sorted, with the share of each. */

import { Bar, Button, count, html, Icon, link, NO_VALUE, percent, rate, shortCount, useMemo, useState } from "../../ui/kit.js";
import { NONE } from "../requests/filters.js";
import { servedTime, sorted, speedOf, tokensOf } from "./series.js";

/** @typedef {import("./series.js").Group} Group */

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

/** @param {{groups: readonly Group[], by: string, title: string, nameOf: (name: string) => string}} props */
export function GroupTable({ groups, by, title, nameOf }) {
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
    ${rows.length > SHOWN ? html`<p class="more"><${Button} small kind="ghost" onClick=${() => setWhole(!isWhole)}>${isWhole ? "Show fewer" : `Show all ${count(rows.length)}`}<//></p>` : null}`;
}

/** @param {{id: string, text: string, extra: string, order: {column: string, isDescending: boolean}, onSort: (column: string) => void}} props */
function Heading({ id, text, extra, order, onSort }) {
  const isCurrent = order.column === id;
  return html`<th scope="col" class=${`sortable ${extra}`} aria-sort=${isCurrent ? (order.isDescending ? "descending" : "ascending") : undefined}>
    <button type="button" onClick=${() => onSort(id)}>${text}${isCurrent ? html`<span class=${order.isDescending ? "" : "ascending"}><${Icon} name="down" /></span>` : null}</button></th>`;
}

/** @param {{value: number}} props */
function Share({ value }) {
  const text = value > 0 && value < 0.01 ? "< 1 %" : percent(value);
  return html`<span class="share"><${Bar} total=${1} parts=${[{ size: value, label: text }]} label=${text} /><span class="number">${text}</span></span>`;
}
