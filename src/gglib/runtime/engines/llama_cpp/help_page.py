"""Checks from its ``--help`` output whether a program is a usable llama-server. Pure."""

import errno
import re

from gglib.runtime.engines.llama_cpp.exit_reasons import reason_for_exit

NEEDED_OPTIONS = ("--model", "--alias", "--host", "--port", "--ctx-size", "--api-key-file", "--parallel")
"""Options that gglib requires; every llama-server of the last two years has them."""

_OPTION = re.compile(r"(?<![\w-])--?[a-zA-Z][\w-]*")
_CANNOT_RUN = {
    errno.ENOEXEC: "it is not a program for this system and processor (Exec format error)",
    errno.ENOENT: "the interpreter or dynamic loader that it names is missing (No such file or directory)",
    errno.EACCES: "it is not allowed to be executed (Permission denied)",
}


def parse_options(help_page: str) -> frozenset[str]:
    """Return all options named on a help page."""
    return frozenset(_OPTION.findall(help_page))


def unusable_reason(help_page: str, exit_code: int | None, *, limit_s: float) -> str | None:
    """Return why the program is unusable; None if it is usable. ``exit_code`` is None if it was killed."""
    missing = [option for option in NEEDED_OPTIONS if option not in parse_options(help_page)]
    if not missing:
        return None
    lines = [line for line in help_page.splitlines() if line.strip()]
    if exit_code is None:
        return (
            f"it does not respond to '--help' within {limit_s:.0f} s"
            if not lines
            else _missing_options_reason(missing)
        )
    if exit_code != 0:
        return reason_for_exit(lines, exit_code)
    if not lines:
        return "its output for '--help' is empty, so it is not llama-server"
    return _missing_options_reason(missing)


def exec_error_reason(error: OSError) -> str:
    """Return why the system cannot execute the program."""
    reason = _CANNOT_RUN.get(error.errno or 0)
    return reason or f"it cannot be run ({error.strerror or type(error).__name__})"


def _missing_options_reason(missing: list[str]) -> str:
    if len(missing) == len(NEEDED_OPTIONS):
        return "it is not llama-server: its output for '--help' has none of llama-server's options"
    return f"it is not a llama-server that gglib can use: its '--help' lacks {', '.join(missing)}"
