/** What a view says and asks: states, bars, notes, messages, dialogs and form fields; and how a model fits the memory. */

import { bytes, duration, freeMemory, heldText, NEED_PARTS, needParts, needText } from "../lib/format.js";
import { html, signal, useEffect, useRef } from "../lib/html.js";
import { now, status } from "../state/live.js";
import { dismiss, toasts } from "../state/session.js";
import { Button, Icon, IconButton } from "./controls.js";

const TONES = /** @type {Record<string, "ok" | "warn" | "bad" | "quiet">} */ ({ fits: "ok", tight: "warn", "too large": "bad" });
let lastFieldId = 0;

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

/** The end of a list of which only the first are shown. @param {{all: string | number, isOpen: boolean, onToggle: (isOpen: boolean) => void}} props `all`: how many there are. */
export function ShowAll({ all, isOpen, onToggle }) {
  return html`<div class="card-more"><${Button} small kind="ghost" aria-expanded=${isOpen} onClick=${() => onToggle(!isOpen)}>${isOpen ? "Show fewer" : `Show all ${all}`}<//></div>`;
}

/** @param {{label: string}} props */
export function Loading({ label = "Loading" }) {
  return html`<p class="loading" role="status">${label} …</p>`;
}

/** @param {{fit: string, reason?: string}} props */
export function FitBadge({ fit, reason }) {
  return html`<${Badge} tone=${TONES[fit] ?? "quiet"} title=${reason}>${fit}<//>`;
}

/** The need of a model by purpose, beside the free memory (the mark). @param {{need: import("../lib/api_types.js").Need, memory: import("../lib/api_types.js").Memory | null}} props */
export function NeedBar({ need, memory }) {
  const free = freeMemory(memory);
  const isAbove = free !== null && need.total_bytes > free;
  const label = `${needText(need)}${free === null ? "" : `; ${bytes(free)} free`}`;
  const parts = needParts(need).map((part, index) => ({ size: part.size, tone: `s${index + 1}`, label: `${part.label}: ${bytes(part.size)}` }));
  return html`<${Bar} total=${Math.max(free ?? 0, need.total_bytes)} parts=${parts} label=${label} mark=${isAbove ? free : undefined} />`;
}

/** The colours of the parts of a need, with their sizes if one is given. @param {{need?: import("../lib/api_types.js").Need}} props */
export function NeedLegend({ need }) {
  const parts = need ? needParts(need).map(({ label, size }) => `${label} ${bytes(size)}`) : NEED_PARTS;
  return html`<ul class="need-legend">${parts.map((text, index) => html`<li><span class=${`swatch s${index + 1}`} aria-hidden="true"></span>${text}</li>`)}</ul>`;
}

/** What models in memory take: it does not count as free, but other models can get it. */
export function HeldMemory() {
  return html`${heldText(status.value?.residents ?? [])}`;
}

/** The place of short messages, announced by screen readers; once in the page. */
export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${toasts.value.map((shown) => html`<div key=${shown.id} class=${`toast ${shown.kind}`}>
      <span>${shown.text}</span>
      <${IconButton} icon="close" label="Dismiss" onClick=${() => dismiss(shown.id)} />
    </div>`)}
  </div>`;
}

/**
 * A modal dialog: the focus stays inside, Escape closes it.
 * @param {{title: string, onClose: () => void, children?: unknown, actions?: unknown, wide?: boolean, canClose?: boolean}} props
 */
export function Dialog({ title, onClose, children, actions, wide = false, canClose = true }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const cancel = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (canClose) onClose();
  };
  // Browsers close a dialog at a second Escape, whatever the page says to the first.
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (!canClose && event.key === "Escape") event.preventDefault();
  };
  const onClosed = () => {
    if (!canClose && dialog.current?.isConnected) dialog.current.showModal();
  };
  return html`<dialog ref=${dialog} class=${`dialog ${wide ? "wide" : ""}`} aria-label=${title} onCancel=${cancel} onKeyDown=${onKeyDown} onClose=${onClosed}>
    <header><h2>${title}</h2>${canClose ? html`<${IconButton} icon="close" label="Close" onClick=${onClose} />` : null}</header>
    <div class="dialog-body">${children}</div>
    ${actions ? html`<footer>${actions}</footer>` : null}
  </dialog>`;
}

/** @typedef {{title: string, text: unknown, action: string, danger?: boolean, resolve: (isConfirmed: boolean) => void}} Question */

/** @type {import("../vendor/signals.js").Signal<Question | null>} */
const question = signal(null);

/**
 * Ask before something that cannot be undone.
 * @param {{title: string, text: unknown, action: string, danger?: boolean}} asked `action` is the verb on the button.
 * @returns {Promise<boolean>}
 */
export function confirmDialog(asked) {
  return new Promise((resolve) => {
    question.value = { ...asked, resolve };
  });
}

/** The place of the questions; once in the page. */
export function Questions() {
  const asked = question.value;
  if (asked === null) return null;
  const end = (/** @type {boolean} */ isConfirmed) => () => {
    question.value = null;
    asked.resolve(isConfirmed);
  };
  return html`<${Dialog} title=${asked.title} onClose=${end(false)} actions=${html`
      <${Button} onClick=${end(false)}>Cancel<//>
      <${Button} kind=${asked.danger ? "danger" : "primary"} onClick=${end(true)}>${asked.action}<//>`}>
    ${typeof asked.text === "string" ? html`<p>${asked.text}</p>` : asked.text}
  <//>`;
}

