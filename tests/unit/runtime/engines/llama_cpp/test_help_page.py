"""Whether a program is a usable llama-server, by its ``--help`` output."""

import errno
import os

import pytest

from gglib.runtime.engines.llama_cpp.help_page import (
    NEEDED_OPTIONS,
    exec_error_reason,
    parse_options,
    unusable_reason,
)

HELP = """----- common params -----

-h,    --help, --usage                  print usage and exit
-c,    --ctx-size N                     size of the prompt context (default: 4096, 0 = loaded from model)
-m,    --model FNAME                    model path (env: LLAMA_ARG_MODEL)
-ngl,  --n-gpu-layers, --gpu-layers N   layers in VRAM; multi-GPU, see --split-mode
"""
USABLE = "\n".join(f"{option} VALUE" for option in NEEDED_OPTIONS)


def test_all_options_of_a_help_page_are_found() -> None:
    """Short and long options anywhere; hyphens inside words and horizontal rules are not options."""
    assert parse_options(HELP) == {
        *("-h", "--help", "--usage", "-c", "--ctx-size", "-m", "--model"),
        *("-ngl", "--n-gpu-layers", "--gpu-layers", "--split-mode"),
    }


@pytest.mark.parametrize("exit_code", [0, 1, -11, None])
def test_a_program_with_all_needed_options_is_usable(exit_code: int | None) -> None:
    """Whatever its exit code is."""
    assert unusable_reason(USABLE, exit_code, limit_s=5) is None


@pytest.mark.parametrize("missing", NEEDED_OPTIONS)
def test_a_missing_option_is_named(missing: str) -> None:
    """A longer option that begins with the same name does not count."""
    page = USABLE.replace(f"{missing} ", f"{missing}-of-another ")
    for exit_code in (0, None):
        reason = unusable_reason(page, exit_code, limit_s=5)
        assert reason is not None
        assert reason.endswith(f"lacks {missing}")


@pytest.mark.parametrize(
    ("page", "exit_code", "said"),
    [
        ("usage: ls [OPTION]... --all --version", 0, "it is not llama-server"),
        ("usage: ls [OPTION]... --all --version", None, "it is not llama-server"),
        ("\n \n", 0, "is empty, so it is not llama-server"),
        ("", None, "does not respond to '--help' within 5 s"),
        (" \n", None, "does not respond to '--help' within 5 s"),
        ("", 3, "the engine exited with code 3"),
        ("\n", -11, "the engine was killed by signal 11"),
        (
            "/opt/x: error while loading shared libraries: libfoo.so: no such file",
            127,
            "error while loading shared libraries: libfoo.so",
        ),
    ],
)
def test_another_program_is_refused_with_a_reason(page: str, exit_code: int | None, said: str) -> None:
    """A timeout, empty output or missing options; after a failure, its own error."""
    reason = unusable_reason(page, exit_code, limit_s=5.4)
    assert reason is not None
    assert said in reason


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOEXEC, "not a program for this system and processor"),
        (errno.ENOENT, "dynamic loader that it names is missing"),
        (errno.EACCES, "not allowed to be executed"),
        (errno.ELOOP, f"cannot be run ({os.strerror(errno.ELOOP)})"),
    ],
)
def test_a_program_that_the_system_cannot_execute_has_a_reason(code: int, said: str) -> None:
    """A sentence for common errors, the system's message for others."""
    assert said in exec_error_reason(OSError(code, os.strerror(code)))


def test_an_error_without_a_number_is_named_by_its_class() -> None:
    """It has no message from the system."""
    assert exec_error_reason(BlockingIOError()) == "it cannot be run (BlockingIOError)"
