"""Chromium, and what it measures of a visit: paints, transferred bytes, processor time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, CDPSession, Page, ViewportSize, async_playwright
from tests.browser.conftest import CHROMIUM, FLAGS

ROUTES = ("now", "chat", "models")
"""The routes whose first paint is measured."""
SIZE: ViewportSize = {"width": 1280, "height": 800}
_LIMIT_MS = 60_000
_PAINTED = """
(() => {
  const painted = (window.painted = {});
  const mark = (name) => requestAnimationFrame(() => setTimeout(() => (painted[name] = performance.now())));
  const missing = new Map([["shell", ".shell"], ["view", ".page h1"]]);
  new MutationObserver((_, observer) => {
    for (const [name, selector] of missing)
      if (document.querySelector(selector)) { missing.delete(name); mark(name); }
    if (missing.size === 0) observer.disconnect();
  }).observe(document, { childList: true, subtree: true });
})();
"""
"""Records the ends of the frames in which the navigation, and the heading of the route, are shown first."""
_FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


@dataclass(frozen=True, slots=True)
class Paints:
    """Times since the start of the navigation, in milliseconds."""

    first_ms: float
    """First contentful paint: the page's name, which is part of the HTML."""
    shell_ms: float
    """The navigation is shown."""
    view_ms: float
    """The heading of the route is shown."""


@dataclass(slots=True)
class Traffic:
    """What a tab received, with the headers, as it was transferred."""

    requests: Counter[str] = field(default_factory=Counter)
    """Finished requests by kind: ``files`` of the page, and ``data`` of the API."""
    received_bytes: Counter[str] = field(default_factory=Counter)

    async def watch(self, page: Page) -> None:
        """Count the traffic of a tab from now on."""
        session = await page.context.new_cdp_session(page)
        kinds: dict[str, str] = {}

        def began(event: dict[str, Any]) -> None:
            path = urlsplit(event["request"]["url"]).path
            kinds[event["requestId"]] = "files" if path == "/" or path.startswith("/web/") else "data"

        def ended(event: dict[str, Any]) -> None:
            kind = kinds[event["requestId"]]
            self.requests[kind] += 1
            self.received_bytes[kind] += int(event["encodedDataLength"])

        session.on("Network.requestWillBeSent", began)
        session.on("Network.loadingFinished", ended)
        await session.send("Network.enable")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run Chromium for the block. Raises RuntimeError if none is installed."""
    if CHROMIUM is None:
        raise RuntimeError("Chromium is not installed: install the package 'chromium'.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        await browser.close()


@asynccontextmanager
async def profile(browser: Browser) -> AsyncIterator[BrowserContext]:
    """Use a profile with an empty cache for the block."""
    context = await browser.new_context(viewport=SIZE)
    context.set_default_timeout(_LIMIT_MS)
    yield context
    await context.close()


@asynccontextmanager
async def tab(
    context: BrowserContext, url: str, route: str, traffic: Traffic | None = None
) -> AsyncIterator[Page]:
    """Show a route in a new tab for the block."""
    page = await context.new_page()
    await page.add_init_script(_PAINTED)
    if traffic is not None:
        await traffic.watch(page)
    await page.goto(f"{url}/#/{route}")
    await shown(page, route)
    yield page
    await page.close()


async def shown(page: Page, route: str) -> None:
    """Wait until a route is shown."""
    await page.wait_for_selector(f".page-{route} h1")


async def paints(page: Page) -> Paints:
    """Return the times of a tab's first paints."""
    await page.wait_for_function(f"window.painted.view && {_FIRST_PAINT}")
    first, painted = await page.evaluate(f"[{_FIRST_PAINT}, window.painted]")
    return Paints(first, painted["shell"], painted["view"])


async def processor_s(session: CDPSession) -> dict[str, float]:
    """Return the processor time of the browser's processes so far, in seconds: of tabs, and of all."""
    processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
    tabs = sum(process["cpuTime"] for process in processes if process["type"] == "renderer")
    return {"tabs": tabs, "all": sum(process["cpuTime"] for process in processes)}


async def visit_all(page: Page) -> list[str]:
    """Open every route of the navigation, and return their names."""
    links = await page.eval_on_selector_all("nav a", "links => links.map(link => link.hash)")
    routes = [link.rpartition("/")[2] for link in links]
    for route in routes:
        await page.click(f"nav a[href='#/{route}']")
        await shown(page, route)
    await asyncio.sleep(1.0)  # for the data of the last one
    return routes
