/**
 * Splits Markdown into blocks that can be rendered one by one, so that a growing text renders only its end anew. Pure.
 *
 * A boundary is placed only where the two sides cannot influence each other: around a fenced code block, at a blank line
 * before an unindented line that does not continue a list, and between the items of a very long list.
 */

/** @typedef {{source: string, start: number}} Block `start`: offset in the text. */
/** @typedef {{text: string, blocks: Block[]}} Split */

/** @type {Split} */
export const EMPTY_SPLIT = { text: "", blocks: [] };

const FENCE = /^ *(`{3,}(?=[^`]*$)|~{3,})/;
const LIST_ITEM = /^ {0,3}(?:[-+*]|\d{1,9}[.)])(?:[ \t]|$)/;
const SEPARABLE_ITEM = /^(?:[-+*]|(?!1[.)])\d{1,9}[.)])[ \t]/; // the number of an item starts its list
const LONG_LIST = 4000;
const DEFINITION = /^ {0,3}\[[^\]\n]+\]:[ \t]*\S.*$/gm;

/**
 * @param {string} text @param {Split} [before] The split of an earlier state of the text. If the text only grew, the
 *   blocks before its last two are reused: a line that was incomplete decides at most about these.
 * @returns {Split}
 */
export function splitBlocks(text, before = EMPTY_SPLIT) {
  const kept = text.startsWith(before.text) ? before.blocks.slice(0, -2) : [];
  const last = kept.at(-1);
  const from = last === undefined ? 0 : last.start + last.source.length;
  return { text, blocks: [...kept, ...scan(text, from)] };
}

/**
 * @param {string} text
 * @returns {string} The link reference definitions of a text, one a line: they hold for all blocks.
 */
export function linkDefinitions(text) {
  return text.includes("]:") ? (text.match(DEFINITION) ?? []).join("\n") : "";
}

/** @param {string} text @param {number} from The start of a block. @returns {Block[]} */
function scan(text, from) {
  /** @type {Block[]} */
  const blocks = [];
  let start = from;
  /** @type {{mark: string, length: number, isTop: boolean} | null} */
  let fence = null;
  let isList = false;
  let isBlank = true; // whether the last line was blank
  let isEmpty = true; // whether the block has only blank lines so far
  const end = (/** @type {number} */ at) => {
    if (at > start) blocks.push({ source: text.slice(start, at), start });
    start = at;
    isList = false;
    isEmpty = true;
  };
  for (let at = from; at < text.length;) {
    const newline = text.indexOf("\n", at);
    const next = newline < 0 ? text.length : newline + 1;
    const line = text.slice(at, newline < 0 ? next : newline).replace(/\r$/, "");
    const indent = line.length - line.trimStart().length;
    if (fence !== null) {
      if (closes(line, indent, fence)) {
        if (fence.isTop) end(next);
        fence = null;
        isBlank = false;
      }
    } else if (indent === line.length) {
      isBlank = true;
    } else {
      const opened = FENCE.exec(line);
      const isTop = indent === 0 || (indent < 4 && !isList);
      const continues = indent > 0 || (isList && LIST_ITEM.test(line));
      const isSeparable = isList && at - start > LONG_LIST && SEPARABLE_ITEM.test(line);
      if (!isEmpty && ((isBlank && !continues) || (opened !== null && isTop) || isSeparable)) end(at);
      if (LIST_ITEM.test(line)) isList = true;
      const marks = opened?.[1] ?? "";
      if (marks !== "" && (isTop || isList)) fence = { mark: marks.charAt(0), length: marks.length, isTop };
      isBlank = false;
      isEmpty = false;
    }
    at = next;
  }
  end(text.length);
  return blocks;
}

/** @param {string} line @param {number} indent @param {{mark: string, length: number, isTop: boolean}} fence */
function closes(line, indent, fence) {
  const mark = line.trim();
  return mark.length >= fence.length && mark === fence.mark.repeat(mark.length) && (indent < 4 || !fence.isTop);
}
