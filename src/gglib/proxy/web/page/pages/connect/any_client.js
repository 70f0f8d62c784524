/** What any program needs that speaks one of the APIs: the base URL, a name and a key. */

import { Copy, html } from "../../ui/kit.js";
import { CopyText } from "../../ui/copy_text.js";
import { insertedKey } from "./target.js";
import { baseUrls, variableCommand, withKey } from "./texts.js";

/** @param {{table: import("../../lib/api_types.js").ClientTable}} props */
export function AnyClient({ table }) {
  const command = table.clients.find((client) => client.name === "curl")?.text ?? null;
  const variable = variableCommand([command], table.key);
  const shown = [variable, command].filter((text) => text !== null).map((text) => withKey(text, table.key, insertedKey())).join("\n");
  return html`<section class="card"><header><h2>Any program</h2></header>
    <div class="card-body stack">
      <dl class="connect-urls">
        ${baseUrls(table.url).map(({ api, url }) => html`<${Value} key=${api} title=${`Base URL, ${api}`} text=${url} />`)}
        <${Value} title="Model" text=${table.model} />
      </dl>
      ${command === null ? null : html`<div class="stack small-gap"><h3>Try it in a terminal</h3><${CopyText} text=${shown} label="Command for a terminal" /></div>`}
    </div>
  </section>`;
}

/** @param {{title: string, text: string}} props */
function Value({ title, text }) {
  return html`<dt>${title}</dt><dd><code>${text}</code><${Copy} text=${text} label=${`Copy: ${title}`} iconOnly /></dd>`;
}
