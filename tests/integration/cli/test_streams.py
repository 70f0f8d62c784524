"""stdin, stdout and stderr: closed, full, broken, narrow; and what they pass to a terminal."""

import json
import os
import select
import shlex
import subprocess
import sys

import pytest
from tests.support.waiting import LIMIT_S, wait_until

from gglib.testing import Script, write_tiny_gguf

from .conftest import Done, Home
from .test_local_model_commands import on_a_terminal

COMMANDS = (
    *(
        "--help",
        "list",
        "list --json",
        "show tiny",
        "ps",
        "ps --json",
        "doctor",
        "logs tiny",
        "verify",
        "pull",
        "prune",
    ),
    *("import /nowhere", "rm nothing", "add /nowhere.gguf", "nonsense", "set tiny --ctx 4096"),
)
OSC = "\x1b]52;c;eA==\x07"
ATTACK = f"{OSC}\x9b31m\r\u202eforged\u2028"
SHOWN = r"\x1b]52;c;eA==\x07\x9b31m\r\u202eforged\u2028"


def in_shell(home: Home, command: str, **environment: str) -> Done:
    """Run ``gglib`` with redirections in a shell."""
    gglib = f"{shlex.quote(sys.executable)} -m gglib"
    done = subprocess.run(
        ["bash", "-c", "set -o pipefail; " + command.replace("GGLIB", gglib)],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=60,
        env=home.environment | environment,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def assert_clean(done: Done) -> None:
    """Fail if the output has a traceback or an error of the interpreter."""
    for words in ("Traceback", "Exception ignored", "lost sys.stderr"):
        assert words not in done.stdout + done.stderr
    assert done.returncode in {0, 1, 2}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_output_is_one_sentence(command: str, stocked: Home) -> None:
    """Output to a full device ends the command with one sentence and a nonzero exit code."""
    log = stocked.path / "logs" / "engines" / "tiny.log"
    log.parent.mkdir(parents=True)
    log.write_text("words\n")
    done = in_shell(stocked, f"GGLIB {command} >/dev/full")
    assert_clean(done)
    assert done.returncode != 0
    assert [line for line in done.stderr.splitlines() if line.startswith("Error: ")] == [
        done.stderr.splitlines()[-1]
    ]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_a_closed_stream_is_no_fault(closed: str, stocked: Home) -> None:
    """A command works without the stream; its output does not land in the next file that it opens."""
    for command in ("list", "add tiny2.gguf", "rm 1", "ps"):
        write_tiny_gguf(stocked.path / "tiny2.gguf", seed=2)
        done = in_shell(stocked, f"cd {stocked.path}; GGLIB {command} {closed}")
        assert_clean(done)
        assert done.returncode == 0, (command, done.stderr)
    assert [model["id"] for model in json.loads(stocked.ok("list", "--json"))] == [2]


def test_a_reader_that_has_enough_is_no_fault(stocked: Home) -> None:
    """``| head -1`` causes no traceback."""
    assert_clean(in_shell(stocked, "GGLIB show tiny | head -c 1"))
    assert_clean(in_shell(stocked, "GGLIB list --json | true"))


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
    ],
    ids=["C", "ascii", "strict"],
)
def test_a_locale_without_letters_is_no_fault(locale: dict[str, str], home: Home) -> None:
    """Names that the locale cannot encode are escaped or written in UTF-8."""
    home.ok("add", str(home.model_file), "--name", "हिन्दी", "--alias", "é")
    for command in ("list", "list --json", "show 1", "rm हिन्दी-x", "prune", "doctor"):
        assert_clean(in_shell(home, f"GGLIB {command}", **locale))
    assert "हिन्दी" in in_shell(home, "GGLIB list", LC_ALL="C").stdout


