"""The whole way on one page, with the real engine: find, pull, chat, swap, look at the request, remove."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.support.page_server import PageServer, page_server

from gglib.testing import write_tiny_gguf

REPO = "ada/noise-GGUF"
FILE = "noise-F32.gguf"
TARGET = f"{REPO}:F32"
FIRST = "noise-F32"
SECOND = "other-noise"
PADDING_BYTES = 5_000_000
"""After the tensors, so that the download goes on when the header has been read."""
HELD_BYTES = 3_000_000
TOKENS = 1500
"""Enough for an answer that is shown before it is complete."""

_WATCH = """() => {
  globalThis.shownLengths = new Set();
  new MutationObserver(() => {
    const answer = document.querySelector('.chat-answer[aria-busy=true] .markdown');
    if (answer) shownLengths.add(answer.textContent.length);
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
"""Collects the lengths of the text of an answer that is not complete."""


@pytest.fixture
def server() -> Iterator[PageServer]:
    """Yield a server of a plain install: an empty home, the real engine, one model at a time in memory."""
    with page_server(models=(), has_real_engine=True, settings="max_models = 1") as server:
        file = write_tiny_gguf(server.home / FILE, name="noise")
        server.hub.add_repository(
            REPO, {FILE: file.read_bytes() + bytes(PADDING_BYTES), "README.md": b"# Noise"}
        )
        file.unlink()
        yield server


def test_from_an_empty_home_to_an_empty_home(page: Page, server: PageServer) -> None:
    """Each step is done and checked on the page; what it shows of the requests is what the API reports."""
    page.goto(f"{server.url}/#/models")
    page.get_by_role("link", name="Find a first model").click()
    _pull(page, server)
    page.get_by_role("complementary", name="Downloads").get_by_role("link", name="Chat").click()
    _limit_answers(page)
    first = _chat(page, FIRST)
    _add_file(page, server)
    page.get_by_role("main").get_by_role("link", name="Chat", exact=True).click()
    second = _chat(page, SECOND)
    _see_swap(page)
    _see_request(page, server, second)
    assert first["model"] == FIRST
    _remove(page, server)


def _pull(page: Page, server: PageServer) -> None:
    """Search the hub, pull the model, and see an amount that is neither none nor all of it."""
    search = page.get_by_role("searchbox", name="Search the hub")
    search.fill("noise")
    gate = server.hub.pause_after(FILE, HELD_BYTES)
    page.get_by_role("button", name="Search").click()
    repository = page.get_by_role("article", name=REPO)
    repository.get_by_role("button", name=f"Pull {TARGET}").click()
    downloads = page.get_by_role("complementary", name="Downloads")
    expect(downloads).to_contain_text(re.compile(r"Downloading · [\d.]+ [kM]B of [\d.]+ MB"))
    bar = downloads.get_by_role("progressbar", name=f"Progress of {TARGET}")
    assert 0 < bar.evaluate("bar => bar.value") < 1
    gate.release()
    expect(repository.get_by_role("link", name="In the catalogue")).to_be_visible()
    expect(downloads).to_contain_text("Ready to use")


def _limit_answers(page: Page) -> None:
    """Answers of these models end only at a limit."""
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Max tokens").fill(str(TOKENS))
    page.get_by_role("button", name="Close the settings").click()


def _chat(page: Page, model: str) -> dict[str, Any]:
    """Send a message, see a part of the answer and its end; return the usage that the page shows."""
    expect(page.get_by_role("combobox", name="Model")).to_have_value(model)
    box = page.get_by_role("textbox", name=f"Message to {model}")
    box.fill(f"Make some noise, {model}")
    answers = page.locator(".chat-answer")
    before = answers.count()
    page.evaluate(_WATCH)
    box.press("Enter")
    answer = answers.nth(before)
    figures = answer.get_by_role("list", name="Figures")
    expect(figures).to_contain_text("in all")
    assert page.evaluate("() => shownLengths.size") > 1, "the answer is shown as it comes"
    expect(answer.get_by_text("tokens/s")).to_be_visible()
    return {
        "model": model,
        "completion_tokens": _number(figures, r"(?:^|\s)([\d,]+) tokens(?!/)"),
        "prompt_tokens": _number(figures, r"([\d,]+) prompt tokens"),
    }


def _number(figures: Locator, pattern: str) -> int:
    text = "\n".join(figures.get_by_role("listitem").all_text_contents())
    found = re.search(pattern, text)
    assert found, text
    return int(found[1].replace(",", ""))


def _add_file(page: Page, server: PageServer) -> None:
    """Add a file of the server's machine as the second model."""
    file = write_tiny_gguf(server.home / "other.gguf", name="other", seed=1)
    page.get_by_role("link", name="Models", exact=True).click()
    expect(page.get_by_role("row").filter(has_text=FIRST)).to_contain_text("ready")
    page.get_by_role("button", name="Add a file").click()
    dialog = page.get_by_role("dialog", name="Add a file")
    dialog.get_by_role("textbox", name="Path").fill(str(file))
    dialog.get_by_role("textbox", name="Name").fill(SECOND)
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name=SECOND, level=1)).to_be_visible()


def _see_swap(page: Page) -> None:
    """See that the one model has replaced the other, and why."""
    page.get_by_role("link", name=re.compile(r"^Now")).click()
    swaps = page.get_by_role("region", name="Swaps")
    newest = swaps.get_by_role("listitem").first
    expect(newest).to_contain_text(f"{FIRST} replaced by {SECOND}")
    expect(newest.locator(".swap-why")).to_contain_text(re.compile(r"\w+ \w+"))
    expect(page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=SECOND))).to_contain_text(
        "ready"
    )
    newest.get_by_role("link", name="request").click()


