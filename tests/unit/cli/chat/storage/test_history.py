"""The history of prompts."""

import multiprocessing
import os
from pathlib import Path

import pytest

from gglib.cli.chat.storage import history_format
from gglib.cli.chat.storage.history import HISTORY_NAME, HistoryFile
from gglib.cli.chat.storage.history_format import (
    MAX_ENTRIES,
    MAX_ENTRY_CHARS,
    history_line,
    read_history,
    shortened,
)


def test_prompts_of_several_lines_survive(tmp_path: Path) -> None:
    """The file keeps them in their order, also odd characters, and only the owner can read it."""
    prompts = ["one", "two\nlines\n", "日本 \u2028 x", "\udcff", '"""a"""']
    for prompt in prompts:
        HistoryFile(tmp_path / "home").append(prompt)
    assert HistoryFile(tmp_path / "home").read() == prompts
    assert (tmp_path / "home" / HISTORY_NAME).stat().st_mode & 0o777 == 0o600


def test_empty_and_huge_prompts_are_not_kept(tmp_path: Path) -> None:
    """A pasted file would displace everything else."""
    file = HistoryFile(tmp_path)
    for prompt in ("", " \n", "x" * (MAX_ENTRY_CHARS + 1)):
        file.append(prompt)
    assert not (tmp_path / HISTORY_NAME).exists()


def test_damaged_lines_are_skipped() -> None:
    """A line that another program wrote, or that was cut, does not hide the rest."""
    assert read_history(b'"a"\nbroken\n[1]\n"\xff"\n""\n"b"\n"cut') == ["a", "b"]


def test_a_long_history_is_shortened(tmp_path: Path) -> None:
    """The last prompts stay."""
    content = b"".join(filter(None, (history_line(f"p{n}") for n in range(2 * MAX_ENTRIES + 1))))
    (tmp_path / HISTORY_NAME).write_bytes(content)
    file = HistoryFile(tmp_path)
    kept = [f"p{n}" for n in range(MAX_ENTRIES + 1, 2 * MAX_ENTRIES + 1)]
    assert file.read() == kept
    assert (tmp_path / HISTORY_NAME).read_bytes().count(b"\n") == MAX_ENTRIES
    file.append("new")
    assert file.read() == [*kept[1:], "new"]


def test_a_large_history_is_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size counts, too."""
    monkeypatch.setattr(history_format, "MAX_BYTES", 20)
    content = b"".join(filter(None, map(history_line, ("a" * 10, "b" * 10, "c" * 10, "d"))))
    assert shortened(content) == b'"cccccccccc"\n"d"\n'
    assert shortened(b'"a"\n') is None


@pytest.mark.parametrize("odd", ["directory", "fifo", "missing"])
def test_a_file_that_cannot_be_used_is_no_error(odd: str, tmp_path: Path) -> None:
    """The chat goes on without a history."""
    path = tmp_path / HISTORY_NAME
    if odd == "directory":
        path.mkdir()
    if odd == "fifo":
        os.mkfifo(path)
    file = HistoryFile(tmp_path)
    assert file.read() == []
    if odd != "missing":
        file.append("x")
        assert file.read() == []


def append_many(folder: Path, name: str) -> None:
    """Append prompts, and read as a starting chat does."""
    file = HistoryFile(folder)
    for number in range(50):
        file.append(f"{name}{number}")
        file.read()


def test_chats_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    """Each prompt of two processes is there, whole."""
    context = multiprocessing.get_context("fork")
    chats = [context.Process(target=append_many, args=(tmp_path, name)) for name in "ab"]
    for chat in chats:
        chat.start()
    for chat in chats:
        chat.join()
    expected = {f"{name}{number}" for name in "ab" for number in range(50)}
    assert set(HistoryFile(tmp_path).read()) == expected
