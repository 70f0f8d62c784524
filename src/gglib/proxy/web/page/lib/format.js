/** Values as text for people. Sizes are decimal (kB, MB, GB), as in the command line. Pure. */

/**
 * @typedef {import("./api_types.js").Memory} Memory
 * @typedef {import("./api_types.js").Need} Need
 */

export const NO_VALUE = "–";

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** What a running model takes memory for. */
export const NEED_PARTS = ["weights", "context", "compute"];

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

/** @param {Memory | null} memory @returns {number | null} What a model can use now: all GPUs, else the RAM. */
export function freeMemory(memory) {
  if (memory === null) return null;
  if (memory.gpus.length > 0) return memory.gpus.reduce((sum, gpu) => sum + gpu.free_bytes, 0);
  return memory.available_bytes;
}

/** @param {Memory} memory @returns {string} "23.8 GB of RAM free of 25.3 GB", "GPU0 22 GB free of 24 GB, …". */
export function memoryText(memory) {
  const gpus = memory.gpus.map((gpu) => `${gpu.name}: ${bytes(gpu.free_bytes)} of ${bytes(gpu.total_bytes)} free`);
  const ram = memory.available_bytes === null ? [] : [`RAM: ${bytes(memory.available_bytes)} of ${bytes(memory.total_bytes)} free`];
  return [...gpus, ...ram].join(", ");
}

/** @param {string} device "ram", "gpu0". @returns {string} "RAM", "GPU 0". */
export function deviceTitle(device) {
  return device.toUpperCase().replace(/^GPU(\d)/, "GPU $1");
}

/**
 * @param {readonly {size: Readonly<Record<string, number>>}[]} residents
 * @returns {string} What models in memory take, which others can get; empty without any.
 */
export function heldText(residents) {
  /** @type {Map<string, number>} */
  const held = new Map();
  for (const { size } of residents) for (const [device, taken] of Object.entries(size)) held.set(device, (held.get(device) ?? 0) + taken);
  if (held.size === 0) return "";
  const sizes = [...held].map(([device, taken]) => `${bytes(taken)} of ${deviceTitle(device)}`);
  return `Models in memory take ${sizes.join(" and ")}, which a swap frees.`;
}

/** @param {Need} need @returns {{label: string, size: number}[]} What a running model takes, by purpose. */
export function needParts(need) {
  const sizes = [need.weights_bytes, need.kv_bytes, need.compute_bytes + need.overhead_bytes];
  return sizes.map((size, index) => ({ label: /** @type {string} */ (NEED_PARTS[index]), size }));
}

/** @param {Need} need @returns {string} "weights 4.9 GB, context 1.1 GB, compute 300 MB" */
export function needText(need) {
  return needParts(need).map(({ label, size }) => `${label} ${bytes(size)}`).join(", ");
}

/**
 * @param {{fit: string, need: Need, slots: number}} variant @param {Memory | null} memory
 * @returns {string} Why it has this fit.
 */
export function fitReason({ fit, need, slots }, memory) {
  const free = freeMemory(memory);
  const needs = `Needs ${need.is_exact ? "" : "about "}${bytes(need.total_bytes)}`;
  const among = free === null ? "" : ` of ${bytes(free)} free`;
  if (fit === "fits") return slots === 1 ? `${needs}${among}, for one request at a time` : `${needs}${among}`;
  if (fit === "too large") return `${needs}${among}`;
  if ((memory?.gpus.length ?? 0) > 0) return `${needs}${among} on the GPU: a part stays in RAM, which is slower`;
  return `${needs}${among}: unload models or close programs first`;
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
