/** Why a request has no answer yet, as one sentence. Pure. */

import { duration } from "../../lib/format.js";

/**
 * @typedef {{model_name: string, state: string, in_flight: number, loading_for_s?: number | null, expected_load_s?: number | null}} Resident
 * @typedef {{model_name: string, runs_in_s?: number | null}} Waiting
 */

/**
 * @param {{residents: readonly Resident[], waiting: readonly Waiting[]} | null} status
 * @param {string} model Its name in the catalogue. @param {number} waitedS @param {number} ageS The age of the status.
 * @returns {string}
 */
export function waitText(status, model, waitedS, ageS) {
  const so = `${whole(waitedS)} so far`;
  const own = status?.residents.find((resident) => resident.model_name === model);
  if (own?.state === "loading") return loadText(own, model, ageS);
  const queued = status?.waiting.find((entry) => entry.model_name === model);
  if (queued === undefined) return waitedS < 1 ? "Waiting for the answer" : `Waiting for the first token of ${model}, ${so}`;
  const runsInS = queued.runs_in_s === undefined || queued.runs_in_s === null ? null : queued.runs_in_s - ageS;
  const expected = runsInS !== null && runsInS > 0.5 ? `, about ${whole(runsInS)} more` : "";
  return `${reasonOf(status?.residents ?? [], model)}, ${so}${expected}`;
}

/** @param {Resident} own @param {string} model @param {number} ageS */
function loadText(own, model, ageS) {
  const forS = (own.loading_for_s ?? 0) + ageS;
  const expected = own.expected_load_s ? ` of about ${whole(own.expected_load_s)}` : "";
  return `Loading ${model}, ${whole(forS)}${expected}`;
}

/** @param {readonly Resident[]} residents @param {string} model */
function reasonOf(residents, model) {
  const others = residents.filter((resident) => resident.model_name !== model);
  const stopping = others.find((resident) => resident.state === "stopping");
  if (stopping) return `Unloading ${stopping.model_name} to load ${model}`;
  const busy = others.find((resident) => resident.state === "draining") ?? others.find((resident) => resident.in_flight > 0);
  if (busy) return `Waiting for ${busy.model_name} to finish its requests`;
  const loading = others.find((resident) => resident.state === "loading");
  return loading ? `Waiting for ${loading.model_name} to load` : `Queued for ${model}`;
}

/** @param {number} seconds At least one second, in whole seconds. */
function whole(seconds) {
  return duration(Math.max(1, Math.round(seconds))).replace(".0 ", " ");
}
