/** Logs: that of gglib, and those of the engines, as they are written. Only the lines in view are in the document. */

import { api, Badge, Button, bytes, Checkbox, count, counted, effect, Empty, ErrorNote, go, html, IDLE_MS, isAway, key, Loading, Menu, needsKey, saveText, SearchInput, segment, Select, status, streamEvents, until, useEffect, useLayoutEffect, useLoad, useMemo, useRef, useSettled, useState } from "../../ui/kit.js";
import { firstAfter, LEVELS, linesOf, LogBuffer, mayWrap, offsetsOf, paddedLevel, partsOf, rowAt, rowsInView, rowText, widestOf } from "./rows.js";

/**
 * @typedef {import("./rows.js").Row} Row
 * @typedef {{state: "connecting" | "live" | "lost", error: Error | null}} Followed
 */

const DEFAULT_LOG = "gglib";
const FIRST_LINES = 500;
const LINES_AGAIN = 2000;
const RETRY_MS = 2000;
const SETTLED_MS = 150;
const MAX_SAVED_LINES = 5000;
const LINE_PX = 19;
const END_PX = 2 * LINE_PX;
const SAMPLE = "0".repeat(100);

/** @param {{rest: string}} props `rest`: the name of a log. */
export function Page({ rest }) {
  const name = rest || DEFAULT_LOG;
  // With the state: the log of an engine begins after its model began to load.
  const models = (status.value?.residents ?? []).map(({ model_name: model, state }) => `${model} ${state}`).sort().join("\n");
  const logs = useLoad(async (signal) => /** @type {import("../../lib/api_types.js").LogFile[]} */ ((await api.get("/gglib/logs", { signal })).logs), [models]);
  const options = (logs.value ?? []).map((log) => ({ value: log.name, label: `${titleOf(log.name)}, ${bytes(log.size_bytes)}` }));
  if (options.every(({ value }) => value !== name)) options.unshift({ value: name, label: titleOf(name) });
  return html`<div class="page-head"><h1>Logs</h1>
      <div class="log-select"><${Select} aria-label="Log" value=${name} options=${options} onChange=${(/** @type {string} */ chosen) => go("logs", chosen)} /></div></div>
    <${ErrorNote} error=${logs.error} onRetry=${logs.reload} />
    <${Log} key=${name} name=${name} />`;
}

/** @param {string} name */
function titleOf(name) {
  return name.replace(/^engine:/, "Engine of ");
}

