"""Finds what hostile texts did in a page: script that ran or could run, foreign elements, requests to other servers."""

from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Dialog, Page

_FOUND = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


class Watch:
    """What the pages of a context did from now on: dialogs, windows, and requests to other origins."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.events: list[str] = []
        self._origin = origin
        context.on("request", lambda request: self._note_request(request.url))
        context.on("dialog", self._dismiss)
        context.on("page", self._watch_page)
        for page in context.pages:
            self._watch_page(page)

    def found(self, page: Page) -> list[str]:
        """Return what hostile texts did in a page, or left in its document; empty if they are only text."""
        elements: list[str] = page.evaluate(_FOUND)
        return self.events + elements

    def _dismiss(self, dialog: Dialog) -> None:
        self.events.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _watch_page(self, page: Page) -> None:
        page.on("popup", lambda popup: self.events.append(f"window: {popup.url}"))

    def _note_request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob"} and f"{parts.scheme}://{parts.netloc}" != self._origin:
            self.events.append(f"request: {url}")
