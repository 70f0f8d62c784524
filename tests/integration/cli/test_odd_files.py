"""Odd files in the place of gglib's state files: commands finish immediately, with one line that names the file."""

import json
import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Home

DEEP = b"[" * 300_000
NOTES = (
    *("models/.pulls/bad.json", "models/.removals/bad.json", "models/.written/bad.json"),
    *("run/instance.json", "run/engines/1-1/process.json"),
)


def unlinked(path: Path) -> Path:
    """Return the path after removing its file and creating its directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return path


FAULTS: dict[str, Callable[[Path], object]] = {
    "deep": lambda path: path.write_bytes(DEEP),
    "zeros": lambda path: path.write_bytes(bytes(100)),
    "latin": lambda path: path.write_bytes(b'"caf\xe9"'),
    "types": lambda path: path.write_text(
        '{"format": {}, "files": 7, "pid": "x", "mark": 1, "socket_path": 3}'
    ),
    "huge number": lambda path: path.write_bytes(b"9" * 10_000),
    "list of numbers": lambda path: path.write_text("[1, null]"),
    "fifo": os.mkfifo,
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "circle": lambda path: path.symlink_to(path),
    "directory": Path.mkdir,
    "huge": lambda path: path.write_bytes(b"[1]" + bytes(2_000_000)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_note_is_skipped_with_a_warning_and_everything_works(fault: str, stocked: Home) -> None:
    """With a bad state file in every place list still works, and warns at most once about each."""
    for name in NOTES:
        FAULTS[fault](unlinked(stocked.path / name))
    done = stocked.process("list")
    assert done.returncode == 0, done.stderr
    assert " tiny " in done.stdout
    for name in NOTES[:3]:
        (line,) = [line for line in done.stderr.splitlines() if name in line]
        assert line.startswith(f"{stocked.path / name} is skipped: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("fault", ["deep", "fifo", "endless", "directory"])
def test_a_server_starts_whatever_its_notes_are(fault: str, stocked: Home) -> None:
    """The server responds, and its log names the bad files."""
    for name in NOTES:
        if fault != "directory" or name != "run/instance.json":
            FAULTS[fault](unlinked(stocked.path / name))
    with stocked.serving() as server:
        assert stocked.ok("run", "tiny", "Hello").strip()
        assert server.end(signal.SIGTERM) == 0
    assert "bad.json is skipped: " in (stocked.path / "logs" / "gglib.log").read_text()


@pytest.mark.parametrize(
    "fault", ["deep", "zeros", "latin", "fifo", "endless", "directory", "huge", "circle"]
)
def test_bad_settings_are_one_sentence(fault: str, stocked: Home) -> None:
    """A command that changes something needs it: the error names it. Others warn and use the defaults."""
    FAULTS[fault](unlinked(stocked.path / "config.toml"))
    assert stocked.refused("verify").startswith(f"{stocked.path}/config.toml ")
    assert f"Warning: {stocked.path}/config.toml " in stocked.run("list").stderr


@pytest.mark.parametrize(
    "content", ["\ufeffport = 4711\n", "port = 4711\r\n", "\ufeff# x\r\nport = 4711\r\n"]
)
def test_settings_as_windows_editors_write_them(content: str, stocked: Home) -> None:
    """A byte order mark and CR LF line endings are accepted."""
    (stocked.path / "config.toml").write_bytes(content.encode())
    assert "127.0.0.1:4711" in stocked.run("doctor").stdout


def test_settings_may_be_a_link(stocked: Home, tmp_path: Path) -> None:
    """config.toml may be a symbolic link."""
    (tmp_path / "mine.toml").write_text("port = 4712\n")
    unlinked(stocked.path / "config.toml").symlink_to(tmp_path / "mine.toml")
    assert "127.0.0.1:4712" in stocked.run("doctor").stdout


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir], ids=["fifo", "directory"])
def test_a_lock_that_is_no_file_is_one_sentence(make: Callable[[Path], None], stocked: Home) -> None:
    """Neither the process that would take the lock nor those that check it block."""
    make(unlinked(stocked.path / "run" / "gglib.lock"))
    for command in ("ps", "serve", "list"):
        assert stocked.refused(command).startswith(f"{stocked.path}/run")


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir], ids=["fifo", "directory"])
def test_a_catalogue_that_is_no_file_is_one_sentence(make: Callable[[Path], None], home: Home) -> None:
    """Opening it does not block, and the message has the path."""
    make(home.path / "gglib.db")
    assert home.refused("list").startswith(f"The catalogue {home.path}/gglib.db cannot be used (it is not a ")


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/full")], ids=["fifo", "full"])
def test_a_server_whose_log_takes_nothing_serves(make: Callable[[Path], None], stocked: Home) -> None:
    """A FIFO without a reader or a full device in place of the logs loses log lines, not requests."""
    make(unlinked(stocked.path / "logs" / "gglib.log"))
    make(unlinked(stocked.path / "logs" / "engines" / "tiny.log"))
    with stocked.serving() as server:
        assert stocked.ok("run", "tiny", "Hello").strip()
        assert server.end(signal.SIGTERM) == 0
    assert "Traceback" not in (stocked.path / "stderr.txt").read_text()


def test_drafts_of_killed_writers_are_swept(stocked: Home) -> None:
    """Drafts are deleted regardless of the pid in their names; files with other names stay."""
    directory = stocked.path / "models" / ".pulls"
    directory.mkdir(parents=True)
    drafts = [directory / f"{'ab' * 8}.json.{pid}" for pid in (1, os.getpid(), 999_999)]
    removal = stocked.path / "models" / ".removals" / "abc.draft"
    removal.parent.mkdir()
    for draft in (*drafts, removal):
        draft.write_text("{")
    (directory / "notes.txt").write_text("mine")
    stocked.ok("list")
    assert [path.name for path in directory.iterdir()] == ["notes.txt"]
    assert not removal.exists()


class TestNames:
    def test_a_file_whose_name_is_not_utf8_is_refused(self, home: Home) -> None:
        """``add`` refuses it, ``import`` skips it, and both print an escaped name."""
        path = home.path / "odd" / os.fsdecode(b"caf\xe9.gguf")
        path.parent.mkdir()
        home.model_file.rename(path)
        sentence = home.refused("add", str(path))
        fault = "its name is not UTF-8; rename the file or its directory."
        assert sentence.endswith(rf"caf\udce9.gguf cannot be added: {fault}")
        done = home.process("import", str(path.parent))
        assert done.returncode == 0
        assert r"caf\udce9.gguf: its name is not UTF-8: rename the file or its directory." in done.stdout

    def test_a_row_of_such_a_file_is_listed_and_removed(self, stocked: Home) -> None:
        """A row that an older gglib added is listed and can be removed."""
        with sqlite3.connect(stocked.path / "gglib.db") as connection:
            connection.execute("UPDATE model_paths SET path = ?", (b"/models/caf\xe9.gguf",))
            connection.execute("UPDATE edition SET number = number + 1")
        connection.close()
        assert "tiny" in stocked.process("list").stdout
        (model,) = json.loads(stocked.process("list", "--json").stdout)
        assert model["paths"] == ["/models/caf\udce9.gguf"]
        for command in (("show", "tiny"), ("verify",), ("prune",), ("rm", "tiny")):
            done = stocked.process(*command)
            assert "Traceback" not in done.stderr
            assert done.stdout.replace("\n", "").isprintable()

    @pytest.mark.parametrize(
        ("file", "name"),
        [("हिन्दी.gguf", "हिन्दी"), ("Me\u0301lodie.gguf", "M\u00e9lodie"), ("தமிழ் 7B.gguf", "தமிழ்-7B")],
    )
    def test_marks_stay_in_names(self, home: Home, file: str, name: str) -> None:
        """The name is the file's, composed (NFC), and is found in composed and decomposed form."""
        path = home.model_file.rename(home.path / file)
        home.ok("add", str(path))
        assert json.loads(home.ok("list", "--json"))[0]["name"] == name
        assert name in home.ok("show", file.removesuffix(".gguf").replace(" ", "-"))
