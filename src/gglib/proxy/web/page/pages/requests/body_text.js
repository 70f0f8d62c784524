/** A recorded body as text to read. Pure. */

const FOLD_LINES = 60;
const FOLD_CHARS = 6000;
/** Controls, and characters that change the direction of text: they would hide what is there. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** @param {string} text @returns {string} Indented if it is JSON; characters that cannot be seen are escapes. */
export function readable(text) {
  return pretty(text).replace(/\r\n/g, "\n").replace(UNSEEN, (unseen) => `\\u${unseen.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** @param {string} text @returns {{text: string, lines: number, isFolded: boolean}} The beginning of a long text. */
export function folded(text) {
  const lines = text.split("\n");
  if (lines.length <= FOLD_LINES * 1.2 && text.length <= FOLD_CHARS * 1.2) return { text, lines: lines.length, isFolded: false };
  const beginning = lines.slice(0, FOLD_LINES).join("\n").slice(0, FOLD_CHARS);
  return { text: beginning, lines: lines.length, isFolded: true };
}

/** @param {string} text */
function pretty(text) {
  if (!/^\s*[{[]/.test(text)) return text;
  try {
    const value = JSON.parse(text);
    return hasLargeInteger(text) ? text : JSON.stringify(value, null, 2);
  } catch {
    return text;
  }
}

/** @param {string} text Whether a number may be shown inexactly: it has more digits than a double. */
function hasLargeInteger(text) {
  return /(?:^|[\s:,[])-?\d{16,}(?=[\s,}\]]|$)/.test(text);
}
