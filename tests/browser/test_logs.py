"""The page Logs: lines arrive, are filtered and paused, and stay where a reader is."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect
from tests.support.page_server import PageServer

HOSTILE = "\x1b[31mred\x1b[0m <img src=x onerror=alert(1)>"
_AT_END = """() => {
  const view = document.querySelector('.log-view');
  return view.scrollTop + view.clientHeight >= view.scrollHeight - 1;
}"""
_SHOW = """isShown => {
  Object.defineProperty(document, 'hidden', { configurable: true, value: !isShown });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


def test_lines_are_followed_and_filtered(
    axe: Callable[[Page], list[str]], page: Page, server: PageServer
) -> None:
    """Terminal codes and markup are shown as text; matches are marked; levels are filtered."""
    page.goto(f"{server.url}/#/logs")
    expect(page.locator(".log-row", has_text="Listening on")).to_be_visible()
    _write(server, [f"hostile {HOSTILE}"], "WARNING")
    _write(server, ["second one"])
    row = page.locator(".log-row", has_text="hostile")
    expect(row).to_contain_text("\\x1b[31mred\\x1b[0m <img src=x onerror=alert(1)>")
    expect(row).to_contain_text("WARNING")
    assert axe(page) == []
    page.get_by_role("searchbox", name="Filter lines").fill("SECOND")
    expect(page.locator(".log-row")).to_have_count(1)
    expect(page.locator(".log-row mark")).to_have_text("second")
    page.get_by_role("searchbox", name="Filter lines").fill("")
    page.get_by_role("combobox", name="Lowest level").select_option("Warnings and errors")
    expect(page.locator(".log-row")).to_have_count(1)


def test_the_view_follows_the_end_only_while_it_is_in_view(page: Page, server: PageServer) -> None:
    """Of thousands of lines few are in the document; a reader's lines stay in place, and new ones are counted."""
    page.goto(f"{server.url}/#/logs")
    view = page.get_by_role("region", name="Lines of the log gglib")
    _write(server, [f"line {number}" for number in range(900)])
    expect(page.locator(".log-row", has_text="line 899")).to_be_visible()
    page.wait_for_function(_AT_END)
    assert page.locator(".log-row").count() < 120
    view.evaluate("view => { view.scrollTop -= 3000 }")
    jump = page.get_by_role("button", name="To the end")
    expect(jump).to_be_visible()
    top = _first_visible(page)
    _write(server, [f"new {number}" for number in range(300)])
    expect(page.get_by_role("button", name="new lines")).to_be_visible()
    assert _first_visible(page) == top
    page.get_by_role("button", name="new lines").click()
    page.wait_for_function(_AT_END)
    expect(page.locator(".log-row", has_text="new 299")).to_be_visible()


def test_a_paused_log_goes_on(page: Page, server: PageServer) -> None:
    """Lines that are written meanwhile are counted, and shown afterwards."""
    page.goto(f"{server.url}/#/logs")
    expect(page.locator(".log-row", has_text="Listening on")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    _write(server, ["held back"])
    expect(page.get_by_text("held back").first).to_be_visible()  # the count of them
    expect(page.locator(".log-row", has_text="held back")).to_have_count(0)
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".log-row", has_text="held back")).to_be_visible()


def test_lines_are_saved_and_engines_have_logs(page: Page, server: PageServer, tmp_path: Path) -> None:
    """The lines that are shown become a file; the log of an engine can be chosen once it ran."""
    page.goto(f"{server.url}/#/logs")
    expect(page.locator(".log-row", has_text="Listening on")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as text").click()
        page.get_by_role("menuitem", name="Lines shown here").click()
    saved = tmp_path / "saved.txt"
    download.value.save_as(saved)
    assert "Listening on" in saved.read_text(encoding="utf-8")
    server.ask("gemma-4b")
    page.get_by_role("combobox", name="Log", exact=True).select_option("engine:gemma-4b")
    expect(page.get_by_role("region", name="Lines of the log engine:gemma-4b")).to_be_visible()


def _write(server: PageServer, messages: list[str], level: str = "INFO") -> None:
    """Append lines to gglib's log, as another process would."""
    with (server.home / "logs/gglib.log").open("a", encoding="utf-8") as log:
        log.writelines(f"2026-11-29T13:00:00.000+00:00 {level:<7} {message}\n" for message in messages)


def _first_visible(page: Page) -> str:
    return str(
        page.evaluate(
            """() => {
              const top = document.querySelector('.log-view').getBoundingClientRect().top + 12;
              const rows = [...document.querySelectorAll('.log-row')];
              return rows.find(row => row.getBoundingClientRect().bottom > top).textContent;
            }"""
        )
    )


def test_a_hidden_page_gives_its_connection_back(page: Page, server: PageServer) -> None:
    """A browser has few connections for all tabs of a server; the log goes on when the page is shown again."""
    page.clock.install()
    page.goto(f"{server.url}/#/logs")
    expect(page.get_by_text("Following", exact=True)).to_be_visible()
    page.evaluate(_SHOW, False)
    page.clock.fast_forward(31_000)
    expect(page.get_by_text("Following", exact=True)).to_have_count(0)
    _write(server, ["written meanwhile"])
    page.evaluate(_SHOW, True)
    expect(page.get_by_text("Following", exact=True)).to_be_visible()
    expect(page.locator(".log-row", has_text="written meanwhile")).to_have_count(1)
