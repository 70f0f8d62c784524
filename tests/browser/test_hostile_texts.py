"""Texts of others are shown as text: nothing of them runs, becomes an element, or makes the browser request anything.

One server has hostile texts in every place that others write: names, files, metadata of a hub, prompts and answers,
errors of engines, logs and settings. Each test visits one view and opens its details.
"""

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect
from tests.support import hostile_home as hostile
from tests.support.page_inspection import Watch
from tests.support.page_server import PageServer

from .conftest import Problems

HOSTILE_FRAGMENTS = (
    f"#/models/{hostile.IMAGE}",
    f"#/models/{quote(hostile.IMAGE)}",
    "#/models/..",
    "#/models/%2e%2e",
    "#/models/.",
    "#/models/__proto__",
    "#/requests/../..",
    "#/requests/..",
    "#/requests/..%2F..%2Fgglib%2Fstop",
    f"#/requests/{hostile.IMAGE}?model={quote(hostile.IMAGE)}&status={quote(hostile.IMAGE)}&key=%00&since=NaN",
    f"#/usage?by={quote(hostile.IMAGE)}&range=constructor",
    f"#/find?q={quote(hostile.IMAGE)}&sort={quote(hostile.IMAGE)}&max=-1&limit=1e9",
    "#/find?q=javascript:window.__ran=1//a.gguf",
    f"#/chat?model={quote(hostile.IMAGE)}",
    f"#/connect/{quote(hostile.IMAGE)}?model={quote(hostile.IMAGE)}",
    f"#/logs/engine:{quote(hostile.IMAGE)}",
    "#/logs/..%2F..%2Fconfig.toml",
    f"#/system/{quote(hostile.IMAGE)}",
    "#/constructor",
    "#/__proto__/x",
    f"#javascript:{hostile.RUN}",
    "#/%",
    f"#{hostile.SCRIPT}",
)


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    """Yield the server with hostile texts; the tests change nothing in it."""
    with hostile.hostile_server() as running:
        yield running


@pytest.fixture
def watch(context: BrowserContext, server: PageServer) -> Watch:
    """Yield what sees the requests and windows of the test; its pages have the key."""
    context.add_init_script(f"sessionStorage.setItem('gglib.key', '{hostile.KEY}')")
    return Watch(context, server.url)


def shows(page: Page, *texts: str) -> None:
    """Assert that texts are visible as they are."""
    for text in texts:
        expect(page.get_by_text(text).filter(visible=True).first).to_be_visible()


def test_now(watch: Watch, page: Page, server: PageServer) -> None:
    """Models in memory, the reason of a failed load, swaps, and the dialog that loads a model."""
    page.goto(f"{server.url}/#/now")
    shows(page, hostile.TALKER, hostile.BROKEN, f"reason {hostile.IMAGE}")
    page.get_by_role("button", name="Load a model").first.click()
    shows(page, hostile.NAME)
    assert watch.found(page) == []


def test_requests(watch: Watch, page: Page, server: PageServer) -> None:
    """The list, the details of each request with its bodies, and a replay of one."""
    page.goto(f"{server.url}/#/requests")
    shows(page, hostile.TALKER, hostile.BROKEN)
    page.goto(f"{server.url}/#/requests/{quote(hostile.REQUEST_ID, safe='')}")
    detail = page.get_by_role("region", name="Details of the request")
    expect(detail).to_contain_text(hostile.REQUEST_ID)
    expect(detail.get_by_role("region", name="Recorded text")).to_contain_text(hostile.IMAGE)
    detail.get_by_role("tab", name="Response").click()
    expect(detail.get_by_role("region", name="Recorded text")).to_contain_text(f"thought {hostile.IMAGE}")
    assert watch.found(page) == []


def test_requests_that_failed(watch: Watch, page: Page, server: PageServer) -> None:
    """The engine's reason, and the name of a model that does not exist, with terminal codes made visible."""
    page.goto(f"{server.url}/#/requests?status=failed")
    row = page.get_by_role("row").filter(has_text=hostile.BROKEN).first
    row.click()
    detail = page.get_by_role("region", name="Details of the request")
    expect(detail).to_contain_text(f"reason {hostile.IMAGE}")
    page.get_by_role("row").filter(has_text=f"unknown {hostile.SCRIPT}").first.click()
    expect(detail).to_contain_text(f"unknown {hostile.SCRIPT}\\x1b[31m")
    assert watch.found(page) == []


