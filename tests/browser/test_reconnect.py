"""The page while its server is away, and with keys: it says so, connects again by itself, and loses nothing."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, Request, expect
from tests.support.page_server import PageServer, page_server

from .conftest import Problems

RECONNECT_MS = 10_000
"""From the return of the server to the page that is live again."""
KEY = "sk-page-admin"
USER_KEY = "sk-page-user"
USER = f'[api_keys.user]\nkey = "{USER_KEY}"'
DENIED = "This path needs an API key with admin rights"
MAX_REQUESTS_PER_S = 15


@pytest.fixture(scope="module")
def restarted() -> Iterator[PageServer]:
    """Yield a server that tests may end and start again."""
    with page_server() as server:
        yield server


@pytest.fixture(scope="module")
def locked() -> Iterator[PageServer]:
    """Yield a server with an admin key and another one."""
    with page_server(key=KEY, settings=USER) as server:
        yield server


@contextmanager
def _away(page: Page, problems: Problems, server: PageServer) -> Iterator[None]:
    """Kill the server for the block, and start it again; the page is live again soon after its return."""
    problems.expect("net::ERR_|503")
    expect(_connection(page)).to_contain_text("live")
    server.kill()
    expect(_connection(page)).to_contain_text("connecting again")
    yield
    server.start()
    expect(_connection(page)).to_contain_text("live", timeout=RECONNECT_MS)


def _connection(page: Page) -> Locator:
    return page.get_by_role("banner").get_by_role("status")


def _in_memory(page: Page, model: str) -> Locator:
    return page.get_by_role("region", name="Models in memory").get_by_role("heading", name=model)


def test_now_shows_the_new_server_and_keeps_an_open_dialog(
    page: Page, problems: Problems, restarted: PageServer
) -> None:
    """What was in memory is shown with its age while the server is away, and is gone after it."""
    restarted.ask("llama-3b")
    page.goto(f"{restarted.url}/#/now")
    expect(_in_memory(page, "llama-3b")).to_be_visible()
    page.get_by_role("button", name="Load a model").click()
    dialog = page.get_by_role("dialog", name="Load a model")
    dialog.get_by_role("searchbox", name="Filter models").fill("qwen")
    dialog.get_by_role("radio", name="qwen").check()
    dialog.get_by_label("Context in tokens").fill("4096")
    with _away(page, problems, restarted):
        expect(page.locator("main .note")).to_contain_text("The connection to the server was lost")
        expect(page.get_by_text("llama-3b").first).to_be_attached()
    expect(page.locator("main")).to_contain_text("No model is in memory")
    expect(page.locator("main .note")).to_have_count(0)
    expect(dialog.get_by_role("searchbox", name="Filter models")).to_have_value("qwen")
    expect(dialog.get_by_label("Context in tokens")).to_have_value("4096")
    dialog.get_by_role("button", name="Load", exact=True).click()
    expect(_in_memory(page, "qwen-coder-7b")).to_be_visible()
    expect(_in_memory(page, "llama-3b")).to_have_count(0)


def test_requests_go_on_with_those_of_the_new_server(
    page: Page, problems: Problems, restarted: PageServer
) -> None:
    """Stored requests stay in the list; new ones are added, and what is typed stays, also if it was typed meanwhile."""
    restarted.ask("gemma-4b", program="before-it/1")
    restarted.ask("llama-3b", program="other-one/1")
    page.goto(f"{restarted.url}/#/requests")
    rows = page.get_by_role("region", name="Requests, newest first").locator("tbody tr[data-row]")
    expect(rows.filter(has_text="before-it")).to_be_visible()
    with _away(page, problems, restarted):
        page.get_by_role("searchbox", name="Filter by any name").fill("-it")
        expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached")
    expect(rows.filter(has_text="before-it")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(rows.filter(has_text="other-one")).to_have_count(0)
    restarted.ask("gemma-4b", program="after-it/1")
    expect(rows.filter(has_text="after-it")).to_be_visible()
    expect(page.get_by_role("searchbox", name="Filter by any name")).to_have_value("-it")


def test_models_are_those_of_the_new_server(page: Page, problems: Problems, restarted: PageServer) -> None:
    """The list and its filter stay; a change that was made meanwhile is shown."""
    page.goto(f"{restarted.url}/#/models")
    page.get_by_role("searchbox", name="Search models").fill("gemma")
    expect(page.get_by_text("1 of 3 models")).to_be_visible()
    with _away(page, problems, restarted):
        expect(page.get_by_role("row").filter(has_text="gemma-4b")).to_be_visible()
        restarted.start()
        restarted.request("PATCH", "/gglib/models/gemma-4b", {"name": "gemma-new"})
        restarted.stop()
    expect(page.get_by_role("row").filter(has_text="gemma-new")).to_be_visible()
    expect(page.get_by_role("searchbox", name="Search models")).to_have_value("gemma")
    restarted.request("PATCH", "/gglib/models/gemma-new", {"name": "gemma-4b"})


def test_logs_go_on_without_repeated_lines(page: Page, problems: Problems, restarted: PageServer) -> None:
    """Lines before and after the restart are shown once, through the filter."""
    page.goto(f"{restarted.url}/#/logs")
    page.get_by_role("searchbox", name="Filter lines").fill("Listening on")
    rows = page.locator(".log-row")
    expect(rows.first).to_be_visible()
    expect(rows.filter(has_not_text="Listening on")).to_have_count(0)
    before = rows.count()
    with _away(page, problems, restarted):
        expect(rows).to_have_count(before)
    expect(rows).to_have_count(before + 1)
    expect(page.get_by_role("searchbox", name="Filter lines")).to_have_value("Listening on")


def test_a_key_is_asked_for_checked_and_kept_in_this_tab_only(
    page: Page, problems: Problems, locked: PageServer
) -> None:
    """It is sent in one header, to this server only, and events work with it."""
    problems.expect("401")
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request))  # noqa: PLW0108 - Playwright marks its handlers
    page.goto(f"{locked.url}/#/now")
    dialog = page.get_by_role("dialog", name="This server needs a key")
    field = dialog.get_by_label("Access key")
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    field.fill("sk-wrong")
    field.press("Enter")
    expect(dialog).to_contain_text("The server refused this key.")
    field.fill(KEY)
    field.press("Enter")
    expect(dialog).to_have_count(0)
    expect(_connection(page)).to_contain_text("live")
    locked.ask("llama-3b")
    expect(_in_memory(page, "llama-3b")).to_be_visible()
    for name in ("Requests", "Usage", "Models", "Find", "Chat", "Connect", "Logs", "System"):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)
    assert page.evaluate("() => ({...sessionStorage})") == {"gglib.key": KEY}
    assert KEY not in page.evaluate(
        "() => JSON.stringify([{...localStorage}, document.cookie, location.href])"
    )
    for request in sent:
        address = urlsplit(request.url)
        headers = request.all_headers()
        assert f"{address.scheme}://{address.netloc}" == locked.url
        assert KEY not in request.url
        assert "cookie" not in headers
        holders = {name for name, value in headers.items() if KEY in value}
        assert holders <= {"authorization"}, holders
        assert not (holders and address.path.startswith("/web/"))
    assert page.context.cookies() == []
    page.reload()
    expect(_connection(page)).to_contain_text("live")
    with page.context.new_page() as other:
        other.goto(f"{locked.url}/#/now")
        expect(other.get_by_role("dialog", name="This server needs a key")).to_be_visible()


@pytest.mark.parametrize(
    ("name", "denied"),
    [
        ("now", "main"),
        ("requests", "main"),
        ("usage", ""),
        ("models", ""),
        ("models/llama-3b", "main"),
        ("find", "main"),
        ("chat", ""),
        ("connect", "main"),
        ("logs", "main"),
        ("system", "main"),
        ("system/settings", "main"),
        ("system/keys", "main"),
    ],
)
def test_a_key_without_admin_rights(
    page: Page, problems: Problems, locked: PageServer, name: str, denied: str
) -> None:
    """Each page shows what the key may see, says what it may not, and does not ask again and again."""
    problems.expect("403")
    page.add_init_script(f"sessionStorage.setItem('gglib.key', '{USER_KEY}')")
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if "/web/" not in request.url else None)
    started = time.monotonic()
    page.goto(f"{locked.url}/#/{name}")
    expect(_connection(page)).to_contain_text("no admin rights")
    if denied:
        expect(page.locator(denied).get_by_role("alert").first).to_contain_text(DENIED)
    else:
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator("main").get_by_role("alert")).to_have_count(0)
    expect(page.get_by_text(re.compile(r"^Loading"))).to_have_count(0)
    assert sum("/gglib/events?requests" in request.url for request in sent) == 1
    assert len(sent) < 2 + MAX_REQUESTS_PER_S * (time.monotonic() - started)


def test_another_key_brings_the_missing_rights(page: Page, problems: Problems, locked: PageServer) -> None:
    """The page of a key without rights goes on with a better one, without a reload."""
    problems.expect("40[13]")
    page.goto(f"{locked.url}/#/system")
    field = page.get_by_label("Access key")
    field.fill(USER_KEY)
    field.press("Enter")
    expect(_connection(page)).to_contain_text("no admin rights")
    page.get_by_role("button", name="Forget the key").click()
    field.fill(KEY)
    field.press("Enter")
    expect(_connection(page)).to_contain_text("live")
    expect(page.get_by_role("region", name="Checks").get_by_role("listitem").first).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
