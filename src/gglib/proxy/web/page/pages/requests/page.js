/** Requests: those in progress, and all that were stored, newest first, with the filters above them. */

import { api, Badge, Button, Checkbox, count, duration, Elapsed, Empty, ErrorNote, finished, go, html, Icon, key, link, Loading, NO_VALUE, Note, rate, running, SearchInput, Select, setQuery, useEffect, useLayoutEffect, useLoad, useMemo, useRef, useSettled, useState, useWhenServerReturns } from "../../ui/kit.js";
import { VirtualTable } from "../../ui/virtual_table.js";
import { RequestDetail } from "./detail.js";
import { fitting, modelName, shortRoute, shortTime, statusBadge } from "./facts.js";
import { filtersOf, isFiltered, Listing, matchesRunning, newestOfClients, NO_FILTERS, NONE, PERIODS, queryOf, requestOf, STATUSES } from "./listing.js";

/**
 * @typedef {import("./listing.js").Filters} Filters
 * @typedef {import("../../lib/api_types.js").Usage} Usage
 * @typedef {import("../../lib/api_types.js").StoredRequest} StoredRequest
 * @typedef {import("../../lib/api_types.js").RunningRequest & {seenAt: number}} RunningRequest
 * @typedef {StoredRequest | RunningRequest} Row
 * @typedef {"model" | "key" | "client"} NameField
 */

const REFRESH_MS = 1000;
const TYPING_MS = 250;
/** The filters by names, with their titles for all and for none. @type {Record<NameField, [all: string, none: string]>} */
const NAMES = {
  model: ["All models", "Without a model"],
  key: ["All keys", "Without a key"],
  client: ["All clients", "Unknown client"],
};
const NAME_FIELDS = /** @type {NameField[]} */ (Object.keys(NAMES));

const ROW_HEIGHT = 38;
const ROW_HEIGHT_TOUCH = 46;
const NARROW = 760;

/** @param {Row} row @returns {row is StoredRequest} */
const isStored = (row) => "ended_at_s" in row;

/** @type {(value: (request: StoredRequest) => unknown) => (row: Row) => unknown} */
const whenStored = (value) => (row) => (isStored(row) ? value(row) : NO_VALUE);

/** @param {unknown} text */
const clipped = (text) => html`<span class="clip">${text ?? NO_VALUE}</span>`;

/** The titles and cells of the columns. @type {Record<string, [title: string, cell: (row: Row) => unknown]>} */
const COLUMNS = {
  time: ["Time", (row) => (isStored(row) ? shortTime(row.ended_at_s, Date.now() / 1000) : "now")],
  model: ["Model", (row) => html`<span class="cell">${clipped(modelName(row))}${isStored(row) ? swapMark(row) : null}</span>`],
  client: ["Client", ({ client }) => clipped(client)],
  key: ["Key", ({ key }) => clipped(key)],
  node: ["Node", whenStored(({ node }) => clipped(node))],
  route: ["Route", ({ route }) => clipped(shortRoute(route))],
  status: ["Status", (row) => (isStored(row) ? status(row) : html`<${Badge} tone="busy">${row.state}<//>`)],
  waited: ["Waited", ({ waited_s: waited }) => duration(waited === null || waited < 0.0005 ? null : waited)],
  first: ["First token", whenStored(({ first_byte_s: first }) => duration(first))],
  total: ["Total", (row) => (isStored(row) ? duration(row.duration_s) : html`<${Elapsed} seconds=${row.age_s} since=${row.seenAt} />`)],
  prompt: ["In", whenStored((request) => count(request.prompt_tokens))],
  cached: ["Cached", whenStored((request) => count(request.cached_tokens))],
  completion: ["Out", (row) => count(isStored(row) ? row.completion_tokens : row.chunks || null)],
  speed: ["Tokens/s", whenStored(({ tokens_per_s: speed }) => rate(speed).replace(" /s", ""))],
};

