/** A table of which only the rows in view are in the document: for hundreds of models and thousands of requests. */

import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/html.js";
import { visibleRows } from "../lib/virtual.js";

/**
 * @template T
 * @typedef {{id: string, title: unknown, cell: (item: T) => unknown, class?: string, sort?: "ascending" | "descending"}} Column
 */

/**
 * @template T
 * @param {{items: readonly T[], columns: Column<T>[], rowKey: (item: T) => string | number, label: string,
 *   rowHeight?: number, onOpen?: (item: T) => void, selected?: string | number | null, onNearEnd?: () => void,
 *   rowClass?: (item: T) => string}} props
 * Every row has the height `rowHeight` in pixels. With `onOpen`, rows are opened by a click or Enter, and arrows move
 * between them. `onNearEnd` is called when the last rows come into view: load the next page there.
 */
export function VirtualTable({ items, columns, rowKey, label, rowHeight = 40, onOpen, selected = null, onNearEnd, rowClass }) {
  const scroller = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [view, setView] = useState({ top: 0, height: 800 });
  const read = () => {
    const element = scroller.current;
    if (element) setView({ top: element.scrollTop, height: element.clientHeight });
  };
  useLayoutEffect(read, [items.length]);
  useEffect(() => {
    const observer = new ResizeObserver(read);
    if (scroller.current) observer.observe(scroller.current);
    return () => observer.disconnect();
  }, []);
  const rows = visibleRows({ count: items.length, rowHeight, ...view });
  useEffect(() => {
    if (rows.last >= items.length && items.length > 0) onNearEnd?.();
  }, [rows.last, items.length]);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => moveFocus(event, rowHeight, scroller.current);
  const shown = items.slice(rows.first, rows.last);
  return html`<div class="virtual" ref=${scroller} onScroll=${read} tabindex=${onOpen ? -1 : 0} role="region" aria-label=${label}>
    <table aria-rowcount=${items.length + 1}>
      <thead><tr>${columns.map((column) => html`<th scope="col" class=${column.class ?? ""} aria-sort=${column.sort}>${column.title}</th>`)}</tr></thead>
      <tbody onKeyDown=${onOpen ? onKeyDown : undefined}>
        ${rows.before > 0 ? html`<tr class="spacer" aria-hidden="true"><td colspan=${columns.length} style=${{ height: `${rows.before}px` }}></td></tr>` : null}
        ${shown.map((item, index) => {
          const id = rowKey(item);
          return html`<tr key=${id} aria-rowindex=${rows.first + index + 2} style=${{ height: `${rowHeight}px` }}
              class=${`${onOpen ? "opens" : ""} ${id === selected ? "selected" : ""} ${rowClass?.(item) ?? ""}`}
              tabindex=${onOpen ? 0 : undefined} data-row=${id}
              onClick=${onOpen ? (/** @type {Event} */ event) => { if (!isControl(event)) onOpen(item); } : undefined}
              onKeyDown=${onOpen ? (/** @type {KeyboardEvent} */ event) => { if (event.key === "Enter" && event.target === event.currentTarget) onOpen(item); } : undefined}>
            ${columns.map((column) => html`<td class=${column.class ?? ""}>${column.cell(item)}</td>`)}
          </tr>`;
        })}
        ${rows.after > 0 ? html`<tr class="spacer" aria-hidden="true"><td colspan=${columns.length} style=${{ height: `${rows.after}px` }}></td></tr>` : null}
      </tbody>
    </table>
  </div>`;
}

/** @param {Event} event Whether it is for a control inside of a row. */
function isControl(event) {
  return event.target instanceof Element && event.target.closest("button, a, input, select, label") !== null;
}

/** @param {KeyboardEvent} event @param {number} rowHeight @param {HTMLElement | null} scroller */
function moveFocus(event, rowHeight, scroller) {
  const row = event.target instanceof Element ? event.target.closest("tr") : null;
  const step = event.key === "ArrowDown" ? "nextElementSibling" : event.key === "ArrowUp" ? "previousElementSibling" : null;
  if (row === null || step === null) return;
  const other = row[step];
  if (other instanceof HTMLElement && !other.classList.contains("spacer")) other.focus();
  else if (scroller) scroller.scrollTop += step === "nextElementSibling" ? rowHeight : -rowHeight;
  event.preventDefault();
}
