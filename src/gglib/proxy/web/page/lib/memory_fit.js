/** How a model fits the memory of the server's machine. Pure. */

import { bytes } from "./format.js";

/**
 * @typedef {import("./api_types.js").Memory} Memory
 * @typedef {import("./api_types.js").Need} Need
 */

/** What a running model takes memory for. */
export const NEED_PARTS = ["weights", "context", "compute"];

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
