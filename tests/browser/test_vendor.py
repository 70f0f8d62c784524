"""The vendored libraries work together in a browser, under a policy as strict as the page's."""

import mimetypes

from playwright.sync_api import Page, Route, expect
from scripts.vendor_web import VENDOR

ORIGIN = "http://page.test"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
DOCUMENT = (
    '<!doctype html><html lang="en"><title>Vendored</title>'
    '<main id="root"></main><script type="module" src="/main.js"></script></html>'
)
MODULE = """
import { createElement, render } from './vendor/preact.js';
import { useState } from './vendor/hooks.js';
import { signal, computed } from './vendor/signals.js';
import htm from './vendor/htm.js';
import { marked } from './vendor/marked.js';

const html = htm.bind(createElement);
const count = signal(1);
const double = computed(() => count.value * 2);
const [paragraph] = marked.lexer('**bold** text');
const inline = paragraph.tokens.map(({ type, text }) => createElement(type === 'text' ? 'span' : type, null, text));

function Page() {
  const [clicks, setClicks] = useState(0);
  return html`
    <button onClick=${() => { count.value += 1; setClicks(clicks + 1); }}>more</button>
    <output id="text">${count}, ${double}</output>
    <output id="read">${count.value} after ${clicks} clicks</output>
    <p id="markdown">${inline}</p>`;
}
render(html`<${Page} />`, document.getElementById('root'));
"""


def test_the_libraries_work_together(page: Page) -> None:
    """Signals update components, and tokens of Markdown become elements; without errors."""
    page.route(f"{ORIGIN}/**", _fulfil)
    page.goto(f"{ORIGIN}/")
    expect(page.locator("#text")).to_have_text("1, 2")
    page.get_by_role("button", name="more").click()
    expect(page.locator("#text")).to_have_text("2, 4")
    expect(page.locator("#read")).to_have_text("2 after 1 clicks")
    expect(page.locator("#markdown strong")).to_have_text("bold")
    expect(page.locator("#markdown span")).to_have_text(" text")


def _fulfil(route: Route) -> None:
    path = route.request.url.removeprefix(ORIGIN)
    if path.startswith("/vendor/"):
        file = VENDOR / path.removeprefix("/vendor/")
        media_type = mimetypes.guess_type(file.name)[0] or ""
        route.fulfill(body=file.read_bytes(), headers={"content-type": media_type})
    elif path == "/main.js":
        route.fulfill(body=MODULE, headers={"content-type": "text/javascript"})
    elif path == "/":
        headers = {"content-type": "text/html", "content-security-policy": POLICY}
        route.fulfill(body=DOCUMENT, headers=headers)
    else:
        route.fulfill(body=b"", headers={"content-type": "image/png"})
