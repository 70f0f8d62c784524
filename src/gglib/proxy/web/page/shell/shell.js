/** The frame of the page: navigation, state of the connection, the current page, dialogs and messages. */

import { connection, ErrorNote, html, Icon, Loading, needsKey, Questions, route, serverVersion, status, useEffect, useRef, useState } from "../ui/kit.js";
import { Toasts } from "../ui/toasts.js";
import { KeyDialog } from "./key_dialog.js";
import { NewVersionNote } from "./new_version.js";
import { PAGES, pageOf } from "./pages.js";
import { ThemeButton } from "./theme_button.js";

export function Shell() {
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
        <${Icon} name=${page.icon} /><span>${page.title}</span>
        ${page.id === "now" && waiting > 0 ? html`<span class="nav-count" title=${`${waiting} waiting`}>${waiting}</span>` : null}
      </a>`)}
  </nav>`;
}

const STATES = {
  connecting: ["busy", "connecting"],
  live: ["ok", "live"],
  lost: ["bad", "connecting again"],
  denied: ["warn", "no admin rights"],
};

function Connection() {
  const [tone, text] = STATES[/** @type {keyof typeof STATES} */ (connection.value)];
  return html`<span class=${`connection ${tone}`} role="status"><span class="dot" aria-hidden="true"></span>${text}
    ${serverVersion.value ? html`<span class="version">${serverVersion.value}</span>` : null}</span>`;
}

/** @param {{main: {current: HTMLElement | null}}} props */
function CurrentPage({ main }) {
  const { page: id, rest, query } = route.value;
  const entry = pageOf(id);
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
