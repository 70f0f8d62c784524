import assert from "node:assert/strict";
import { test } from "node:test";

import { EMPTY_SPLIT, linkDefinitions, renderMarkdown, splitBlocks } from "../../../src/gglib/proxy/web/page/ui/markdown.js";
import { markup } from "./elements.mjs";

const rendered = (text) => markup(renderMarkdown(text));
const sources = (text) => splitBlocks(text).blocks.map(({ source }) => source);

/** Pieces of documents as models write them. */
const PIECES = [
  "A paragraph\nof two lines.\n\n",
  "# Heading\n",
  "Setext\n===\n\n",
  "- one\n- two\n  - nested\n- three\n\n",
  "1. first\n\n   more of it\n\n2. second\n\n",
  "- item\n\n  ```js\n  let x = 1;\n\n  let y = 2;\n  ```\n- next\n\n",
  "```python\nprint(1)\n\n\n# no heading\n```\n",
  "~~~\n```\ninside\n~~~\n",
  "````md\n```js\nx\n```\n````\n\n",
  "> a quotation\n> goes on\n\n",
  "| a | b |\n|---|--:|\n| 1 | 2 |\n\n",
  "Text before code:\n```sh\nls\n```\nText after code.\n\n",
  "    indented code\n\n    goes on\n\n",
  "***\n\n",
  "\n\n\n",
];

/** A generator with a seed: the same documents in every run. */
function* documents(seed, count) {
  let state = seed;
  const random = (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % limit;
  };
  for (let index = 0; index < count; index += 1) {
    yield Array.from({ length: 1 + random(8) }, () => PIECES[random(PIECES.length)]).join("");
  }
}

test("blocks are the text", () => {
  for (const text of documents(1, 300)) assert.equal(sources(text).join(""), text);
});

test("blocks rendered one by one are the document rendered as a whole", () => {
  const flat = (html) => html.replace(/\n/g, "");
  for (const text of documents(2, 400)) {
    assert.equal(flat(sources(text).map(rendered).join("")), flat(rendered(text)), JSON.stringify(text));
  }
});

test("a text that grows piece by piece ends with the blocks of the whole text", () => {
  for (const text of documents(3, 60)) {
    let split = EMPTY_SPLIT;
    for (let at = 1; at <= text.length; at += 1) split = splitBlocks(text.slice(0, at), split);
    assert.deepEqual(split.blocks, splitBlocks(text).blocks);
  }
});

test("a text that grows keeps its earlier blocks as the same objects", () => {
  const text = "one\n\ntwo\n\nthree\n\nfour\n\n";
  const before = splitBlocks(text);
  const after = splitBlocks(`${text}five`, before);
  assert.equal(after.blocks[0], before.blocks[0]);
  assert.equal(after.blocks[1], before.blocks[1]);
  assert.equal(after.blocks.length, 5);
});

test("another text is split anew", () => {
  const before = splitBlocks("one\n\ntwo\n\nthree");
  assert.deepEqual(splitBlocks("uno\n\ndos\n\ntres", before).blocks.map(({ source }) => source), ["uno\n\n", "dos\n\n", "tres"]);
});

test("a fence is closed by its own mark only", () => {
  assert.deepEqual(sources("```\na\n~~~\n``\n    ```\n```` \nafter"), ["```\na\n~~~\n``\n    ```\n```` \n", "after"]);
});

test("a fence that is still open is one block", () => {
  assert.deepEqual(sources("Text\n\n```js\nlet a;\n\nlet b;"), ["Text\n\n", "```js\nlet a;\n\nlet b;"]);
});

test("a list with blank lines stays whole, and a paragraph after it does not belong to it", () => {
  assert.deepEqual(sources("1. a\n\n2. b\n\nafter"), ["1. a\n\n2. b\n\n", "after"]);
});

test("a very long list is split between items, with its numbers kept", () => {
  const text = Array.from({ length: 500 }, (_, index) => `${index + 1}. item number ${index + 1}\n`).join("");
  const blocks = sources(text);
  assert.ok(blocks.length > 1);
  assert.equal(blocks.join(""), text);
  const number = Number(/^\d+/.exec(blocks[1])[0]);
  assert.match(rendered(blocks[1]), new RegExp(`^<ol start="${number}">`));
});

test("a list whose items are all numbered 1 is not split", () => {
  assert.equal(sources("1. an item of a list\n".repeat(500)).length, 1);
});

test("lines that end with CR LF", () => {
  assert.deepEqual(sources("a\r\n\r\n```\r\nb\r\n```\r\nc"), ["a\r\n\r\n", "```\r\nb\r\n```\r\n", "c"]);
});

test("link definitions are found anywhere", () => {
  assert.equal(linkDefinitions("see [a][1]\n\n[1]: https://example.com\ntext"), "[1]: https://example.com");
  assert.equal(linkDefinitions("no [definition] here"), "");
  assert.equal(linkDefinitions("odd ]: here"), "");
});

test("splitting takes time in proportion to the text", () => {
  const large = "A paragraph with some words.\n\n".repeat(20_000);
  let split = splitBlocks(large);
  const reused = splitBlocks(`${large}more`, split);
  assert.equal(reused.blocks[0], split.blocks[0]);
  assert.equal(reused.blocks.length, split.blocks.length + 1);
});
