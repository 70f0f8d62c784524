/** A chart of stacked bars over time. The table below it has the same numbers. */

import uPlot from "../../vendor/uplot.js";
import { count, html, shortCount, theme, useEffect, useLayoutEffect, useRef, useState } from "../../ui/kit.js";
import { stepDate, stepLabel } from "./ranges.js";
import { stacked } from "./series.js";

const HEIGHT = 240;
const LABEL_WIDTH = 64;
/** The colours of some parts; the others have those of the series in their order. @type {Record<string, string>} */
const TONES = { Failed: "bad", "In, cached": "s8", In: "s4" };

/**
 * @typedef {import("./series.js").Series} Series
 * @param {{steps: readonly number[], series: readonly Series[], step: "hour" | "day", label: string, nameOf: (name: string) => string}} props
 */
export function StackedChart({ steps, series, step, label, nameOf }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const chart = useRef(/** @type {uPlot | null} */ (null));
  const [pointed, setPointed] = useState(/** @type {number | null} */ (null));
  const [isDark, setDark] = useState(() => darkness().matches);
  useEffect(() => {
    const change = () => setDark(darkness().matches);
    darkness().addEventListener("change", change);
    return () => darkness().removeEventListener("change", change);
  }, []);
  useLayoutEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const drawn = draw(element, steps, series, step, setPointed);
    chart.current = drawn;
    const observer = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawn.destroy();
    };
  }, [steps, series, step, isDark, theme.value]);
  const shown = pointed !== null && pointed < steps.length ? pointed : null;
  return html`<figure class="chart">
    <div class="chart-place" ref=${place} role="img" aria-label=${label}></div>
    <figcaption>
      <span class="chart-when">${shown === null ? "Sum of the period" : stepDate(/** @type {number} */ (steps[shown]), step)}</span>
      ${series.map(({ name, values }, index) => html`<span class="chart-key"><span class=${`bar-part swatch ${toneOf(name, index)}`} aria-hidden="true"></span>${nameOf(name)}${" "}<strong>${shown === null ? shortCount(values.reduce((sum, value) => sum + value, 0)) : count(values[shown])}</strong></span>`)}
    </figcaption>
  </figure>`;
}

/** @param {string} name @param {number} index */
function toneOf(name, index) {
  return TONES[name] ?? `s${index + 1}`;
}

/**
 * @param {HTMLElement} element @param {readonly number[]} steps @param {readonly Series[]} series @param {"hour" | "day"} step
 * @param {(index: number | null) => void} onPoint
 */
function draw(element, steps, series, step, onPoint) {
  const style = getComputedStyle(element);
  const colour = (/** @type {string} */ name) => colourOf(element, name);
  const tops = stacked(series);
  const bars = /** @type {NonNullable<typeof uPlot.paths.bars>} */ (uPlot.paths.bars)({ size: [0.72, 64], align: 0 });
  const axis = { stroke: colour("text-2"), font: `12px ${style.getPropertyValue("--font")}`, grid: { show: false }, ticks: { show: false } };
  /** @type {uPlot.Options} */
  const options = {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    padding: [12, 8, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    hooks: { setCursor: [(drawn) => onPoint(drawn.cursor.idx ?? null)] },
    scales: {
      x: { time: false, range: () => [-0.6, steps.length - 0.4] },
      y: { range: (_drawn, _low, high) => [0, high > 0 ? high * 1.06 : 1] },
    },
    axes: [
      { ...axis, size: 30, space: LABEL_WIDTH, incrs: [1, 2, 3, 4, 6, 7, 12, 14, 28, 56, 91, 182, 364], values: (_drawn, ticks) => ticks.map((tick) => (steps[tick] === undefined ? "" : stepLabel(/** @type {number} */ (steps[tick]), step))) },
      { ...axis, size: 58, grid: { show: true, stroke: colour("line"), width: 1 }, values: (_drawn, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? shortCount(tick) : "")) },
    ],
    // The highest part is drawn first, so that the lower ones cover it.
    series: [{}, ...series.map(({ name }, index) => ({ paths: bars, points: { show: false }, fill: colour(toneOf(name, index).replace(/^s(?=\d)/, "series-")), width: 0 })).reverse()],
  };
  return new uPlot(options, [steps.map((_, index) => index), ...tops.toReversed()], element);
}

/** @param {HTMLElement} element @param {string} name @returns {string} A token's colour in the current theme, as a canvas takes it. */
function colourOf(element, name) {
  element.style.color = `var(--${name})`;
  const colour = getComputedStyle(element).color;
  element.style.color = "";
  return colour;
}

function darkness() {
  return matchMedia("(prefers-color-scheme: dark)");
}
