import { html } from "../../lib/html.js";

export function Page() {
  return html`<div class="page-head"><h1>System</h1></div>`;
}
