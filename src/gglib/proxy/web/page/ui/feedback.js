/** States, bars and notes. */

import { duration } from "../lib/format.js";
import { html } from "../lib/html.js";
import { now } from "../state/live.js";
import { Button } from "./controls.js";
import { Icon } from "./icon.js";

/** @param {{tone?: "ok" | "warn" | "bad" | "busy" | "quiet" | "accent", children?: unknown, title?: string}} props */
export function Badge({ tone = "quiet", children, title }) {
  return html`<span class=${`badge ${tone}`} title=${title}>${children}</span>`;
}

/**
 * A bar with parts, from the left. Sizes in the unit of `total`; the text beside it carries the numbers.
 * @param {{total: number, parts: {size: number, tone?: string, label: string}[], label: string, mark?: number}} props
 * `mark` draws a limit inside the bar.
 */
export function Bar({ total, parts, label, mark }) {
  const share = (/** @type {number} */ size) => `${Math.max(0, Math.min(100, (100 * size) / (total || 1)))}%`;
  return html`<div class="bar" role="img" aria-label=${label}>
    ${parts.map((part) => html`<span class=${`bar-part ${part.tone ?? ""}`} title=${part.label} style=${{ width: share(part.size) }}></span>`)}
    ${mark === undefined ? null : html`<span class="bar-mark" style=${{ left: share(mark) }}></span>`}
  </div>`;
}

/** @param {{value: number | null, label: string}} props `value` from 0 to 1; null: unknown. */
export function Progress({ value, label }) {
  return value === null
    ? html`<progress aria-label=${label}></progress>`
    : html`<progress max="1" value=${Math.max(0, Math.min(1, value))} aria-label=${label}></progress>`;
}

/** What a view shows that has nothing: what belongs here, and how to get it. @param {{icon?: string, title: string, children?: unknown}} props */
export function Empty({ icon, title, children }) {
  return html`<div class="empty">${icon ? html`<${Icon} name=${icon} />` : null}<h2>${title}</h2>${children}</div>`;
}

/**
 * @param {{error: {message: string} | null | undefined, onRetry?: () => unknown, action?: string, isAlert?: boolean}} props
 * `action`: the text of the button. `isAlert`: screen readers say it at once.
 */
export function ErrorNote({ error, onRetry, action = "Retry", isAlert = true }) {
  if (!error) return null;
  return html`<div class="note bad" role=${isAlert ? "alert" : undefined}><${Icon} name="warn" /><span>${error.message}</span>
    ${onRetry ? html`<${Button} small onClick=${onRetry}>${action}<//>` : null}</div>`;
}

/** @param {{tone?: string, icon?: string, children?: unknown}} props */
export function Note({ tone = "quiet", icon, children }) {
  return html`<div class=${`note ${tone}`}>${icon ? html`<${Icon} name=${icon} />` : null}<div>${children}</div></div>`;
}

/** The time since a moment, counted on. @param {{seconds: number | null | undefined, since: number}} props `since` (performance.now()): when `seconds` was right. */
export function Elapsed({ seconds, since }) {
  if (seconds === null || seconds === undefined) return html`–`;
  return html`${duration(seconds + Math.max(0, now.value - since) / 1000)}`;
}

/** @param {{label: string}} props */
export function Loading({ label = "Loading" }) {
  return html`<p class="loading" role="status">${label} …</p>`;
}
