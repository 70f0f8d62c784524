/** Sums of usage by group and by time, and their chart of stacked bars. The table below it has the same numbers. */

import { count, dateTime, html, shortCount, useLayoutEffect, useRef, useState } from "../../ui/kit.js";

/**
 * @typedef {import("../../lib/api_types.js").UsageRow} UsageRow
 * @typedef {"model" | "key" | "client"} GroupField
 * @typedef {{name: string, values: number[]}} Series One value for each step.
 * @typedef {{name: string, requests: number, failed: number, prompt_tokens: number, completion_tokens: number, cached_tokens: number, busy_s: number}} Group
 */

/** In pixels: the chart, and what its axes take of it. */
const HEIGHT = 240;
const LEFT = 58;
const RIGHT = 8;
const TOP = 12;
const BOTTOM = 30;
const PLOT_HEIGHT = HEIGHT - TOP - BOTTOM;
/** The colours of some parts; the others have those of the series in their order. @type {Record<string, string>} */
const TONES = { Failed: "bad", "In, cached": "s8", In: "s4" };
/** In pixels: the space of a label, and the widest bar. */
const LABEL_WIDTH = 64;
const MAX_BAR_WIDTH = 64;
/** What a bar takes of the width of its step. */
const BAR_SHARE = 0.72;
const MAX_TICKS = 5;
/** Distances of labels in steps: parts of a day in hours, weeks in days. */
const DISTANCES = [1, 2, 3, 4, 6, 7, 12, 14, 28, 56, 91, 182, 364];
/** How far keys move. @type {Record<string, number>} */
const KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, Home: -Infinity, End: Infinity };
const STEP_S = { hour: 3600, day: 86_400 };
const MAX_STEPS = 4000;
const MAX_SERIES = 7;
export const OTHERS = "Others";
/** @type {("requests" | "failed" | "prompt_tokens" | "completion_tokens" | "cached_tokens" | "busy_s")[]} */
const SUMS = ["requests", "failed", "prompt_tokens", "completion_tokens", "cached_tokens", "busy_s"];

/**
 * Without a chosen step the legend has the sums. A step is chosen by the pointer, a tap or keys; as a slider, so that
 * screen readers say its values, too.
 * @param {{steps: readonly number[], series: readonly Series[], step: "hour" | "day", label: string, nameOf: (name: string) => string}} props
 */
