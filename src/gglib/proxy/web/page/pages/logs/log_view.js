/** The lines of a log, of which only those in view are in the document. Follows the end while it is in view. */

import { Button, counted, html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../ui/kit.js";
import { linesOf, mayWrap, offsetsOf, partsOf, rowAt, rowsInView, widestOf } from "./layout.js";
import { firstAfter } from "./log_buffer.js";
import { paddedLevel } from "./rows.js";

const LINE_PX = 19;
const END_PX = 2 * LINE_PX;
const SAMPLE = "0".repeat(100);

/** @typedef {import("./rows.js").Row} Row */

/** @param {{rows: Row[], version: number, search: string, isWrapped: boolean, label: string}} props `version` changes with `rows`. */
export function LogView({ rows, version, search, isWrapped, label }) {
  const scroller = useRef(/** @type {HTMLDivElement | null} */ (null));
  const sample = useRef(/** @type {HTMLSpanElement | null} */ (null));
  const [size, setSize] = useState({ width: 0, height: 0, column: 8 });
  const [top, setTop] = useState(0);
  const [measured, setMeasured] = useState(0);
  // The row at the top edge, and how far it is cut off, in pixels; null: the view follows the end.
  const anchor = useRef(/** @type {{id: number, by: number, last: number} | null} */ (null));
  const lastTop = useRef(0);

  const columns = isWrapped ? Math.max(20, Math.floor(size.width / size.column)) : null;
  const offsets = useMemo(() => offsetsOf(rows, columns), [rows, version, columns, measured]);
  const heightPx = (offsets[rows.length] ?? 0) * LINE_PX;
  const widthPx = useMemo(() => (isWrapped ? null : widestOf(rows) * size.column), [rows, version, isWrapped, size.column]);
  const { first, last } = rowsInView(offsets, top / LINE_PX, size.height / LINE_PX);

  useEffect(() => {
    const element = scroller.current;
    if (element === null) return undefined;
    const read = () => {
      const style = getComputedStyle(element);
      const padding = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
      const column = (sample.current?.getBoundingClientRect().width ?? 800) / SAMPLE.length;
      setSize({ width: element.clientWidth - padding, height: element.clientHeight, column });
    };
    const observer = new ResizeObserver(read);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    element.scrollTop = anchor.current === null ? element.scrollHeight : anchoredTop(anchor.current, rows, offsets);
    lastTop.current = element.scrollTop;
    setTop(element.scrollTop);
  }, [offsets, size.height]);

  useLayoutEffect(() => {
    if (columns !== null && measure(scroller.current, rows.slice(first, last), columns)) setMeasured(measured + 1);
  }, [first, last, columns, version]);

  const onScroll = () => {
    const element = scroller.current;
    if (element === null) return;
    // Rows that are not measured yet can be higher than computed: then the end moves away, but the reader did not.
    const isUp = element.scrollTop < lastTop.current;
    const isAtEnd = element.scrollTop + element.clientHeight >= element.scrollHeight - END_PX || (anchor.current === null && !isUp);
    lastTop.current = element.scrollTop;
    const index = rowAt(offsets, element.scrollTop / LINE_PX);
    const before = anchor.current?.last ?? rows.at(-1)?.id ?? 0;
    anchor.current = isAtEnd || rows.length === 0 ? null : { id: rows[index]?.id ?? 0, by: element.scrollTop - (offsets[index] ?? 0) * LINE_PX, last: before };
    setTop(element.scrollTop);
  };
  const toEnd = () => {
    anchor.current = null;
    const element = scroller.current;
    if (element) element.scrollTop = element.scrollHeight;
  };
  const fresh = anchor.current === null ? 0 : rows.length - firstAfter(rows, anchor.current.last);
  return html`<div class="log-frame">
    <div class=${`log-view ${isWrapped ? "wrapped" : ""}`} ref=${scroller} onScroll=${onScroll} tabindex="0" role="region" aria-label=${label}>
      <span class="log-sample" aria-hidden="true"><span ref=${sample}>${SAMPLE}</span></span>
      <div class="log-rows" style=${{ height: `${heightPx}px`, width: widthPx === null ? undefined : `${widthPx}px` }}>
        <div style=${{ transform: `translateY(${(offsets[first] ?? 0) * LINE_PX}px)` }}>
          ${rows.slice(first, last).map((row) => html`<${LogRow} key=${row.id} row=${row} search=${search} />`)}
        </div>
      </div>
    </div>
    ${anchor.current === null ? null : html`<div class="log-jump"><${Button} small icon="down" onClick=${toEnd}>${fresh > 0 ? counted(fresh, "new line") : "To the end"}<//></div>`}
  </div>`;
}

/** @param {{row: Row, search: string}} props */
function LogRow({ row, search }) {
  const tone = row.kind !== "line" ? row.kind : row.severity >= 40 ? "error" : row.severity >= 30 ? "warning" : "";
  return html`<div class=${`log-row ${tone}`} data-id=${row.id}>${row.time ? html`<span class="log-time">${row.time} </span>` : null}${
    row.level ? html`<span class="log-level">${paddedLevel(row.level)}</span>` : null}${
    partsOf(row.text, search).map((part) => (part.isMatch ? html`<mark>${part.text}</mark>` : part.text))}</div>`;
}

/** @param {{id: number, by: number}} anchor @param {Row[]} rows @param {Float64Array} offsets @returns {number} In pixels. */
function anchoredTop({ id, by }, rows, offsets) {
  const index = firstAfter(rows, id - 1); // the row itself, or the one after it
  return (offsets[index] ?? 0) * LINE_PX + (rows[index]?.id === id ? by : 0);
}

/**
 * Rows wrap between words, and other scripts have characters of other widths: read how many lines rows take.
 * @param {HTMLElement | null} scroller @param {Row[]} rows Those in the document. @param {number} columns
 * @returns {boolean} Whether one takes another number than was computed.
 */
function measure(scroller, rows, columns) {
  let isChanged = false;
  for (const row of rows) {
    if (!mayWrap(row, columns) || row.measured?.columns === columns) continue;
    const element = scroller?.querySelector(`[data-id="${row.id}"]`);
    if (!element) continue;
    const lines = Math.max(1, Math.round(element.getBoundingClientRect().height / LINE_PX));
    isChanged ||= lines !== linesOf(row, columns);
    row.measured = { columns, lines };
  }
  return isChanged;
}
