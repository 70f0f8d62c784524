/** How a model fits the memory: a mark, and the need as a bar. */

import { bytes } from "../lib/format.js";
import { html } from "../lib/html.js";
import { NEED_PARTS, freeMemory, heldText, needParts, needText } from "../lib/memory_fit.js";
import { status } from "../state/live.js";
import { Badge, Bar } from "./feedback.js";

/**
 * @typedef {import("../lib/api_types.js").Memory} Memory
 * @typedef {import("../lib/api_types.js").Need} Need
 */

const TONES = /** @type {Record<string, "ok" | "warn" | "bad" | "quiet">} */ ({ fits: "ok", tight: "warn", "too large": "bad" });

/** @param {{fit: string, reason?: string}} props */
export function FitBadge({ fit, reason }) {
  return html`<${Badge} tone=${TONES[fit] ?? "quiet"} title=${reason}>${fit}<//>`;
}

/** The need of a model by purpose, beside the free memory (the mark). @param {{need: Need, memory: Memory | null}} props */
export function NeedBar({ need, memory }) {
  const free = freeMemory(memory);
  const isAbove = free !== null && need.total_bytes > free;
  const label = `${needText(need)}${free === null ? "" : `; ${bytes(free)} free`}`;
  const parts = needParts(need).map((part, index) => ({ size: part.size, tone: `s${index + 1}`, label: `${part.label}: ${bytes(part.size)}` }));
  return html`<${Bar} total=${Math.max(free ?? 0, need.total_bytes)} parts=${parts} label=${label} mark=${isAbove ? free : undefined} />`;
}

/** The colours of the parts of a need, with their sizes if one is given. @param {{need?: Need}} props */
export function NeedLegend({ need }) {
  const parts = need ? needParts(need).map(({ label, size }) => `${label} ${bytes(size)}`) : NEED_PARTS;
  return html`<ul class="need-legend">${parts.map((text, index) => html`<li><span class=${`swatch s${index + 1}`} aria-hidden="true"></span>${text}</li>`)}</ul>`;
}

/** What models in memory take: it does not count as free, but other models can get it. */
export function HeldMemory() {
  return html`${heldText(status.value?.residents ?? [])}`;
}
