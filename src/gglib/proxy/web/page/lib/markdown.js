/**
 * Markdown of models, made safe to show. DOMPurify is the second wall behind `markdown_html.js`: few tags, fewer
 * attributes. Its result is a fragment of the document and never text that would be parsed again.
 */

import DOMPurify from "../vendor/dompurify.js";
import { markdownHtml } from "./markdown_html.js";
import { isSafeLink } from "./safe_link.js";

const MAX_CHARS = 30_000;
const KNOWN_CLASS = /^(?:language-[\w+#.-]{1,30}|depth-[1-6])$/;

/** @type {import("../vendor/dompurify.js").Config & {RETURN_DOM_FRAGMENT: true}} */
const RULES = {
  ALLOWED_TAGS: [
    ...["p", "br", "hr", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "ul", "ol", "li", "a"],
    ...["strong", "em", "del", "sub", "sup", "kbd", "mark", "u", "table", "thead", "tbody", "tr", "th", "td"],
  ],
  ALLOWED_ATTR: ["href", "class", "start", "align"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

let isConfigured = false;

/**
 * @param {string} text Markdown.
 * @returns {DocumentFragment} Elements without scripts, styles, forms, images or frames. A text that is too long or too
 *   deeply nested to be parsed is shown as it is.
 */
export function renderMarkdown(text) {
  if (text.length > MAX_CHARS) return asPlainText(text);
  try {
    return sanitized(markdownHtml(text));
  } catch {
    return asPlainText(text); // nested too deeply for the parser
  }
}

/** @param {string} markup @returns {DocumentFragment} */
export function sanitized(markup) {
  if (!isConfigured) configure();
  return /** @type {any} */ (DOMPurify.sanitize(markup));
}

function configure() {
  isConfigured = true;
  DOMPurify.setConfig(RULES); // once: rules given with each text would be read with each text
  DOMPurify.addHook("uponSanitizeAttribute", (_element, attribute) => {
    if (attribute.attrName === "class") attribute.keepAttr = KNOWN_CLASS.test(attribute.attrValue);
    if (attribute.attrName === "href") attribute.keepAttr = isSafeLink(attribute.attrValue);
  });
  DOMPurify.addHook("afterSanitizeAttributes", (element) => {
    if (!(element instanceof Element) || !element.hasAttribute("href")) return;
    const href = element.getAttribute("href") ?? "";
    element.setAttribute("target", "_blank");
    element.setAttribute("rel", "noopener noreferrer nofollow");
    if (element.textContent !== href) element.setAttribute("title", href);
  });
}

/** @param {string} text */
function asPlainText(text) {
  const fragment = document.createDocumentFragment();
  const paragraph = document.createElement("p");
  paragraph.className = "plain";
  paragraph.textContent = text;
  fragment.append(paragraph);
  return fragment;
}
