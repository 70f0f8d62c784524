"""The vendored libraries work together in a browser, under a policy as strict as the page's."""

import mimetypes

from playwright.sync_api import Page, Route, expect
from scripts.vendor_web import VENDOR

ORIGIN = "http://page.test"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types gglib dompurify"
)
DOCUMENT = (
    '<!doctype html><html lang="en"><link rel="stylesheet" href="/vendor/uplot.css"><title>Vendored</title>'
    '<main id="root"></main><script type="module" src="/main.js"></script></html>'
)
MODULE = """
import { createElement, render } from './vendor/preact.js';
import { useEffect, useRef, useState } from './vendor/hooks.js';
import { signal, computed } from './vendor/signals.js';
import htm from './vendor/htm.js';
import { marked } from './vendor/marked.js';
import DOMPurify from './vendor/dompurify.js';
import uPlot from './vendor/uplot.js';

const html = htm.bind(createElement);
const count = signal(1);
const double = computed(() => count.value * 2);
const policy = trustedTypes.createPolicy('gglib', { createHTML: text => DOMPurify.sanitize(text) });
const unsafe = '**bold** [link](javascript:alert(1)) <iframe src="/frame"></iframe><custom-part>text</custom-part>';

function Plot() {
  const place = useRef(null);
  useEffect(() => {
    const options = { width: 300, height: 150, series: [{}, { stroke: 'red' }] };
    const plot = new uPlot(options, [[1, 2, 3], [3, 1, 2]], place.current);
    return () => plot.destroy();
  }, []);
  return html`<div ref=${place}></div>`;
}

function Page() {
  const [clicks, setClicks] = useState(0);
  const markup = policy.createHTML(marked.parse(unsafe));
  return html`
    <button onClick=${() => { count.value += 1; setClicks(clicks + 1); }}>more</button>
    <output id="text">${count}, ${double}</output>
    <output id="read">${count.value} after ${clicks} clicks</output>
    <div id="markdown" dangerouslySetInnerHTML=${{ __html: markup }}></div>
    <${Plot} />`;
}
render(html`<${Page} />`, document.getElementById('root'));
"""


def test_the_libraries_work_together(page: Page) -> None:
    """Signals update components, Markdown is sanitized through trusted types, and a plot is drawn; without errors.

    Inline handlers and styles in raw HTML are removed, too, but the browser reports them as blocked when DOMPurify
    parses them: Markdown of a model has its raw HTML escaped before.
    """
    page.route(f"{ORIGIN}/**", _fulfil)
    page.goto(f"{ORIGIN}/")
    expect(page.locator("#text")).to_have_text("1, 2")
    page.get_by_role("button", name="more").click()
    expect(page.locator("#text")).to_have_text("2, 4")
    expect(page.locator("#read")).to_have_text("2 after 1 clicks")
    expect(page.locator("#markdown strong")).to_have_text("bold")
    expect(page.locator("#markdown a")).not_to_have_attribute("href", "javascript:alert(1)")
    expect(page.locator("#markdown iframe, #markdown custom-part")).to_have_count(0)
    expect(page.locator(".uplot canvas")).to_be_visible()


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
