"""The page Find: the downloads beside the search, and URLs that are signed."""

import json
from typing import Any

from playwright.sync_api import Page, Route, expect
from tests.support.page_server import PageServer

URL = "https://example.org/x.gguf"


def test_the_focus_stays_when_a_download_is_paused(page: Page, server: PageServer) -> None:
    """The button for pausing becomes that for resuming, and its row moves in the list."""
    downloads = [_download("a"), _download("b")]
    _serve_downloads(page, downloads)
    page.goto(f"{server.url}/#/find")
    page.get_by_role("button", name="Pause ada/b").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Resume ada/b")).to_be_focused()
    expect(page.locator(".download-list li").last).to_contain_text("ada/b")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause ada/b")).to_be_focused()


def test_a_model_that_was_just_pulled_was_not_removed(page: Page, server: PageServer) -> None:
    """Only a catalogue that was read after the download can show that."""
    downloads = [_download("a")]
    _serve_downloads(page, downloads)
    reads: list[Route] = []
    page.route("**/gglib/models", lambda route: reads.insert(0, route))
    page.goto(f"{server.url}/#/find")
    row = page.locator(".download-list li")
    expect(row).to_contain_text("Downloading")
    reads.pop().fulfill(json={"models": []})
    downloads[0] |= {"state": "done", "model_name": "a"}
    expect(row).to_contain_text("Ready to use")
    expect(row.get_by_role("link", name="Chat")).to_be_visible()
    reads.pop().fulfill(json={"models": []})
    expect(row).to_contain_text("Removed since")


def test_a_signed_url_is_pulled_and_not_shown_in_the_address(page: Page, server: PageServer) -> None:
    """Its download is that of the URL without the query."""
    downloads: list[dict[str, Any]] = []
    _serve_downloads(page, downloads)
    page.goto(f"{server.url}/#/find")
    page.get_by_role("searchbox", name="Search the hub").fill(f"{URL}?signature=secret")
    page.keyboard.press("Enter")
    page.get_by_role("button", name=f"Pull {URL}").click()
    expect(page.get_by_role("button", name=f"{URL}: 1 %")).to_be_visible()
    assert "secret" not in page.url
    assert downloads[0]["sent"] == f"{URL}?signature=secret"
    page.get_by_role("searchbox", name="Search the hub").fill("words")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Target")).to_have_count(0)
    assert page.url.endswith("#/find?q=words")


def _download(name: str, target: str = "") -> dict[str, Any]:
    times = {"created_at": 1, "started_at": 1, "ended_at": None}
    progress = {"done_bytes": 1, "total_bytes": 100, "bytes_per_s": None, "left_s": None}
    state = {"state": "running", "phase": "downloading", "model_name": None, "file": None, "error": None}
    return {"id": name, "target": target or f"ada/{name}", **state, **progress, **times}


def _serve_downloads(page: Page, downloads: list[dict[str, Any]]) -> None:
    """Answer the requests for downloads as a server with these would."""

    def respond(route: Route) -> None:
        *_, name, action = route.request.url.split("/")
        if action == "events":
            route.fulfill(body="", content_type="text/event-stream")
        elif action in ("pause", "resume"):
            changed = next(download for download in downloads if download["id"] == name)
            changed["state"] = "paused" if action == "pause" else "running"
            route.fulfill(json=changed)
        elif route.request.method == "POST":
            sent = json.loads(route.request.post_data or "")["target"]
            downloads.append(_download("new", sent.partition("?")[0]) | {"sent": sent})
            route.fulfill(status=201, json=downloads[-1])
        else:
            route.fulfill(json={"downloads": downloads})

    page.route("**/gglib/downloads**", respond)