/** @param {{rest: string, query: URLSearchParams}} props `rest`: the number or id of the request whose details are shown. */
export function Page({ rest, query }) {
  const filters = useMemo(() => filtersOf(query), [query.toString()]);
  const listing = useListing(filters);
  const shownRunning = useMemo(() => running.value.filter((request) => matchesRunning(request, filters)), [running.value, filters]);
  const change = (/** @type {Partial<Filters>} */ changes) => setQuery(queryOf({ ...filters, ...changes }));
  const open = (/** @type {string} */ id) => go("requests", id, queryOf(filters));
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  const opened = useRef(rest);
  useEffect(() => {
    if (rest === "" && opened.current !== "" && document.activeElement === document.body) focusRow(requestOf([...shownRunning, ...listing.rows], opened.current), heading.current);
    opened.current = rest;
  }, [rest]);
  return html`<div class="page-head"><h1 tabindex="-1" ref=${heading}>Requests</h1>
      ${isFiltered(filters) && !rest ? html`<${Button} small icon="close" onClick=${() => change(NO_FILTERS)}>Clear the filters<//>` : null}</div>
    <div class=${`requests ${rest ? "with-detail" : ""}`}>
      <${FilterBar} filters=${filters} onChange=${change} />
      <div class="requests-main">
        <${Rows} listing=${listing} filters=${filters} running=${shownRunning} selected=${rest} onOpen=${open} />
      </div>
      ${rest ? html`<${RequestDetail} id=${rest} query=${queryOf(filters)} onClose=${() => open("")} />` : null}
    </div>`;
}

/**
 * Focus the row of a request whose details were closed; the heading, if it is not in the list.
 * @param {Row | null} request @param {HTMLElement | null} heading
 */
function focusRow(request, heading) {
  const row = request && document.querySelector(`.request-list [data-row="${CSS.escape(rowId(request))}"]`);
  (row instanceof HTMLElement ? row : heading)?.focus({ preventScroll: true });
}

/** @param {{listing: Listing, filters: Filters, running: readonly any[], selected: string, onOpen: (id: string) => void}} props */
function Rows({ listing, filters, running: shown, selected, onOpen }) {
  const failure = html`<${ErrorNote} error=${listing.error} onRetry=${() => listing.retry()} />`;
  if (!listing.isLoaded) return listing.error ? failure : html`<${Loading} label="Loading requests" />`;
  const isEmpty = listing.rows.length === 0 && shown.length === 0;
  return html`${listing.isOff ? html`<${Note} icon="warn">The server stores no requests: only those in progress are shown. <code>gglib config set history true</code> stores them.<//>` : null}
    ${isEmpty ? html`<${NoRequests} hasFilters=${isFiltered(filters)} />` : html`<${RequestList} running=${shown} listing=${listing} selected=${selected} onOpen=${onOpen} />`}
    ${failure}`;
}

/** @param {{hasFilters: boolean}} props */
function NoRequests({ hasFilters }) {
  if (hasFilters) return html`<${Empty} icon="find" title="No request fits these filters"><p><a href=${link("requests")}>Show all requests</a></p><//>`;
  return html`<${Empty} icon="requests" title="No requests yet">
    <p>Requests appear here as they arrive. <a href=${link("connect")}>Connect a program</a>, or send one in <a href=${link("chat")}>Chat</a>.</p>
  <//>`;
}

/** @param {{filters: Filters, onChange: (changes: Partial<Filters>) => void}} props */
function FilterBar({ filters, onChange }) {
  const names = useLoad(readNames, []).value;
  const [text, setText] = useState(filters.q);
  const settled = useSettled(text, TYPING_MS);
  useEffect(() => {
    if (settled !== filters.q) onChange({ q: settled });
  }, [settled]);
  useEffect(() => setText(filters.q), [filters.q]);
  const hasKeys = filters.key || names?.key.some(Boolean);
  /** @param {NameField | "status" | "since"} field @param {[value: string, label: string][]} choices */
  const select = (field, choices) => html`<${Select} key=${field} aria-label=${`Filter by ${field === "since" ? "time" : field}`} value=${filters[field]}
    options=${withCurrent(choices, filters[field])} onChange=${(/** @type {string} */ value) => onChange({ [field]: value })} />`;
  return html`<div class="filters" role="search" aria-label="Requests">
    <${SearchInput} label="Filter by any name" placeholder="Any name or id" value=${text} onInput=${setText} />
    ${NAME_FIELDS.filter((field) => field !== "key" || hasKeys).map((field) => select(field, nameChoices(NAMES[field], names?.[field] ?? [])))}
    ${select("status", STATUSES)}
    ${select("since", PERIODS)}
    <${Checkbox} label="Caused a swap" checked=${filters.swap} onChange=${(/** @type {boolean} */ swap) => onChange({ swap })} />
  </div>`;
}