export function StackedChart({ steps, series, step, label, nameOf }) {
  const [place, width] = useWidth();
  const [chosen, setChosen] = useState(/** @type {number | null} */ (null));
  const shown = chosen !== null && chosen < steps.length ? chosen : null;
  const plotWidth = Math.max(0, width - LEFT - RIGHT);
  const when = shown === null ? "Sum of the period" : stepDate(/** @type {number} */ (steps[shown]), step);
  const keys = series.map(({ name, values }, index) => ({
    name: nameOf(name),
    tone: TONES[name] ?? `s${index + 1}`,
    value: shown === null ? shortCount(values.reduce((sum, value) => sum + value, 0)) : count(values[shown]),
  }));
  const onPoint = (/** @type {PointerEvent} */ event) => {
    const { left } = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    const index = Math.floor(((event.clientX - left - LEFT) / plotWidth) * steps.length);
    setChosen(index >= 0 && index < steps.length ? index : null);
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const by = KEYS[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const from = shown ?? (by < 0 ? steps.length : -1);
    setChosen(Math.max(0, Math.min(steps.length - 1, from + by)));
  };
  return html`<figure class="chart">
    <div class="chart-place" ref=${place} role="slider" tabindex="0" aria-label=${label} aria-valuemin="0" aria-valuemax=${steps.length}
        aria-valuenow=${shown === null ? 0 : shown + 1} aria-valuetext=${[when, ...keys.map(({ name, value }) => `${name} ${value}`)].join(", ")}
        onPointerMove=${onPoint} onPointerDown=${onPoint} onKeyDown=${onKeyDown} onBlur=${() => setChosen(null)}
        onPointerLeave=${(/** @type {PointerEvent} */ event) => { if (event.pointerType === "mouse") setChosen(null); }}>
      <${Drawing} steps=${steps} series=${series} step=${step} width=${plotWidth} shown=${shown} tones=${keys.map(({ tone }) => tone)} />
    </div>
    <figcaption>
      <span class="chart-when">${when}</span>
      ${keys.map(({ name, tone, value }) => html`<span class="chart-key"><span class=${`swatch ${tone}`} aria-hidden="true"></span>${name}${" "}<strong>${value}</strong></span>`)}
    </figcaption>
  </figure>`;
}

/** @param {{steps: readonly number[], series: readonly Series[], step: "hour" | "day", width: number, shown: number | null, tones: string[]}} props `width`: of the plot, in pixels; `shown`: the chosen step. */
function Drawing({ steps, series, step, width, shown, tones }) {
  const high = Math.max(0, ...steps.map((_, index) => series.reduce((sum, { values }) => sum + (values[index] ?? 0), 0)));
  const limit = high > 0 ? high * 1.06 : 1;
  const slot = width / steps.length;
  const every = labelEvery(steps.length, width);
  return html`<svg width="100%" height=${HEIGHT} aria-hidden="true">
    ${shown === null ? null : html`<rect class="chart-chosen" x=${LEFT + shown * slot} y=${TOP} width=${slot} height=${PLOT_HEIGHT} />`}
    ${axisTicks(limit).map((value) => {
      const y = TOP + PLOT_HEIGHT * (1 - value / limit);
      return html`<path class="chart-line" d=${`M${LEFT} ${y}h${width}`} /><text x=${LEFT - 8} y=${y + 4} text-anchor="end">${shortCount(value)}</text>`;
    })}
    ${steps.map((start, index) => (index % every === 0 ? html`<text x=${LEFT + (index + 0.5) * slot} y=${HEIGHT - 8} text-anchor="middle">${stepLabel(start, step)}</text>` : null))}
    <g transform=${`translate(${LEFT} ${TOP})`}>
      ${barPaths(series, { width, height: PLOT_HEIGHT, limit }).map((path, index) => html`<path class=${`chart-bars ${tones[index]}`} d=${path} />`)}
    </g>
  </svg>`;
}

/** @returns {[{current: HTMLDivElement | null}, number]} The ref of an element, and its width in pixels. */
function useWidth() {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const read = () => setWidth(place.current?.clientWidth ?? 0);
    read();
    const observer = new ResizeObserver(read);
    if (place.current) observer.observe(place.current);
    return () => observer.disconnect();
  }, []);
  return [place, width];
}

/** @param {number} limit @returns {number[]} Round integers from 0 up to the limit: multiples of 1, 2 or 5 times a power of ten. */
export function axisTicks(limit) {
  const least = Math.max(1, limit / MAX_TICKS);
  const power = 10 ** Math.floor(Math.log10(least));
  const distance = power * /** @type {number} */ ([1, 2, 5, 10].find((factor) => factor * power >= least));
  return Array.from({ length: Math.floor(limit / distance) + 1 }, (_, index) => index * distance);
}

/** @param {number} steps @param {number} width Of all, in pixels. @returns {number} How many steps apart their labels have space. */
export function labelEvery(steps, width) {
  return DISTANCES.find((distance) => (distance * width) / steps >= LABEL_WIDTH) ?? steps;
}

/**
 * @param {readonly {values: readonly number[]}[]} series The parts of a stack, the lowest first.
 * @param {{width: number, height: number, limit: number}} plot In pixels; `limit` is the value at its top.
 * @returns {string[]} For each part the path of all its rectangles.
 */
export function barPaths(series, { width, height, limit }) {
  /** @type {number[]} */
  const below = [];
  return series.map(({ values }) => {
    const slot = width / values.length;
    const bar = Math.min(MAX_BAR_WIDTH, slot * BAR_SHARE);
    return values.map((value, index) => {
      const bottom = below[index] ?? 0;
      below[index] = bottom + value;
      if (value === 0) return "";
      const [x, y, tall] = [(index + 0.5) * slot - bar / 2, height * (1 - bottom / limit), (height * value) / limit];
      return `M${x.toFixed(2)} ${y.toFixed(2)}h${bar.toFixed(2)}v${(-tall).toFixed(2)}h${(-bar).toFixed(2)}z`;
    }).join("");
  });
}

