/** Values as text for people. Sizes are decimal (kB, MB, GB), as in the command line. Pure. */

export const NO_VALUE = "–";

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** @param {number | null | undefined} value In bytes. */
export function bytes(value) {
  if (value === null || value === undefined) return NO_VALUE;
  let amount = value;
  let unit = 0;
  while (Math.abs(amount) >= 999.5 && unit < UNITS.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || amount >= 99.5 ? 0 : amount >= 9.95 ? 1 : 2;
  return `${trimmed(amount.toFixed(unit < 2 ? 0 : digits))} ${UNITS[unit]}`;
}

/** @param {number | null | undefined} seconds "850 ms", "4.2 s", "3 min 20 s", "2 h 5 min", "3 d". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return NO_VALUE;
  if (seconds < 0.9995) return `${Math.round(Math.max(0, seconds) * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return parts(Math.floor(whole / 60), "min", whole % 60, "s");
  const minutes = Math.round(whole / 60);
  if (minutes < 1440) return parts(Math.floor(minutes / 60), "h", minutes % 60, "min");
  return `${Math.round(whole / 86400)} d`;
}

/** @param {number | null | undefined} seconds The time since something, as "just now" or "5 min ago". */
export function ago(seconds) {
  if (seconds === null || seconds === undefined) return NO_VALUE;
  if (seconds < 2) return "just now";
  if (seconds < 60) return `${Math.round(seconds)} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} d ago`;
}

/** @param {number | null | undefined} value An integer with separators: "21,275". */
export function count(value) {
  return value === null || value === undefined ? NO_VALUE : Math.round(value).toLocaleString("en-US");
}

/** @param {number | null | undefined} value A short form for axes and cards: "1.2 k", "3.4 M". */
export function shortCount(value) {
  if (value === null || value === undefined) return NO_VALUE;
  if (Math.abs(value) < 1000) return trimmed(value.toFixed(value % 1 === 0 ? 0 : 1));
  if (Math.abs(value) < 999_500) return `${trimmed((value / 1000).toFixed(value < 99_500 ? 1 : 0))} k`;
  return `${trimmed((value / 1e6).toFixed(1))} M`;
}

/** @param {number | null | undefined} value Per second: "47.1 /s". */
export function rate(value) {
  if (value === null || value === undefined) return NO_VALUE;
  return `${value >= 99.5 ? Math.round(value) : value.toFixed(1)} /s`;
}

/** @param {number | null | undefined} fraction 0 to 1. */
export function percent(fraction) {
  return fraction === null || fraction === undefined ? NO_VALUE : `${Math.round(fraction * 100)} %`;
}

/** @param {number | null | undefined} unixSeconds Local date and time: "2026-11-29 22:41:07". */
export function dateTime(unixSeconds) {
  if (unixSeconds === null || unixSeconds === undefined) return NO_VALUE;
  const date = new Date(unixSeconds * 1000);
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day} ${clock(unixSeconds)}`;
}

/** @param {number | null | undefined} unixSeconds Local time: "22:41:07". */
export function clock(unixSeconds) {
  if (unixSeconds === null || unixSeconds === undefined) return NO_VALUE;
  const date = new Date(unixSeconds * 1000);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
}

/** @param {number} amount @param {string} noun @param {string} [plural] */
export function counted(amount, noun, plural = `${noun}s`) {
  return `${count(amount)} ${amount === 1 ? noun : plural}`;
}

/** @param {number} large @param {string} unit @param {number} small @param {string} smallUnit */
function parts(large, unit, small, smallUnit) {
  return small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smallUnit}`;
}

/** @param {string} text */
function trimmed(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** @param {number} value */
function two(value) {
  return String(value).padStart(2, "0");
}
