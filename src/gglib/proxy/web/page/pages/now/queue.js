/** The waiting requests by model, and when they are expected to run. Pure. */

import { counting } from "./times.js";

/**
 * @typedef {import("../../lib/api_types.js").WaitingStatus} Waiting
 * @typedef {import("../../lib/api_types.js").RunningRequest & {seenAt: number}} Request
 * @typedef {{model: string, waiting: number, longest: number, runsIn: number | null, isMinimum: boolean, waitsFor: string, requests: Request[]}} Group
 * Times in seconds, as of the snapshot.
 */

/**
 * @param {readonly Waiting[]} waiting @param {readonly Request[]} running All requests in progress.
 * @returns {Group[]} The longest wait first. A model whose requests began to wait after the snapshot is at the end.
 */
export function queueGroups(waiting, running) {
  const groups = [...waiting].sort((a, b) => b.longest_wait_s - a.longest_wait_s).map((entry) => ({
    model: entry.model_name,
    waiting: entry.waiting,
    longest: entry.longest_wait_s,
    runsIn: entry.runs_in_s ?? null,
    isMinimum: entry.is_minimum ?? false,
    waitsFor: entry.waits_for ?? "",
    requests: /** @type {Request[]} */ ([]),
  }));
  const byModel = new Map(groups.map((group) => [group.model, group]));
  for (const request of running) {
    if (request.state === "waiting" && request.model !== null) byModel.get(request.model)?.requests.push(request);
  }
  return groups;
}

/** @param {Group} group @param {number} since Seconds since the snapshot. @returns {string} */
export function runsInText({ runsIn, isMinimum }, since) {
  if (runsIn === null) return "not known";
  const left = runsIn - since;
  if (left < 0.5) return isMinimum ? "not known" : "now";
  return `${isMinimum ? "at least" : "about"} ${counting(left)}`;
}

/** @param {Group} group @returns {string} "2 responses of llama", "its load"; "–" if unknown. */
export function waitsForText({ waitsFor }) {
  return waitsFor || "–";
}

/** @param {Pick<Request, "client" | "address">} request @returns {string} */
export function clientText({ client, address }) {
  return client ?? address ?? "unknown client";
}
