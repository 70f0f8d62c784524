/** A block of code with its language and a button that copies it. */

import { html } from "../lib/html.js";
import { Copy } from "./controls.js";

/** @param {{text: string, language?: string}} props */
export function CodeBlock({ text, language = "" }) {
  return html`<div class="code-block">
    <div class="code-head"><span>${language || "text"}</span><${Copy} text=${text} /></div>
    <pre tabindex="0" role="region" aria-label=${language ? `Code in ${language}` : "Code"}><code>${text}</code></pre>
  </div>`;
}
