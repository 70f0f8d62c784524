/** Form fields with labels. */

import { html, useRef } from "../lib/html.js";

let lastId = 0;

/** @returns {string} An id that stays for the life of the component. */
export function useId() {
  const id = useRef("");
  if (id.current === "") {
    lastId += 1;
    id.current = `f${lastId}`;
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