/** Read the names that requests had so far. @param {AbortSignal} signal @returns {Promise<Record<NameField, string[]>>} */
async function readNames(signal) {
  const namesBy = async (/** @type {NameField} */ by) => {
    const { usage } = /** @type {Usage} */ (await api.get("/gglib/usage", { query: { by }, signal }));
    return [by, usage.map((row) => row[by] ?? "")];
  };
  return Object.fromEntries(await Promise.all(NAME_FIELDS.map(namesBy)));
}

/** @param {[all: string, none: string]} titles @param {string[]} names @returns {[value: string, label: string][]} */
function nameChoices([all, none], names) {
  const named = names.filter(Boolean).map((name) => /** @type {[string, string]} */ ([name, name]));
  return [["", all], ...named, ...(named.length < names.length ? [/** @type {[string, string]} */ ([NONE, none])] : [])];
}

/** @param {[value: string, label: string][]} choices @param {string} current A value of the URL may be none of them. */
function withCurrent(choices, current) {
  const known = choices.map(([value, label]) => ({ value, label }));
  return known.some(({ value }) => value === current) ? known : [...known, { value: current, label: current }];
}

/** @param {Row} row @returns {string} Its number in the history or, in progress, its request id. */
function rowId(row) {
  return isStored(row) && row.id !== null ? String(row.id) : row.request_id;
}

/** @param {number} width In pixels. @param {boolean} hasKeys Whether any request has a key. @param {boolean} hasNodes Whether a node served any. */
function columnsFor(width, hasKeys, hasNodes) {
  return fitting(width, { hasKeys, hasNodes }).map(({ id, isNumber }) => {
    const [title, cell] = /** @type {(typeof COLUMNS)[string]} */ (COLUMNS[id]);
    return { id, title, cell, class: `c-${id} ${isNumber ? "number" : ""}` };
  });
}

/** @param {StoredRequest} request */
function swapMark({ swap }) {
  return swap && html`<span class="swap-mark" title=${`Swap: ${swap}`}><${Icon} name="swap" label=${`Caused a swap: ${swap}`} /></span>`;
}

/** @param {StoredRequest} request */
function status(request) {
  const { tone, text } = statusBadge(request);
  const many = request.count > 1 ? html`<span class="quiet nowrap">× ${count(request.count)}</span>` : null;
  return html`<span class="cell"><${Badge} tone=${tone}>${text}<//>${many}${request.error ? html`<span class="clip quiet">${request.error}</span>` : null}</span>`;
}

