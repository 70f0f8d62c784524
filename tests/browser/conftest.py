"""Fixtures that show the page in a real browser: Chromium, driven by Playwright, from a real server.

``page`` fails a test on any error that the browser reports: in the console, an uncaught exception, or a violation of
the page's content security policy. A test that provokes one calls ``problems.expect``.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from scripts.run_tests import CHROMIUM_NAMES
from tests.support.page_server import PageServer, page_server

CHROMIUM = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    "--host-resolver-rules=MAP *.test 127.0.0.1",  # foreign names for this machine, as with DNS rebinding
)
AXE = Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js"
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LIMIT_MS = 20_000
"""Far above what any wait takes on a busy machine."""
expect.set_options(timeout=LIMIT_MS)

_REPORT_VIOLATIONS = """
document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI, sourceFile, lineNumber }) =>
  console.error(`CSP: ${effectiveDirective} blocked ${blockedURI} at ${sourceFile}:${lineNumber}`))
"""


class Problems:
    """What the browser reported, without what the test expects."""

    def __init__(self) -> None:
        self._reported: list[str] = []
        self._expected: list[re.Pattern[str]] = []

    def add(self, text: str) -> None:
        """Record an error of the browser."""
        self._reported.append(text)

    def expect(self, pattern: str) -> None:
        """Accept errors that match a regular expression."""
        self._expected.append(re.compile(pattern))

    def unexpected(self) -> list[str]:
        """Return the errors that no expectation matches."""
        return [
            text for text in self._reported if not any(pattern.search(text) for pattern in self._expected)
        ]

    def watch(self, page: Page) -> None:
        """Record the errors of a page from now on."""
        page.on("console", lambda message: self.add(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.add(f"uncaught: {error}"))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Yield Chromium with a new, empty profile; the test is skipped if none is installed.

    Playwright's event loop runs while this fixture lives, so no asynchronous test can: hence one folder, not a session.
    """
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: install the package 'chromium' for the tests of the page.")
    expect.set_options(timeout=LIMIT_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def server() -> Iterator[PageServer]:
    """Yield a server with three models, that needs no key."""
    with page_server() as running:
        yield running


@pytest.fixture
def problems() -> Problems:
    """Yield what the browser reports during the test."""
    return Problems()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Yield a context of its own: no storage, cache or cookies of another test; sized as a small laptop."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, locale="en-GB", timezone_id="UTC", reduced_motion="reduce"
    )
    context.set_default_timeout(LIMIT_MS)
    context.add_init_script(_REPORT_VIOLATIONS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, problems: Problems) -> Iterator[Page]:
    """Yield an empty tab; the test fails if the browser reports an error that it does not expect."""
    page = context.new_page()
    problems.watch(page)
    yield page
    assert problems.unexpected() == []


@pytest.fixture
def axe(context: BrowserContext) -> Callable[[Page], list[str]]:
    """Yield a function that returns the page's violations of accessibility rules, one line each.

    It works on pages that were loaded after this fixture was set up: an init script passes the content security policy.
    """
    if not AXE.exists():
        pytest.skip("axe-core is not installed: run 'make web-check' for the tests of accessibility.")
    context.add_init_script(path=AXE)

    def violations(page: Page) -> list[str]:
        options = {"runOnly": {"type": "tag", "values": AXE_TAGS}, "resultTypes": ["violations"]}
        results = page.evaluate("options => axe.run(document, options)", options)
        return [
            f"{rule['id']}: {rule['help']}: {', '.join(str(node['target']) for node in rule['nodes'])}"
            for rule in results["violations"]
        ]

    return violations
