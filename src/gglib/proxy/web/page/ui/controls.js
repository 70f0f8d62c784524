/** Buttons, menus and other things to press. */

import { html, useEffect, useRef, useState } from "../lib/html.js";
import { Icon } from "./icon.js";
import { toast } from "../state/toasts.js";

/**
 * @param {{kind?: "primary" | "plain" | "danger" | "ghost", icon?: string, isBusy?: boolean, disabled?: boolean,
 *   small?: boolean, type?: string, onClick?: (event: Event) => unknown, children?: unknown, title?: string,
 *   class?: string, [attribute: `aria-${string}`]: unknown}} props
 * While the promise that `onClick` returns is pending, the button is busy; its error is shown as a toast.
 */
export function Button({ kind = "plain", icon, isBusy = false, disabled = false, small = false, type = "button", onClick, children, class: extra = "", ...rest }) {
  const [isPending, press] = usePending(onClick, icon);
  const busy = isBusy || isPending;
  return html`<button type=${type} class=${`button ${kind} ${small ? "small" : ""} ${extra}`} disabled=${disabled || isBusy} aria-disabled=${isPending ? "true" : undefined} aria-busy=${busy ? "true" : undefined} onClick=${press} ...${rest}>
    ${icon ? html`<${Icon} name=${icon} />` : null}${children ? html`<span>${children}</span>` : null}
  </button>`;
}

/**
 * A button with an icon only. `label` is its accessible name and its tooltip.
 * @param {{icon: string, label: string, isPressed?: boolean, disabled?: boolean, kind?: string,
 *   onClick?: (event: Event) => unknown, [attribute: `aria-${string}`]: unknown}} props
 */
export function IconButton({ icon, label, isPressed, disabled = false, kind = "", onClick, ...rest }) {
  const [isPending, press] = usePending(onClick, icon);
  return html`<button type="button" class=${`icon-button ${kind}`} aria-label=${label} title=${label} aria-pressed=${isPressed === undefined ? undefined : String(isPressed)} disabled=${disabled} aria-disabled=${isPending ? "true" : undefined} onClick=${press} ...${rest}>
    <${Icon} name=${icon} />
  </button>`;
}

/**
 * A pending button ignores presses but is not disabled, which would take the keyboard's focus from it.
 * With another icon it is a button for another action, which may be pressed.
 * @param {((event: Event) => unknown) | undefined} action @param {string | undefined} icon @returns {[boolean, (event: Event) => void]}
 */
function usePending(action, icon) {
  const [pending, setPending] = useState(/** @type {{icon: string | undefined} | null} */ (null));
  const isPending = pending !== null && pending.icon === icon;
  const isMounted = useRef(true);
  useEffect(() => () => { isMounted.current = false; }, []);
  const press = (/** @type {Event} */ event) => {
    if (isPending) return;
    const result = action?.(event);
    if (!(result instanceof Promise)) return;
    const started = { icon };
    setPending(started);
    result
      .catch((error) => { if (error.name !== "AbortError") toast(error.message, "error"); })
      .finally(() => { if (isMounted.current) setPending((current) => (current === started ? null : current)); });
  };
  return [isPending, press];
}

/**
 * Copies a text to the clipboard, and says so.
 * @param {{text: string, label?: string, small?: boolean, iconOnly?: boolean}} props
 */
export function Copy({ text, label = "Copy", small = true, iconOnly = false }) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => setCopied(false), 1600);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async () => {
    await copyText(text);
    setCopied(true);
  };
  const shown = isCopied ? "Copied" : label;
  return iconOnly
    ? html`<${IconButton} icon=${isCopied ? "check" : "copy"} label=${shown} onClick=${copy} />`
    : html`<${Button} small=${small} icon=${isCopied ? "check" : "copy"} onClick=${copy} aria-live="polite">${shown}<//>`;
}

/** @param {string} text The clipboard API needs https or localhost; elsewhere a hidden selection is copied. */
async function copyText(text) {
  if (navigator.clipboard && globalThis.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const focused = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  (focused?.closest("dialog") ?? document.body).append(area); // in a modal dialog, nothing else can be selected
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  if (!isCopied) throw new Error("The browser did not copy it: select the text and copy it by hand.");
}

/**
 * Tabs of one view. Left and right arrows move, as in the ARIA pattern for tabs.
 * @param {{tabs: {id: string, label: string}[], current: string, onSelect: (id: string) => void, label: string}} props
 */
export function Tabs({ tabs, current, onSelect, label }) {
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    const index = tabs.findIndex((tab) => tab.id === current);
    const next = tabs[(index + step + tabs.length) % tabs.length];
    if (next === undefined) return;
    onSelect(next.id);
    const list = /** @type {HTMLElement} */ (event.currentTarget);
    queueMicrotask(() => /** @type {HTMLElement | null} */ (list.querySelector(`[data-tab="${CSS.escape(next.id)}"]`))?.focus());
    event.preventDefault();
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} onKeyDown=${onKeyDown}>
    ${tabs.map((tab) => html`<button type="button" role="tab" data-tab=${tab.id} aria-selected=${String(tab.id === current)} tabindex=${tab.id === current ? 0 : -1} onClick=${() => onSelect(tab.id)}>${tab.label}</button>`)}
  </div>`;
}

/**
 * A menu behind a button. Items without `onClick` are separators.
 * @param {{label: string, icon?: string, items: ({label: string, icon?: string, danger?: boolean, disabled?: boolean, onClick: () => unknown} | null)[]}} props
 */
export function Menu({ label, icon = "more", items }) {
  const [isOpen, setOpen] = useState(false);
  const root = useRef(/** @type {HTMLDivElement | null} */ (null));
  useEffect(() => {
    if (!isOpen) return undefined;
    const close = (/** @type {Event} */ event) => {
      if (!root.current?.contains(/** @type {Node} */ (event.target))) setOpen(false);
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("focusin", close);
    /** @type {HTMLElement | null | undefined} */ (root.current?.querySelector("[role=menuitem]"))?.focus();
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("focusin", close);
    };
  }, [isOpen]);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (!isOpen) return;
    const entries = /** @type {HTMLElement[]} */ ([...(root.current?.querySelectorAll("[role=menuitem]:not(:disabled)") ?? [])]);
    const index = entries.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (event.key === "Escape") {
      setOpen(false);
      /** @type {HTMLElement | null | undefined} */ (root.current?.querySelector("button"))?.focus();
    } else if (event.key === "ArrowDown") entries[(index + 1) % entries.length]?.focus();
    else if (event.key === "ArrowUp") entries[(index - 1 + entries.length) % entries.length]?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const choose = (/** @type {() => unknown} */ action) => () => {
    setOpen(false);
    /** @type {HTMLElement | null | undefined} */ (root.current?.querySelector("button"))?.focus();
    Promise.resolve(action()).catch((error) => toast(error.message, "error"));
  };
  return html`<div class="menu" ref=${root} onKeyDown=${onKeyDown}>
    <${IconButton} icon=${icon} label=${label} aria-haspopup="menu" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)} />
    ${isOpen ? html`<div class="menu-list" role="menu" aria-label=${label}>
      ${items.map((item) => item === null
        ? html`<hr role="separator" />`
        : html`<button type="button" role="menuitem" class=${item.danger ? "danger" : ""} disabled=${item.disabled} onClick=${choose(item.onClick)}>
            <${Icon} name=${item.icon ?? ""} />${item.label}</button>`)}
    </div>` : null}
  </div>`;
}
