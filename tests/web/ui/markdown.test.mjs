import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { isSafeLink } from "../../../src/gglib/proxy/web/page/lib/api.js";
import { CodeBlock } from "../../../src/gglib/proxy/web/page/ui/controls.js";
import { languageOf, renderMarkdown } from "../../../src/gglib/proxy/web/page/ui/markdown.js";
import { elementsOf, markup } from "./elements.mjs";

const HOSTILE = JSON.parse(readFileSync(new URL("../../support/hostile_markdown.json", import.meta.url), "utf8"));
const KNOWN = new Set("p br hr h3 h4 h5 h6 blockquote pre code ul ol li a strong em del sub sup kbd mark u table thead tbody tr th td".split(" "));
const ATTRIBUTES = { href: /^(?:https?:\/\/|mailto:)/, class: /^(?:depth-[1-6]|plain)$/, start: /^\d+$/, align: /^(?:left|right|center)$/, target: /^_blank$/, rel: /^noopener noreferrer nofollow$/, title: /^(?:https?:\/\/|mailto:)/ };

const rendered = (text) => markup(renderMarkdown(text));

test("there are enough hostile texts", () => {
  assert.ok(HOSTILE.length >= 60, String(HOSTILE.length));
});

for (const text of HOSTILE) {
  test(`no tag, attribute or address of ${JSON.stringify(text).slice(0, 70)} becomes an element`, () => {
    for (const { type, props } of elementsOf(renderMarkdown(text))) {
      if (type === CodeBlock) {
        assert.deepEqual([typeof props.text, typeof props.language], ["string", "string"]);
        continue;
      }
      assert.ok(KNOWN.has(type), String(type));
      for (const [name, value] of Object.entries(props)) {
        if (name !== "children" && value !== undefined) assert.match(String(value), ATTRIBUTES[name], name);
      }
    }
  });
}

test("a link has no way to its opener, and shows where it leads", () => {
  const [paragraph] = renderMarkdown("[x](https://e.com) https://e.com");
  const [named, bare] = [...elementsOf(paragraph)].filter(({ type }) => type === "a").map(({ props }) => props);
  assert.deepEqual([named.target, named.rel, named.title], ["_blank", "noopener noreferrer nofollow", "https://e.com"]);
  assert.deepEqual([bare.target, bare.rel, bare.title], ["_blank", "noopener noreferrer nofollow", undefined]);
});

test("raw HTML is text, apart from a few tags without attributes that are closed again", () => {
  assert.equal(rendered("<b>x</b>"), "<p><b>x</b></p>");
  assert.equal([...elementsOf(renderMarkdown("<b>x</b>"))].length, 1);
  assert.equal(rendered("H<sub>2</sub>O<br>x<BR/>"), "<p>H<sub>2</sub>O<br>x<br></p>");
  assert.deepEqual([...elementsOf(renderMarkdown("<sub onclick=x>2</sub>"))].map(({ type }) => type), ["p"]);
  assert.equal(rendered("<div>\n**bold**\n</div>"), "<p><div><br><strong>bold</strong><br></div></p>");
  assert.deepEqual([...elementsOf(renderMarkdown("<div>\n**bold**\n</div>"))].map(({ type }) => type), ["p", "br", "strong", "br"]);
});

test("tags may be nested; one that is not closed is text, and what is in it is not lost", () => {
  const types = (text) => [...elementsOf(renderMarkdown(text))].map(({ type }) => type).join(" ");
  assert.equal(types("<u>a<sup>b</sup></u>"), "p u sup");
  assert.equal(types("<u>a<sup>b</u> c</sup>"), "p u");
  assert.equal(rendered("<u>a<sup>b</u> c</sup>"), "<p><u>a<sup>b</u> c</sup></p>");
  assert.equal(types("<mark>a **b**"), "p strong");
  assert.equal(rendered("<mark>a <kbd>**b**"), "<p><mark>a <kbd><strong>b</strong></p>");
  assert.equal(types("</u>a<u>"), "p");
  assert.equal(types(`${"<u>".repeat(500)}x${"</u>".repeat(500)}`).split(" ").filter((type) => type === "u").length < 100, true);
});

