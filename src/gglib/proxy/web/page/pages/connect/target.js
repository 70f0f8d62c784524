/** What programs are connected to: the address, the model, and whether the key of this tab is shown. */

import { Checkbox, html, key, Note, SelectField, setQuery, signal, TextField } from "../../ui/kit.js";
import { isAddress, isLoopback } from "./texts.js";

/** The base URL of the server; at first the address of this page. */
export const address = signal(location.origin);

/** Whether the key of this tab stands in the texts, in place of its placeholder. */
export const isKeyShown = signal(false);
key.subscribe(() => { isKeyShown.value = false; }); // another key is not shown unasked

/**
 * @param {{models: readonly import("../../lib/api_types.js").Model[], model: string,
 *   table: import("../../lib/api_types.js").ClientTable | null}} props `model`: the chosen name.
 */
export function TargetForm({ models, model, table }) {
  const url = address.value;
  const isValid = isAddress(url);
  const names = models.map(({ name }) => name);
  const options = (model === "" || names.includes(model) ? names : [model, ...names]).map((name) => ({ value: name, label: name }));
  return html`<section class="card connect-target" aria-label="What programs connect to">
    <div class="card-body stack">
      <div class="form-row">
        <${TextField} label="Address" value=${url} onInput=${(/** @type {string} */ text) => { address.value = text.trim(); }} type="url" spellcheck=${false} autocomplete="off"
          error=${isValid ? null : "An address without a path, such as http://192.168.1.2:8080."} />
        <${SelectField} label="Model" value=${model} options=${options} onChange=${(/** @type {string} */ name) => setQuery({ model: name })} />
      </div>
      ${isValid && isLoopback(url) ? html`<p class="hint">Only programs on the server's machine reach this address. For others, enter the machine's name or IP address in the network.</p>` : null}
      <${KeyRule} table=${table} />
    </div>
  </section>`;
}

/** @param {{table: import("../../lib/api_types.js").ClientTable | null}} props */
function KeyRule({ table }) {
  if (table === null) return null;
  if (table.key === null) {
    return html`<p class="hint">This server needs no access key. Where a program insists on one, enter any text, such as <code>gglib</code>.</p>`;
  }
  return html`<p class="hint">This server needs an access key: the texts below name the key <b>${table.key.name}</b>. A key is shown only when it is made: <code>gglib key new NAME</code>.</p>
    ${key.value === null ? null : html`<${Checkbox} label="Insert the key of this tab" checked=${isKeyShown.value} onChange=${(/** @type {boolean} */ isShown) => { isKeyShown.value = isShown; }} />`}
    ${key.value !== null && isKeyShown.value ? html`<${Note} tone="warn" icon="key">The key of this tab has admin rights, and is visible below. For a program, prefer a key of its own.<//>` : null}`;
}

/** @returns {string | null} The key to insert in texts. */
export function insertedKey() {
  return isKeyShown.value ? key.value : null;
}