/** @param {{name: string}} props */
function Log({ name }) {
  const [search, setSearch] = useState("");
  const [level, setLevel] = useState("0");
  const [isWrapped, setWrapped] = useState(true);
  const [isPaused, setPaused] = useState(false);
  const { buffer, version, state, error, changed, retry } = useLog(name);
  const wanted = useSettled(search, SETTLED_MS);
  useEffect(() => {
    buffer.filter(wanted, Number(level));
    changed();
  }, [buffer, wanted, level]);
  const pause = () => {
    if (isPaused) buffer.release();
    else buffer.hold();
    setPaused(!isPaused);
    changed();
  };
  const { rows, shown, held, hasLevels } = buffer;
  const errorNote = html`<${ErrorNote} error=${error} onRetry=${retry} />`;
  if (error !== null && rows.length === 0) return errorNote;
  const isFiltered = wanted !== "" || level !== "0";
  const [tone, connection] = isPaused ? ["warn", "Paused"] : state === "live" ? ["ok", "Following"] : ["busy", state === "lost" ? "Connecting again" : "Connecting"];
  return html`<div class="log-page">
    <div class="log-tools">
      <${SearchInput} label="Filter lines" value=${search} onInput=${setSearch} />
      ${hasLevels && html`<${Select} aria-label="Lowest level" class="log-level-select" value=${level} options=${LEVELS} onChange=${setLevel} />`}
      <${Checkbox} label="Wrap lines" checked=${isWrapped} onChange=${setWrapped} />
    </div>
    ${errorNote}
    ${state === "connecting" && rows.length === 0
      ? html`<${Loading} label="Reading the log" />`
      : shown.length === 0
        ? html`<${Empty} icon="logs" title=${isFiltered && rows.length > 0 ? "No line matches" : "This log is empty"}><p>${isFiltered ? "New lines that match appear here." : "Lines appear here as they are written."}</p><//>`
        : html`<${LogView} rows=${shown} version=${version} search=${wanted} isWrapped=${isWrapped} label=${`Lines of the log ${name}`} />`}
    <div class="log-state row small quiet">
      <${Badge} tone=${tone}>${connection}<//>
      ${isPaused && held > 0 && html`<span>${counted(held, "new line")} held back</span>`}
      <span>${isFiltered && `${count(shown.length)} of `}${counted(rows.length, "line")}</span>
      <span class="push"></span>
      <${Button} small icon=${isPaused ? "play" : "pause"} onClick=${pause}>${isPaused ? "Continue" : "Pause"}<//>
      <${Menu} label="Save as text" icon="load" items=${[
        { label: "Lines shown here", icon: "load", onClick: () => saveLines(name, shown.map(rowText)) },
        { label: "Last 5,000 lines of the log", icon: "load", onClick: () => saveLog(name) },
      ]} />
    </div>
  </div>`;
}

/**
 * Follow a log, and connect again when the connection is lost.
 * @param {string} name
 * @returns {{buffer: LogBuffer, version: number, changed: () => void, retry: () => void} & Followed}
 * `version` changes with the content of `buffer`; `changed` is to be called by views that change it. `error`: the
 * log cannot be read, and is not tried again until `retry` is called.
 */
function useLog(name) {
  const buffer = useMemo(() => new LogBuffer(), [name]);
  const [attempt, setAttempt] = useState(0);
  const [version, setVersion] = useState(0);
  const [followed, setFollowed] = useState(/** @type {Followed} */ ({ state: "connecting", error: null }));
  const changed = useRef(() => setVersion((before) => before + 1)).current;
  useEffect(() => {
    const controller = new AbortController();
    let connection = new AbortController();
    setFollowed({ state: "connecting", error: null });
    void follow(controller.signal);
    return () => {
      controller.abort();
      connection.abort();
    };

    /** @param {AbortSignal} signal */
    async function follow(signal) {
      while (!signal.aborted) {
        connection = new AbortController();
        const unwatch = effect(() => {
          if (isAway.value) connection.abort();
        });
        try {
          await readOnce(connection.signal);
        } catch (error) {
          if (!signal.aborted && isFinal(error)) {
            setFollowed({ state: "lost", error: /** @type {Error} */ (error) });
            return;
          }
        } finally {
          unwatch();
        }
        if (signal.aborted) return;
        setFollowed({ state: "lost", error: null });
        if (!connection.signal.aborted) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        await until(() => !needsKey.value && !isAway.value, signal);
      }
    }

    /** @param {AbortSignal} signal */
    async function readOnce(signal) {
      const isFirst = buffer.rows.length === 0;
      let isNew = true;
      const events = streamEvents(`/gglib/logs/${segment(name)}/events`, { query: { lines: isFirst ? FIRST_LINES : LINES_AGAIN }, signal, idleMs: IDLE_MS });
      for await (const { event, data } of events) {
        if (event !== "lines") continue;
        const { lines, skipped } = JSON.parse(data);
        if (isNew && !isFirst) buffer.appendAgain(lines, skipped);
        else buffer.append(lines, skipped);
        if (isNew) setFollowed({ state: "live", error: null });
        isNew = false;
        changed();
      }
    }
  }, [buffer, attempt, key.value]);
  return { buffer, version, ...followed, changed, retry: () => setAttempt(attempt + 1) };
}

/** @param {any} error Whether another attempt would fail, too: there is no such log, or no right to read it. */
function isFinal({ status }) {
  return (status >= 400 && status < 500 && status !== 401) || status === 501;
}

/** Save the last lines of the log, as the server has them. @param {string} name */
async function saveLog(name) {
  const { lines } = await api.get(`/gglib/logs/${segment(name)}`, { query: { lines: MAX_SAVED_LINES } });
  saveLines(name, lines.map((/** @type {{text: string}} */ line) => line.text));
}

/** @param {string} name @param {string[]} lines */
function saveLines(name, lines) {
  saveText(`${name}.log.txt`, `${lines.join("\n")}\n`);
}

/** Follows the end while it is in view. @param {{rows: Row[], version: number, search: string, isWrapped: boolean, label: string}} props `version` changes with `rows`. */
function LogView({ rows, version, search, isWrapped, label }) {
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
  const topOf = (/** @type {number} */ index) => (offsets[index] ?? 0) * LINE_PX;
  const width = useMemo(() => (isWrapped ? undefined : `${widestOf(rows) * size.column}px`), [rows, version, isWrapped, size.column]);
  const { first, last } = rowsInView(offsets, top / LINE_PX, size.height / LINE_PX);

  useEffect(() => {
    const element = /** @type {HTMLDivElement} */ (scroller.current);
    const observer = new ResizeObserver(() => {
      const style = getComputedStyle(element);
      const padding = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
      const column = (sample.current?.getBoundingClientRect().width ?? 800) / SAMPLE.length;
      setSize({ width: element.clientWidth - padding, height: element.clientHeight, column });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    const element = /** @type {HTMLDivElement} */ (scroller.current);
    if (anchor.current === null) element.scrollTop = element.scrollHeight;
    else {
      const { id, by } = anchor.current;
      // The row itself, or the one after it.
      const index = firstAfter(rows, id - 1);
      element.scrollTop = topOf(index) + (rows[index]?.id === id ? by : 0);
    }
    lastTop.current = element.scrollTop;
    setTop(element.scrollTop);
  }, [offsets, size.height]);

  useLayoutEffect(() => {
    if (columns !== null && measure(scroller.current, rows.slice(first, last), columns)) setMeasured(measured + 1);
  }, [first, last, columns, version]);

  const onScroll = () => {
    const { scrollTop, clientHeight, scrollHeight } = /** @type {HTMLDivElement} */ (scroller.current);
    // Rows that are not measured yet can be higher than computed: then the end moves away, but the reader did not.
    const isAtEnd = scrollTop + clientHeight >= scrollHeight - END_PX || (anchor.current === null && scrollTop >= lastTop.current);
    lastTop.current = scrollTop;
    const index = rowAt(offsets, scrollTop / LINE_PX);
    const before = anchor.current?.last ?? rows.at(-1)?.id ?? 0;
    anchor.current = isAtEnd || rows.length === 0 ? null : { id: rows[index]?.id ?? 0, by: scrollTop - topOf(index), last: before };
    setTop(scrollTop);
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
      <div class="log-rows" style=${{ height: `${topOf(rows.length)}px`, width }}>
        <div style=${{ transform: `translateY(${topOf(first)}px)` }}>
          ${rows.slice(first, last).map((row) => html`<${LogRow} key=${row.id} row=${row} search=${search} />`)}
        </div>
      </div>
    </div>
    ${anchor.current !== null && html`<div class="log-jump"><${Button} small icon="down" onClick=${toEnd}>${fresh > 0 ? counted(fresh, "new line") : "To the end"}<//></div>`}
  </div>`;
}

/** @param {{row: Row, search: string}} props */
function LogRow({ row: { id, kind, time, level, severity, text }, search }) {
  const tone = kind !== "line" ? kind : severity >= 40 ? "error" : severity >= 30 ? "warning" : "";
  return html`<div class=${`log-row ${tone}`} data-id=${id}>${time && html`<span class="log-time">${time} </span>`}${
    level && html`<span class="log-level">${paddedLevel(level)}</span>`}${
    partsOf(text, search).map((part) => (part.isMatch ? html`<mark>${part.text}</mark>` : part.text))}</div>`;
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
