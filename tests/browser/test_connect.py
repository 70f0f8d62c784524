"""The page Connect: settings of clients with this address, model and key, and the test of a connection."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from tests.support.page_server import PageServer, page_server

from .conftest import Problems

KEY = "sk-page-test-key"


def test_settings_are_filled_in(axe: Callable[[Page], list[str]], page: Page, server: PageServer) -> None:
    """The base URLs, and the settings of a client, for the chosen address and model."""
    page.goto(f"{server.url}/#/connect")
    expect(page.get_by_text(f"{server.url}/v1", exact=True)).to_be_visible()
    assert axe(page) == []
    page.get_by_role("combobox", name="Model").select_option("gemma-4b")
    page.get_by_role("textbox", name="Address").fill("http://192.168.1.7:8080")
    page.get_by_role("searchbox", name="Search programs").fill("anthropic python")
    page.get_by_role("link", name="Anthropic SDK").click()
    settings = page.get_by_role("region", name="Set it up")
    expect(settings).to_contain_text('base_url="http://192.168.1.7:8080"')
    expect(settings).to_contain_text('model="gemma-4b"')
    assert axe(page) == []
    page.get_by_role("textbox", name="Address").fill("192.168.1.7")
    expect(page.get_by_text("An address without a path")).to_be_visible()


def test_the_next_request_is_shown(page: Page, server: PageServer) -> None:
    """A request that fails, then one that is answered; requests from before do not count."""
    server.ask("llama-3b", program="aider/1")
    page.goto(f"{server.url}/#/connect/claude")
    page.get_by_role("button", name="Start the test").click()
    expect(page.get_by_text("Waiting for it")).to_be_visible()
    server.ask("qwen-coder-7b", program="claude-cli/2.0.1")
    steps = page.locator(".connect-steps")
    expect(steps).to_contain_text("Arrived from claude-code")
    expect(steps).to_contain_text("qwen-coder-7b")
    expect(steps).to_contain_text("Answered with status 200")
    page.get_by_role("link", name="Show this request").click()
    expect(page).to_have_url(re.compile(r"#/requests/req_"))


def test_the_key_of_the_tab_is_inserted_on_request_only(page: Page, problems: Problems) -> None:
    """Until then a placeholder stands for it."""
    problems.expect("401")
    with page_server(models=("llama-3b",), key=KEY) as server:
        page.goto(f"{server.url}/#/connect/open-webui")
        page.get_by_role("textbox", name="Access key").fill(KEY)
        page.keyboard.press("Enter")
        settings = page.get_by_role("region", name="Set it up")
        expect(settings).to_contain_text("KEY_OF_page")
        page.get_by_role("checkbox", name="Insert the key of this tab").check()
        expect(settings).to_contain_text(f"Key: {KEY}")