/** @returns {string} An id that stays for the life of the component. */
export function useId() {
  const id = useRef("");
  if (id.current === "") {
    lastFieldId += 1;
    id.current = `f${lastFieldId}`;
  }
  return id.current;
}

/**
 * A label, a control, and a hint or an error below it.
 * @param {{label: string, hint?: unknown, error?: string | null, children: (attributes: {id: string, "aria-describedby"?: string, "aria-invalid"?: string}) => unknown}} props
 */
export function Field({ label, hint, error, children }) {
  const id = useId();
  const hintId = hint || error ? `${id}-hint` : undefined;
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${children({ id, "aria-describedby": hintId, "aria-invalid": error ? "true" : undefined })}
    ${error ? html`<p id=${hintId} class="hint bad">${error}</p>` : hint ? html`<p id=${hintId} class="hint">${hint}</p>` : null}
  </div>`;
}

/**
 * @param {{label: string, value: string, onInput: (value: string) => void, hint?: unknown, error?: string | null, type?: string, placeholder?: string, [attribute: string]: unknown}} props
 */
export function TextField({ label, value, onInput, hint, error, type = "text", ...rest }) {
  return html`<${Field} label=${label} hint=${hint} error=${error}>
    ${(/** @type {object} */ attributes) => html`<input type=${type} value=${value} onInput=${(/** @type {any} */ event) => onInput(event.currentTarget.value)} ...${attributes} ...${rest} />`}
  <//>`;
}

/**
 * @param {{label: string, value: string, onChange: (value: string) => void, options: {value: string, label: string}[], hint?: unknown, [attribute: string]: unknown}} props
 */
export function SelectField({ label, value, onChange, options, hint, ...rest }) {
  return html`<${Field} label=${label} hint=${hint}>
    ${(/** @type {object} */ attributes) => html`<${Select} value=${value} onChange=${onChange} options=${options} ...${attributes} ...${rest} />`}
  <//>`;
}

/** A select without a visible label: give it `aria-label`. @param {{value: string, onChange: (value: string) => void, options: {value: string, label: string}[], [attribute: string]: unknown}} props */
export function Select({ value, onChange, options, ...rest }) {
  return html`<select value=${value} onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.value)} ...${rest}>
    ${options.map((option) => html`<option value=${option.value} selected=${option.value === value}>${option.label}</option>`)}
  </select>`;
}

/** @param {{label: unknown, checked: boolean, onChange: (checked: boolean) => void, [attribute: string]: unknown}} props */
export function Checkbox({ label, checked, onChange, ...rest }) {
  return html`<label class="checkbox"><input type="checkbox" checked=${checked} onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.checked)} ...${rest} /><span>${label}</span></label>`;
}

/** A field for a search or filter. @param {{label: string, value: string, onInput: (value: string) => void, placeholder?: string}} props */
export function SearchInput({ label, value, onInput, placeholder }) {
  return html`<input class="search" type="search" aria-label=${label} placeholder=${placeholder ?? label} value=${value} onInput=${(/** @type {any} */ event) => onInput(event.currentTarget.value)} />`;
}