@pytest.mark.parametrize("streams", ["<&- >&- 2>&-", ">/dev/full 2>/dev/full </dev/null", "<&- 2>&1 | true"])
def test_a_server_needs_no_streams(streams: str, stocked: Home) -> None:
    """A server without standard streams starts, responds and stops."""
    command = f"exec {shlex.quote(sys.executable)} -m gglib serve {streams}"
    process = subprocess.Popen(["bash", "-c", command], env=stocked.environment, stderr=subprocess.DEVNULL)
    try:
        wait_for_answers(stocked)
        assert stocked.ok("run", "tiny", "Hello").strip()
        stocked.ok("stop", "--server")
        assert process.wait(LIMIT_S) in {0, 1}
    finally:
        process.kill()
        process.wait()


def wait_for_answers(home: Home) -> None:
    """Wait until the server of the home responds."""
    wait_until(lambda: "http://" in home.run("ps").stdout)


class TestAnswers:
    def test_on_a_terminal_an_answer_is_text(self, stocked: Home) -> None:
        """Control characters in a model's output are escaped on a terminal."""
        stocked.script(Script(chunks=1, chunk_text=f"a{ATTACK}b\tc\r\nd"))
        code, shown = on_a_terminal(stocked, "run", "tiny", "Hello", answer="")
        assert code == 0
        assert OSC not in shown
        assert f"a{SHOWN}b" in shown

    def test_a_pipe_gets_an_answer_as_it_is(self, stocked: Home) -> None:
        """In a pipe or a file the model's output is unchanged."""
        stocked.script(Script(chunks=1, chunk_text=f"a{ATTACK}b"))
        done = subprocess.run(
            [sys.executable, "-m", "gglib", "run", "tiny", "Hello"],
            capture_output=True,
            env=stocked.environment,
            timeout=60,
            check=True,
        )
        assert done.stdout.decode() == f"a{ATTACK}b\n"

    def test_the_proof_of_up_is_text(self, stocked: Home) -> None:
        """Control characters are escaped in a pipe, too: the output of up is for people."""
        stocked.script(Script(chunks=1, chunk_text=f"a{OSC}\x9b\u202eb"))
        with stocked.foreground("up", "--port", "0", first_words="Answer") as up:
            assert up.url == r"a\x1b]52;c;eA==\x07\x9b\u202eb"

    def test_an_error_of_the_engine_is_text(self, stocked: Home) -> None:
        """run, ps and logs show the engine's error with control characters escaped."""
        stocked.script(Script(load_fails_with=f"error: tensor {ATTACK} is missing", load_exit_code=1))
        with stocked.serving():
            refused = stocked.process("run", "tiny", "Hello")
            status = stocked.process("ps")
            logs = stocked.process("logs", "tiny")
            own = stocked.process("logs")
        for done in (refused, status, logs, own):
            assert (done.stdout + done.stderr).replace("\n", "").isprintable(), done
            assert "]52;c" in done.stdout + done.stderr
        assert r"\x1b]52" in logs.stdout
        log = (stocked.path / "logs" / "gglib.log").read_text()
        assert log.replace("\n", "").isprintable()


