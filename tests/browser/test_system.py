"""The page System: checks, the machine, settings with a reload, and keys."""

from collections.abc import Callable

from playwright.sync_api import Page, expect
from tests.support.page_server import PageServer, page_server

from .conftest import Problems

KEY = "sk-page-test-key"


def test_the_machine_and_its_checks(axe: Callable[[Page], list[str]], page: Page, server: PageServer) -> None:
    """Each check has its verdict in words; the facts of the machine have bars with texts."""
    page.goto(f"{server.url}/#/system")
    checks = page.get_by_role("region", name="Checks")
    expect(checks.get_by_role("listitem").filter(has_text="python")).to_contain_text("passed")
    expect(page.get_by_role("img", name="Memory: ")).to_be_visible()
    expect(page.get_by_text("llama-server").first).to_be_visible()
    assert axe(page) == []


def test_settings_are_searched_and_reloaded(
    axe: Callable[[Page], list[str]], page: Page, server: PageServer
) -> None:
    """A changed setting is named with its old and new value, and whether it needs a restart."""
    page.goto(f"{server.url}/#/system/settings")
    row = page.get_by_role("row", name="engine Path of llama-server")
    expect(row).to_contain_text("config.toml")
    expect(row).to_contain_text("Applied by a restart")
    assert axe(page) == []
    page.get_by_role("searchbox", name="Search settings").fill("neither request model")
    expect(page.get_by_role("row")).to_have_count(2)  # with the head
    config = server.home / "config.toml"
    config.write_text(f"ctx = 4096\n{config.read_text(encoding='utf-8')}", encoding="utf-8")
    page.get_by_role("button", name="Reload config.toml").click()
    expect(page.get_by_text("Changes: 1 applied.")).to_be_visible()
    expect(page.get_by_text("8192 → 4096")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="ctx")).to_contain_text("4096")


def test_keys_and_the_key_of_the_tab(
    axe: Callable[[Page], list[str]], page: Page, problems: Problems
) -> None:
    """The keys with their rights; the tab forgets its key when asked, and needs one again."""
    problems.expect("401")
    with page_server(models=(), key=KEY) as server:
        page.goto(f"{server.url}/#/system/keys")
        page.get_by_role("textbox", name="Access key").fill(KEY)
        page.keyboard.press("Enter")
        expect(page.get_by_role("row").filter(has_text="admin")).to_contain_text("page")
        assert axe(page) == []
        page.get_by_role("tab", name="Overview").click()
        page.get_by_role("button", name="Forget the key").click()
        expect(page.get_by_role("heading", name="This server needs a key")).to_be_visible()
