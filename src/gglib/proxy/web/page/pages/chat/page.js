import { html } from "../../lib/html.js";

export function Page() {
  return html`<div class="page-head"><h1>Chat</h1></div>`;
}
