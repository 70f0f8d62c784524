"""The reason of a command's exit."""

import signal

import pytest

from gglib.runtime.engines.command.exit_reason import reason_for_exit
from gglib.runtime.engines.exits import MAX_REASON_CHARACTERS, is_out_of_memory


@pytest.mark.parametrize(
    ("lines", "code", "reason"),
    [
        ((), 1, "the command exited with code 1 and wrote nothing"),
        (("loading", "", "  "), 0, "the command exited with code 0: loading"),
        (("Traceback", "ValueError: no"), 3, "the command exited with code 3: ValueError: no"),
        (("x",), -signal.SIGSEGV, "the command was killed by signal 11 (SIGSEGV): x"),
        (("x",), 128 + signal.SIGKILL, "the command was killed by signal 9 (SIGKILL): x"),
        ((), -signal.SIGKILL, "the command was killed by signal 9 (SIGKILL) and wrote nothing"),
        (("a\x1b[31mb",), 1, "the command exited with code 1: a\N{REPLACEMENT CHARACTER}[31mb"),
    ],
)
def test_the_last_line_explains_the_exit(lines: tuple[str, ...], code: int, reason: str) -> None:
    """Programs write the cause last; empty lines say nothing."""
    assert reason_for_exit(lines, code) == reason


FORK = (
    "0.00.150.245 I srv    load_model: loading model 'none.gguf'",
    "0.00.150.376 E gguf_init_from_file: failed to open GGUF file 'none.gguf' (No such file or directory)",
    "0.00.150.430 E llama_model_load: error loading model: failed to load model from none.gguf",
    "0.00.150.490 I srv    operator(): operator(): cleaning up before exit...",
    "0.00.151.476 E srv  llama_server: exiting due to model loading error",
)
TRACEBACK = (
    "error: a request failed",
    "Traceback (most recent call last):",
    '  File "serve.py", line 1, in <module>',
    "FileNotFoundError: [Errno 2] No such file or directory: 'none'",
)


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (FORK, FORK[1]),
        (TRACEBACK, TRACEBACK[-1]),
        (("error: an old one", "serving", "serving", "bye"), "bye"),
        (("an old error", "serving", "serving", "cannot bind", "bye"), "cannot bind"),
        (("torch.cuda.Exception: x", "note"), "torch.cuda.Exception: x"),
    ],
    ids=["a fork of llama.cpp", "Python", "an old error", "followed by a line", "an exception before a note"],
)
def test_the_cause_is_the_exception_or_the_first_error_at_the_end(lines: tuple[str, ...], cause: str) -> None:
    """What follows from the cause is written after it; errors before other lines are older."""
    assert reason_for_exit(lines, 1) == f"the command exited with code 1: {cause}"


def test_a_long_line_is_cut() -> None:
    """A message stays readable."""
    assert len(reason_for_exit(["x" * 9_999], 1)) < MAX_REASON_CHARACTERS + 50


def test_a_lack_of_memory_is_found_above_the_last_line() -> None:
    """The scheduler frees memory and tries again; a report may follow the message."""
    lines = ["torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", *["a detail"] * 20]
    reason = reason_for_exit(lines, 1)
    assert reason.startswith("out of memory: torch.OutOfMemoryError")
    assert is_out_of_memory(reason)
    assert not is_out_of_memory(reason_for_exit([lines[0], *["later work"] * 40], 1))


def test_a_kill_for_memory_is_the_reason() -> None:
    """The evidence of the system comes before the log."""
    assert reason_for_exit(["x"], -signal.SIGKILL, memory="out of memory: killed") == "out of memory: killed"
    assert "signal 15" in reason_for_exit([], -signal.SIGTERM, memory="out of memory: killed")
