"""Reading the page from the package."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from gglib.proxy.errors import PageUnreadableError
from gglib.proxy.web import reading
from gglib.proxy.web.files import Page, build_page
from gglib.proxy.web.reading import PageReader, read_page


def test_files_of_all_folders_are_read(tmp_path: Path) -> None:
    """Their paths are relative to the folder, with slashes."""
    (tmp_path / "pages" / "now").mkdir(parents=True)
    (tmp_path / "index.html").write_text("<html>")
    (tmp_path / "pages" / "now" / "page.js").write_text("1")
    page = read_page(tmp_path)
    assert page.index.content == b"<html>"
    assert list(page.files) == ["pages/now/page.js"]


def test_the_package_is_read_once() -> None:
    """Two servers of one process share it."""
    assert read_page() is read_page()


async def test_a_reader_reads_once_and_survives_clients_that_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request that waits for the first read may be cancelled; the others get the page."""
    page = build_page({"index.html": b""})
    reads: list[None] = []

    def read() -> Page:
        reads.append(None)
        return page

    monkeypatch.setattr(reading, "read_page", read)
    reader = PageReader()
    first, second = asyncio.create_task(reader.page()), asyncio.create_task(reader.page())
    await asyncio.sleep(0)
    first.cancel()
    assert await second is page
    assert await reader.page() is page
    assert first.cancelled()
    assert len(reads) == 1


async def test_the_reason_why_a_page_cannot_be_read_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, without any request; requests get one error, also without a reason in it."""

    def read() -> Page:
        raise KeyError("index.html")

    monkeypatch.setattr(reading, "read_page", read)
    reader = PageReader()
    with suppress(KeyError):
        await reader.start()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "index.html" in caplog.text
    for _ in range(2):
        with pytest.raises(PageUnreadableError, match="install gglib again"):
            await reader.page()
    assert len(caplog.records) == 1
