"""What is kept of an engine's log, and what it is made to say."""

import os
from pathlib import Path

import pytest

from gglib.runtime.logs import (
    MAX_FILE_BYTES,
    MAX_LINE_BYTES,
    TAIL_LINES,
    EngineLog,
    LineTail,
    engine_log_path,
    reason_for_exit,
    shorten_home,
)


def test_the_tail_keeps_the_last_lines_however_they_are_cut() -> None:
    """Lines arrive in pieces of any size; empty ones are not worth keeping."""
    text = "".join(f"line {n}\n\n" for n in range(100)).encode() + b"unfinished"
    for size in (1, 7, 1000, len(text)):
        tail = LineTail()
        for start in range(0, len(text), size):
            tail.feed(text[start : start + size])
        assert tail.lines[-3:] == ("line 98", "line 99", "unfinished")
        assert len(tail.lines) <= TAIL_LINES + 1


def test_a_line_of_any_length_takes_bounded_memory() -> None:
    """What is kept of a line is its beginning."""
    tail = LineTail()
    for _ in range(100):
        tail.feed(b"x" * 100_000)
    tail.feed(b"\nnext\n")
    assert [len(line) for line in tail.lines] == [MAX_LINE_BYTES, 4]


def test_the_file_is_rotated_and_bounded(tmp_path: Path) -> None:
    """Two files at most, each within its limit, the newest bytes kept."""
    log = EngineLog(tmp_path / "a.log")
    for number in range(40):
        log.feed(f"{number}".encode() * 500_000)
    log.feed(b"last")
    log.close()
    assert (tmp_path / "a.log").read_bytes().endswith(b"last")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1"]
    assert all(path.stat().st_size <= MAX_FILE_BYTES for path in tmp_path.iterdir())


def test_a_file_that_cannot_be_written_costs_nothing_else(tmp_path: Path) -> None:
    """The tail goes on."""
    (tmp_path / "file").touch()
    log = EngineLog(tmp_path / "file" / "a.log")
    log.feed(b"hello\n")
    assert log.tail.lines == ("hello",)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b:c", "x" * 500, "naïve model"])
def test_no_model_name_leaves_the_log_directory(name: str, tmp_path: Path) -> None:
    """Whatever a model is called, its log is a file in one folder."""
    path = engine_log_path(tmp_path, name)
    assert path.resolve().parent == tmp_path / "engines"
    assert len(path.name) < 200


def test_the_log_of_a_name_in_any_script_has_a_name_that_fits(tmp_path: Path) -> None:
    """Marks stay, so that two words of an Indic script have two logs; file systems count bytes."""
    assert engine_log_path(tmp_path, "हिन्दी").name == "हिन्दी.log"
    long = engine_log_path(tmp_path, "語" * 200)
    assert long.name == "語" * 80 + ".log"
    long.parent.mkdir()
    long.with_name(f"{long.name}.1").touch()


def test_a_log_that_is_no_file_costs_the_file_alone(tmp_path: Path) -> None:
    """A FIFO without a reader is not waited for, and a full device takes nothing: the tail stays."""
    os.mkfifo(tmp_path / "fifo.log")
    (tmp_path / "full.log").symlink_to("/dev/full")
    for name in ("fifo.log", "full.log"):
        log = EngineLog(tmp_path / name)
        log.feed(b"words\n")
        assert log.tail.lines == ("words",)
        log.close()


@pytest.mark.parametrize(
    ("lines", "code", "reason"),
    [
        (["0.00.006 E gguf_init_from_reader: invalid magic characters: 'X'", "0.00.007 E a: failed to load"], 1,
         "invalid magic characters: 'X'"),
        (["0.00.001 I common_fit: an error is told here as information", "error: invalid argument: --foo"], 1,
         "invalid argument: --foo"),
        (["0.01 E llama_model_load: error loading model: tensor 'x' data is not within the file bounds"], 1,
         "tensor 'x' data is not within the file bounds"),
        (["ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 9"], 1,
         "out of memory (the engine could not allocate what the model needs)"),
        (["0.00.001 I loading"], -9, "out of memory, most likely (the system killed the engine)"),
        (["0.00.001 I loading"], -4, "the engine was ended by signal 4"),
        ([], 3, "the engine exited with code 3"),
    ],
)  # fmt: skip
def test_the_reason_is_the_engines_first_complaint(lines: list[str], code: int, reason: str) -> None:
    """Without its prefixes; out of memory is named as such; a silent death says how it died."""
    assert reason_for_exit(lines, code) == reason


def test_what_the_runner_says_is_the_reason_only_where_the_engine_says_nothing() -> None:
    """The engine writes from a thread of its own, and on a busy machine later than the runner that gives up on it."""
    runner = "engine: Failed to init server, please check the input params."
    engine = "0.00.003.467 E llama_model_load: error loading model: data is not within the file bounds"
    assert reason_for_exit([runner, engine], 1) == "data is not within the file bounds"
    assert reason_for_exit([runner], 1) == "Failed to init server, please check the input params."


def test_an_error_from_its_life_is_no_reason_for_a_later_death() -> None:
    """A ready engine has complained about a request before; that did not kill it."""
    assert reason_for_exit(["E srv: failed to parse a request"], -11, was_ready=True) == (
        "the engine was ended by signal 11"
    )


def test_the_home_directory_is_shown_as_a_tilde() -> None:
    """A root home stays: every path begins with it."""
    assert shorten_home("open /home/ann/m.gguf", Path("/home/ann")) == "open ~/m.gguf"
    assert shorten_home("open /m.gguf", Path("/")) == "open /m.gguf"
    assert shorten_home("open /m.gguf", None) == "open /m.gguf"
    assert shorten_home("open /home/ann2/m.gguf, /home/ann", Path("/home/ann")) == "open /home/ann2/m.gguf, ~"