/** @param {{running: readonly RunningRequest[], listing: Listing, selected: string, onOpen: (id: string) => void}} props */
function RequestList({ running, listing, selected, onOpen }) {
  const root = useRef(/** @type {HTMLDivElement | null} */ (null));
  const width = useWidth(root);
  const { rows } = listing;
  const items = useMemo(() => [...running.toReversed(), ...rows], [running, rows]);
  const hasKeys = useMemo(() => items.some((row) => row.key !== null), [items]);
  const hasNodes = useMemo(() => items.some((row) => isStored(row) && row.node !== null), [items]);
  const columns = useMemo(() => columnsFor(width, hasKeys, hasNodes), [width, hasKeys, hasNodes]);
  const rowHeight = innerWidth < NARROW ? ROW_HEIGHT_TOUCH : ROW_HEIGHT;
  const { unseen, onScroll, showNewest } = useAnchor(root, listing, running.length, rowHeight);
  return html`<div class="request-list" ref=${root} onScrollCapture=${onScroll}>
    ${unseen > 0 ? html`<div class="new-requests"><${Button} kind="primary" small icon="unload" onClick=${showNewest}>${count(unseen)} new<//></div>` : null}
    <${VirtualTable} label="Requests, newest first" items=${items} columns=${columns} rowHeight=${rowHeight} selected=${selected}
      rowKey=${rowId} onOpen=${(/** @type {Row} */ row) => onOpen(rowId(row))} onNearEnd=${() => listing.more()} />
  </div>`;
}

/**
 * Keep the rows in view in their place when the list grows above them: if it is scrolled, or the focus is on a row.
 * @param {{current: HTMLElement | null}} root @param {Listing} listing @param {number} runningCount @param {number} rowHeight
 */
function useAnchor(root, listing, runningCount, rowHeight) {
  const { epoch, added } = listing;
  const seen = useRef({ listing, epoch, head: 0, added: 0 });
  const [, render] = useState(0);
  const scroller = () => /** @type {HTMLElement | null} */ (root.current?.querySelector(".virtual"));
  const isAtTop = () => (scroller()?.scrollTop ?? 0) < rowHeight / 2;
  const isSame = () => seen.current.listing === listing && seen.current.epoch === epoch;
  const head = runningCount + added;
  useLayoutEffect(() => {
    const before = seen.current;
    const element = scroller();
    if (element === null) return;
    if (!isSame()) element.scrollTop = 0;
    else if (!isAtTop() || element.querySelector("tbody")?.contains(document.activeElement)) element.scrollTop += (head - before.head) * rowHeight;
    seen.current = { listing, epoch, head, added: isAtTop() ? added : before.added };
  }, [head, listing, epoch]);
  const onScroll = () => {
    if (!isAtTop() || seen.current.added === listing.added) return;
    seen.current.added = listing.added;
    render((times) => times + 1);
  };
  const showNewest = () => scroller()?.scrollTo({ top: 0 });
  return { unseen: isSame() && !isAtTop() ? added - seen.current.added : 0, onScroll, showNewest };
}

/** @param {{current: HTMLElement | null}} element @returns {number} Its width in pixels, kept current. */
function useWidth(element) {
  const [width, setWidth] = useState(1000);
  const read = () => setWidth((before) => element.current?.clientWidth || before);
  useLayoutEffect(read, []);
  useEffect(() => {
    const observer = new ResizeObserver(read);
    if (element.current) observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return width;
}

/** @param {Filters} filters @returns {Listing} The requests that fit, kept current; those of the filters before until they are read. */
function useListing(filters) {
  const [, render] = useState(0);
  const shown = useRef(/** @type {Listing | null} */ (null));
  const listing = useMemo(() => new Listing((path, signal) => api.get(path, { signal }), filters, () => render((times) => times + 1)), [filters]);
  useEffect(() => {
    void listing.load();
    return () => listing.close();
  }, [listing, key.value]);
  useThrottled(() => listing.follow(), newestOfClients(finished.value));
  useWhenServerReturns(() => {
    if (listing.error) void listing.retry();
  });
  if (listing.isLoaded || listing.error || shown.current === null) shown.current = listing;
  return shown.current;
}

/** Call `action` after `cause` has changed, at most once a second, and only while the page is visible. @param {() => unknown} action @param {unknown} cause */
function useThrottled(action, cause) {
  const latest = useRef(action);
  latest.current = action;
  const { current: state } = useRef({ timer: 0, isWanted: false, isFirst: true });
  const run = () => {
    if (!state.isWanted || state.timer !== 0 || document.hidden) return;
    state.isWanted = false;
    latest.current();
    state.timer = setTimeout(() => {
      state.timer = 0;
      run();
    }, REFRESH_MS);
  };
  useEffect(() => {
    document.addEventListener("visibilitychange", run);
    return () => {
      document.removeEventListener("visibilitychange", run);
      clearTimeout(state.timer);
    };
  }, []);
  useEffect(() => {
    state.isWanted = !state.isFirst;
    state.isFirst = false;
    run();
  }, [cause]);
}
