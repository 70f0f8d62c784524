/** All aliases, alias lists and patterns. */

import { api, Badge, Empty, ErrorNote, html, link, Loading, useLoad } from "../../ui/kit.js";

/** @typedef {import("../../lib/api_types.js").Alias} Alias */

const SOURCES = /** @type {Record<string, string>} */ ({ catalogue: "of the model", config: "config.toml", "built-in": "built in" });

/** @param {{names: string[]}} props The models of the catalogue. */
export function AliasesTab({ names }) {
  const { value, error, reload } = useLoad((signal) => api.get("/gglib/aliases", { signal }), [names.join()]);
  if (value === null) return error ? html`<${ErrorNote} error=${error} onRetry=${reload} />` : html`<${Loading} label="Reading the aliases" />`;
  /** @type {Alias[]} */
  const aliases = value.aliases;
  return html`<div class="stack">
    <p class="quiet">Aliases of one model are set in its settings; lists and patterns under <code>[aliases]</code> in <code>config.toml</code>. In a list, the first model that can run serves a request.</p>
    ${aliases.length === 0 ? html`<${Empty} title="No aliases"><p>Give a model another name in its settings.</p><//>` : html`<div class="card table-scroll"><table class="halves">
      <thead><tr><th scope="col">Alias</th><th scope="col">Models</th><th scope="col" class="wide-only">From</th></tr></thead>
      <tbody>${aliases.map((alias) => html`<tr key=${`${alias.source} ${alias.name}`}>
        <td><code class="break">${alias.name}</code>${alias.is_ignored ? html` <${Badge} tone="warn">ignored: a model has this name<//>` : null}<div class="small quiet narrow-only">${SOURCES[alias.source] ?? alias.source}</div></td>
        <td><${AliasModels} alias=${alias} /></td>
        <td class="quiet nowrap wide-only">${SOURCES[alias.source] ?? alias.source}</td>
      </tr>`)}</tbody>
    </table></div>`}
  </div>`;
}

/** @param {{alias: Alias}} props */
function AliasModels({ alias }) {
  if (alias.models.length === 0) return html`<span class="quiet">the model in memory that was used last</span>`;
  const only = alias.models.length === 1;
  return html`<ol class=${`alias-models ${only ? "single" : ""}`}>${alias.models.map((model) => html`<li>
    ${alias.missing.includes(model) ? html`<span class="break">${model}</span> <${Badge} tone="warn">not in the catalogue<//>` : html`<a class="break" href=${link("models", model)}>${model}</a>`}
  </li>`)}</ol>`;
}
