"""The access key: the page asks for it, and for another one where it has too few rights."""

import pytest
from playwright.sync_api import Page, Route, expect
from tests.support.page_files import ORIGIN, fulfil_status, serve_page

from .conftest import Problems

ADMIN, PLAIN = "admin-key", "plain-key"
DENIED = "This key has no admin rights: use an admin key."


@pytest.fixture
def tried(page: Page, problems: Problems) -> list[str | None]:
    """Show the page of a server that needs an admin key; yield the keys with which its events were asked for."""
    keys: list[str | None] = []

    def respond(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN).partition("?")[0]
        key = (route.request.headers.get("authorization") or "").removeprefix("Bearer ")
        if path == "/gglib/events":
            keys.append(key or None)
        if key == ADMIN:
            assert fulfil_status(route), path
        elif key == PLAIN:
            route.fulfill(status=403, json={"error": {"message": DENIED, "code": "forbidden"}})
        else:
            route.fulfill(status=401, json={"error": {"message": "A key is needed.", "code": "unauthorized"}})

    problems.expect("status of 40[13]")
    serve_page(page, respond)
    page.goto(ORIGIN)
    expect(page.get_by_label("Access key")).to_be_focused()
    return keys


def test_escape_does_not_close_the_question(page: Page, tried: list[str | None]) -> None:
    """Not even pressed again and again, which Chromium takes for a wish to get rid of the dialog."""
    for _ in range(4):
        page.keyboard.press("Escape")
    field = page.get_by_label("Access key")
    expect(field).to_be_visible()
    field.fill(ADMIN)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert tried[:2] == [None, ADMIN]


def test_a_dialog_that_was_closed_by_the_browser_is_opened_again(page: Page, tried: list[str | None]) -> None:
    """Without it, the page would stay without a key."""
    page.evaluate("() => document.querySelector('dialog').close()")
    expect(page.get_by_label("Access key")).to_be_visible()
    assert tried == [None]


@pytest.mark.parametrize("text", ["sk\N{EN DASH}1", "sk-1\N{ZERO WIDTH SPACE}", "sk 1"])
def test_characters_that_no_key_has_are_an_error_of_the_field(
    page: Page, tried: list[str | None], text: str
) -> None:
    """They come with a paste; a header cannot carry them."""
    field = page.get_by_label("Access key")
    field.fill(text)
    expect(page.get_by_text("A key has no spaces")).to_be_visible()
    expect(field).to_have_attribute("aria-invalid", "true")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Use this key")).to_be_disabled()
    assert tried == [None]
    field.fill(f" {ADMIN} ")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_key_without_admin_rights_can_be_replaced(page: Page, tried: list[str | None]) -> None:
    """The page says what is missing, does not try again by itself, and takes another key."""
    page.get_by_label("Access key").fill(PLAIN)
    page.keyboard.press("Enter")
    expect(page.get_by_text(DENIED)).to_be_visible()
    expect(page.get_by_text("no admin rights", exact=True)).to_be_visible()
    page.get_by_role("button", name="Use another key").click()
    page.get_by_label("Access key").fill(ADMIN)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Models in memory")).to_be_visible()
    assert tried[:4] == [None, PLAIN, None, ADMIN]
