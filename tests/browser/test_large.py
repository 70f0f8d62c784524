"""The page with hundreds of models and a hundred thousand requests: few rows in the document, few requests."""

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Request, expect
from tests.support.page_server import PageServer, page_server

from gglib.core.history.records import RequestRecord
from gglib.core.models import GgufFacts, NewModel
from gglib.db import SqliteCatalog, SqliteHistory
from gglib.db.home_paths import HomePaths
from gglib.db.rows import insert_model
from gglib.testing import LocalHub

MODELS = 500
REQUESTS = 100_000
CHUNK = 10_000
MAX_ROWS = 120
MAX_KEYS = 80


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    """Yield a server with many models and requests."""
    with page_server(models=(), prepare=_fill) as server:
        yield server


def _fill(home: Path, _: LocalHub) -> None:
    _run(lambda: _add_models(home))
    _run(lambda: _add_requests(home))


def _run(work: Callable[[], Coroutine[object, object, None]]) -> None:
    """Run it in another thread: the browser's event loop runs in this one."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


async def _add_models(home: Path) -> None:
    facts = GgufFacts(
        architecture="llama", parameter_count=7_000_000_000, quantization="Q4_K_M", trained_context=32_768
    )
    async with SqliteCatalog(home / "gglib.db"):
        pass  # creates the tables
    with closing(sqlite3.connect(home / "gglib.db")) as connection, connection:
        for number in range(MODELS):
            path = home / "files" / f"model-{number:03}.gguf"
            model = NewModel(
                name=f"model-{number:03}", paths=(path,), size_bytes=4_000_000_000 + number, facts=facts
            )
            insert_model(connection, HomePaths(home), model, added_at=0)


async def _add_requests(home: Path) -> None:
    first_s = time.time() - REQUESTS / 100
    async with SqliteHistory(home / "history.db", max_bytes=1 << 30, max_age_s=1e9) as history:
        for start in range(0, REQUESTS, CHUNK):
            history.record([_record(number, first_s) for number in range(start, start + CHUNK)])
            await asyncio.to_thread(history.flush)


def _record(number: int, first_s: float) -> RequestRecord:
    return RequestRecord(
        method="POST",
        path="/v1/chat/completions",
        model=f"model-{number % MODELS:03}",
        status=200,
        request_id=f"req_{number:012x}",
        waited_s=0.0,
        first_byte_s=0.1,
        duration_s=1.0,
        chunks=10,
        is_streamed=True,
        error_code=None,
        prompt_tokens=number,
        completion_tokens=10,
        ended_at_s=first_s + number / 100,
        route="/v1/chat/completions",
        program="oldest-of-all" if number == 0 else "agent",
    )


def _region(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name)


def _rows(region: Locator) -> Locator:
    return region.locator("tbody tr[data-row]")


def _sent(page: Page) -> list[str]:
    """Return a list that grows with the paths of the page's requests to the API."""
    sent: list[str] = []

    def add(request: Request) -> None:
        if "/web/" not in request.url:
            sent.append(request.url)

    page.on("request", add)
    return sent


def test_five_hundred_models(page: Page, server: PageServer) -> None:
    """Keys go to the end and back; the filter finds one; the focus stays in the list."""
    sent = _sent(page)
    page.goto(f"{server.url}/#/models?sort=name")
    region = _region(page, "Models of the catalogue")
    expect(_rows(region).first).to_contain_text("model-000")
    expect(page.get_by_text("500 models")).to_be_visible()
    assert _rows(region).count() < MAX_ROWS
    _rows(region).first.focus()
    page.keyboard.press("End")
    last = _rows(region).filter(has_text="model-499")
    expect(last).to_be_focused()
    expect(last).to_be_in_viewport()
    assert _rows(region).count() < MAX_ROWS
    page.keyboard.press("PageUp")
    expect(last).not_to_be_focused()
    assert page.evaluate("() => document.activeElement.closest('tr')?.dataset.row") is not None
    page.keyboard.press("Home")
    expect(_rows(region).filter(has_text="model-000")).to_be_focused()
    for _ in range(30):
        page.keyboard.press("ArrowDown")
    expect(_rows(region).filter(has_text="model-030")).to_be_focused()
    page.get_by_role("searchbox", name="Search models").fill("model-321")
    expect(_rows(region)).to_have_count(1)
    expect(page.get_by_text("1 of 500 models")).to_be_visible()
    _rows(region).first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="model-321", level=1)).to_be_visible()
    assert len(sent) < 20, sent


def test_a_hundred_thousand_requests(page: Page, server: PageServer) -> None:
    """The end of what is loaded loads more; filters find the oldest one; rows and readings stay few."""
    sent = _sent(page)
    page.goto(f"{server.url}/#/requests")
    region = _region(page, "Requests, newest first")
    expect(_rows(region).filter(has_text=f"{REQUESTS - 1:,}")).to_be_visible()
    _rows(region).first.focus()
    seen = 0
    for _ in range(5):
        page.keyboard.press("End")
        page.wait_for_function(
            "before => Number(document.querySelector('.request-list table').getAttribute('aria-rowcount')) > before",
            arg=seen,
        )
        seen = int(region.locator("table").get_attribute("aria-rowcount") or 0)
        assert _rows(region).count() < MAX_ROWS
    assert seen > 1500
    page.keyboard.press("PageDown")
    page.keyboard.press("PageUp")
    assert page.evaluate("() => document.activeElement.closest('tr')?.dataset.row") is not None
    readings = [url for url in sent if "/gglib/requests?" in url]
    assert len(readings) <= 10, readings
    page.get_by_role("searchbox", name="Filter by any name").fill("oldest-of-all")
    expect(_rows(region)).to_have_count(1)
    _rows(region).first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Details of the request")).to_contain_text("oldest-of-all")
    page.keyboard.press("Escape")
    expect(_rows(region).first).to_be_focused()
    found = json.loads(server.request("GET", "/gglib/requests?state=finished&q=oldest-of-all"))["requests"]
    assert [entry["client"] for entry in found] == ["oldest-of-all"]
    assert len(sent) < 40, sent
