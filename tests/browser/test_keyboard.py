"""The page by keyboard alone: the mouse is never used, and the focus is always seen."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.support.page_server import PageServer, page_server

from gglib.testing import Script, write_tiny_gguf

REPO = "ada/noise-GGUF"
FILE = "noise-F32.gguf"
TARGET = f"{REPO}:F32"
HELD_BYTES = 3_000_000
MAX_TABS = 60
SLOW = Script(chunks=400, chunk_interval_s=0.05)
"""An answer that lasts longer than what is done meanwhile."""

_FOCUS = """async () => {
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))); // what a key has changed
  const element = document.activeElement;
  if (element === null || element === document.body) return null;
  const box = element.getBoundingClientRect();
  const widthOf = (outlined) => {
    const style = getComputedStyle(outlined);
    return element.matches(':focus-visible') && style.outlineStyle !== 'none' ? parseFloat(style.outlineWidth) : 0;
  };
  const shown = element.closest('.skip') ?? element;
  const middle = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  return {
    name: element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent ?? element.textContent.trim(),
    tag: element.tagName.toLowerCase(),
    outline: Math.max(widthOf(element), element.closest('.chat-field') ? widthOf(element.closest('.chat-field')) : 0),
    isInView: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    isOnTop: middle !== null && (shown.contains(middle) || middle.contains(shown)),
  };
}"""


class Keys:
    """Presses keys, and checks after each that the focus is on something that is seen."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, key: str) -> None:
        """Press a key; the focus has to be seen after it."""
        self.page.keyboard.press(key)
        self.check()

    def check(self) -> dict[str, object]:
        """Return the element with the focus: it has an outline, is in view, and nothing covers it."""
        found = self.page.evaluate(_FOCUS)
        assert found is not None, "the focus is lost: it is on the body"
        assert found["outline"] >= 1, f"the focus on {found['name']!r} ({found['tag']}) is not shown"
        assert found["isInView"], f"{found['name']!r} ({found['tag']}) has the focus and is out of view"
        assert found["isOnTop"], f"{found['name']!r} ({found['tag']}) has the focus and is covered"
        return dict(found)

    def type(self, text: str) -> None:
        """Type a text where the focus is."""
        self.page.keyboard.type(text)

    def tab_to(self, target: Locator, key: str = "Tab") -> None:
        """Press Tab until the target has the focus."""
        seen = []
        for _ in range(MAX_TABS):
            if target.count() == 1 and target.evaluate("element => element === document.activeElement"):
                self.check()
                return
            self.page.keyboard.press(key)
            seen.append(self.check()["name"])
        raise AssertionError(f"Tab does not reach {target}: {seen}")


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    """Yield a server with slow answers and a model on its hub."""
    with page_server(script=SLOW) as server:
        file = write_tiny_gguf(server.home / FILE, name="noise")
        server.hub.add_repository(REPO, {FILE: file.read_bytes() + bytes(5_000_000)})
        yield server


@pytest.fixture
def keys(page: Page) -> Keys:
    """Yield the keyboard."""
    return Keys(page)


def test_tab_goes_through_the_page_in_reading_order(keys: Keys, page: Page, server: PageServer) -> None:
    """First a link that skips the navigation, then the pages in order, then the content."""
    page.goto(f"{server.url}/#/now")
    expect(page.get_by_role("heading", name="Now")).to_be_visible()
    keys.press("Tab")
    assert keys.check()["name"] == "Skip to the content"
    names = []
    while "Load a model" not in names:
        keys.press("Tab")
        names.append(str(keys.check()["name"]))
    pages = ["Now", "Requests", "Usage", "Models", "Find", "Chat", "Connect", "Logs", "System"]
    assert [name for name in names if name in pages] == pages
    page.keyboard.press("Shift+Tab")
    assert keys.check()["name"] == "System"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="System", level=1)).to_be_visible()
    assert page.evaluate("() => document.activeElement.id") == "main"
    page.reload()
    keys.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "main"


