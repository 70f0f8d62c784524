/** The list of downloads, and what one shows of its progress. Pure. */

import { bytes, duration } from "../lib/format.js";

/** @typedef {import("../lib/api_types.js").Download} Download */

const ORDER = ["running", "queued", "paused"];
const PHASES = /** @type {Record<string, string>} */ ({
  waiting: "Waiting for another download of the same file",
  downloading: "Downloading",
  verifying: "Verifying",
  adding: "Adding to the catalogue",
});

/** @param {readonly Download[]} downloads @returns {Download[]} Active ones first, then the newest. */
export function inOrder(downloads) {
  const rank = (/** @type {Download} */ { state }) => (ORDER.includes(state) ? ORDER.indexOf(state) : ORDER.length);
  return [...downloads].sort((a, b) => rank(a) - rank(b) || b.created_at - a.created_at || b.id.localeCompare(a.id));
}

/** @param {readonly Download[]} downloads @param {Download} changed @returns {Download[]} */
export function replaced(downloads, changed) {
  return downloads.some(({ id }) => id === changed.id)
    ? downloads.map((download) => (download.id === changed.id ? changed : download))
    : [...downloads, changed];
}

/**
 * @param {readonly Download[]} known @param {readonly Download[]} listed @param {readonly Download[]} [before] The known ones when the listing was asked for.
 * @returns {Download[]} The listed ones. What changed since the listing was asked for stays as it is, and so does the progress of a stream, which is newer.
 */
export function merged(known, listed, before = known) {
  const byId = new Map(known.map((download) => [download.id, download]));
  const earlier = new Set(before);
  const ids = new Set(listed.map(({ id }) => id));
  const current = listed.map((download) => {
    const own = byId.get(download.id);
    const isNewer = own?.state === "running" && download.state === "running" && own.done_bytes > download.done_bytes;
    return own && (isNewer || !earlier.has(own)) ? own : download;
  });
  return [...current, ...known.filter((download) => !ids.has(download.id) && !earlier.has(download))];
}

/** @param {Download} download @returns {boolean} Whether it runs or will run by itself. */
export function isActive({ state }) {
  return state === "running" || state === "queued";
}

/** @param {Download} download @returns {number | null} From 0 to 1; null: unknown. */
export function shareOf({ state, done_bytes: done, total_bytes: total, phase }) {
  if (state === "done") return 1;
  if (phase === "waiting" || phase === "adding" || !total) return null;
  return Math.min(1, done / total);
}

/** @param {Download} download @returns {string} What it does now, in one line. */
export function stateText(download) {
  const { state, phase, done_bytes: done, total_bytes: total } = download;
  const sizes = total ? `${bytes(done)} of ${bytes(total)}` : done > 0 ? bytes(done) : "";
  switch (state) {
    case "queued":
      return "Waiting for its turn";
    case "running":
      return [PHASES[phase ?? ""] ?? "Starting", sizes, speedText(download)].filter(Boolean).join(" · ");
    case "paused":
      return ["Paused", sizes].filter(Boolean).join(" at ");
    case "cancelled":
      return ["Cancelled", sizes].filter(Boolean).join(" at ");
    case "failed":
      return "Failed";
    default:
      return ["Ready to use", total ? bytes(total) : ""].filter(Boolean).join(" · ");
  }
}

/** @param {Download} download @returns {string} */
function speedText({ phase, bytes_per_s: speed, left_s: left }) {
  if (phase !== "downloading" || !speed) return "";
  return `${bytes(speed)}/s${left === null ? "" : ` · ${duration(left)} left`}`;
}
