/** What a tree of elements has, for tests without a document. */

import { CodeBlock } from "../../../src/gglib/proxy/web/page/ui/controls.js";

/** All elements of a tree, outermost first. */
export function* elementsOf(node) {
  if (Array.isArray(node)) for (const each of node) yield* elementsOf(each);
  else if (node !== null && typeof node === "object") {
    yield node;
    yield* elementsOf(node.props.children);
  }
}

/** A tree as HTML for comparison, without escapes: a code block as `pre`; what all links have is left out. */
export function markup(node) {
  if (Array.isArray(node)) return node.map(markup).join("");
  if (node === null || node === undefined) return "";
  if (typeof node !== "object") return String(node);
  const { children, target, rel, title, ...attributes } = node.props;
  if (node.type === CodeBlock) return `<pre ${attributes.language}>${attributes.text}</pre>`;
  const shown = Object.entries(attributes).filter(([, value]) => value !== undefined).map(([name, value]) => ` ${name}="${value}"`);
  return `<${node.type}${shown.join("")}>${markup(children)}${["br", "hr"].includes(node.type) ? "" : `</${node.type}>`}`;
}
