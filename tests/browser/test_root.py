"""The page at ``/`` loads in a browser, and what watches it works."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from tests.support.page_server import PageServer

from .conftest import Problems

POLICY = (
    "default-src 'none'; script-src 'self'; base-uri 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
SAMPLE = (
    '<!doctype html><html lang="en"><title>Sample</title><main><h1>Sample</h1>{}<p>Text</p></main></html>'
)


def test_the_page_loads_without_errors(page: Page, server: PageServer) -> None:
    """Nothing in the console, and nothing that its content security policy blocks."""
    response = page.goto(server.url)
    assert response is not None
    assert response.status == 200
    assert "default-src 'none'" in response.headers["content-security-policy"]
    expect(page.get_by_role("heading", name="Now", exact=True)).to_be_visible()
    expect(page).to_have_title(re.compile("^Now .* gglib$"))


def test_violations_of_the_policy_and_exceptions_are_noticed(page: Page, problems: Problems) -> None:
    """A blocked image, a string where the policy wants a trusted type, and an uncaught exception."""
    _show(page, SAMPLE.format(""))
    page.evaluate("() => { new Image().src = 'data:image/png;base64,' }")
    with (
        page.expect_event("pageerror"),
        page.expect_console_message(lambda message: "CSP: require-trusted-types-for" in message.text),
    ):
        page.evaluate("() => { setTimeout(() => { document.body.innerHTML = '<b>text</b>' }, 0) }")
    found = "\n".join(problems.unexpected())
    assert "CSP: img-src" in found
    assert "uncaught: " in found
    problems.expect("CSP: |Content Security Policy|uncaught: |TrustedHTML")


def test_accessibility_violations_are_noticed_under_the_policy(
    axe: Callable[[Page], list[str]], page: Page
) -> None:
    """A clean page has none; a button without a name is one."""
    _show(page, SAMPLE.format(""))
    assert axe(page) == []
    _show(page, SAMPLE.format("<button></button>"))
    assert [line.partition(":")[0] for line in axe(page)] == ["button-name"]


def _show(page: Page, text: str) -> None:
    """Show a document with the policy of the page, without a server."""
    page.unroute_all()
    page.route("http://page.test/", lambda route: route.fulfill(body=text, headers=_HEADERS))
    page.goto("http://page.test/")


_HEADERS = {"content-type": "text/html; charset=utf-8", "content-security-policy": POLICY}
