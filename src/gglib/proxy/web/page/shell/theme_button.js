/** Chooses the theme: that of the system, light or dark. */

import { html, IconButton, setTheme, theme } from "../ui/kit.js";

const NEXT = /** @type {const} */ ({ system: "light", light: "dark", dark: "system" });
const ICONS = { system: "auto", light: "sun", dark: "moon" };

export function ThemeButton() {
  const chosen = theme.value;
  return html`<${IconButton} icon=${ICONS[chosen]} label=${`Theme: ${chosen}. Change to ${NEXT[chosen]}`} onClick=${() => setTheme(NEXT[chosen])} />`;
}
