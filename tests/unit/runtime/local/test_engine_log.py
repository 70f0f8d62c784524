"""What is kept of an engine's log, and how it is read."""

import os
from pathlib import Path

import pytest

from gglib.runtime.local.engine_log import (
    MAX_FILE_BYTES,
    MAX_LINE_BYTES,
    TAIL_LINES,
    EngineLog,
    LineTail,
    engine_log_path,
)


def test_tail_keeps_the_last_lines_at_any_split() -> None:
    """Lines arrive in pieces of any size; empty lines are dropped."""
    text = "".join(f"line {n}\n\n" for n in range(1_000)).encode() + b"unfinished"
    for size in (1, 7, 1000, len(text)):
        tail = LineTail()
        for start in range(0, len(text), size):
            tail.feed(text[start : start + size])
        assert tail.lines[-3:] == ("line 998", "line 999", "unfinished")
        assert len(tail.lines) <= TAIL_LINES + 1


def test_line_of_any_length_takes_bounded_memory() -> None:
    """Only the beginning of a long line is kept."""
    tail = LineTail()
    for _ in range(100):
        tail.feed(b"x" * 100_000)
    tail.feed(b"\nnext\n")
    assert [len(line) for line in tail.lines] == [MAX_LINE_BYTES, 4]


def test_file_is_rotated_and_bounded(tmp_path: Path) -> None:
    """Two files at most, each within its limit, the newest bytes kept."""
    log = EngineLog(tmp_path / "a.log")
    for number in range(40):
        log.feed(f"{number}".encode() * 500_000)
    log.feed(b"last")
    log.close()
    assert (tmp_path / "a.log").read_bytes().endswith(b"last")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1"]
    assert all(path.stat().st_size <= MAX_FILE_BYTES for path in tmp_path.iterdir())


def test_unwritable_file_does_not_affect_the_tail(tmp_path: Path) -> None:
    """The tail continues."""
    (tmp_path / "file").touch()
    log = EngineLog(tmp_path / "file" / "a.log")
    log.feed(b"hello\n")
    assert log.tail.lines == ("hello",)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b:c", "x" * 500, "naïve model"])
def test_log_path_never_leaves_the_log_directory(name: str, tmp_path: Path) -> None:
    """For any model name, its log is a file in one folder."""
    path = engine_log_path(tmp_path, name)
    assert path.resolve().parent == tmp_path / "engines"
    assert len(path.name) < 200


def test_log_name_in_any_script_is_distinct_and_fits(tmp_path: Path) -> None:
    """Combining marks stay, so that two words of an Indic script have two logs; file systems count bytes."""
    assert engine_log_path(tmp_path, "हिन्दी").name == "हिन्दी.log"
    long = engine_log_path(tmp_path, "語" * 200)
    assert long.name == "語" * 80 + ".log"
    long.parent.mkdir()
    long.with_name(f"{long.name}.1").touch()


def test_log_that_is_no_regular_file_affects_the_file_alone(tmp_path: Path) -> None:
    """A FIFO without a reader does not block, and a full device takes nothing: the tail stays."""
    os.mkfifo(tmp_path / "fifo.log")
    (tmp_path / "full.log").symlink_to("/dev/full")
    for name in ("fifo.log", "full.log"):
        log = EngineLog(tmp_path / name)
        log.feed(b"words\n")
        assert log.tail.lines == ("words",)
        log.close()
