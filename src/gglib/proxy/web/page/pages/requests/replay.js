/** Whether a recorded request can be sent again as it was. Pure. */

/**
 * @typedef {import("../../lib/api_types.js").BodyTexts} BodyTexts
 * @typedef {{body: string, reason: null} | {body: null, reason: string}} Replayable The body to send, or why not.
 */

/** What the recording puts in the place of secrets, files and lists of numbers. */
const REPLACED = /\[redacted: [^\]\n]{1,80}\]|\[[\w.+-]+(?:\/[\w.+-]+)?(?: or [\w./+-]+)?, \d[\d.]* ?(?:[kMG]i?)?B\]|\[\d+ numbers\]|"\[left out\]"/;

/**
 * @param {{route: string, count: number}} request @param {BodyTexts | null} bodies
 * @returns {Replayable}
 */
export function replayable(request, bodies) {
  if (bodies === null) return { body: null, reason: "Its body was not recorded, so it cannot be sent again." };
  if (request.route.includes("{")) return { body: null, reason: "Only requests with a body can be sent again." };
  if (bodies.is_request_cut) return { body: null, reason: "Its body was recorded in part only, so it cannot be sent again." };
  const replaced = REPLACED.exec(bodies.request);
  if (replaced !== null) return { body: null, reason: `Its body was recorded without a secret, a file or numbers (${replaced[0]}), so it cannot be sent again.` };
  if (!isObject(bodies.request)) return { body: null, reason: "Its body is not a JSON object, so it cannot be sent again." };
  return { body: bodies.request, reason: null };
}

/** @param {string} text */
function isObject(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value);
  } catch {
    return false;
  }
}
