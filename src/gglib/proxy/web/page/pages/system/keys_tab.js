/** The access keys: their rights and limits, and what is used of these. */

import { api, Badge, Bar, Button, count, Empty, ErrorNote, html, link, Loading, useLoad } from "../../ui/kit.js";
import { CopyText } from "../../ui/copy_text.js";
import { limitsOf } from "./setting_texts.js";

/** @typedef {import("../../lib/api_types.js").Key} Key */

export function KeysTab() {
  const keys = useLoad(async (signal) => (await api.get("/gglib/keys", { signal })).keys, []);
  if (keys.value === null) return html`<${ErrorNote} error=${keys.error} onRetry=${keys.reload} />${keys.isLoading ? html`<${Loading} label="Loading" />` : null}`;
  if (keys.value.length === 0) {
    return html`<${Empty} icon="key" title="No access key is required"><p>Once there is a key, every request needs one. Make the first with:</p>
      <${CopyText} text="gglib key new NAME --admin" label="Command that makes a key" /><//>`;
  }
  return html`<section class="stack" aria-label="Access keys">
    <${ErrorNote} error=${keys.error} onRetry=${keys.reload} />
    <div class="row"><p class="quiet">Requests and tokens of each key: <a href=${link("usage", "", { by: "key" })}>Usage</a></p><span class="push"></span><${Button} small icon="retry" onClick=${keys.reload}>Read again<//></div>
    <div class="card table-scroll"><table>
      <thead><tr><th scope="col">Key</th><th scope="col">Models</th><th scope="col">Priority</th><th scope="col">Limits, and used now</th></tr></thead>
      <tbody>${keys.value.map((/** @type {Key} */ key) => html`<${KeyRow} key=${key.name} value=${key} />`)}</tbody>
    </table></div>
  </section>`;
}

/** @param {{value: Key}} props */
function KeyRow({ value }) {
  const limits = limitsOf(value);
  return html`<tr>
    <th scope="row"><span class="row"><code>${value.name}</code>${value.admin ? html`<${Badge} tone="accent">admin<//>` : null}</span></th>
    <td class="break">${value.models.join(", ")}</td>
    <td>${value.priority ?? html`<span class="quiet">as the model</span>`}</td>
    <td>${limits.length === 0 ? html`<span class="quiet">no limits</span>` : html`<ul class="bare-list key-limits">${limits.map(({ name, limit, used }) => html`<li key=${name}>
      <span class="nowrap">${used === null ? "" : `${count(used)} of `}${count(limit)} ${name}</span>
      <${Bar} total=${limit} parts=${[{ size: used ?? 0, label: `${count(used)} used` }]} label=${`${count(used)} of ${count(limit)} ${name} used`} /></li>`)}</ul>`}</td>
  </tr>`;
}
