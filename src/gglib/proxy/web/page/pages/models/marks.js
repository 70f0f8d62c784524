/** Marks of a model: its kind and abilities, and its state. */

import { Badge, html } from "../../ui/kit.js";
import { abilitiesOf, kindOf } from "./listing.js";

/** @typedef {import("../../lib/api_types.js").Model} Model */

const STATES = /** @type {Record<string, {tone: string, text: string}>} */ ({
  ready: { tone: "ok", text: "ready" },
  loading: { tone: "busy", text: "loading" },
  draining: { tone: "warn", text: "draining" },
  stopping: { tone: "warn", text: "stopping" },
});

/** @param {{state: string | null | undefined}} props The state in memory. */
export function StateBadge({ state }) {
  if (!state) return html`<span class="quiet">–</span>`;
  const { tone, text } = STATES[state] ?? { tone: "quiet", text: state };
  return html`<${Badge} tone=${tone}>${text}<//>`;
}

/** @param {{model: Model}} props */
export function KindBadges({ model }) {
  return html`<${Badge} tone="accent">${kindOf(model)}<//>
    ${abilitiesOf(model).map((ability) => html`<${Badge}>${ability}<//>`)}
    ${model.is_pinned ? html`<${Badge} tone="warn">pinned<//>` : null}`;
}
