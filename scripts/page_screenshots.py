"""Write docs/page: pictures of the page's views in light, dark and on a phone (``make page-screenshots``).

Needs Chromium. A real server with scripted engines has some models, a hub, finished and failed requests, and one in
progress. Pictures have a palette, which keeps them small.
"""

import argparse
import json
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError

from playwright.sync_api import Browser, ViewportSize, sync_playwright
from scripts.png_palette import with_palette
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.support.page_server import PageServer, page_server
from tests.support.waiting import wait_until

from gglib.testing import Script

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "page"
VIEWS = {
    "now": "/now",
    "requests": "/requests",
    "request": "/requests/{request}",
    "usage": "/usage",
    "models": "/models",
    "model": "/models/{model}",
    "find": "/find",
    "chat": "/chat",
    "connect": "/connect",
    "logs": "/logs",
    "system": "/system",
}
"""Names of the pictures, and the routes in the page's hash."""

MODELS = ("llama-3.2-3b", "qwen3-coder-30b", "gemma-4-12b", "bge-m3")
PROGRAMS = ("OpenAI/Python 2.1.0", "claude-cli/2.0.1", "aider/0.86", "Zed/1.2")
SETTLED_MS = 1500
"""After a view has loaded: live updates and the first samples of plots have arrived."""


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
    script = Script(load_s=0.2, chunks=24, chunk_interval_s=0.01, lifetime_s=600.0)
    with (
        page_server(models=MODELS, script=script, settings="max_models = 2") as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        names = _seed(server)
        with _in_progress(server):
            for variant in VARIANTS:
                _shoot(browser, server.url, variant, {name: VIEWS[name].format_map(names) for name in chosen})
        browser.close()
    return 0


def _shoot(browser: Browser, url: str, variant: Variant, routes: Mapping[str, str]) -> None:
    context = browser.new_context(
        viewport=variant.size,
        color_scheme=variant.scheme,
        locale="en-GB",
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    for name, route in routes.items():
        page = context.new_page()  # a new one: a change of the hash alone would not load the page again
        page.goto(f"{url}/#{route}")
        page.wait_for_timeout(SETTLED_MS)
        picture = PICTURES / f"{name}-{variant.name}.png"
        picture.write_bytes(with_palette(page.screenshot()))
        page.close()
        print(f"{picture.name}: {picture.stat().st_size / 1000:.0f} kB", file=sys.stderr)
    context.close()


def _seed(server: PageServer) -> Mapping[str, str]:
    """Give the server a history and a hub; return the names that routes contain."""
    content = (server.home / f"{MODELS[0]}.gguf").read_bytes()
    for repository in ("ada/llama-3.2-3b-GGUF", "ada/qwen3-4b-GGUF", "ada/smollm3-3b-GGUF"):
        name = repository.partition("/")[2].removesuffix("-GGUF")
        server.hub.add_repository(repository, {f"{name}-{kind}.gguf": content for kind in ("Q4_K_M", "Q8_0")})
    for number in range(40):
        fields = {"x_script": {"status": 500}} if number % 9 == 4 else {}
        model = "gpt-5" if number % 13 == 7 else MODELS[number // 12 % len(MODELS)]
        try:
            server.ask(model, "Hello", program=PROGRAMS[number % len(PROGRAMS)], **fields)
        except HTTPError as error:
            error.close()
    wait_until(lambda: _stored(server), poll_s=0.1)  # the history is written in batches
    return {"request": _stored(server)[0]["id"], "model": MODELS[0]}


def _stored(server: PageServer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(server.request("GET", "/gglib/requests?limit=1"))["requests"]
    return found


@contextmanager
def _in_progress(server: PageServer) -> Iterator[None]:
    """Keep one request in progress in the block; it ends with the server."""
    slow = {"x_script": {"chunks": 3000, "chunk_interval_s": 0.1}, "stream": True}

    def ask() -> None:
        try:
            server.ask(MODELS[0], "Write a long story.", program=PROGRAMS[0], **slow)
        except (OSError, HTTPException):
            return

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    yield


if __name__ == "__main__":
    sys.exit(main())
