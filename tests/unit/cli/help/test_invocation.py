"""Commands in messages, as the user has to type them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import gglib.cli
import gglib.cli.completion.scripts
from gglib.cli.command_names import COMMANDS
from gglib.cli.help.invocation import Invocation, as_typed, program_as_started

NAMES = ("up", "pull", "set", "logs", "stop", "doctor")
REMOTE = ("pull", "set", "doctor")


def invocation(program: str = ".venv/bin/gglib", home: str | None = None, *remote: str) -> Invocation:
    """Return an invocation with the commands of these tests."""
    return Invocation(program=program, home=home, remote=remote, commands=NAMES, remote_commands=REMOTE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("None: 'gglib up' starts it.", "None: '.venv/bin/gglib up' starts it."),
        (
            "\"gglib set 'a b' --ctx 1\" and `gglib up`",
            "\".venv/bin/gglib set 'a b' --ctx 1\" and `.venv/bin/gglib up`",
        ),
        ("'gglib --debug' shows it", "'.venv/bin/gglib --debug' shows it"),
        ("Choose:\n  gglib pull a/b:Q4\n", "Choose:\n  .venv/bin/gglib pull a/b:Q4\n"),
        ("Resume: gglib pull x", "Resume: .venv/bin/gglib pull x"),
        ("gglib up: starts", ".venv/bin/gglib up: starts"),
        # Not commands.
        ("gglib runs at 'x'", "gglib runs at 'x'"),
        ("files that gglib set aside", "files that gglib set aside"),
        ("the module 'gglib' and 'gglib is great'", "the module 'gglib' and 'gglib is great'"),
        ("/home/gglib/up and 'my-gglib up'", "/home/gglib/up and 'my-gglib up'"),
    ],
)
def test_only_commands_are_replaced(text: str, expected: str) -> None:
    """In quotes, at the begin of a line, or after a colon."""
    assert as_typed(text, invocation()) == expected


def test_without_options_gglib_on_the_path_stays() -> None:
    """The usual case changes nothing."""
    text = "'gglib up', \"gglib set 'a' --ctx 1\", `gglib pull x`\n  gglib logs\n"
    assert as_typed(text, invocation("gglib")) == text


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (invocation("gglib", "/data"), "'gglib --home /data up'"),
        (invocation("gglib", "/my data"), "\"gglib --home '/my data' up\""),
        (invocation("'/my bin/gglib'"), "\"'/my bin/gglib' up\""),
        (invocation("python -m gglib", "d"), "'python -m gglib --home d up'"),
        (invocation("/a\x1b/gglib"), "'/a\\x1b/gglib up'"),
    ],
)
def test_the_home_and_quotes_are_kept(start: Invocation, expected: str) -> None:
    """A program with quotes makes the other quotes necessary; control characters of a path are escaped."""
    assert as_typed("'gglib up'", start) == expected


def test_commands_for_a_remote_server_name_it() -> None:
    """Others are typed on that machine, where gglib is started in another way."""
    start = invocation("./gglib", "/data", "--url", "http://box", "--key-env", "BOX")
    assert (
        as_typed("'gglib set M --ctx 1'", start) == "'./gglib --url http://box --key-env BOX set M --ctx 1'"
    )
    assert as_typed("'gglib logs M'", start) == "'gglib logs M'"
    for there in ("'gglib doctor' on the server's machine", "run 'gglib set M' there."):
        assert as_typed(there, start) == there


@pytest.mark.parametrize(
    ("argv", "orig_argv", "expected"),
    [
        ([".venv/bin/gglib", "up"], ["python", ".venv/bin/gglib", "up"], ".venv/bin/gglib"),
        (["/my bin/gglib"], ["python", "/my bin/gglib"], "'/my bin/gglib'"),
        (["/x/gglib/__main__.py", "up", "-y"], ["python", "-m", "gglib", "up", "-y"], "python -m gglib"),
        (
            ["/x/gglib/__main__.py"],
            ["/p y/python", "-X", "dev", "-m", "gglib"],
            "'/p y/python' -X dev -m gglib",
        ),
        (["/usr/bin/embedding-program"], ["python", "/usr/bin/embedding-program"], "gglib"),
    ],
)
def test_the_program_is_named_as_it_was_started(argv: list[str], orig_argv: list[str], expected: str) -> None:
    """A path as typed, and a module with its interpreter."""
    assert program_as_started(argv, orig_argv, is_on_path=False, environ={}) == expected


@pytest.mark.parametrize(
    ("variables", "parent", "expected"),
    [
        ((), (), "gglib"),
        ((), ("uv", "run", "gglib", "up"), "gglib"),
        (("UV", "UV_RUN_RECURSION_DEPTH"), (), "uv run gglib"),
        (("UV",), (), "uvx gglib"),
        (("UV",), ("/bin/uvx", "--from", "git+x", "gglib", "up"), "/bin/uvx --from git+x gglib"),
        (
            ("UV", "UV_RUN_RECURSION_DEPTH"),
            ("uv", "run", "-p", "a b", "gglib", "up"),
            "uv run -p 'a b' gglib",
        ),
        (("UV",), ("uv", "run", "bash"), "uvx gglib"),
        (("UV",), ("bash", "up"), "uvx gglib"),
    ],
)
def test_gglib_on_the_path_is_enough_unless_uv_put_it_there(
    variables: tuple[str, ...], parent: tuple[str, ...], expected: str
) -> None:
    """Uv extends the PATH of its child only."""
    argv, environ = ["/x/bin/gglib", "up"], dict.fromkeys(variables, "1")
    assert program_as_started(argv, argv, is_on_path=True, environ=environ, parent=parent) == expected


def test_a_command_of_uv_without_arguments_is_kept_whole() -> None:
    """``gglib`` alone."""
    argv, parent = ["/x/bin/gglib"], ["uv", "run", "--frozen", "gglib"]
    assert (
        program_as_started(argv, argv, is_on_path=True, environ={"UV": "uv"}, parent=parent)
        == "uv run --frozen gglib"
    )


HINT = re.compile(rf"(?<!\ba )gglib (?:{'|'.join(map(re.escape, COMMANDS))})\b")


def raw_echoes(source: str) -> Iterator[int]:
    """Yield the lines of ``click.echo`` calls whose own texts name a command."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"click.echo", "click.secho", "print"}:
            texts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
            if any(isinstance(text, str) and HINT.search(text) for text in texts):
                yield node.lineno


def test_messages_with_commands_are_printed_by_render() -> None:
    """``click.echo`` would print ``gglib`` where the user typed a path; ``render.echo`` does not."""
    assert list(raw_echoes("click.echo(\n\"'gglib up' starts it\")")) == [1]
    for path in Path(gglib.cli.__file__).parent.rglob("*.py"):
        assert not list(raw_echoes(path.read_text())), f"{path}: use render.echo"


def texts_of(source: str) -> Iterator[str]:
    """Yield the texts of a module without its docstrings; ``X: `` stands for the values, which may be labels."""
    tree = ast.parse(source)
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped.update(map(id, node.values))
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "X: " for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value


def test_every_command_in_a_message_is_recognized() -> None:
    """A command in the middle of a sentence has to be in quotes, else it cannot be distinguished from prose."""
    start = Invocation(program="./g", commands=COMMANDS)
    assert HINT.search(as_typed("run gglib up", start))
    scripts = Path(gglib.cli.completion.scripts.__file__)  # of shells, which are not messages
    for path in {*Path(gglib.__file__).parent.rglob("*.py")} - {scripts}:
        for text in texts_of(path.read_text()):
            assert not HINT.search(as_typed(text, start)), f"{path}: {text}"