@pytest.mark.parametrize("by", ["model", "key", "client"])
def test_usage(watch: Watch, page: Page, server: PageServer, by: str) -> None:
    """The table and the chart."""
    page.goto(f"{server.url}/#/usage?by={by}")
    shows(page, {"model": hostile.TALKER, "key": "page", "client": "Unknown client"}[by])
    assert watch.found(page) == []


def test_models(watch: Watch, page: Page, server: PageServer) -> None:
    """The catalogue with tags and aliases, profiles, alias lists and updates."""
    page.goto(f"{server.url}/#/models")
    shows(page, hostile.NAME, hostile.TALKER, hostile.BROKEN)
    for tab, text in (
        ("profiles", hostile.DESCRIPTION),
        ("aliases", hostile.LIST),
        ("updates", "evil/plain"),
    ):
        page.goto(f"{server.url}/#/models?tab={tab}")
        shows(page, text)
        assert watch.found(page) == []
    page.goto(f"{server.url}/#/models?tab=profiles")
    page.get_by_role("button", name="Edit").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert watch.found(page) == []


@pytest.mark.parametrize("name", [hostile.NAME, hostile.BROKEN])
def test_a_model(watch: Watch, page: Page, server: PageServer, name: str) -> None:
    """Facts, files and settings, and the dialog that removes it."""
    page.goto(f"{server.url}/#/models/{quote(name, safe='')}")
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    if name == hostile.NAME:
        shows(page, hostile.ALIAS, hostile.TAG, hostile.LIST)
        expect(page.get_by_text(f"f{hostile.IMAGE}").first).to_be_visible()
    page.get_by_role("button", name="More for").click()
    page.get_by_role("menuitem", name="Remove").click()
    expect(page.get_by_role("dialog")).to_contain_text(name)
    assert watch.found(page) == []


def test_find(watch: Watch, page: Page, server: PageServer) -> None:
    """Results with hostile metadata and file names, one repository, and failed downloads."""
    page.goto(f"{server.url}/#/find?q=evil")
    shows(page, "evil/plain", hostile.LICENCE)
    assert watch.found(page) == []
    page.goto(f"{server.url}/#/find?q=evil/plain")
    shows(page, hostile.LICENCE, f"evil/absent:{hostile.IMAGE}")
    assert watch.found(page) == []


def test_chat(watch: Watch, page: Page, server: PageServer) -> None:
    """An answer with thinking, markup, links, a tool call and parts that are not texts; then a model that fails."""
    page.goto(f"{server.url}/#/chat")
    page.get_by_role("combobox", name="Model", exact=True).select_option(value=hostile.TALKER)
    page.get_by_role("textbox", name="Message to").fill(hostile.PROMPT)
    page.keyboard.press("Enter")
    shows(page, "click")
    expect(page.get_by_role("textbox", name="Message to")).to_be_enabled()
    expect(page.locator(".chat-prompt")).to_contain_text(f"prompt {hostile.IMAGE}")
    expect(page.locator(".markdown").last).to_contain_text(f"answer {hostile.IMAGE}{hostile.SCRIPT}")
    assert watch.found(page) == []


def test_chat_with_a_model_that_fails(
    watch: Watch, page: Page, server: PageServer, problems: Problems
) -> None:
    """The engine's reason is text."""
    problems.expect("status of 500")
    page.goto(f"{server.url}/#/chat")
    page.get_by_role("combobox", name="Model", exact=True).select_option(value=hostile.BROKEN)
    page.get_by_role("textbox", name="Message to").fill("Hello")
    page.keyboard.press("Enter")
    shows(page, f"reason {hostile.IMAGE}")
    assert watch.found(page) == []


def test_connect(watch: Watch, page: Page, server: PageServer) -> None:
    """The settings of programs with a hostile model, and an address that is script."""
    page.goto(f"{server.url}/#/connect?model={quote(hostile.NAME)}")
    shows(page, f"{server.url}/v1")
    page.get_by_role("textbox", name="Address").fill(f"javascript:{hostile.RUN}")
    shows(page, "An address without a path")
    for client in json.loads(server.request("GET", f"/gglib/clients?model={quote(hostile.NAME)}"))["clients"]:
        page.goto(f"{server.url}/#/connect/{client['name']}?model={quote(hostile.NAME)}")
        expect(page.get_by_role("heading", level=1)).to_contain_text(client["title"])
        expect(page.get_by_role("region", name="Set it up")).to_be_visible()
        assert watch.found(page) == [], client["name"]


