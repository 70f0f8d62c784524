"""The page Models: the focus, saved settings, models that are gone, dialogs that were left, and updates."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from tests.support.page_server import PageServer

from gglib.testing import write_tiny_gguf

from .conftest import Problems


@pytest.mark.parametrize(("path", "suffix"), [("#/models", " llama-3b"), ("#/models/llama-3b", "")])
def test_the_focus_stays_when_a_model_is_loaded(
    page: Page, server: PageServer, path: str, suffix: str
) -> None:
    """The button for loading becomes that for unloading, and back."""
    page.goto(f"{server.url}/{path}")
    page.get_by_role("button", name=f"Load{suffix}", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=f"Unload{suffix}", exact=True)).to_be_focused()
    expect(page.get_by_text("is ready, with a context")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text("llama-3b is unloaded.")).to_be_visible()
    expect(page.get_by_role("button", name=f"Load{suffix}", exact=True)).to_be_focused()


def test_saved_settings_are_not_saved_again(page: Page, server: PageServer) -> None:
    """The form shows what was saved, in the server's form."""
    page.goto(f"{server.url}/#/models/llama-3b")
    page.get_by_role("textbox", name="Context").fill("4,096")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved the settings of llama-3b.")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    expect(page.get_by_role("textbox", name="Context")).to_have_value("4096")


def test_a_model_that_is_removed_elsewhere_is_gone(
    page: Page, server: PageServer, problems: Problems
) -> None:
    """The page says so, and shows nothing that could be changed."""
    problems.expect("404")
    server.ask("llama-3b")
    page.goto(f"{server.url}/#/models/llama-3b")
    expect(page.get_by_role("button", name="Unload")).to_be_visible()
    server.request("DELETE", "/gglib/models/llama-3b")
    expect(page.get_by_role("alert")).to_contain_text("llama-3b")
    expect(page.get_by_role("heading", name="Settings")).to_have_count(0)
    page.locator(".back").get_by_role("link", name="Models").click()
    expect(page.get_by_role("button", name="Load gemma-4b")).to_be_visible()


def test_a_dialog_that_was_left_opens_no_page(page: Page, server: PageServer) -> None:
    """A file is added, and a model removed, while another page is read."""
    held = _hold(page, {"POST", "DELETE"})
    page.goto(f"{server.url}/#/models")
    page.get_by_role("button", name="Add a file").click()
    file = write_tiny_gguf(server.home / "other.gguf")
    page.get_by_role("textbox", name="Path").fill(str(file))
    page.get_by_role("button", name="Add", exact=True).click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    held.pop().continue_()
    expect(page.get_by_text("Added other.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"#/models$"))
    page.goto(f"{server.url}/#/models/other")
    page.get_by_role("button", name="More for other").click()
    page.get_by_role("menuitem", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Usage").click()
    held.pop().continue_()
    expect(page.get_by_text("Removed other")).to_be_visible()
    expect(page).to_have_url(re.compile(r"#/usage$"))


def test_an_update_that_is_made_is_none_any_more(page: Page, server: PageServer) -> None:
    """Neither while the sources are asked again nor afterwards; one that runs is not started by 'Update all'."""
    updates = [_update(name) for name in ("llama-3b", "gemma-4b", "qwen-coder-7b")]
    downloads: list[dict[str, Any]] = []
    asked: list[Route] = []
    page.route("**/gglib/hub/updates", lambda route: asked.insert(0, route))
    page.route("**/gglib/downloads", lambda route: _downloads(route, downloads))
    page.route(
        "**/gglib/downloads/*/events", lambda route: route.fulfill(body="", content_type="text/event-stream")
    )
    with page.expect_request("**/gglib/hub/updates"):
        page.goto(f"{server.url}/#/models?tab=updates")
    expect(page.get_by_text("Asking the sources")).to_be_visible()
    asked.pop().fulfill(json={"updates": updates})
    expect(page.get_by_text("3 models have a newer version.")).to_be_visible()
    page.get_by_role("button", name="Update llama-3b").click()
    row = page.get_by_role("row", name="llama-3b")
    expect(row).to_contain_text("Downloading")
    page.get_by_role("button", name="Update all").click()
    expect(page.get_by_role("button", name="Update all")).to_have_count(0)
    assert [download["target"] for download in downloads] == [update["pull"] for update in updates]
    downloads[0] |= {"state": "done", "ended_at": 2, "model_name": "llama-3b"}
    expect(row).to_contain_text("updated")
    expect(row).not_to_contain_text("newer version")
    expect(page.get_by_text("2 models have a newer version.")).to_be_visible()
    asked.pop().fulfill(json={"updates": [updates[0] | {"state": "current"}, *updates[1:]]})
    expect(row).to_contain_text("current")


def _hold(page: Page, methods: set[str]) -> list[Route]:
    """Hold requests to change models back; return a list of them."""
    held: list[Route] = []
    page.route(
        re.compile("/gglib/models"),
        lambda route: held.append(route) if route.request.method in methods else route.continue_(),
    )
    return held


def _update(name: str) -> dict[str, Any]:
    sizes = {"size_bytes": 100, "new_size_bytes": 100}
    revisions = {"old_revision": "a" * 40, "new_revision": "b" * 40}
    source = {"repo": f"ada/{name}", "pull": f"ada/{name}/x.gguf", "state": "changed", "reason": None}
    return {"model_name": name, "changes": [], **source, **revisions, **sizes}


def _downloads(route: Route, downloads: list[dict[str, Any]]) -> None:
    """Answer as a server whose downloads run until a test ends them."""
    if route.request.method == "GET":
        route.fulfill(json={"downloads": downloads})
        return
    target = json.loads(route.request.post_data or "")["target"]
    times = {"created_at": 1, "started_at": 1, "ended_at": None}
    progress = {"done_bytes": 1, "total_bytes": 100, "bytes_per_s": None, "left_s": None}
    state = {"state": "running", "phase": "downloading", "model_name": None, "file": None, "error": None}
    download = {"id": f"d{len(downloads)}", "target": target, **state, **progress, **times}
    downloads.append(download)
    route.fulfill(status=201, json=download)
