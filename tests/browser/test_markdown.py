"""Markdown of models is harmless in a browser, under the policy of the page."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route
from tests.support.page_files import BASE, ORIGIN, fulfil_status, serve_page

HOSTILE: list[str] = json.loads(
    (Path(__file__).parents[1] / "support/hostile_markdown.json").read_text(encoding="utf-8")
)
TAGS = {
    *(
        "A",
        "P",
        "BR",
        "HR",
        "H3",
        "H4",
        "H5",
        "H6",
        "BLOCKQUOTE",
        "PRE",
        "CODE",
        "UL",
        "OL",
        "LI",
        "STRONG",
        "EM",
    ),
    *("DEL", "SUB", "SUP", "KBD", "MARK", "U", "TABLE", "THEAD", "TBODY", "TR", "TH", "TD"),
}
ATTRIBUTES = {"href", "class", "start", "align", "target", "rel", "title"}
_SHOWN = """
async (texts) => {
  globalThis.alert = (text) => { globalThis.alerted = text; };
  const { render } = await import('BASE/lib/html.js');
  const { renderMarkdown } = await import('BASE/ui/markdown.js');
  const place = document.createElement('div');
  document.body.append(place);
  const results = [];
  for (const text of texts) {
    render(null, place);
    render(renderMarkdown(text), place);
    const all = [...place.querySelectorAll('*')];
    for (const element of all) { element.click?.(); element.dispatchEvent(new Event('mouseover')); }
    const blocks = [...place.querySelectorAll('.code-block')];
    const elements = all.filter((element) => !element.closest('.code-block'));
    results.push({
      elements: elements.map((element) => [element instanceof HTMLElement ? element.tagName : 'foreign',
        Object.fromEntries([...element.attributes].map(({ name, value }) => [name, value]))]),
      blocks: blocks.map((block) => [...block.querySelectorAll('pre *, span *')].map(({ tagName }) => tagName)),
      text: place.textContent,
    });
  }
  await new Promise((resolve) => setTimeout(resolve));
  return { results, alerted: globalThis.alerted ?? null, href: location.href };
}
""".replace("BASE", BASE)


def _show(page: Page, texts: list[str]) -> list[dict[str, Any]]:
    """Return the elements and the visible text of each text; nothing may run, load or navigate."""
    elsewhere = serve_page(page, _no_api)
    page.context.on("page", lambda opened: opened.close())
    page.goto(f"{ORIGIN}/")
    page.evaluate("document.addEventListener('click', (event) => event.preventDefault())")
    shown: dict[str, Any] = page.evaluate(_SHOWN, texts)
    assert shown["alerted"] is None
    assert elsewhere == []
    results: list[dict[str, Any]] = shown["results"]
    return results


def _check(text: str, shown: dict[str, Any]) -> None:
    for tag, attributes in shown["elements"]:
        assert tag in TAGS, (text, tag)
        assert set(attributes) <= ATTRIBUTES, (text, attributes)
        if "href" in attributes:
            assert attributes["href"].startswith(("https://", "http://", "mailto:")), (text, attributes)
            assert attributes["rel"].startswith("noopener"), (text, attributes)
            assert attributes["target"] == "_blank", (text, attributes)
        for name in attributes.get("class", "").split():
            assert name.startswith("depth-") or name == "plain", (text, attributes)
    for elements in shown["blocks"]:
        assert elements == ["CODE"], (text, elements)


def test_hostile_markdown_is_text(page: Page) -> None:
    """Nothing beyond the allowed elements; the policy has nothing to block, because no text is parsed as HTML."""
    for text, shown in zip(HOSTILE, _show(page, HOSTILE), strict=True):
        _check(text, shown)


@pytest.mark.parametrize(
    "text",
    ["x" * 40_000, ">" * 25_000, "[" * 25_000, "- " * 12_000],
    ids=["long", "deep", "brackets", "list"],
)
def test_texts_that_the_parser_cannot_bear_are_shown_as_they_are(page: Page, text: str) -> None:
    """No exception, and no text is lost: a model in a loop must not stop the page."""
    (shown,) = _show(page, [text])
    if text[0] != "-":
        assert len(shown["text"].strip()) == len(text)


def test_without_trusted_types_the_result_is_the_same(page: Page) -> None:
    """Browsers without trusted types get the same elements."""
    page.add_init_script("delete globalThis.trustedTypes; delete globalThis.TrustedHTML")
    text = "**bold** [link](https://example.com) <img src=x onerror=alert(1)>"
    serve_page(page, _no_api)
    page.route(
        f"{ORIGIN}/plain", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html")
    )
    page.goto(f"{ORIGIN}/plain")
    shown = page.evaluate(_SHOWN, [text])["results"][0]
    assert [tag for tag, _ in shown["elements"]] == ["P", "STRONG", "A"]


def test_a_growing_text_keeps_the_elements_of_its_blocks(page: Page) -> None:
    """Only the end of a long answer is drawn again, and the whole is what one rendering gives."""
    serve_page(page, _no_api)
    page.goto(f"{ORIGIN}/")
    kept, code, list_item = page.evaluate(_GROWN)
    assert kept == 60
    assert list_item == "a list"
    assert code == ["let x = 29;", "js"]


_GROWN = """
async () => {
  const { html, render } = await import('BASE/lib/html.js');
  const { Markdown } = await import('BASE/ui/markdown.js');
  const place = document.createElement('div');
  document.body.append(place);
  const show = (text) => render(html`<${Markdown} text=${text} />`, place);
  let text = '';
  for (let index = 0; index < 30; index += 1) {
    text += `Paragraph ${index} with **bold** text.\\n\\n~~~js\\nlet x = ${index};\\n~~~\\n\\n`;
  }
  for (let at = 40; at < text.length; at += 7) show(text.slice(0, at));
  show(text);
  const before = [...place.querySelectorAll('p, pre')];
  show(text + '\\n\\nThe end.\\n\\n- a list');
  const block = place.querySelectorAll('.code-block')[29];
  return [before.filter((element) => element.isConnected).length,
    [block.querySelector('code').textContent, block.querySelector('.code-head span').textContent],
    place.querySelector('li').textContent];
}
""".replace("BASE", BASE)


def _no_api(route: Route) -> None:
    """Answer as a server without models."""
    if not fulfil_status(route):
        route.fulfill(body='{"data": []}', content_type="application/json")
