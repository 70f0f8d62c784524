/**
 * Markdown to HTML, before it is sanitized: the first of two walls. Raw HTML of the text becomes visible text, images
 * become links, and links lead to absolute http, https and mailto addresses only. Pure.
 */

import { Marked } from "../vendor/marked.js";
import { isSafeLink } from "./safe_link.js";

const PLAIN_TAG = /^<\/?(?:br|sub|sup|kbd|mark|u)\s*\/?>$/i;

const marked = new Marked({
  gfm: true,
  breaks: true,
  tokenizer: { html: () => undefined }, // no blocks of raw HTML: their text is Markdown like any other
  renderer: {
    text(token) {
      const inner = "tokens" in token ? token.tokens : undefined;
      return inner ? this.parser.parseInline(inner) : escapedText(token.text);
    },
    html: ({ text }) => (PLAIN_TAG.test(text) ? text : escaped(text)),
    heading({ tokens, depth }) {
      const level = Math.max(3, depth); // h1 and h2 are the page's; most texts begin with one of the first three
      return `<h${level} class="depth-${depth}">${this.parser.parseInline(tokens)}</h${level}>\n`;
    },
    link({ href, tokens }) {
      const text = this.parser.parseInline(tokens);
      return isSafeLink(href) ? `<a href="${escapedText(href)}">${text}</a>` : text;
    },
    image({ href, text }) {
      const label = `Image: ${text || href}`;
      return isSafeLink(href) ? `<a href="${escapedText(href)}">${escapedText(label)}</a>` : escapedText(label);
    },
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    code({ text, lang }) {
      const language = languageOf(lang);
      return `<pre><code${language ? ` class="language-${escaped(language)}"` : ""}>${escaped(text)}</code></pre>\n`;
    },
  },
});

/**
 * @param {string} text Markdown, of one block or of a whole text.
 * @returns {string} HTML that must be sanitized before it is shown. Raises whatever a text makes the parser raise.
 */
export function markdownHtml(text) {
  return marked.parse(text, { async: false });
}

/** @param {string | undefined} info The words after the marks of a fence. @returns {string} The language; "" if there is none. */
export function languageOf(info) {
  return /^[\w+#.-]{1,30}/.exec(info?.trim() ?? "")?.[0] ?? "";
}

/** @param {string} text */
function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;").replaceAll("'", "&#39;");
}

/** @param {string} text Markdown's text, in which entities like `&nbsp;` stand for characters. */
function escapedText(text) {
  return escaped(text).replace(/&amp;(#\d{1,7}|#[xX][\da-fA-F]{1,6}|\w{1,31});/g, "&$1;");
}