/** @param {number} start Unix time of a step. @param {"hour" | "day"} step @returns {string} "14:00", or "11-28". */
export function stepLabel(start, step) {
  const text = stepDate(start, step);
  if (step === "hour") return text.slice(11);
  return text.startsWith(`${new Date().getFullYear()}-`) ? text.slice(5) : text;
}

/** @param {number} start @param {"hour" | "day"} step @returns {string} "2026-11-28 14:00", or "2026-11-28". */
export function stepDate(start, step) {
  // Days begin at midnight where the server is: noon is on the same date here, too.
  return step === "hour" ? `${dateTime(start).slice(0, 13)}:00` : dateTime(start + 12 * 3600).slice(0, 10);
}

/** @param {readonly UsageRow[]} rows @param {GroupField} by @returns {Group[]} One for each name; "" is the name of requests without one. */
export function groupsOf(rows, by) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  for (const row of rows) {
    const name = row[by] ?? "";
    const group = groups.get(name) ?? { name, requests: 0, failed: 0, prompt_tokens: 0, completion_tokens: 0, cached_tokens: 0, busy_s: 0 };
    for (const field of SUMS) group[field] += row[field];
    groups.set(name, group);
  }
  return [...groups.values()];
}

/** @param {{prompt_tokens: number, completion_tokens: number}} usage */
export function tokensOf({ prompt_tokens: prompt, completion_tokens: completion }) {
  return prompt + completion;
}

/**
 * @param {readonly UsageRow[]} rows @param {"hour" | "day"} step @param {number} now Unix time.
 * @returns {number[]} The starts of all steps from the first row to now; steps without usage have no row. A day with a
 *   change of the clock has 23 or 25 hours.
 */
export function stepsOf(rows, step, now) {
  const known = [...new Set(rows.map((row) => row.start_s ?? 0))].sort((one, other) => one - other);
  const length = STEP_S[step];
  /** @type {number[]} */
  const steps = [];
  for (const start of known) {
    const before = steps.at(-1);
    const gap = before === undefined ? 1 : Math.round((start - before) / length);
    for (let index = 1; index < Math.min(gap, MAX_STEPS); index += 1) steps.push(/** @type {number} */ (before) + ((start - /** @type {number} */ (before)) * index) / gap);
    steps.push(start);
  }
  for (let next = (steps.at(-1) ?? now) + length; next <= now && steps.length < MAX_STEPS; next += length) steps.push(next);
  return steps;
}

/**
 * @param {readonly UsageRow[]} rows @param {readonly number[]} steps @param {string} measure @param {GroupField} by
 * @returns {Series[]} The parts of a stack, the lowest first.
 */
export function seriesOf(rows, steps, measure, by) {
  const index = new Map(steps.map((start, position) => [start, position]));
  const sum = (/** @type {string} */ name, /** @type {(row: UsageRow) => number} */ value) => {
    const values = steps.map(() => 0);
    for (const row of rows) {
      const position = index.get(row.start_s ?? 0);
      if (position !== undefined) values[position] = (values[position] ?? 0) + value(row);
    }
    return { name, values };
  };
  if (measure === "requests") return [sum("Successful", (row) => row.requests - row.failed), sum("Failed", (row) => row.failed)];
  if (measure === "tokens") {
    return [
      sum("Out", (row) => row.completion_tokens),
      sum("In", (row) => row.prompt_tokens - row.cached_tokens),
      sum("In, cached", (row) => row.cached_tokens),
    ];
  }
  const names = groupsOf(rows, by).sort((one, other) => tokensOf(other) - tokensOf(one)).map(({ name }) => name);
  const shown = names.length > MAX_SERIES ? names.slice(0, MAX_SERIES - 1) : names;
  const found = shown.map((name) => sum(name, (row) => ((row[by] ?? "") === name ? tokensOf(row) : 0)));
  if (shown.length === names.length) return found;
  const isShown = new Set(shown);
  return [...found, sum(OTHERS, (row) => (isShown.has(row[by] ?? "") ? 0 : tokensOf(row)))];
}
