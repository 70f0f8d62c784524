/** Modal dialogs on the browser's own `<dialog>`: focus stays inside, Escape closes. */

import { html, signal, useEffect, useRef } from "../lib/html.js";
import { Button, IconButton } from "./controls.js";

/**
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