def test_logs(watch: Watch, page: Page, server: PageServer) -> None:
    """Terminal codes, controls and overrides of the reading direction are visible escapes; long lines stay in place."""
    page.goto(f"{server.url}/#/logs")
    page.get_by_role("searchbox", name="Filter lines").fill("line <img")
    row = page.locator(".log-row", has_text=f"line {hostile.IMAGE}").first
    escaped = f"{hostile.CODES}{hostile.BIDI}\x00end".encode("unicode_escape").decode()
    expect(row).to_contain_text(f"line {hostile.IMAGE}{hostile.SCRIPT}{escaped}")
    expect(row.locator("mark")).to_have_text("line <img")
    assert watch.found(page) == []
    page.goto(f"{server.url}/#/logs/{quote(f'engine:{hostile.BROKEN}', safe='')}")
    expect(page.locator(".log-row", has_text="error loading model").first).to_contain_text(hostile.IMAGE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert watch.found(page) == []


@pytest.mark.parametrize("tab", ["", "/settings", "/keys"])
def test_system(watch: Watch, page: Page, server: PageServer, tab: str) -> None:
    """Checks with names of models, settings, and the models of keys."""
    page.goto(f"{server.url}/#/system{tab}")
    shows(page, {"": f"gone{hostile.IMAGE}", "/settings": hostile.LIST, "/keys": f"*{hostile.IMAGE}"}[tab])
    assert watch.found(page) == []


def test_fragments_of_links(watch: Watch, page: Page, server: PageServer, problems: Problems) -> None:
    """A link may lead to any fragment: it shows a view or an error, and nothing changes on the server."""
    problems.expect("status of 4")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    page.goto(f"{server.url}/")
    for fragment in HOSTILE_FRAGMENTS:
        page.goto(f"{server.url}/{fragment}")
        expect(page.locator("main")).not_to_contain_text("Loading")
        assert page.evaluate("document.querySelector('main').innerText.trim() !== ''"), fragment
        assert watch.found(page) == [], fragment
    assert [line for line in sent if not line.startswith("GET ")] == []
    own = (
        f"GET {server.url}/gglib/",
        f"GET {server.url}/v1/",
        f"GET {server.url}/web/",
        f"GET {server.url}/#",
    )
    assert [line for line in sent if not line.startswith(own) and line != f"GET {server.url}/"] == []
    assert [line for line in sent if line.endswith("/gglib/")] == []  # "models/.." is no path of the API


def test_a_page_that_injects_is_noticed(context: BrowserContext, page: Page) -> None:
    """Each kind of trace, in a page that shows the texts as HTML: else the tests above would prove nothing."""
    origin = "http://page.test"
    watch = Watch(context, origin)
    body = (
        f'<main>{hostile.IMAGE}<svg onload={hostile.RUN}></svg><a href="java\nscript:{hostile.RUN}">x</a>'
        f'<img src="{hostile.ELSEWHERE}"><iframe></iframe><template><script>1</script></template>'
        "<a href=https://elsewhere.test>x</a><script>alert(1); open('about:blank')</script></main>"
    )
    page.route("**/*", lambda route: _fulfil(route, body))
    page.goto(f"{origin}/")
    page.wait_for_function("window.__ran === 1")
    found = "\n".join(watch.found(page))
    for trace in (
        *("script ran", "dialog: 1", f"request: {hostile.ELSEWHERE}", "window: ", "<iframe>", "<script>"),
        *(
            "onerror=",
            "onload=",
            "<a href=",
            "<svg>",
            "without noreferrer",
            f'<img src="{hostile.ELSEWHERE}">',
        ),
    ):
        assert trace in found, trace


def _fulfil(route: Route, body: str) -> None:
    is_page = route.request.resource_type == "document"
    route.fulfill(body=body if is_page else "", content_type="text/html" if is_page else "image/png")
