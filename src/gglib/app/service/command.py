"""The command line of a service: the running program, by a path that lasts. Pure."""

from pathlib import PurePath

from gglib.core.errors import InvalidSettingError

_TEMPORARY = ("archive-v0", "environments-v2", "builds-v0")
"""Directories of uv's cache, in which ``uvx`` keeps environments until the cache is cleaned."""


def service_program(script: str, executable: str) -> tuple[str, ...]:
    """Return the program that runs now: its path, or the interpreter with ``-m gglib``.

    ``script`` is the absolute path of ``sys.argv[0]``, with links as they are: a link of ``uv tool`` or ``pipx``
    outlives an update. ``executable`` is ``sys.executable``. Raises ``InvalidSettingError`` for an environment that a
    cache may delete.
    """
    words = (executable, "-m", "gglib") if PurePath(script).name == "__main__.py" else (script,)
    if any(part in _TEMPORARY for part in PurePath(executable).parts):
        raise InvalidSettingError(
            "gglib runs from uv's cache, which may be deleted at any time: 'uv tool install gglib' installs it, and "
            "'gglib service install' works then."
        )
    return words


def listen_address(host: str, port: int) -> str:
    """Return the value of ``ListenStream=`` for an address. Raises ``InvalidSettingError`` for port 0."""
    if port == 0:
        raise InvalidSettingError(
            "The port is 0, a new one at each start, but a socket unit needs a fixed one: 'gglib config set port 8080' "
            "sets it, or use --no-socket."
        )
    address, _, interface = host.partition("%")  # of a link-local address
    scope = f"%%{interface}" if interface else ""
    return f"[{address}]:{port}{scope}" if ":" in address else f"{address}:{port}"
