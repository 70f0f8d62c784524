/** The list of requests. What is read stays in its place while requests are added above it. */

import { Button, count, html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../ui/kit.js";
import { VirtualTable } from "../../ui/virtual_table.js";
import { columnsFor, rowId } from "./columns.js";

const ROW_HEIGHT = 38;
const ROW_HEIGHT_TOUCH = 46;
const NARROW = 760;

/**
 * @typedef {import("./columns.js").RunningRequest} RunningRequest
 * @typedef {import("./listing.js").Listing} Listing
 * @param {{running: readonly RunningRequest[], listing: Listing, selected: string, onOpen: (id: string) => void}} props
 */
export function RequestList({ running, listing, selected, onOpen }) {
  const root = useRef(/** @type {HTMLDivElement | null} */ (null));
  const width = useWidth(root);
  const { rows } = listing;
  const items = useMemo(() => [...running.toReversed(), ...rows], [running, rows]);
  const hasKeys = useMemo(() => rows.some((row) => row.key !== null) || running.some((row) => row.key !== null), [rows, running]);
  const columns = useMemo(() => columnsFor(width, hasKeys), [width, hasKeys]);
  const rowHeight = innerWidth < NARROW ? ROW_HEIGHT_TOUCH : ROW_HEIGHT;
  const { unseen, onScroll, showNewest } = useAnchor(root, listing, running.length, rowHeight);
  return html`<div class="request-list" ref=${root} onScrollCapture=${onScroll}>
    ${unseen > 0 ? html`<div class="new-requests"><${Button} kind="primary" small icon="unload" onClick=${showNewest}>${count(unseen)} new<//></div>` : null}
    <${VirtualTable} label="Requests, newest first" items=${items} columns=${columns} rowHeight=${rowHeight} selected=${selected}
      rowKey=${rowId} onOpen=${(/** @type {import("./columns.js").Row} */ row) => onOpen(rowId(row))} onNearEnd=${() => listing.more()} />
  </div>`;
}

/**
 * Keep the rows in view in their place when the list grows above them: if it is scrolled, or the focus is on a row.
 * @param {{current: HTMLElement | null}} root @param {Listing} listing @param {number} runningCount @param {number} rowHeight
 */
function useAnchor(root, listing, runningCount, rowHeight) {
  const seen = useRef({ listing, epoch: listing.epoch, head: 0, added: 0 });
  const [, render] = useState(0);
  const scroller = () => /** @type {HTMLElement | null} */ (root.current?.querySelector(".virtual"));
  const isAtTop = () => (scroller()?.scrollTop ?? 0) < rowHeight / 2;
  const head = runningCount + listing.added;
  useLayoutEffect(() => {
    const before = seen.current;
    const element = scroller();
    if (element === null) return;
    if (before.listing !== listing || before.epoch !== listing.epoch) element.scrollTop = 0;
    else if (!isAtTop() || element.querySelector("tbody")?.contains(document.activeElement)) element.scrollTop += (head - before.head) * rowHeight;
    seen.current = { listing, epoch: listing.epoch, head, added: isAtTop() ? listing.added : before.added };
  }, [head, listing, listing.epoch]);
  const onScroll = () => {
    if (!isAtTop() || seen.current.added === listing.added) return;
    seen.current.added = listing.added;
    render((times) => times + 1);
  };
  const showNewest = () => {
    scroller()?.scrollTo({ top: 0 });
  };
  const isSame = seen.current.listing === listing && seen.current.epoch === listing.epoch;
  return { unseen: isSame && !isAtTop() ? listing.added - seen.current.added : 0, onScroll, showNewest };
}

/** @param {{current: HTMLElement | null}} element @returns {number} Its width in pixels, kept current. */
function useWidth(element) {
  const [width, setWidth] = useState(1000);
  useLayoutEffect(() => {
    if (element.current) setWidth(element.current.clientWidth);
  }, []);
  useEffect(() => {
    const observer = new ResizeObserver(() => {
      if (element.current && element.current.clientWidth > 0) setWidth(element.current.clientWidth);
    });
    if (element.current) observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return width;
}
