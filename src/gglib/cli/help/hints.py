"""How this process was started, and the commands in its messages, which ``runnable`` adapts before they are printed."""

from functools import cache
from pathlib import Path

from gglib.cli.command_names import COMMANDS, REMOTE_COMMANDS
from gglib.cli.help.invocation import PROGRAM, Invocation, as_typed, program_as_started


class _Current:
    """The invocation of this process; set by ``main`` and by the root command."""

    is_started_by_user = False
    """Whether ``sys.argv`` is a command line of gglib: not in a program that embeds it, nor in tests."""
    home: str | None = None
    remote: tuple[str, ...] = ()


def use_command_line() -> None:
    """Use the name of the program in ``sys.argv`` for all later messages."""
    _Current.is_started_by_user = True


def use_options(*, home: str | None, url: str | None, key_env: str | None, ca: str | None = None) -> None:
    """Use the global options as they were given for all later messages."""
    _Current.home = home
    options = (("--url", url), ("--key-env", key_env), ("--ca", ca))
    _Current.remote = (
        ()
        if url is None
        else tuple(word for name, value in options if value is not None for word in (name, value))
    )


@cache
def _program() -> str:
    import os
    import shutil
    import sys

    from gglib.system.process_arguments import process_arguments

    found = shutil.which(PROGRAM)
    return program_as_started(
        sys.argv,
        sys.orig_argv,
        is_on_path=found is not None and _is_same_file(Path(found), Path(sys.argv[0])),
        environ=os.environ,
        parent=process_arguments(os.getppid()),
    )


def _is_same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def program() -> str:
    """Return the program of this process as shell text."""
    return _program() if _Current.is_started_by_user else PROGRAM


def runnable(text: str) -> str:
    """Return the text with its commands as they run in the user's shell; see ``invocation.as_typed``."""
    if PROGRAM not in text:
        return text

    invocation = Invocation(
        program=program(),
        home=_Current.home,
        remote=_Current.remote,
        commands=COMMANDS,
        remote_commands=REMOTE_COMMANDS,
    )
    return as_typed(text, invocation)
