/** Which updates of models are under way, and which are made since the sources were asked. Pure. */

import { isActive } from "../../state/downloads_list.js";

/**
 * @typedef {import("../../lib/api_types.js").Update} Update
 * @typedef {import("../../lib/api_types.js").Download} Download
 */

/** @param {readonly Download[]} downloads @returns {Set<string>} The ids of those that are done. */
export function doneIds(downloads) {
  return new Set(downloads.filter(({ state }) => state === "done").map(({ id }) => id));
}

/**
 * @param {Update} update @param {readonly Download[]} downloads Active ones first. @param {ReadonlySet<string>} known Those
 *   that were done when the sources were asked: the update is newer than they are.
 * @returns {Download | null} The one that makes this update, or has made it.
 */
export function pullOf({ state, pull }, downloads, known) {
  if (state !== "changed") return null;
  return downloads.find((download) => download.target === pull && (isActive(download) || (download.state === "done" && !known.has(download.id)))) ?? null;
}