@pytest.mark.parametrize("prompt", [b"caf\xe9", b"\xff\xfe"])
def test_a_prompt_in_another_encoding_is_asked_as_far_as_it_can_be_read(prompt: bytes, stocked: Home) -> None:
    """A prompt with invalid UTF-8 is sent with the readable part, from a pipe and from an argument."""
    for arguments, stdin in (((), prompt), ((os.fsdecode(prompt),), b"")):
        done = subprocess.run(
            [sys.executable, "-m", "gglib", "run", "tiny", *arguments],
            input=stdin,
            capture_output=True,
            env=stocked.environment,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr


class TestFullHome:
    """A disk without space: every write fails with ENOSPC."""

    @pytest.fixture(autouse=True)
    def fill_up(self, stocked: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make every write that uses the system's own calls fail."""
        import errno
        import pathlib

        def no_room(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        stocked.ok("list")
        monkeypatch.setattr(os, "fsync", no_room)
        monkeypatch.setattr(json, "dump", no_room)
        monkeypatch.setattr(pathlib.Path, "write_text", no_room)

    @pytest.mark.parametrize(
        "command", ["list", "list --json", "show tiny", "doctor", "ps", "prune", "rm tiny"]
    )
    def test_what_only_reads_works(self, command: str, stocked: Home) -> None:
        """Reading and removing a row work as usual."""
        done = stocked.run(*command.split())
        assert done.returncode == 0, done.stderr

    def test_what_has_to_write_is_one_sentence_with_the_path(self, stocked: Home) -> None:
        """A server that cannot write its instance file names the directory without space."""
        from gglib.app.serving.instance import lock_instance
        from gglib.core.errors import InvalidSettingError

        with (
            pytest.raises(
                InvalidSettingError, match=f"{stocked.path}/run cannot be written \\(No space left"
            ),
            lock_instance(stocked.path / "run"),
        ):
            pytest.fail("the home was claimed")


def test_a_refusal_of_the_system_names_its_file(stocked: Home) -> None:
    """An OSError without another explanation is one sentence with the path, without a crash report."""
    stocked.path.joinpath("models").mkdir(exist_ok=True)
    log = stocked.path / "logs" / "gglib.log"
    log.parent.mkdir(exist_ok=True)
    log.mkdir()
    sentence = stocked.refused("logs")
    assert sentence.startswith(f"{log} cannot be used (it is not a regular file): ")
    assert not log.with_name("last-crash.log").exists()


class TestLogs:
    def test_a_log_is_text(self, stocked: Home) -> None:
        """Only a line feed ends a line; other control characters are escaped, also with --follow."""
        path = stocked.path / "logs" / "engines" / "tiny.log"
        path.parent.mkdir(parents=True)
        path.write_bytes(f"first\r\nsecond{ATTACK}\x0bx\x85y\n".encode())
        assert stocked.ok("logs", "tiny") == f"first\nsecond{SHOWN}\\x0bx\\x85y\n"
        assert stocked.ok("logs", "tiny", "-n", "1") == f"second{SHOWN}\\x0bx\\x85y\n"

    def test_what_follows_is_text(self, stocked: Home) -> None:
        """A character that arrives in two writes is decoded as a whole."""
        path = stocked.path / "logs" / "engines" / "tiny.log"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"begin\n")
        process = subprocess.Popen(
            [sys.executable, "-m", "gglib", "logs", "tiny", "-f"],
            stdout=subprocess.PIPE,
            env=stocked.environment,
        )
        assert process.stdout is not None
        try:
            seen = read_until(process.stdout.fileno(), b"begin\n")
            for piece in (b"\xc2", b"\x9b\x1b", b"]52;c\n"):
                with path.open("ab") as log:
                    log.write(piece)
            seen += read_until(process.stdout.fileno(), b"]52;c\n")
        finally:
            process.kill()
            process.communicate()
        assert seen == b"begin\n\\x9b\\x1b]52;c\n"


def read_until(descriptor: int, words: bytes) -> bytes:
    """Read until the bytes contain ``words``."""
    seen = b""
    while words not in seen:
        ready, _, _ = select.select([descriptor], [], [], LIMIT_S)
        assert ready, seen
        seen += os.read(descriptor, 65536)
    return seen


def test_a_row_with_a_hostile_name_is_listed(stocked: Home) -> None:
    """A name with control characters from an older gglib or another program is escaped on a terminal."""
    import sqlite3

    with sqlite3.connect(stocked.path / "gglib.db") as connection:
        connection.execute("UPDATE names SET spelling = ?", (f"a{ATTACK}",))
        connection.execute(
            "UPDATE models SET architecture = ?, quantization = ?, source_repo = ?", (ATTACK,) * 3
        )
        connection.execute("UPDATE edition SET number = number + 1")
    connection.close()
    for command in (("list",), ("show", "1"), ("list", "--json"), ("doctor",), ("rm", "none"), ("verify",)):
        done = stocked.process(*command)
        assert (done.stdout + done.stderr).replace("\n", "").isprintable(), command
    (model,) = json.loads(stocked.process("list", "--json").stdout)
    assert (model["name"], model["architecture"]) == (f"a{ATTACK}", ATTACK)
