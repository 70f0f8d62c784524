/**
 * Shows Markdown of models, block by block: of a text that grows, only the last blocks are rendered again.
 *
 * The parser's tokens become elements of a few kinds. No HTML is ever made: tags in the text are shown as text, apart
 * from a few without attributes; images become links, and links lead to absolute http, https and mailto addresses only.
 */

import { h, html, useMemo, useRef } from "../lib/html.js";
import { isSafeLink } from "../lib/api.js";
import { Marked } from "../vendor/marked.js";
import { CodeBlock } from "./controls.js";

/** @typedef {any} Token As `marked` describes them; what is not known is shown as it was typed. */
/** @typedef {{source: string, start: number}} Block `start`: offset in the text. */
/** @typedef {{text: string, blocks: Block[]}} Split */

/** @type {Split} */
export const EMPTY_SPLIT = { text: "", blocks: [] };

const FENCE = /^ *(`{3,}(?=[^`]*$)|~{3,})/;
const LIST_ITEM = /^ {0,3}(?:[-+*]|\d{1,9}[.)])(?:[ \t]|$)/;
const SEPARABLE_ITEM = /^(?:[-+*]|(?!1[.)])\d{1,9}[.)])[ \t]/; // the number of an item starts its list
const LONG_LIST = 4000;
const DEFINITION = /^ {0,3}\[[^\]\n]+\]:[ \t]*\S.*$/gm;
const MAX_CHARS = 30_000;
const MAX_DEPTH = 100;
/** Tags that are elements if they are closed again among the same tokens, or that stand alone. */
const TAG = /^<(\/?)(br|sub|sup|kbd|mark|u)\s*\/?>$/i;
const ENTITY = /&(\w{1,31});/g;
/** The usual ones of more than 2000; the parser itself replaces numbers. */
const ENTITIES = new Map(Object.entries({
  amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", ensp: "\u2002", emsp: "\u2003", shy: "\u00ad",
  copy: "©", reg: "®", trade: "™", hellip: "…", mdash: "—", ndash: "–", lsquo: "‘", rsquo: "’", ldquo: "“", rdquo: "”", laquo: "«", raquo: "»",
  bull: "•", middot: "·", times: "×", divide: "÷", plusmn: "±", minus: "−", deg: "°", micro: "µ", frac12: "½", sup2: "²", sup3: "³",
  euro: "€", pound: "£", yen: "¥", cent: "¢", sect: "§", larr: "←", uarr: "↑", rarr: "→", darr: "↓", harr: "↔", rArr: "⇒",
  le: "≤", ge: "≥", ne: "≠", asymp: "≈", infin: "∞", sum: "∑", alpha: "α", beta: "β", gamma: "γ", delta: "δ", lambda: "λ", mu: "μ", pi: "π", sigma: "σ", omega: "ω",
}));
const marked = new Marked({ gfm: true, breaks: true, tokenizer: { html: () => undefined } }); // no blocks of raw HTML: their text is Markdown like any other

/** @param {{text: string}} props */
export function Markdown({ text }) {
  const split = useRef(EMPTY_SPLIT);
  const drawn = useRef(/** @type {{source: string, needs: string, node: unknown}[]} */ ([]));
  if (split.current.text !== text) split.current = splitBlocks(text, split.current);
  const definitions = linkDefinitions(text);
  drawn.current = split.current.blocks.map(({ source }, index) => {
    const before = drawn.current[index];
    const needs = definitions && source.includes("[") ? definitions : "";
    if (before?.source === source && before.needs === needs) return before;
    return { source, needs, node: html`<${BlockView} key=${index} source=${source} definitions=${needs} />` };
  });
  return html`<div class="markdown">${drawn.current.map(({ node }) => node)}</div>`;
}

/** @param {{source: string, definitions: string}} props */
function BlockView({ source, definitions }) {
  const text = definitions ? `${definitions}\n\n${source}` : source;
  return useMemo(() => {
    const code = topLevelCode(source);
    return code ? html`<${CodeBlock} ...${code} />` : html`<div class="markdown-text">${renderMarkdown(text)}</div>`;
  }, [text]);
}

/** @param {string} source @returns {{text: string, language: string} | null} The code, if the block is one fenced code block at the margin. */
function topLevelCode(source) {
  const opening = /^(?:[ \t]*\n)*(`{3,}|~{3,})([^`\n]*)(?:\n|$)/.exec(source);
  if (opening === null) return null;
  const [all, marks = "", info] = opening;
  const lines = source.slice(all.length).trimEnd().split(/\r?\n/);
  const last = lines.at(-1)?.trim() ?? "";
  const isClosed = last.length >= marks.length && last === marks.charAt(0).repeat(last.length);
  return { text: (isClosed ? lines.slice(0, -1) : lines).join("\n"), language: languageOf(info) };
}