def test_a_chat(keys: Keys, page: Page, server: PageServer) -> None:
    """Choose a model, type, send, stop, answer again; the focus stays where it was used."""
    page.goto(f"{server.url}/#/chat")
    message = page.get_by_role("textbox", name="Message to")
    expect(message).to_be_focused()
    keys.tab_to(page.get_by_role("combobox", name="Model"), "Shift+Tab")
    keys.type("qwen")
    expect(page.get_by_role("textbox", name="Message to qwen-coder-7b")).to_be_visible()
    keys.tab_to(message)
    keys.type("Count")
    keys.press("Shift+Enter")
    keys.type("slowly")
    keys.press("Enter")
    stop = page.get_by_role("button", name="Stop")
    expect(page.locator(".chat-answer[aria-busy=true] .markdown")).not_to_be_empty()
    keys.tab_to(stop)
    keys.press("Enter")
    answers = page.locator(".chat-answer")
    expect(answers).to_contain_text("Stopped.")
    expect(page.get_by_role("status").filter(has_text="The answer was stopped.")).to_be_attached()
    again = page.get_by_role("button", name="Answer again")
    keys.tab_to(again, "Shift+Tab")
    keys.press("Enter")
    expect(page.locator(".chat-answer[aria-busy=true] .markdown")).not_to_be_empty()
    keys.press("Escape")
    expect(answers).to_contain_text("Stopped.")
    expect(answers).to_have_count(1)
    keys.check()
    expect(message).to_be_focused()
    keys.tab_to(page.get_by_role("button", name="Edit the message"), "Shift+Tab")
    keys.press("Enter")
    expect(page.get_by_role("textbox", name="The message")).to_be_focused()
    keys.press("Escape")
    expect(message).to_be_focused()
    keys.tab_to(page.get_by_role("button", name="New chat"), "Shift+Tab")
    keys.press("Enter")
    keys.tab_to(page.get_by_role("dialog").get_by_role("button", name="New chat"))
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Ask qwen-coder-7b something")).to_be_visible()
    expect(message).to_be_focused()


def test_a_pull_is_paused_resumed_and_cancelled(keys: Keys, page: Page, server: PageServer) -> None:
    """From the search to a deleted part file; focus is never lost when buttons change."""
    page.goto(f"{server.url}/#/find")
    search = page.get_by_role("searchbox", name="Search the hub")
    expect(search).to_be_focused()
    gate = server.hub.pause_after(FILE, HELD_BYTES)
    keys.type("noise")
    keys.press("Enter")
    expect(page.get_by_role("button", name=f"Pull {TARGET}")).to_be_visible()
    keys.press("ArrowDown")
    expect(page.get_by_role("button", name=f"Pull {TARGET}")).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_text(re.compile(r"Downloading · [\d.]+ [kM]B of"))).to_be_visible()
    keys.check()
    keys.tab_to(page.get_by_role("button", name=f"Pause {TARGET}"), "Shift+Tab")
    keys.press("Enter")
    expect(page.get_by_text(re.compile(r"^Paused at"))).to_be_visible()
    resume = page.get_by_role("button", name=f"Resume {TARGET}", exact=True).and_(
        page.locator(".icon-button")
    )
    expect(resume).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_text(re.compile(r"(Starting|Downloading) · [\d.]+ [kM]B of"))).to_be_visible()
    keys.check()
    menu = page.get_by_role("button", name=f"More for {TARGET}")
    keys.tab_to(menu)
    keys.press("Enter")
    expect(page.get_by_role("menuitem").first).to_be_focused()
    keys.press("Escape")
    expect(menu).to_be_focused()
    keys.press("Enter")
    keys.press("ArrowDown")
    keys.press("Enter")
    dialog = page.get_by_role("dialog", name="Delete the partial files?")
    expect(dialog).to_be_visible()
    keys.press("Escape")
    expect(dialog).to_have_count(0)
    expect(menu).to_be_focused()
    keys.press("Enter")
    keys.press("ArrowDown")
    keys.press("Enter")
    keys.tab_to(dialog.get_by_role("button", name="Cancel and delete"))
    keys.press("Enter")
    expect(page.get_by_text(re.compile(r"^Cancelled"))).to_be_visible()
    keys.check()
    gate.release()
    assert list(server.home.rglob("*.gguf.part*")) == []


@pytest.mark.parametrize(
    ("path", "opener", "title"),
    [
        ("now", "Load a model", "Load a model"),
        ("models", "Add a file", "Add a file"),
        ("models/llama-3b", "More for llama-3b", "Remove llama-3b?"),
        ("models?tab=profiles", "Add a profile", "Add a profile"),
    ],
)
def test_escape_closes_a_dialog_and_returns_the_focus(  # noqa: PLR0917 - fixtures and cases
    keys: Keys, page: Page, server: PageServer, path: str, opener: str, title: str
) -> None:
    """The focus stays inside of the dialog while it is open, and returns to the button that opened it."""
    page.goto(f"{server.url}/#/{path}")
    button = page.get_by_role("button", name=opener, exact=True).first
    expect(button).to_be_visible()
    keys.tab_to(button)
    keys.press("Enter")
    if opener.startswith("More"):
        keys.press("ArrowUp")
        expect(page.get_by_role("menuitem", name="Remove")).to_be_focused()
        keys.press("Enter")
    dialog = page.get_by_role("dialog", name=title)
    expect(dialog).to_be_visible()
    for _ in range(25):
        page.keyboard.press("Tab")
        if page.evaluate(
            "() => document.activeElement !== document.body"
        ):  # the browser's own controls follow the last
            keys.check()
        assert page.evaluate("() => document.activeElement.closest('dialog, body').tagName") in {
            "DIALOG",
            "BODY",
        }
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()
    keys.check()