test("texts of tags are texts, entities stay characters", () => {
  assert.equal(rendered("<kbd>a & <img src=x</kbd>"), "<p><kbd>a & <img src=x</kbd></p>");
  assert.equal(rendered("&nbsp;&lt;&#39;& x &copy; &unknown; &constructor; &toString;"), "<p>\u00a0<'& x © &unknown; &constructor; &toString;</p>");
  assert.equal(rendered("&amp;lt; &#38;lt; \\&lt; `&lt;`"), "<p>&lt; &lt; &lt; <code>&lt;</code></p>");
});

test("images are links, and never load", () => {
  assert.equal(rendered("![a plot](https://e.com/a.png)"), '<p><a href="https://e.com/a.png">Image: a plot</a></p>');
  assert.equal(rendered("![](data:image/png;base64,AA)"), "<p>Image: data:image/png;base64,AA</p>");
});

test("links lead to absolute http, https and mailto addresses only", () => {
  assert.equal(rendered("[x](https://e.com/?a=1&b=2)"), '<p><a href="https://e.com/?a=1&b=2">x</a></p>');
  assert.equal(rendered("me@e.com"), '<p><a href="mailto:me@e.com">me@e.com</a></p>');
  for (const href of ["#/models", "/gglib/stop", "//e.com", "file:///etc/passwd", "vbscript:x"]) {
    assert.equal(rendered(`[x](${href})`), "<p>x</p>", href);
    assert.equal(isSafeLink(href), false);
  }
  assert.equal(isSafeLink("https://"), false);
  assert.equal(isSafeLink("HTTPS://E.com"), true);
});

test("headings begin below those of the page", () => {
  assert.equal(rendered("# a\n## b\n###### c"), '<h3 class="depth-1">a</h3><h3 class="depth-2">b</h3><h6 class="depth-6">c</h6>');
});

test("code blocks have their language", () => {
  assert.equal(rendered("```C++ file=x\na<b\n```"), "<pre C++>a<b</pre>");
  assert.equal(rendered("- ```\n  a\n  ```"), "<ul><li><pre >a</pre></li></ul>");
  assert.equal(languageOf('"><img'), "");
  assert.equal(languageOf(undefined), "");
});

test("task lists have marks, not fields", () => {
  assert.equal(rendered("- [x] done\n- [ ] open"), "<ul><li>☑ done</li><li>☐ open</li></ul>");
  assert.equal(rendered("- [x] done\n\n- b"), "<ul><li><p>☑ done</p></li><li><p>b</p></li></ul>");
});

test("every kind of Markdown has its elements", () => {
  assert.equal(rendered("a  \nb\n\n***\n\n> *c* ~~d~~ `e`"), "<p>a<br>b</p><hr><blockquote><p><em>c</em> <del>d</del> <code>e</code></p></blockquote>");
  assert.equal(rendered("1. a\n2. b\n   - c"), "<ol><li>a</li><li>b<ul><li>c</li></ul></li></ol>");
  assert.equal(rendered("7. a"), '<ol start="7"><li>a</li></ol>');
  assert.equal(rendered("| a | b |\n|:-:|---|\n| **1** | 2 |"), '<table><thead><tr><th align="center">a</th><th>b</th></tr></thead><tbody><tr><td align="center"><strong>1</strong></td><td>2</td></tr></tbody></table>');
  assert.equal(rendered("[x][r]\n\n[r]: https://e.com/?a=1&amp;b=2"), '<p><a href="https://e.com/?a=1&b=2">x</a></p>');
});

test("a text that is too long or too deeply nested is shown as it is", () => {
  for (const text of ["x".repeat(40_000), ">".repeat(200), ">".repeat(25_000)]) {
    assert.equal(rendered(text), `<p class="plain">${text}</p>`);
  }
  assert.equal([...elementsOf(renderMarkdown(">".repeat(50)))].length, 50);
});
