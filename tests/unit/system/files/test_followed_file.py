"""The end of a file, and what is appended to it."""

import os
from pathlib import Path

import pytest

from gglib.system.files import followed_file
from gglib.system.files.followed_file import FollowedFile, read_tail


def append(path: Path, text: str) -> None:
    """Append to a file, as its writer does."""
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def new_text(file: FollowedFile) -> str:
    """Return what was appended since the last call."""
    return b"".join(file.read_new()).decode()


@pytest.mark.parametrize(
    ("content", "lines", "expected", "is_cut"),
    [
        ("a\nb\nc\n", 2, ["b", "c"], True),
        ("a\nb\nc\n", 3, ["a", "b", "c"], False),
        ("a\nb\nc\n", 5, ["a", "b", "c"], False),
        ("a\nb\nc\n", 0, [], True),
        ("a\r\nb", 5, ["a", "b"], False),
        ("\n\n", 5, ["", ""], False),
        ("", 5, [], False),
    ],
)
def test_the_tail_is_the_last_lines(
    tmp_path: Path, content: str, lines: int, expected: list[str], *, is_cut: bool
) -> None:
    """At most the requested number; whether there are earlier ones is said."""
    path = tmp_path / "log"
    path.write_bytes(content.encode())
    tail = read_tail(path, lines)
    assert (tail.lines, tail.is_cut) == (expected, is_cut)


def test_the_tail_of_a_long_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines before the bound are not read."""
    monkeypatch.setattr(followed_file, "TAIL_BYTES", 4)
    path = tmp_path / "log"
    path.write_text("first\na\nb\n", encoding="utf-8")
    tail = read_tail(path, 9)
    assert (tail.lines, tail.is_cut) == (["a", "b"], True)


def test_a_missing_file_has_no_tail(tmp_path: Path) -> None:
    """Nor has a FIFO, which is not waited for."""
    with pytest.raises(FileNotFoundError):
        read_tail(tmp_path / "log", 1)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="not a regular file"):
        read_tail(tmp_path / "fifo", 1)


def test_appended_text_follows_the_tail(tmp_path: Path) -> None:
    """Without a gap: the tail ends where the file ended when it was opened."""
    path = tmp_path / "log"
    path.write_text("a\nb\n", encoding="utf-8")
    with FollowedFile(path) as file:
        append(path, "c\n")
        assert file.is_open
        assert file.tail(5).lines == ["a", "b"]
        assert new_text(file) == "c\n"
        assert new_text(file) == ""
        append(path, "d")
        assert new_text(file) == "d"


def test_following_starts_at_the_start_of_a_line(tmp_path: Path) -> None:
    """A line that is being written is not split between the tail and the new text."""
    path = tmp_path / "log"
    path.write_text("a\nb", encoding="utf-8")
    with FollowedFile(path) as file:
        assert file.tail(5).lines == ["a"]
        append(path, "egin\n")
        assert new_text(file) == "begin\n"
    path.write_text("b", encoding="utf-8")
    with FollowedFile(path) as file:
        assert file.tail(5) == followed_file.NO_LINES
        append(path, "egin\n")
        assert new_text(file) == "begin\n"


def test_long_text_arrives_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory is bounded."""
    monkeypatch.setattr(followed_file, "PIECE_BYTES", 3)
    path = tmp_path / "log"
    path.touch()
    with FollowedFile(path) as file:
        append(path, "abcdefg")
        assert list(file.read_new()) == [b"abc", b"def", b"g"]


def test_rotation_is_followed(tmp_path: Path) -> None:
    """The last lines of the old file come before the first ones of the new file."""
    path = tmp_path / "log"
    path.write_text("a\n", encoding="utf-8")
    with FollowedFile(path) as file:
        append(path, "old\n")
        path.rename(tmp_path / "log.1")
        assert new_text(file) == "old\n"
        append(tmp_path / "log.1", "older\n")
        append(path, "new\n")
        assert new_text(file) == "older\nnew\n"
        append(path, "more\n")
        assert new_text(file) == "more\n"


def test_a_truncated_file_starts_again(tmp_path: Path) -> None:
    """As after a redirection of another program."""
    path = tmp_path / "log"
    path.write_text("a long line\n", encoding="utf-8")
    with FollowedFile(path) as file:
        path.write_text("b\n", encoding="utf-8")
        assert new_text(file) == "b\n"


def test_a_missing_file_is_waited_for(tmp_path: Path) -> None:
    """It is then read from its beginning."""
    path = tmp_path / "log"
    with FollowedFile(path) as file:
        assert not file.is_open
        assert file.tail(5).lines == []
        assert new_text(file) == ""
        append(path, "a\n")
        assert new_text(file) == "a\n"


def test_the_file_is_closed(tmp_path: Path) -> None:
    """At the end of the block: no descriptor stays open, also after a rotation."""
    path = tmp_path / "log"
    path.touch()
    before = set(Path("/dev/fd").iterdir())
    with FollowedFile(path) as file:
        path.unlink()
        path.touch()
        assert new_text(file) == ""
    assert set(Path("/dev/fd").iterdir()) == before
