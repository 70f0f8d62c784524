/** The phases of swaps for the time chart. Times in seconds. Pure. */

/**
 * @typedef {import("../../lib/api_types.js").SwapStatus} Swap
 * @typedef {{id: "wait" | "drain" | "stop" | "load", title: string}} Phase
 * @typedef {{id: Phase["id"], title: string, seconds: number}} Segment
 */

/** In their order. @type {readonly Phase[]} */
export const PHASES = [
  { id: "wait", title: "waited" },
  { id: "drain", title: "drain" },
  { id: "stop", title: "stop" },
  { id: "load", title: "load" },
];

const LEAST_S = 0.05;

/** @param {Swap} swap @returns {Segment[]} The phases that took a notable time. */
export function segmentsOf(swap) {
  const seconds = { wait: swap.waited_s, drain: swap.drain_s, stop: swap.stop_s, load: swap.load_s };
  return PHASES.map(({ id, title }) => ({ id, title, seconds: seconds[id] })).filter((segment) => segment.seconds >= LEAST_S);
}

/** @param {Swap} swap @returns {number} */
export function lengthOf(swap) {
  return Math.max(swap.total_s, segmentsOf(swap).reduce((sum, segment) => sum + segment.seconds, 0));
}

/** @param {readonly Swap[]} swaps @returns {number} The scale of the chart: the longest of them, at least a second. */
export function scaleOf(swaps) {
  return Math.max(1, ...swaps.map(lengthOf));
}

/** @param {Swap} swap @param {number} index @returns {string} A key that stays when newer swaps come before it. */
export function keyOf(swap, index) {
  return swap.ended_at ? `${swap.ended_at} ${swap.from_model} ${swap.to_model}` : `at ${index}`;
}

/** @param {Swap} swap @returns {string} What happened, for those that do not see the chart. */
export function moveText({ from_model: from, to_model: to }) {
  if (to === null) return `${from} unloaded`;
  return from === null ? `${to} loaded` : `${from} replaced by ${to}`;
}
