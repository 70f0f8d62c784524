/** All clients whose settings are known, by kind, with a search. */

import { html, Icon, link, SearchInput, useState } from "../../ui/kit.js";
import { apiTitle, groupsOf } from "./texts.js";

/** @typedef {import("../../lib/api_types.js").ClientSettings} Client */

/** @param {{clients: readonly Client[], model: string}} props */
export function ClientList({ clients, model }) {
  const [search, setSearch] = useState("");
  const groups = groupsOf(clients, search);
  return html`<section class="stack" aria-labelledby="connect-clients">
    <div class="row"><h2 id="connect-clients">Programs</h2><span class="push"></span>
      <${SearchInput} label="Search programs" value=${search} onInput=${setSearch} /></div>
    ${groups.map((group) => html`<div class="stack small-gap" key=${group.title}>
      <h3 class="quiet">${group.title}</h3>
      <ul class="connect-grid">${group.clients.map((client) => html`<li key=${client.name}><${ClientCard} client=${client} model=${model} /></li>`)}</ul>
    </div>`)}
    ${groups.length === 0 ? html`<p class="quiet" role="status">No program of this list matches. Any program that speaks one of the three APIs can use the base URLs above.</p>` : null}
  </section>`;
}

/** @param {{client: Client, model: string}} props */
function ClientCard({ client, model }) {
  return html`<a class="card connect-card" href=${link("connect", client.name, { model })}>
    <b>${client.title}</b>
    <span class="quiet small">${client.speaks.map(apiTitle).join(", ")}, ${client.how}</span>
    <span class="small">${client.verified ? html`<span class="connect-tested"><${Icon} name="check" />Tested with ${client.verified.version}</span>` : html`<span class="quiet">Not tested with gglib</span>`}</span>
  </a>`;
}
