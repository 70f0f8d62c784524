/** The place of short messages, announced by screen readers; once in the page. */

import { html } from "../lib/html.js";
import { dismiss, toasts } from "../state/toasts.js";
import { IconButton } from "./controls.js";

export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${toasts.value.map((shown) => html`<div key=${shown.id} class=${`toast ${shown.kind}`}>
      <span>${shown.text}</span>
      <${IconButton} icon="close" label="Dismiss" onClick=${() => dismiss(shown.id)} />
    </div>`)}
  </div>`;
}
