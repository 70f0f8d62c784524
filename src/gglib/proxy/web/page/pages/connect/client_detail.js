/** How one client connects: its settings with this address, model and key, and how it is started. */

import { Badge, html, Note } from "../../ui/kit.js";
import { CopyText } from "../../ui/copy_text.js";
import { insertedKey } from "./target.js";
import { apiTitle, variableCommand, withKey } from "./texts.js";

/** @param {{client: import("../../lib/api_types.js").ClientSettings, table: import("../../lib/api_types.js").ClientTable}} props */
export function ClientDetail({ client, table }) {
  const filled = (/** @type {string} */ text) => withKey(text, table.key, insertedKey());
  const variable = variableCommand([client.text, client.start, client.note], table.key);
  return html`<section class="card" aria-label=${`Settings of ${client.title}`}>
    <header>
      <h2>Settings</h2>
      ${client.speaks.map((api) => html`<${Badge}>${apiTitle(api)}<//>`)}
      ${client.verified ? html`<${Badge} tone="ok">Tested with ${client.verified.version} on ${client.verified.date}<//>` : html`<${Badge}>Not tested with gglib<//>`}
    </header>
    <div class="card-body stack">
      ${client.note ? html`<${Note} icon="warn">${filled(client.note)}<//>` : null}
      ${client.launch ? html`<${Part} title="Start it with gglib" text=${client.launch}
        hint="On the server's machine: this starts the program with these settings, and leaves its own files as they are." />` : null}
      ${variable ? html`<${Part} title="Set the key" text=${filled(variable)} hint="In a terminal: the settings below read the key from this variable." />` : null}
      <${Part} title=${client.launch ? "Or set it up" : "Set it up"} text=${filled(client.text)} hint=${whereOf(client)} />
      ${client.start ? html`<${Part} title="Start it" text=${filled(client.start)} hint="In a terminal." />` : null}
    </div>
  </section>`;
}

/** @param {{title: string, hint: unknown, text: string}} props */
function Part({ title, hint, text }) {
  return html`<div class="stack small-gap"><div><h3>${title}</h3><p class="hint">${hint}</p></div><${CopyText} text=${text} label=${title} /></div>`;
}

/** @param {import("../../lib/api_types.js").ClientSettings} client */
function whereOf({ where, file }) {
  if (file?.path === where) return html`In the file <code>${where}</code>.`;
  const place = `${where.slice(0, 1).toUpperCase()}${where.slice(1)}.`;
  return file === null ? place : html`${place} Its file for lasting settings is <code>${file.path}</code>.`;
}