def _see_request(page: Page, server: PageServer, shown: dict[str, Any]) -> None:
    """Compare the tokens of the request that caused the swap: in its details, its row, the chat and the API."""
    details = page.get_by_role("region", name="Details of the request")
    expect(details).to_contain_text(f"{FIRST} → {SECOND}")
    requests = json.loads(server.request("GET", "/gglib/requests?state=finished"))["requests"]
    (stored,) = [entry for entry in requests if entry["model"] == SECOND]
    assert {name: stored[name] for name in shown} == shown
    assert stored["completion_tokens"] == TOKENS
    expect(details.get_by_text(re.compile(rf"^{stored['completion_tokens']:,} tokens"))).to_be_visible()
    expect(details.get_by_text(re.compile(rf"^{stored['prompt_tokens']:,} tokens"))).to_be_visible()
    page.get_by_role("button", name="Close the details").click()
    row = page.get_by_role("row").filter(has_text=SECOND)
    expect(row.locator(".c-completion")).to_have_text(f"{stored['completion_tokens']:,}")
    expect(row.locator(".c-prompt")).to_have_text(f"{stored['prompt_tokens']:,}")


def _remove(page: Page, server: PageServer) -> None:
    """Remove the pulled model: what it frees is said before and after, and its file is gone."""
    (file,) = server.home.glob(f"models/**/{FILE}")
    size = f"{file.stat().st_size / 1e6:.2f} MB"
    page.get_by_role("link", name="Models", exact=True).click()
    page.get_by_role("link", name=FIRST).click()
    page.get_by_role("button", name=f"More for {FIRST}").click()
    page.get_by_role("menuitem", name="Remove").click()
    dialog = page.get_by_role("dialog", name=f"Remove {FIRST}?")
    expect(dialog).to_contain_text(str(file))
    dialog.get_by_role("button", name=f"Remove and free {size}").click()
    expect(page.get_by_text(f"Removed {FIRST} and freed {size}.")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=SECOND)).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=FIRST)).to_have_count(0)
    assert not file.exists()
