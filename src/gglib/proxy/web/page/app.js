/** Starts the page. */

import { html, render } from "./lib/html.js";
import { Shell } from "./shell/shell.js";
import { follow } from "./state/live.js";
import { applyTheme } from "./state/session.js";

applyTheme();
const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.textContent = "";
render(html`<${Shell} />`, root);
follow();
