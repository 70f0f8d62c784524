"""Reading a small file ends at once, with a reason if another kind of file is in its place."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gglib.system.files.small_files import (
    MAX_SMALL_BYTES,
    open_regular,
    parse_json,
    read_small,
    warn_skipped_once,
)


def fifo(path: Path) -> None:
    """Make a FIFO, which has no writer."""
    os.mkfifo(path)


def endless(path: Path) -> None:
    """Make a link to a file without end."""
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    """Make a file that is larger than what is read."""
    path.touch()
    os.truncate(path, MAX_SMALL_BYTES + 1)


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "fifo": (fifo, "it is not a regular file"),
    "endless": (endless, "it is a link"),
    "directory": (Path.mkdir, "it is not a regular file"),
    "huge": (huge, "it is larger than 1 MB"),
    "missing": (lambda _: None, "No such file or directory"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_other_kinds_of_files_are_errors(fault: str, tmp_path: Path) -> None:
    """The read does not block and is bounded, and the phrase says what the file is."""
    make, phrase = FAULTS[fault]
    make(tmp_path / "note")
    with pytest.raises(OSError) as caught:  # noqa: PT011 - its words are looked at
        read_small(tmp_path / "note")
    assert caught.value.strerror == phrase


def test_link_is_followed_on_request_only(tmp_path: Path) -> None:
    """The settings may be a link to a file; one to a device is refused."""
    (tmp_path / "real").write_bytes(b"here")
    (tmp_path / "link").symlink_to("real")
    endless(tmp_path / "zero")
    assert read_small(tmp_path / "link", follows_links=True) == b"here"
    with pytest.raises(OSError, match="not a regular file"):
        read_small(tmp_path / "zero", follows_links=True)


def test_impossible_name_is_an_error(tmp_path: Path) -> None:
    """A NUL in a name is an OSError like the others."""
    with pytest.raises(OSError, match="no file can have this name"):
        open_regular(tmp_path / "a\0b")


def test_file_of_the_maximum_size_is_read(tmp_path: Path) -> None:
    """The limit itself is allowed."""
    (tmp_path / "note").write_bytes(b"x" * MAX_SMALL_BYTES)
    assert len(read_small(tmp_path / "note")) == MAX_SMALL_BYTES


@pytest.mark.parametrize(
    ("content", "phrase"),
    [
        (b"[" * 200_000, "it is nested too deeply"),
        (b"\xff\xfe{}", "it is not UTF-8"),
        (b"\0\0\0", "it is not JSON"),
        (b"", "it is not JSON"),
        (b"9" * 5000, "Exceeds the limit"),
    ],
    ids=["deep", "utf-16", "zeros", "empty", "long number"],
)
def test_bad_json_is_a_value_error(content: bytes, phrase: str) -> None:
    """Each kind of damage is one exception."""
    with pytest.raises(ValueError, match=phrase):
        parse_json(content)


def test_skipped_file_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The same file with the same reason is logged once, its name escaped."""
    path = tmp_path / "a\x1b.json"
    with caplog.at_level(logging.WARNING, "gglib"):
        for reason in ("it is torn", "it is torn", "it is empty"):
            warn_skipped_once(path, ValueError(reason))
    prefix = f"{tmp_path}/a\\x1b.json is skipped: it is "
    assert caplog.messages == [f"{prefix}torn", f"{prefix}empty"]
