/** What the list of nodes says of one. Pure. */

import { ago, counted } from "../../lib/format.js";

/** @typedef {import("../../lib/api_types.js").Node} Node */

const COLOURS = 8;

/** The tones of the states. @type {Record<Node["state"], "ok" | "warn" | "bad" | "quiet">} */
export const TONES = { ready: "ok", draining: "warn", unknown: "quiet", down: "bad", refused: "bad" };

/** @param {Node} node @returns {boolean} Whether its memory and its queue are known. */
export function answers({ state }) {
  return state === "ready" || state === "draining";
}

/** @param {Pick<Node, "residents">} node @returns {Map<number, number>} The colour (1 to 8) of each of its models, by id. */
export function coloursOf({ residents }) {
  return new Map(residents.map((resident, index) => [resident.model_id, (index % COLOURS) + 1]));
}

/** @param {Pick<Node, "waiting" | "in_flight">} node @returns {string} "3 waiting, 2 in flight", "idle". */
export function workText({ waiting, in_flight: inFlight }) {
  const parts = [waiting > 0 ? `${waiting} waiting` : "", inFlight > 0 ? `${inFlight} in flight` : ""];
  return parts.filter(Boolean).join(", ") || "idle";
}

/** @param {Pick<Node, "is_own" | "url" | "version">} node @returns {string} Where it is, and its version. */
export function placeText({ is_own: isOwn, url, version }) {
  return [isOwn ? "this machine" : url, version].filter(Boolean).join(", ");
}

/** @param {Pick<Node, "models" | "seen_s">} node @returns {string} "12 models in the catalogue"; "" if it was never seen. */
export function catalogueText({ models, seen_s: seen }) {
  return seen === null && models.length === 0 ? "" : `${counted(models.length, "model")} in the catalogue`;
}

/** @param {Node} node @returns {string} Why it cannot be used, and since when it was not seen; "" if it can be. */
export function failureText({ failure, seen_s: seen }) {
  if (failure === null) return "";
  return seen === null ? failure : `${failure} It was last seen ${ago(seen)}.`;
}