/** @param {string | undefined} info The words after the marks of a fence. @returns {string} The language; "" if there is none. */
export function languageOf(info) {
  return /^[\w+#.-]{1,30}/.exec(info?.trim() ?? "")?.[0] ?? "";
}

/**
 * @param {string} text Markdown, of one block or of a whole text.
 * @returns {import("../vendor/preact.js").ComponentChildren} Elements without scripts, styles, forms, images or frames. A text that is too long or too deeply
 *   nested is shown as it is.
 */
export function renderMarkdown(text) {
  try {
    if (text.length <= MAX_CHARS) return elements(marked.lexer(text), 0);
  } catch {
    // Nested too deeply.
  }
  return h("p", { class: "plain" }, text);
}

/**
 * @param {Token[]} tokens @param {number} depth Of elements around them. @returns {any[]} Raises RangeError beyond `MAX_DEPTH`.
 */
function elements(tokens, depth) {
  if (depth > MAX_DEPTH) throw new RangeError("nested too deeply");
  /** The content, and that of tags which are not closed yet. @type {{name: string, tag: string, content: any[]}[]} */
  const open = [{ name: "", tag: "", content: [] }];
  const add = (/** @type {unknown} */ content) => open.at(-1)?.content.push(content);
  const closeAbove = (/** @type {number} */ level) => { // what is not closed is text
    for (const { tag, content } of open.splice(level)) add([tag, content]);
  };
  for (const token of tokens) {
    const [tag = "", slash, cased] = (token.type === "html" && TAG.exec(token.text)) || [];
    const name = cased?.toLowerCase();
    const level = slash ? open.findLastIndex((each) => each.name === name) : -1;
    if (name === "br") add(h("br", null));
    else if (name && !slash && depth + open.length < MAX_DEPTH) open.push({ name, tag, content: [] });
    else if (name && level > 0) {
      closeAbove(level + 1);
      add(h(name, null, open.pop()?.content));
    } else add(element(token, depth + open.length));
  }
  closeAbove(1);
  return open[0]?.content ?? [];
}

/** @param {Token} token @param {number} depth @returns {unknown} */
function element(token, depth) {
  const content = (/** @type {Token} */ { tokens }) => elements(tokens, depth);
  const row = (/** @type {string} */ name, /** @type {Token[]} */ cells) => h("tr", null, cells.map((cell) => h(name, { align: cell.align ?? undefined }, content(cell))));
  switch (token.type) {
    case "space": case "def": return null;
    case "paragraph": return h("p", null, content(token));
    case "heading": // h1 and h2 are the page's; most texts begin with one of the first three
      return h(`h${Math.max(3, token.depth)}`, { class: `depth-${token.depth}` }, content(token));
    case "blockquote": case "strong": case "em": case "del": return h(token.type, null, content(token));
    case "hr": case "br": return h(token.type, null);
    case "code": return html`<${CodeBlock} text=${token.text} language=${languageOf(token.lang)} />`;
    case "codespan": return h("code", null, token.text);
    case "list":
      return h(token.ordered ? "ol" : "ul", { start: token.ordered && token.start !== 1 ? token.start : undefined }, token.items.map((/** @type {Token} */ item) => h("li", null, content(item))));
    case "checkbox": return token.checked ? "☑ " : "☐ ";
    case "table":
      return h("table", null, h("thead", null, row("th", token.header)), h("tbody", null, token.rows.map((/** @type {Token[]} */ cells) => row("td", cells))));
    case "link": return anchor(token, content(token));
    case "image": return anchor(token, `Image: ${decoded(token.text || token.href)}`);
    case "text": return token.tokens ? content(token) : decoded(token.text);
    case "escape": return token.text;
    default: return token.raw;
  }
}

/** @param {Token} token @param {import("../vendor/preact.js").ComponentChildren} content */
function anchor(token, content) {
  const href = decoded(token.href);
  if (!isSafeLink(href)) return content;
  return h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow", title: decoded(token.text) === href ? undefined : href }, content);
}

/** @param {string} text Markdown's text, in which entities like `&nbsp;` stand for characters. */
function decoded(text) {
  return text.replace(ENTITY, (all, name) => ENTITIES.get(name) ?? all);
}

/**
 * Split Markdown into blocks that can be rendered one by one. A boundary is placed only where the two sides cannot
 * influence each other: around a fenced code block, at a blank line before an unindented line that does not continue a
 * list, and between the items of a very long list.
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
