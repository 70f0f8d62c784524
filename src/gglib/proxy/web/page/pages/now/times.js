/** Times that are counted on between two snapshots, in whole seconds so that they are calm to read. Pure. */

import { NO_VALUE, duration } from "../../lib/format.js";

/** @param {number | null | undefined} seconds "4 s", "3 min 20 s". */
export function counting(seconds) {
  if (seconds === null || seconds === undefined) return NO_VALUE;
  return seconds < 59.5 ? `${Math.max(0, Math.round(seconds))} s` : duration(seconds);
}

/** @param {number} now @param {number} at Both of `performance.now()`. @returns {number} Seconds, not negative. */
export function secondsSince(now, at) {
  return Math.max(0, now - at) / 1000;
}

/**
 * @typedef {import("../../lib/api_types.js").ResidentStatus} Resident
 */

/**
 * @param {Resident} resident @param {number} since Seconds since the snapshot.
 * @returns {{fraction: number | null, text: string} | null} How far a load is; null if the model does not load.
 */
export function loadProgress(resident, since) {
  if (resident.state !== "loading") return null;
  const soFar = (resident.loading_for_s ?? 0) + since;
  const whole = resident.expected_load_s ?? null;
  if (whole === null || whole <= 0) return { fraction: null, text: `for ${counting(soFar)}` };
  // A load that takes longer than expected is not over: the bar stays short of its end.
  return { fraction: Math.min(0.97, soFar / whole), text: `${counting(soFar)} of about ${counting(whole)}` };
}

/** @param {Resident} resident @param {number} since Seconds since the snapshot. @returns {string} When an idle model is unloaded. */
export function unloadsText(resident, since) {
  if (resident.is_pinned) return "pinned";
  const limit = resident.idle_ttl_s ?? null;
  if (limit === null) return "no idle limit";
  if ((resident.idle_s ?? null) === null) return `after ${counting(limit)} idle`;
  return `in ${counting(limit - (resident.idle_s ?? 0) - since)}`;
}
