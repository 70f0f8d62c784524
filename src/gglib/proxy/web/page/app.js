/** Starts the page, and frames its views: navigation, state of the connection, the current view, dialogs and messages. */

import { applyTheme, Button, connection, Dialog, enterKey, ErrorNote, follow, html, Icon, IconButton, isKey, isKeyRefused, Loading, needsKey, Note, Questions, render, route, serverVersion, setTheme, status, TextField, theme, Toasts, useEffect, useRef, useState } from "./ui/kit.js";

/** @typedef {{id: string, title: string, group: string, load: () => Promise<{Page: any}>}} PageEntry */

/** The pages, in the order of the navigation, with icons of the same names. A page's module is loaded when it is first opened. @type {PageEntry[]} */
const PAGES = [
  { id: "now", title: "Now", group: "Watch", load: () => import("./pages/now/page.js") },
  { id: "requests", title: "Requests", group: "Watch", load: () => import("./pages/requests/page.js") },
  { id: "usage", title: "Usage", group: "Watch", load: () => import("./pages/usage/page.js") },
  { id: "models", title: "Models", group: "Models", load: () => import("./pages/models/page.js") },
  { id: "find", title: "Find", group: "Models", load: () => import("./pages/find/page.js") },
  { id: "chat", title: "Chat", group: "Use", load: () => import("./pages/chat/page.js") },
  { id: "connect", title: "Connect", group: "Use", load: () => import("./pages/connect/page.js") },
  { id: "logs", title: "Logs", group: "Server", load: () => import("./pages/logs/page.js") },
  { id: "system", title: "System", group: "Server", load: () => import("./pages/system/page.js") },
];
const STATES = {
  connecting: ["busy", "connecting"],
  live: ["ok", "live"],
  lost: ["bad", "connecting again"],
  denied: ["warn", "no admin rights"],
};
const NEXT = /** @type {const} */ ({ system: "light", light: "dark", dark: "system" });
const ICONS = { system: "auto", light: "sun", dark: "moon" };

function Shell() {
  const main = useRef(/** @type {HTMLElement | null} */ (null));
  const skip = (/** @type {Event} */ event) => {
    event.preventDefault();
    main.current?.focus();
  };
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <div class="shell">
      <header class="top">
        <a class="brand" href="#/now"><span class="brand-mark" aria-hidden="true"></span>gglib</a>
        <${Connection} />
        <span class="top-space"></span>
        <${ThemeButton} />
      </header>
      <${Navigation} />
      <main id="main" tabindex="-1" ref=${main}>
        <${NewVersionNote} />
        <${CurrentPage} main=${main} />
      </main>
    </div>
    <${Questions} />
    ${needsKey.value ? html`<${KeyDialog} />` : null}
    <${Toasts} />`;
}

function Navigation() {
  const current = route.value.page;
  const nav = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => { // on a phone it scrolls
    nav.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [current]);
  const waiting = (status.value?.waiting ?? []).reduce((sum, entry) => sum + entry.waiting, 0);
  return html`<nav class="nav" aria-label="Pages" ref=${nav}>
    ${PAGES.map((page, index) => html`
      ${index > 0 && PAGES[index - 1]?.group !== page.group ? html`<span class="nav-gap" aria-hidden="true"></span>` : null}
      <a href=${`#/${page.id}`} aria-current=${page.id === current ? "page" : undefined}>
        <${Icon} name=${page.id} /><span>${page.title}</span>
        ${page.id === "now" && waiting > 0 ? html`<span class="nav-count" title=${`${waiting} waiting`}>${waiting}</span>` : null}
      </a>`)}
  </nav>`;
}

function Connection() {
  const [tone, text] = STATES[/** @type {keyof typeof STATES} */ (connection.value)];
  return html`<span class=${`connection ${tone}`} role="status"><span class="dot" aria-hidden="true"></span>${text}
    ${serverVersion.value ? html`<span class="version">${serverVersion.value}</span>` : null}</span>`;
}

/** @param {{main: {current: HTMLElement | null}}} props */
function CurrentPage({ main }) {
  const { page: id, rest, query } = route.value;
  const entry = PAGES.find((page) => page.id === id);
  const [loaded, setLoaded] = useState(/** @type {{id: string, Page?: any, error?: Error} | null} */ (null));
  const isFirst = useRef(true);
  useEffect(() => {
    let isCurrent = true;
    document.title = entry ? `${entry.title} – gglib` : "gglib";
    entry?.load()
      .then(({ Page }) => isCurrent && setLoaded({ id, Page }))
      .catch((error) => isCurrent && setLoaded({ id, error }));
    if (!isFirst.current) {
      main.current?.focus({ preventScroll: true });
      window.scrollTo(0, 0);
    }
    isFirst.current = false;
    return () => {
      isCurrent = false;
    };
  }, [id]);
  if (!entry) return html`<div class="page-head"><h1>There is no such page</h1></div><p><a href="#/now">Go to Now</a></p>`;
  if (loaded?.id !== id) return html`<${Loading} label="Loading" />`;
  if (loaded.error) {
    const error = { message: "This part of the page could not be loaded: the server may have been updated." };
    return html`<${ErrorNote} error=${error} onRetry=${() => location.reload()} />`;
  }
  return html`<div class=${`page page-${id}`}><${loaded.Page} rest=${rest} query=${query} /></div>`;
}

/** Asks for the access key of a server that requires one. */
function KeyDialog() {
  const [text, setText] = useState("");
  const entered = text.trim();
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (isKey(entered)) enterKey(entered);
  };
  const error = entered !== "" && !isKey(entered) ? "A key has no spaces and no characters outside ASCII, such as a long dash: copy it again."
    : isKeyRefused.value && text === "" ? "The server refused this key." : null;
  return html`<${Dialog} title="This server needs a key" canClose=${false} onClose=${() => {}}>
    <form class="form" onSubmit=${submit}>
      <p>Enter a key with admin rights. It is kept in this tab only, until the tab is closed.</p>
      <${TextField} label="Access key" type="password" value=${text} onInput=${setText} error=${error} autocomplete="off" autofocus spellcheck="false" />
      <p class="hint">On the server's machine, <code>gglib key new NAME --admin</code> makes one.</p>
      <div class="form-actions"><${Button} kind="primary" type="submit" disabled=${!isKey(entered)}>Use this key<//></div>
    </form>
  <//>`;
}

/** Says that the server was replaced by another version, whose page may differ. */
function NewVersionNote() {
  const [first, setFirst] = useState(/** @type {string | null} */ (null));
  const version = serverVersion.value;
  useEffect(() => {
    if (first === null) setFirst(version);
  }, [version]);
  if (first === null || version === null || version === first) return null;
  return html`<${Note} tone="accent" icon="retry">The server is version ${version} now; this page is of ${first}.
    <${Button} small onClick=${() => location.reload()}>Load the new page<//><//>`;
}

/** Chooses the theme: that of the system, light or dark. */
function ThemeButton() {
  const chosen = theme.value;
  return html`<${IconButton} icon=${ICONS[chosen]} label=${`Theme: ${chosen}. Change to ${NEXT[chosen]}`} onClick=${() => setTheme(NEXT[chosen])} />`;
}

applyTheme();
const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.textContent = "";
render(html`<${Shell} />`, root);
follow();
