/** Requests: those in progress, and all that were stored, newest first. */

import { useWhenServerReturns } from "../../lib/load.js";
import { api, Button, Empty, ErrorNote, finished, go, html, key, link, Loading, Note, running, setQuery, useEffect, useMemo, useRef, useState } from "../../ui/kit.js";
import { RequestDetail } from "./detail.js";
import { rowId } from "./columns.js";
import { FilterBar } from "./filter_bar.js";
import { filtersOf, isFiltered, matchesRunning, NO_FILTERS, queryOf } from "./filters.js";
import { RequestList } from "./list.js";
import { Listing, requestOf } from "./listing.js";
import { newestOfClients, useThrottled } from "./refreshing.js";

/** @typedef {import("./filters.js").Filters} Filters */

/** @param {{rest: string, query: URLSearchParams}} props `rest`: the number or id of the request whose details are shown. */
export function Page({ rest, query }) {
  const filters = useMemo(() => filtersOf(query), [query.toString()]);
  const listing = useListing(filters);
  const shownRunning = useMemo(() => running.value.filter((request) => matchesRunning(request, filters)), [running.value, filters]);
  const change = (/** @type {Partial<Filters>} */ changes) => setQuery(queryOf({ ...filters, ...changes }));
  const open = (/** @type {string} */ id) => go("requests", id, queryOf(filters));
  const close = () => go("requests", "", queryOf(filters));
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
      ${rest ? html`<${RequestDetail} id=${rest} query=${queryOf(filters)} onClose=${close} />` : null}
    </div>`;
}

/**
 * Focus the row of a request whose details were closed; the heading, if it is not in the list.
 * @param {import("./columns.js").Row | null} request @param {HTMLElement | null} heading
 */
function focusRow(request, heading) {
  const row = request === null ? null : document.querySelector(`.request-list [data-row="${CSS.escape(rowId(request))}"]`);
  (row instanceof HTMLElement ? row : heading)?.focus({ preventScroll: true });
}

/** @param {{listing: Listing, filters: Filters, running: readonly any[], selected: string, onOpen: (id: string) => void}} props */
function Rows({ listing, filters, running: shown, selected, onOpen }) {
  if (!listing.isLoaded) return listing.error ? html`<${ErrorNote} error=${listing.error} onRetry=${() => listing.retry()} />` : html`<${Loading} label="Loading requests" />`;
  const isEmpty = listing.rows.length === 0 && shown.length === 0;
  return html`${listing.isOff ? html`<${Note} icon="warn">The server stores no requests: only those in progress are shown. <code>gglib config set history true</code> stores them.<//>` : null}
    ${isEmpty ? html`<${NoRequests} hasFilters=${isFiltered(filters)} />` : html`<${RequestList} running=${shown} listing=${listing} selected=${selected} onOpen=${onOpen} />`}
    ${listing.error ? html`<${ErrorNote} error=${listing.error} onRetry=${() => listing.retry()} />` : null}`;
}

/** @param {{hasFilters: boolean}} props */
function NoRequests({ hasFilters }) {
  if (hasFilters) return html`<${Empty} icon="find" title="No request fits these filters"><p><a href="#/requests">Show all requests</a></p><//>`;
  return html`<${Empty} icon="requests" title="No requests yet">
    <p>Requests appear here as they arrive. <a href=${link("connect")}>Connect a program</a>, or send one in <a href=${link("chat")}>Chat</a>.</p>
  <//>`;
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
