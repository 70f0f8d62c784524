/** What the bars of memory show: models in memory, other use, free memory, the budget. Sizes in bytes. Pure. */

import { deviceTitle } from "../../lib/memory_fit.js";

/**
 * @typedef {import("../../lib/api_types.js").Status} Status
 * @typedef {{id: number, name: string, colour: number, size: number, measured: number | null, isMeasured: boolean}} ModelShare
 * @typedef {{device: string, title: string, total: number, isTotalKnown: boolean, free: number | null, other: number,
 *   limit: number | null, used: number, models: ModelShare[]}} DeviceBar
 * `size` is what the scheduler counts with; `used` is the sum of the sizes.
 */

/** How many colours there are for models: `--series-1` and further ones. */
export const COLOURS = 8;

/**
 * @param {ReadonlyMap<number, number>} before The colour (1 to 8) of each model, by id.
 * @param {readonly number[]} ids The models in memory now.
 * @returns {Map<number, number>} A model keeps its colour as long as it is in memory.
 */
export function assignColours(before, ids) {
  const colours = new Map(ids.filter((id) => before.has(id)).map((id) => [id, /** @type {number} */ (before.get(id))]));
  for (const id of ids) {
    if (!colours.has(id)) colours.set(id, firstFree(new Set(colours.values()), colours.size));
  }
  return colours;
}

/** @param {ReadonlySet<number>} taken @param {number} index Of the model, when all are taken. */
function firstFree(taken, index) {
  for (let colour = 1; colour <= COLOURS; colour += 1) if (!taken.has(colour)) return colour;
  return (index % COLOURS) + 1;
}

/** @param {Status} status @param {ReadonlyMap<number, number>} colours @returns {DeviceBar[]} RAM first, then GPUs. */
export function deviceBars(status, colours) {
  const names = new Set([...Object.keys(status.devices ?? {}), ...Object.keys(status.limits)]);
  for (const resident of status.residents) for (const device of Object.keys(resident.size)) names.add(device);
  return [...names].sort(inOrder).map((device) => deviceBar(status, device, colours));
}

/** @param {Status} status @param {string} device @param {ReadonlyMap<number, number>} colours @returns {DeviceBar} */
function deviceBar(status, device, colours) {
  const models = status.residents.map((resident) => ({
    id: resident.model_id,
    name: resident.model_name,
    colour: colours.get(resident.model_id) ?? 1,
    size: resident.size[device] ?? 0,
    measured: resident.measured_size?.[device] ?? null,
    isMeasured: resident.is_measured,
  })).filter((model) => model.size > 0);
  const used = models.reduce((sum, model) => sum + model.size, 0);
  const memory = status.devices?.[device];
  const limit = status.limits[device] ?? null;
  const physical = memory?.total_bytes ?? null;
  const free = memory?.available_bytes ?? null;
  // Files that an engine maps are available memory: other use is then counted too low, never below zero.
  const other = physical === null || free === null ? 0 : Math.max(0, physical - free - used);
  const total = Math.max(physical ?? limit ?? used, used + other);
  return { device, title: deviceTitle(device), total, isTotalKnown: physical !== null, free, other, limit, used, models };
}

/** @param {ModelShare} share @returns {{solid: number, lighter: number}} Measured bytes, and those that are only expected. */
export function solidAndLighter({ size, measured, isMeasured }) {
  const solid = isMeasured ? Math.min(size, measured ?? size) : 0;
  return { solid, lighter: size - solid };
}

/** @param {Readonly<Record<string, number>> | undefined} sizes @returns {number | null} The sum over all devices; null if unknown. */
export function sumOf(sizes) {
  const values = Object.values(sizes ?? {});
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
}

/** @param {string} first @param {string} second */
function inOrder(first, second) {
  if ((first === "ram") !== (second === "ram")) return first === "ram" ? -1 : 1;
  return first.localeCompare(second, "en", { numeric: true });
}
