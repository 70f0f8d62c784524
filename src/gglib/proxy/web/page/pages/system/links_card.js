/** Documents of the server, and the key of this tab. */

import { Button, forgetKey, html, key, toast } from "../../ui/kit.js";

const DOCUMENTS = [
  { path: "/docs", title: "API reference" },
  { path: "/openapi.json", title: "OpenAPI document" },
  { path: "/metrics", title: "Metrics for Prometheus" },
];

/** @param {{needsKey: boolean}} props Whether the server requires keys. */
export function LinksCard({ needsKey }) {
  return html`<section class="card"><header><h2>Documents</h2></header><div class="card-body stack">
    <ul class="bare-list">${DOCUMENTS.map(({ path, title }) => html`<li key=${path}><a href=${path} target="_blank" rel="noreferrer">${title}</a> <code class="quiet">${path}</code></li>`)}</ul>
    ${needsKey ? html`<p class="hint">They need a key, which a browser cannot send with a link: <code>curl -H "Authorization: Bearer KEY" ${location.origin}/metrics</code></p>` : null}
  </div></section>`;
}

/** Shown while this tab has a key. */
export function TabCard() {
  if (key.value === null) return null;
  const forget = () => {
    forgetKey();
    toast("This tab has no key any more.");
  };
  return html`<section class="card"><header><h2>This tab</h2></header><div class="card-body stack">
    <p>A key was entered in this tab. It is kept until the tab is closed.</p>
    <div><${Button} icon="key" onClick=${forget}>Forget the key<//></div>
  </div></section>`;
}
