"""No page breaks a rule of accessibility that a program can check: empty and filled, with dialogs, in all themes."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.support.page_server import PageServer, page_server

from gglib.testing import Script

from .conftest import Problems

ROOT = Path(__file__).resolve().parents[2]
PAGES = re.findall(r'\{ id: "(\w+)"', (ROOT / "src/gglib/proxy/web/page/app.js").read_text(encoding="utf-8"))
DETAILS = (
    *("models/llama-3b", "models?tab=profiles", "models?tab=aliases", "models?tab=updates"),
    *("system/settings", "system/keys", "connect/claude", "find?q=noise", "requests/1", "nothing"),
)
"""Views of pages, some of which only a home with models has."""
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
LOOKS = {"light": ("light", WIDE), "dark": ("dark", WIDE), "phone": ("light", PHONE)}
KEY = "sk-page-test-key"

Axe = Callable[[Page], list[str]]


@pytest.fixture(scope="module")
def empty() -> Iterator[PageServer]:
    """Yield a server with an empty home."""
    with page_server(models=()) as server:
        yield server


@pytest.fixture(scope="module")
def filled() -> Iterator[PageServer]:
    """Yield a server with models, a profile, an alias, requests, a swap, an error and a request in progress."""
    with page_server(script=Script(scripts={"llama-3b": {"chunks": 30}})) as server:
        server.request(
            "PATCH", "/gglib/models/gemma-4b", {"aliases": ["small"], "tags": ["a-tag"], "is_pinned": True}
        )
        server.request("PUT", "/gglib/profiles/brief?model=llama-3b", {"system": "Be brief."})
        for model in ("llama-3b", "qwen-coder-7b", "llama-3b"):
            server.ask(model)
        server.hub.add_repository(
            "ada/noise-GGUF", {"noise-Q4_K_M.gguf": b"GGUF" + bytes(64), "README.md": b"hi"}
        )
        yield server


@pytest.mark.parametrize("look", LOOKS)
def test_pages_of_an_empty_home(axe: Axe, page: Page, empty: PageServer, look: str) -> None:
    """Each page says what belongs there."""
    _look(page, look)
    page.goto(empty.url)
    _check(axe, page, PAGES)


@pytest.mark.parametrize("look", LOOKS)
def test_pages_of_a_filled_home(
    axe: Axe, page: Page, problems: Problems, filled: PageServer, look: str
) -> None:
    """All pages and their views."""
    problems.expect("404")
    _look(page, look)
    page.goto(filled.url)
    _check(axe, page, [*PAGES, *DETAILS])


@pytest.mark.parametrize("look", LOOKS)
def test_dialogs_and_menus(axe: Axe, page: Page, filled: PageServer, look: str) -> None:
    """Those that ask, those with a form, and those that show settings."""
    _look(page, look)
    for path, buttons, title in (
        ("now", ("Load a model",), "Load a model"),
        ("models", ("Add a file",), "Add a file"),
        ("models?tab=profiles", ("Add a profile",), "Add a profile"),
        ("models/llama-3b", ("More for llama-3b", "Remove"), "Remove llama-3b?"),
        ("chat", ("Settings",), "Settings"),
    ):
        page.goto(f"{filled.url}/#/{path}")
        page.get_by_role("button", name=buttons[0], exact=True).first.click()
        for name in buttons[1:]:
            assert axe(page) == [], f"the menu of {path}"
            page.get_by_role("menuitem", name=name).click()
        dialog = page.get_by_role("dialog", name=title)
        expect(dialog.or_(page.get_by_role("complementary", name=title))).to_be_visible()
        expect(page.get_by_text(re.compile(r"^(Loading|Reading|Looking)"))).to_have_count(0)
        assert axe(page) == [], f"{title} on {path}"
        page.keyboard.press("Escape")


@pytest.mark.parametrize("look", LOOKS)
def test_the_dialog_for_a_key_and_messages(
    axe: Axe, page: Page, problems: Problems, locked: PageServer, look: str
) -> None:
    """Also with the message of a refused key."""
    problems.expect("401")
    _look(page, look)
    page.goto(f"{locked.url}/#/now")
    field = page.get_by_label("Access key")
    expect(field).to_be_visible()
    assert axe(page) == []
    field.fill("wrong")
    field.press("Enter")
    expect(page.get_by_text("The server refused this key.")).to_be_visible()
    assert axe(page) == []


@pytest.fixture(scope="module")
def locked() -> Iterator[PageServer]:
    """Yield a server that needs a key."""
    with page_server(models=(), key=KEY) as server:
        yield server


def _look(page: Page, look: str) -> None:
    scheme, size = LOOKS[look]
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": size["width"], "height": size["height"]})


def _check(axe: Axe, page: Page, paths: Sequence[str]) -> None:
    """Show the pages one after the other, each without violations, with one first heading and no sideways scroll."""
    found = []
    for path in paths:
        page.evaluate("path => { location.hash = `#/${path}` }", path)
        name = path.partition("?")[0].partition("/")[0]
        if name in PAGES:
            expect(page.locator(f".page-{name} h1")).to_have_count(1)
        else:
            expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
        expect(page.locator(".loading")).to_have_count(0)
        found += [f"{path}: {line}" for line in axe(page)]
        wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            found.append(f"{path}: the page scrolls sideways by {wide} px")
    assert found == []
