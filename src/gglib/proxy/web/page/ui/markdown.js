/** Shows Markdown, block by block: of a text that grows, only the last blocks are rendered again. */

import { html, render, useLayoutEffect, useRef } from "../lib/html.js";
import { renderMarkdown } from "../lib/markdown.js";
import { EMPTY_SPLIT, linkDefinitions, splitBlocks } from "../lib/markdown_blocks.js";
import { languageOf } from "../lib/markdown_html.js";
import { CodeBlock } from "./code_block.js";

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
  const code = topLevelCode(source);
  return code === null ? html`<${TextBlock} source=${definitions ? `${definitions}\n\n${source}` : source} />` : html`<${CodeBlock} ...${code} />`;
}

/** @param {{source: string}} props */
function TextBlock({ source }) {
  const root = useRef(/** @type {HTMLDivElement | null} */ (null));
  useLayoutEffect(() => {
    const fragment = renderMarkdown(source);
    const hosts = [...fragment.querySelectorAll("pre")].map(withCopyButton);
    root.current?.replaceChildren(fragment);
    return () => hosts.forEach((host) => render(null, host));
  }, [source]);
  return html`<div class="markdown-text" ref=${root}></div>`;
}

/** Replace a code block inside of a list or a quotation by one with a head. @param {HTMLPreElement} pre */
function withCopyButton(pre) {
  const host = document.createElement("div");
  const language = pre.querySelector("code")?.className.replace("language-", "");
  pre.replaceWith(host);
  render(html`<${CodeBlock} text=${pre.textContent ?? ""} language=${language} />`, host);
  return host;
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
