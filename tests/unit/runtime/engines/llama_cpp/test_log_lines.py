"""llama.cpp's log lines, with and without levels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.runtime.engines.llama_cpp.log_lines import Level, LogLine, Role, parse_lines


def read(*lines: str) -> list[tuple[Level, Role, str]]:
    """Return level, role and text of each parsed line."""
    return [(line.level, line.role, line.text) for line in parse_lines(lines)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "0.00.056.277 E gguf_init_from_reader: invalid magic",
            LogLine(Level.ERROR, Role.CAUSE, "gguf_init_from_reader", "invalid magic"),
        ),
        ("12.34.567.890 W llama_x: odd", LogLine(Level.WARNING, Role.CAUSE, "llama_x", "odd")),
        ("0.01 I srv  load_model: loading", LogLine(Level.INFO, Role.CAUSE, "srv  load_model", "loading")),
        ("0.01 D srv: tick", LogLine(Level.INFO, Role.CAUSE, "srv", "tick")),
        ("E a_b: odd", LogLine(Level.ERROR, Role.CAUSE, "a_b", "odd")),
        ("\x1b[31m0.01 E\x1b[0m a_b: odd\x1b[0m", LogLine(Level.ERROR, Role.CAUSE, "a_b", "odd")),
        ("0.01 E the moon is blue", LogLine(Level.ERROR, Role.CAUSE, "", "the moon is blue")),
        ("0.01 E error: the moon", LogLine(Level.ERROR, Role.CAUSE, "", "error: the moon")),
        (
            "0.01 E llama_model_load: error loading model: llama_model_loader: bad file",
            LogLine(Level.ERROR, Role.CAUSE, "llama_model_load", "bad file"),
        ),
        ("a_b: odd", LogLine(Level.UNKNOWN, Role.CAUSE, "a_b", "odd")),
        ("srv  load: odd", LogLine(Level.UNKNOWN, Role.CAUSE, "srv  load", "odd")),
        ("libgomp: no thread", LogLine(Level.UNKNOWN, Role.CAUSE, "libgomp", "libgomp: no thread")),
        ("Every word counts", LogLine(Level.UNKNOWN, Role.CAUSE, "", "Every word counts")),
        ("warning: odd", LogLine(Level.WARNING, Role.CAUSE, "", "warning: odd")),
        ("listening on 127.0.0.1", LogLine(Level.INFO, Role.CAUSE, "", "listening on 127.0.0.1")),
        ("engine: no module", LogLine(Level.ERROR, Role.RUNNER, "", "no module")),
        ("error: invalid argument", LogLine(Level.ERROR, Role.CAUSE, "", "invalid argument")),
        (
            "error while handling argument --foo",
            LogLine(Level.ERROR, Role.CAUSE, "", "error while handling argument --foo"),
        ),
        (
            "/opt/x: symbol lookup error: libfoo.so",
            LogLine(Level.ERROR, Role.CAUSE, "", "symbol lookup error: libfoo.so"),
        ),
        (
            "/opt/x: /lib/libc.so.6: version `GLIBC_2.99' not found",
            LogLine(Level.ERROR, Role.CAUSE, "", "/lib/libc.so.6: version `GLIBC_2.99' not found"),
        ),
        ("dyld[812]: no library", LogLine(Level.ERROR, Role.CRASH, "", "no library")),
        ("/src/a/ggml.c:7: GGML_ASSERT(x)", LogLine(Level.ERROR, Role.CRASH, "", "ggml.c:7: GGML_ASSERT(x)")),
        (
            "terminate called without an active exception",
            LogLine(Level.ERROR, Role.CRASH, "", "terminate called without an active exception"),
        ),
        ("0.01 E a_b: one\ntwo", LogLine(Level.UNKNOWN, Role.CAUSE, "", "0.01 E a_b: one\ntwo")),
    ],
)
def test_a_line_has_level_source_and_message(line: str, expected: LogLine) -> None:
    """Time, colours and inner function names are removed; a prefix that is not a llama.cpp function is kept."""
    assert parse_lines([line]) == [expected]


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("llama_load: failed to load model", Role.CONSEQUENCE),
        ("llama_load: failed to load model from /m.gguf", Role.CONSEQUENCE),
        ("srv  load_model: failed to load model, '/m/a b.gguf'", Role.CONSEQUENCE),
        ("llama_load: failed to load model: it is blue", Role.CAUSE),
        ("srv init: failed to create llama_context", Role.CONSEQUENCE),
        ("srv init: exiting due to model loading error", Role.CONSEQUENCE),
        ("srv op(): operator(): cleaning up before exit...", Role.CONSEQUENCE),
        ("srv load: failed to load model '/m.gguf': load_x: it is blue", Role.CAUSE),
        ("srv load: failed to load model '/m.gguf': load_x: failed to load model", Role.CONSEQUENCE),
        ("common_fit_params: failed to fit", Role.FIT),
        ("cmn  common_fit_params: failed to fit", Role.FIT),
        ("my_common_fit_params: failed", Role.CAUSE),
    ],
)
def test_the_failure_of_a_step_is_a_consequence(text: str, role: Role) -> None:
    """With and without a level; a line that also gives a reason is a cause."""
    assert [line.role for line in parse_lines([text])] == [role]
    assert [line.role for line in parse_lines([f"0.01 E {text}"])] == [role]


def test_a_line_without_a_level_continues_an_error() -> None:
    """Only in a log with levels; after any other line, and after a consequence, it is a line by itself."""
    assert read("0.01 E a_b: odd", "  usage: x", "0.02 I c_d: fine", "alone") == [
        (Level.ERROR, Role.CAUSE, "odd"),
        (Level.INFO, Role.CAUSE, "fine"),
        (Level.UNKNOWN, Role.CAUSE, "alone"),
    ]
    assert read("0.01 E a_b: failed to load model", "alone") == [
        (Level.ERROR, Role.CONSEQUENCE, "failed to load model"),
        (Level.UNKNOWN, Role.CAUSE, "alone"),
    ]
    assert read("0.01 W a_b: odd", "alone")[1] == (Level.UNKNOWN, Role.CAUSE, "alone")
    assert read("alone", "0.01 I c_d: fine")[0] == (Level.UNKNOWN, Role.CAUSE, "alone")


def test_an_error_without_a_level_does_not_continue_another_error() -> None:
    """It is recognised by its form."""
    assert read("0.01 E a_b: odd", "error: invalid argument") == [
        (Level.ERROR, Role.CAUSE, "odd"),
        (Level.ERROR, Role.CAUSE, "invalid argument"),
    ]


def test_in_a_log_without_levels_each_line_counts() -> None:
    """Continuations cannot be recognised; empty lines are removed."""
    assert read("error: odd", "", "  more", "   ") == [
        (Level.ERROR, Role.CAUSE, "odd"),
        (Level.UNKNOWN, Role.CAUSE, "more"),
    ]


def test_the_message_of_an_uncaught_exception_replaces_its_first_line() -> None:
    """Only directly after the abort; elsewhere it is an ordinary line."""
    assert read("terminate called after throwing an instance of 'E'", "  what():  it is blue") == [
        (Level.ERROR, Role.CRASH, "it is blue")
    ]
    assert read("0.01 E a_b: odd", "terminate called", "  what():  blue") == [
        (Level.ERROR, Role.CAUSE, "odd"),
        (Level.ERROR, Role.CRASH, "blue"),
    ]
    assert read("error: odd", "  what():  blue") == [
        (Level.ERROR, Role.CAUSE, "odd"),
        (Level.UNKNOWN, Role.CAUSE, "what():  blue"),
    ]
    assert read("  what():  blue") == [(Level.UNKNOWN, Role.CAUSE, "what():  blue")]


def test_the_last_line_of_a_traceback_is_the_error() -> None:
    """Its indented lines are frames; lines with a level come from another thread."""
    assert read(
        "Traceback (most recent call last):",
        '  File "x.py", line 1',
        "\tmain()",
        "0.01 I a_b: fine",
        "ValueError: odd",
        "after it",
    ) == [
        (Level.INFO, Role.CAUSE, "fine"),
        (Level.ERROR, Role.CAUSE, "ValueError: odd"),
    ]
    assert read("Traceback (most recent call last):", "ValueError: odd", "engine: gone") == [
        (Level.ERROR, Role.CAUSE, "ValueError: odd"),
        (Level.ERROR, Role.RUNNER, "gone"),
    ]


@given(st.lists(st.text(max_size=40), max_size=10))
def test_any_text_is_parsed(lines: list[str]) -> None:
    """There are no more parsed lines than lines."""
    assert len(parse_lines(lines)) <= len(lines)
