/** A text for another place, such as a command or a file, with a button that copies it. */

import { html } from "../lib/html.js";
import { Copy } from "./controls.js";

/** @param {{text: string, label: string}} props `label`: what it is, for screen readers. */
export function CopyText({ text, label }) {
  return html`<div class="copy-text">
    <pre tabindex="0" role="region" aria-label=${label}><code>${text}</code></pre>
    <${Copy} text=${text} label=${`Copy: ${label}`} iconOnly />
  </div>`;
}
