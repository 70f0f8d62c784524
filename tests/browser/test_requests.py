"""The page Requests: the focus when the details of a request are closed, where they hide the list."""

import json

import pytest
from playwright.sync_api import Page, expect
from tests.support.page_server import PageServer

from .conftest import Problems


@pytest.mark.parametrize("width", [1280, 1000])
def test_the_focus_goes_back_to_the_row(page: Page, server: PageServer, width: int) -> None:
    """Also if the details were opened with the id that the request had in progress."""
    for text in ("one", "two", "three"):
        server.ask("llama-3b", text)
    listed = json.loads(server.request("GET", "/gglib/requests?model=llama-3b"))["requests"]
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{server.url}/#/requests")
    row = page.locator(f'[data-row="{listed[1]["id"]}"]')
    row.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Details of the request")).to_be_visible()
    page.keyboard.press("Escape")
    expect(row).to_be_focused()
    page.goto(f"{server.url}/#/requests/{listed[1]['request_id']}")
    page.get_by_role("button", name="Close the details").click()
    expect(row).to_be_focused()


def test_escape_closes_the_details_from_the_first_moment(page: Page, server: PageServer) -> None:
    """Also before they were painted: their heading has the focus once they are in the document."""
    server.ask("llama-3b", "one")
    page.goto(f"{server.url}/#/requests")
    page.evaluate(
        """() => new MutationObserver((changes, observer) => {
          if (document.querySelector(".request-detail") === null) return;
          observer.disconnect();
          const escape = new KeyboardEvent("keydown", { key: "Escape", bubbles: true });
          document.activeElement.dispatchEvent(escape);
          globalThis.wasEscapePressed = true;
        }).observe(document.body, { childList: true, subtree: true })"""
    )
    page.locator("[data-row]").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("globalThis.wasEscapePressed")
    expect(page.get_by_role("region", name="Details of the request")).to_be_hidden()


def test_the_heading_has_the_focus_after_a_request_that_is_not_listed(
    page: Page, server: PageServer, problems: Problems
) -> None:
    """Such as one that was removed from the history."""
    problems.expect("404")
    page.goto(f"{server.url}/#/requests/no-such-request")
    page.get_by_role("button", name="Close the details").click()
    expect(page.get_by_role("heading", name="Requests", exact=True)).to_be_focused()
