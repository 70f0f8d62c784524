import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { languageOf, markdownHtml } from "../../../src/gglib/proxy/web/page/lib/markdown_html.js";
import { isSafeLink } from "../../../src/gglib/proxy/web/page/lib/safe_link.js";

const HOSTILE = JSON.parse(readFileSync(new URL("../../support/hostile_markdown.json", import.meta.url), "utf8"));
const TAGS = /<\/?([a-z][a-z0-9]*)/gi;
const KNOWN = new Set("p br hr h3 h4 h5 h6 blockquote pre code ul ol li a strong em del sub sup kbd mark u table thead tbody tr th td".split(" "));

test("there are enough hostile texts", () => {
  assert.ok(HOSTILE.length >= 60, String(HOSTILE.length));
});

for (const text of HOSTILE) {
  test(`no tag, attribute or address of ${JSON.stringify(text).slice(0, 70)} becomes HTML`, () => {
    const markup = markdownHtml(text);
    for (const [, name] of markup.matchAll(TAGS)) assert.ok(KNOWN.has(name.toLowerCase()), markup);
    for (const [, tag, attributes] of markup.matchAll(/<([a-z0-9]+)((?:\s+[^<>]*)?)\/?>/gi)) {
      const rest = attributes.replace(/\s(?:href="(?:https?:\/\/|mailto:)[^"]*"|class="[\w+#.-]*"|start="\d+"|align="\w+")/gi, "");
      assert.equal(rest.replace("/", "").trim(), "", `${tag}: ${markup}`);
    }
  });
}

test("raw HTML is text, apart from a few tags without attributes", () => {
  assert.equal(markdownHtml("<b>x</b>"), "<p>&lt;b&gt;x&lt;/b&gt;</p>\n");
  assert.equal(markdownHtml("H<sub>2</sub>O<br>x"), "<p>H<sub>2</sub>O<br>x</p>\n");
  assert.equal(markdownHtml("<sub onclick=x>2</sub>"), "<p>&lt;sub onclick=x&gt;2</sub></p>\n");
  assert.equal(markdownHtml("<div>\n**bold**\n</div>"), "<p>&lt;div&gt;<br><strong>bold</strong><br>&lt;/div&gt;</p>\n");
});

test("text inside of raw tags is escaped, entities stay characters", () => {
  assert.equal(markdownHtml("<kbd>a & <img src=x</kbd>"), "<p><kbd>a &amp; &lt;img src=x</kbd></p>\n");
  assert.equal(markdownHtml("&nbsp;&lt;&#39;& x"), "<p>&nbsp;&lt;&#39;&amp; x</p>\n");
});

test("images are links, and never load", () => {
  assert.equal(markdownHtml("![a plot](https://e.com/a.png)"), '<p><a href="https://e.com/a.png">Image: a plot</a></p>\n');
  assert.equal(markdownHtml("![](data:image/png;base64,AA)"), "<p>Image: data:image/png;base64,AA</p>\n");
});

test("links lead to absolute http, https and mailto addresses only", () => {
  assert.equal(markdownHtml("[x](https://e.com/?a=1&b=2)"), '<p><a href="https://e.com/?a=1&amp;b=2">x</a></p>\n');
  assert.equal(markdownHtml("me@e.com"), '<p><a href="mailto:me@e.com">me@e.com</a></p>\n');
  for (const href of ["#/models", "/gglib/stop", "//e.com", "file:///etc/passwd", "vbscript:x"]) {
    assert.equal(markdownHtml(`[x](${href})`), "<p>x</p>\n", href);
    assert.equal(isSafeLink(href), false);
  }
  assert.equal(isSafeLink("https://"), false);
  assert.equal(isSafeLink("HTTPS://E.com"), true);
});

test("headings begin below those of the page", () => {
  assert.equal(markdownHtml("# a\n## b\n###### c"), '<h3 class="depth-1">a</h3>\n<h3 class="depth-2">b</h3>\n<h6 class="depth-6">c</h6>\n');
});

test("code blocks have the class of their language", () => {
  assert.equal(markdownHtml("```C++ file=x\na<b\n```"), '<pre><code class="language-C++">a&lt;b</code></pre>\n');
  assert.equal(markdownHtml("```\na\n```"), "<pre><code>a</code></pre>\n");
  assert.equal(languageOf('"><img'), "");
  assert.equal(languageOf(undefined), "");
});

test("task lists have marks, not fields", () => {
  assert.match(markdownHtml("- [x] done\n- [ ] open"), /<li>☑ done<\/li>\n<li>☐ open<\/li>/);
});
