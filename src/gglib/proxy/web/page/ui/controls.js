/** Buttons, menus and other things to press, with their icons; and texts to copy. */

import { html, useEffect, useRef, useState } from "../lib/html.js";
import { toast } from "../state/session.js";

/** @type {Record<string, string>} */
const PATHS = {
  now: "M4 13h4l3-8 4 14 2-6h3",
  requests: "M5 6h14M5 12h14M5 18h9",
  usage: "M5 20V11M12 20V4M19 20v-6",
  models: "M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
  find: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16.5 16.5L21 21",
  chat: "M4 5h16v11H10l-5 4v-4H4z",
  connect: "M9 15l6-6M10.5 6.5l2-2a4.2 4.2 0 0 1 6 6l-2 2M13.5 17.5l-2 2a4.2 4.2 0 0 1-6-6l2-2",
  logs: "M5 3h10l4 4v14H5zM9 11h6M9 15h6",
  system: "M4 5h16v11H4zM9 20h6M12 16v4",
  load: "M12 4v12M7 11l5 5 5-5M5 20h14",
  unload: "M12 16V4M7 9l5-5 5 5M5 20h14",
  pin: "M9 4h6l-1 6 3 3H7l3-3zM12 13v8",
  close: "M6 6l12 12M18 6L6 18",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  check: "M5 13l4 4L19 7",
  stop: "M6 6h12v12H6z",
  pause: "M8 5v14M16 5v14",
  play: "M7 5l12 7-12 7z",
  retry: "M20 11a8 8 0 1 0-2 6M20 5v6h-6",
  edit: "M4 20h4L19 9l-4-4L4 16z",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 2-2 5 4M15 9h.01",
  send: "M4 12l16-8-6 16-3-7z",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.5 1.5M17.5 17.5L19 19M19 5l-1.5 1.5M6.5 17.5L5 19",
  moon: "M20 14A8 8 0 0 1 10 4a8 8 0 1 0 10 10z",
  auto: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  warn: "M12 4l9 16H3zM12 10v4M12 17h.01",
  add: "M12 5v14M5 12h14",
  right: "M9 5l7 7-7 7",
  down: "M5 9l7 7 7-7",
  swap: "M4 8h13l-3-3M20 16H7l3 3",
  key: "M14 10a4 4 0 1 0-3.5 4L12 15.500v2h2v2h3v-3l-3.500-3.500",
  open: "M10 5H5v14h14v-5M14 4h6v6M20 4l-9 9",
};

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
  return html`<button type="button" class=${`icon-button ${kind}`} aria-label=${label} title=${label} aria-pressed=${isPressed} disabled=${disabled} aria-disabled=${isPending ? "true" : undefined} onClick=${press} ...${rest}>
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

/** Save a text as a file. @param {string} name Characters that no file name should have are replaced. @param {string} text */
export function saveText(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name.replace(/[^\w.-]+/g, "-");
  anchor.click();
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
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
    ${tabs.map((tab) => html`<button type="button" role="tab" data-tab=${tab.id} aria-selected=${tab.id === current} tabindex=${tab.id === current ? 0 : -1} onClick=${() => onSelect(tab.id)}>${tab.label}</button>`)}
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
    <${IconButton} icon=${icon} label=${label} aria-haspopup="menu" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)} />
    ${isOpen ? html`<div class="menu-list" role="menu" aria-label=${label}>
      ${items.map((item) => item === null
        ? html`<hr role="separator" />`
        : html`<button type="button" role="menuitem" class=${item.danger ? "danger" : ""} disabled=${item.disabled} onClick=${choose(item.onClick)}>
            <${Icon} name=${item.icon ?? ""} />${item.label}</button>`)}
    </div>` : null}
  </div>`;
}

/** @param {{name: string, label?: string}} props Without a label it is decoration, which screen readers skip. */
export function Icon({ name, label }) {
  return html`<svg class="icon" viewBox="0 0 24 24" role=${label ? "img" : undefined} aria-label=${label} aria-hidden=${label ? undefined : "true"} focusable="false">
    <path d=${PATHS[name] ?? ""} />
  </svg>`;
}

/** @param {{text: string, language?: string}} props */
export function CodeBlock({ text, language = "" }) {
  return html`<div class="code-block">
    <div class="code-head"><span>${language || "text"}</span><${Copy} text=${text} /></div>
    <pre tabindex="0" role="region" aria-label=${language ? `Code in ${language}` : "Code"}><code>${text}</code></pre>
  </div>`;
}

/** @param {{text: string, label: string}} props `label`: what it is, for screen readers. */
export function CopyText({ text, label }) {
  return html`<div class="copy-text">
    <pre tabindex="0" role="region" aria-label=${label}><code>${text}</code></pre>
    <${Copy} text=${text} label=${`Copy: ${label}`} iconOnly />
  </div>`;
}
