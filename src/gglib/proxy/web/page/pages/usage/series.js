/** Adds up rows of usage by group and by time. Pure. */

import { count, duration } from "../../lib/format.js";

/**
 * @typedef {import("../../lib/api_types.js").UsageRow} UsageRow
 * @typedef {import("./ranges.js").GroupField} GroupField
 * @typedef {{name: string, values: number[]}} Series One value for each step.
 * @typedef {{name: string, requests: number, failed: number, prompt_tokens: number, completion_tokens: number, cached_tokens: number, busy_s: number}} Group
 */

const STEP_S = { hour: 3600, day: 86_400 };
const MAX_STEPS = 4000;
const MAX_SERIES = 7;
export const OTHERS = "Others";

/** @type {("requests" | "failed" | "prompt_tokens" | "completion_tokens" | "cached_tokens" | "busy_s")[]} */
const SUMS = ["requests", "failed", "prompt_tokens", "completion_tokens", "cached_tokens", "busy_s"];

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

/** @param {readonly Series[]} series @returns {number[][]} For each part the top of the stack up to it. */
export function stacked(series) {
  /** @type {number[]} */
  let below = [];
  return series.map(({ values }) => {
    below = values.map((value, index) => value + (below[index] ?? 0));
    return below;
  });
}

/** @param {readonly Group[]} groups @param {string} column A field, "tokens" or "name". @param {boolean} isDescending @returns {Group[]} */
export function sorted(groups, column, isDescending) {
  const value = (/** @type {any} */ group) => (column === "tokens" ? tokensOf(group) : column === "speed" ? speedOf(group) ?? -1 : group[column]);
  const sign = isDescending ? -1 : 1;
  return [...groups].sort((one, other) => {
    const [first, second] = [value(one), value(other)];
    const order = typeof first === "string" ? first.localeCompare(second) : first - second;
    return sign * order || one.name.localeCompare(other.name);
  });
}

/** @param {{completion_tokens: number, busy_s: number}} usage @returns {number | null} Response tokens for each second in which a model served a request. */
export function speedOf({ completion_tokens: tokens, busy_s: busy }) {
  return busy > 0 && tokens > 0 ? tokens / busy : null;
}

/** @param {number} seconds @returns {string} In hours, beyond a day. */
export function servedTime(seconds) {
  return seconds < 86_400 ? duration(seconds) : `${count(seconds / 3600)} h`;
}
