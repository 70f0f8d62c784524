/** A table of which only the rows in view are in the document: for hundreds of models and thousands of requests. */

import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/html.js";

/**
 * @template T
 * @typedef {{id: string, title: unknown, cell: (item: T) => unknown, class?: string, sort?: "ascending" | "descending"}} Column
 */

/**
 * @template T
 * @param {{items: readonly T[], columns: Column<T>[], rowKey: (item: T) => string | number, label: string,
 *   rowHeight?: number, onOpen?: (item: T) => void, selected?: string | number | null, onNearEnd?: () => void,
 *   rowClass?: (item: T) => string}} props
 * Every row has the height `rowHeight` in pixels. With `onOpen`, rows are opened by a click or Enter, one of them is in
 * the order of Tab, and the arrow keys, Page Up, Page Down, Home and End move to others. `onNearEnd` is called when the
 * last rows come into view: load the next page there.
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
  const shown = items.slice(rows.first, rows.last);
  const [active, onKeyDown, onFocusIn] = useActiveRow({ scroller, items, rowKey, rowHeight, shown });
  const spacer = (/** @type {number} */ height) => (height > 0 ? html`<tr class="spacer" aria-hidden="true"><td colspan=${columns.length} style=${{ height: `${height}px` }}></td></tr>` : null);
  return html`<div class="virtual" ref=${scroller} onScroll=${read} tabindex=${onOpen ? -1 : 0} role="region" aria-label=${label}>
    <table aria-rowcount=${items.length + 1}>
      <thead><tr>${columns.map((column) => html`<th scope="col" class=${column.class ?? ""} aria-sort=${column.sort}>${column.title}</th>`)}</tr></thead>
      <tbody onKeyDown=${onOpen ? onKeyDown : undefined} onFocusIn=${onOpen ? onFocusIn : undefined}>
        ${spacer(rows.before)}
        ${shown.map((item, index) => {
          const id = rowKey(item);
          return html`<tr key=${id} aria-rowindex=${rows.first + index + 2} style=${{ height: `${rowHeight}px` }}
              class=${`${onOpen ? "opens" : ""} ${id === selected ? "selected" : ""} ${rowClass?.(item) ?? ""}`}
              tabindex=${onOpen ? (id === active ? 0 : -1) : undefined} data-row=${id}
              onClick=${onOpen ? (/** @type {Event} */ event) => { if (!isControl(event)) onOpen(item); } : undefined}
              onKeyDown=${onOpen ? (/** @type {KeyboardEvent} */ event) => { if (event.key === "Enter" && event.target === event.currentTarget) onOpen(item); } : undefined}>
            ${columns.map((column) => html`<td class=${column.class ?? ""}>${column.cell(item)}</td>`)}
          </tr>`;
        })}
        ${spacer(rows.after)}
      </tbody>
    </table>
  </div>`;
}

/** @param {Event} event Whether it is for a control inside of a row. */
function isControl(event) {
  return event.target instanceof Element && event.target.closest("button, a, input, select, label") !== null;
}

/**
 * The row that has the focus, or would get it. It stays in view when keys move it, and so in the document.
 * @template T
 * @param {{scroller: {current: HTMLElement | null}, items: readonly T[], rowKey: (item: T) => string | number, rowHeight: number, shown: readonly T[]}} table
 * @returns {[string | number | null, (event: KeyboardEvent) => void, (event: FocusEvent) => void]} Its key, and what handles keys and focus.
 */
function useActiveRow({ scroller, items, rowKey, rowHeight, shown }) {
  const [chosen, setChosen] = useState(/** @type {string | number | null} */ (null));
  const wanted = useRef(/** @type {{key: string | number, top: number} | null} */ (null));
  const isShown = shown.some((item) => rowKey(item) === chosen);
  const first = shown[0];
  useLayoutEffect(() => {
    const element = scroller.current;
    if (wanted.current === null || element === null) return;
    const { key, top } = wanted.current;
    const row = element.querySelector(`[data-row="${CSS.escape(String(key))}"]`);
    if (!(row instanceof HTMLElement)) return; // after it was scrolled into view
    wanted.current = null;
    element.scrollTop = top; // the browser changes it when the row that had the focus is removed
    row.focus({ preventScroll: true });
  });
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const element = scroller.current;
    const row = event.target instanceof Element ? event.target.closest("tr") : null;
    if (element === null || row === null || isTyping(event)) return;
    const from = items.findIndex((item) => String(rowKey(item)) === row.getAttribute("data-row"));
    const to = target(event.key, from, items.length, Math.max(1, Math.floor(element.clientHeight / rowHeight) - 2));
    const item = to === null ? undefined : items[to];
    if (to === null || item === undefined) return;
    event.preventDefault();
    wanted.current = { key: rowKey(item), top: topFor(to, element, rowHeight) };
    element.scrollTop = wanted.current.top;
    setChosen(rowKey(item));
  };
  const onFocusIn = (/** @type {FocusEvent} */ event) => {
    const key = event.target instanceof Element ? event.target.closest("tr")?.getAttribute("data-row") : null;
    const item = items.find((entry) => String(rowKey(entry)) === key);
    if (item !== undefined) setChosen(rowKey(item));
  };
  return [isShown || first === undefined ? chosen : rowKey(first), onKeyDown, onFocusIn];
}

/** @param {KeyboardEvent} event Whether the keys are for a field inside of a row. */
function isTyping(event) {
  return event.target instanceof Element && event.target.closest("input, select, textarea") !== null;
}

/** @param {string} key @param {number} from @param {number} count @param {number} page Rows. @returns {number | null} The row to which a key moves. */
function target(key, from, count, page) {
  const steps = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -count, End: count });
  const step = steps[key];
  return step === undefined || count === 0 ? null : Math.max(0, Math.min(count - 1, from + step));
}

/** @param {number} row @param {HTMLElement} scroller @param {number} rowHeight @returns {number} Where it scrolls, so that the row is in view below the head. */
function topFor(row, scroller, rowHeight) {
  const head = scroller.querySelector("thead")?.clientHeight ?? 0;
  const top = row * rowHeight;
  if (top < scroller.scrollTop) return top;
  return Math.max(scroller.scrollTop, top + rowHeight + head - scroller.clientHeight);
}

/**
 * @param {{count: number, rowHeight: number, top: number, height: number, margin?: number}} view In pixels; `margin`
 *   is the number of rows that are drawn beyond each edge.
 * @returns {{first: number, last: number, before: number, after: number}} Rows from `first` up to `last` (exclusive),
 *   and the heights of what is not drawn.
 */
export function visibleRows({ count, rowHeight, top, height, margin = 8 }) {
  const first = Math.max(0, Math.min(count, Math.floor(top / rowHeight)) - margin);
  const last = Math.min(count, Math.max(0, Math.ceil((top + height) / rowHeight)) + margin);
  return { first, last: Math.max(first, last), before: first * rowHeight, after: (count - Math.max(first, last)) * rowHeight };
}
