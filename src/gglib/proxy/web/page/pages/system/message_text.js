/** A message of the server, with a button for each command that it quotes. */

import { Copy, html } from "../../ui/kit.js";
import { messageParts } from "./checks.js";

/** @param {{text: string}} props */
export function MessageText({ text }) {
  return html`<span class="break">${messageParts(text).map((part) => (part.isCommand ? html`<${Command} text=${part.text} />` : part.text))}</span>`;
}

/** @param {{text: string}} props */
export function Command({ text }) {
  return html`<span class="inline-command"><code>${text}</code><${Copy} text=${text} label=${`Copy: ${text}`} iconOnly /></span>`;
}
