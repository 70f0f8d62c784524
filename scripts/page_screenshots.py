"""Write docs/page: pictures of the page's views in light, dark and on a phone (``make page-screenshots``).

Needs Chromium. They show a real server on an example of real use (``page_pictures``): scripted engines, and files of
models that are headers only. Pictures have a palette, which keeps them small.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, Request, ViewportSize, sync_playwright
from scripts.page_pictures.chat import stored_chat
from scripts.page_pictures.history import EXAMPLE_ID
from scripts.page_pictures.scene import ADMIN, KEYS, SCRIPT, SETTINGS, in_progress, names_of, prepare
from scripts.png_palette import with_palette
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.support.page_server import PageServer, page_server

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "page"
MACHINE = (sys.executable, "-m", "scripts.page_pictures.machine")
VIEWS = {
    "now": "/now",
    "requests": "/requests",
    "request": f"/requests/{EXAMPLE_ID}",
    "usage": "/usage",
    "models": "/models",
    "model": "/models/gemma-3-12b",
    "find": "/find?q=qwen3",
    "chat": "/chat",
    "connect": "/connect",
    "logs": "/logs/engine%3Agpt-oss-20b",
    "system": "/system",
}
"""Names of the pictures, and the routes in the page's hash."""

SETTLED_MS = 2500
"""After a view has loaded: live updates and the first samples of plots have arrived."""
LIMIT_MS = 60_000
POLL_MS = 100
_HAS_LOADED = "() => !document.querySelector('.boot, .loading, [aria-busy=true]')"
_REPLACE_TEXTS = """
names => {
  const replaced = text => Object.entries(names).reduce((whole, [from, to]) => whole.replaceAll(from, to), text);
  const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (nodes.nextNode()) nodes.currentNode.data = replaced(nodes.currentNode.data);
  for (const input of document.querySelectorAll("input, textarea")) input.value = replaced(input.value);
}
"""


@dataclass(frozen=True, slots=True)
class Variant:
    """One appearance of all views."""

    name: str
    size: ViewportSize
    scheme: Literal["light", "dark"]


VARIANTS = (
    Variant("light", {"width": 1280, "height": 800}, "light"),
    Variant("dark", {"width": 1280, "height": 800}, "dark"),
    Variant("phone", {"width": 390, "height": 844}, "light"),
)


def main() -> int:
    """Write the pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=list(VIEWS), help="this view (may be repeated)")
    chosen = parser.parse_args().only or list(VIEWS)
    if CHROMIUM is None:
        sys.exit("Not installed: chromium.")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with page_server(models=(), script=SCRIPT, settings=SETTINGS, prepare=prepare, program=MACHINE) as server:
        server.key = KEYS[ADMIN]
        with in_progress(server), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            for variant in VARIANTS:
                _shoot(browser, server, variant, {name: VIEWS[name] for name in chosen})
            browser.close()
    return 0


def _shoot(browser: Browser, server: PageServer, variant: Variant, routes: Mapping[str, str]) -> None:
    context = browser.new_context(
        viewport=variant.size,
        color_scheme=variant.scheme,
        locale="en-GB",
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    kept = {"gglib.key": server.key, "gglib.chat": stored_chat()}
    context.add_init_script(f"Object.assign(sessionStorage, {json.dumps(kept)})")
    for name, route in routes.items():
        page = context.new_page()  # a new one: a change of the hash alone would not load the page again
        pending = _pending_requests(page)
        page.goto(f"{server.url}/#{route}")
        page.wait_for_timeout(SETTLED_MS)
        while pending:
            page.wait_for_timeout(POLL_MS)
        page.wait_for_function(_HAS_LOADED, timeout=LIMIT_MS)
        _write(page, server, PICTURES / f"{name}-{variant.name}.png")
        page.close()
    context.close()


def _pending_requests(page: Page) -> set[Request]:
    """Return the requests that the page waits for, now and later, without its streams of events."""
    pending: set[Request] = set()

    def begin(request: Request) -> None:
        if "/events" not in request.url:
            pending.add(request)

    def end(request: Request) -> None:
        pending.discard(request)

    page.on("request", begin)
    page.on("requestfinished", end)
    page.on("requestfailed", end)
    return pending


def _write(page: Page, server: PageServer, picture: Path) -> None:
    page.evaluate(_REPLACE_TEXTS, names_of(server))
    picture.write_bytes(with_palette(page.screenshot()))
    print(f"{picture.name}: {picture.stat().st_size / 1000:.0f} kB", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
