/** Which addresses a link may have, if others chose the address. Pure. */

const LINK = /^(?:https?:\/\/|mailto:)/i;

/** @param {string} href @returns {boolean} Whether it may be followed: never a script, a local file or a part of this page. */
export function isSafeLink(href) {
  return LINK.test(href) && URL.canParse(href);
}
