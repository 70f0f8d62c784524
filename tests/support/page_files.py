"""The page's files for tests that answer its requests themselves: no server, but the policy of a real one."""

import json
import mimetypes
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, Route

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "src/gglib/proxy/web/page"
ORIGIN = "http://page.test"
BASE = "/web/test"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)

Answer = Callable[[Route], None]

_LISTS = ("residents", "waiting", "failed", "swaps", "loads")
_TABLES = ("limits", "used", "devices")
IDLE: dict[str, object] = {
    "version": "1.0",
    "last_swap": None,
    "hint": None,
    **dict.fromkeys(_LISTS, ()),
    **{name: {} for name in _TABLES},
}
"""The status of a server without models in memory."""


def serve_page(page: Page, api: Answer) -> list[str]:
    """Answer the page's requests for its own files; ``api`` answers all others.

    Return a list that grows with the URLs of requests to other origins. They are aborted.
    """
    elsewhere: list[str] = []

    def fulfil(route: Route) -> None:
        url = route.request.url
        if not url.startswith(f"{ORIGIN}/"):
            elsewhere.append(url)
            route.abort()
            return
        path = url.removeprefix(ORIGIN).partition("?")[0]
        if path == "/":
            text = (FILES / "index.html").read_text(encoding="utf-8")
            text = text.replace("{{base}}", BASE).replace("{{preloads}}", "")
            _fulfil(route, text, "text/html; charset=utf-8")
        elif path.startswith(f"{BASE}/"):
            file = FILES / path.removeprefix(f"{BASE}/")
            kind = "text/javascript" if file.suffix == ".js" else mimetypes.guess_type(file.name)[0] or ""
            _fulfil(route, file.read_text(encoding="utf-8"), kind)
        else:
            api(route)

    page.route("**/*", fulfil)
    return elsewhere


def fulfil_status(route: Route) -> bool:
    """Answer the requests that every page sends, as an idle server; return whether it was one of these."""
    path = route.request.url.removeprefix(ORIGIN).partition("?")[0]
    if path == "/gglib/events":
        event = f"event: snapshot\ndata: {json.dumps(IDLE)}\n\n"
        route.fulfill(body=event, content_type="text/event-stream")
    elif path == "/gglib/requests":
        route.fulfill(json={"running": [], "requests": [], "next_before": None, "is_off": False})
    elif path == "/gglib/nodes":
        route.fulfill(json={"nodes": [], "conflicts": []})
    elif path == "/gglib/swaps":
        route.fulfill(json={"swaps": []})
    else:
        return False
    return True


def _fulfil(route: Route, body: str, content_type: str) -> None:
    route.fulfill(body=body, headers={"content-type": content_type, "content-security-policy": POLICY})
