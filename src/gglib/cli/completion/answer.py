"""``gglib __complete SHELL …``: prints candidates for the script of a shell.

The first line is ``plain``, ``file`` or ``dir``; after the latter two the shell completes names of files itself. Each
further line is a candidate, for zsh and fish with a tab and its help. For bash, a candidate is what readline inserts.
"""

import os
import sys
from collections.abc import Sequence

from click.shell_completion import CompletionItem, ShellComplete

from gglib.cli.completion.bash_words import CommandLine, replies, split_line
from gglib.core.plain_text import escape_line

PLAIN = "plain"


def main(arguments: Sequence[str]) -> None:
    """Print the answer for the arguments of ``__complete``; whatever fails, prints no candidates and no error.

    bash: the line up to the cursor, then ``COMP_WORDBREAKS``. zsh and fish: the words, the last one incomplete.
    """
    silence_stderr()
    try:
        lines = answer(arguments)
    except Exception:  # noqa: BLE001 - the user is typing: nothing may be printed in between
        lines = [PLAIN]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def answer(arguments: Sequence[str]) -> list[str]:
    """Return the lines of the answer."""
    shell, *rest = arguments
    if shell == "bash":
        line = split_line(rest[0], rest[1])
        kind, items = complete(line.words[1:])
        return [kind, *_bash_lines(items, line)]
    last = split_line(rest[-1], "").words if shell == "fish" and rest else rest[-1:]
    kind, items = complete([*rest[1:-1], " ".join(last)])
    return [kind, *(f"{_one_line(item.value)}\t{_one_line(item.help or '')}" for item in items)]


def complete(words: Sequence[str]) -> tuple[str, list[CompletionItem]]:
    """Return the kind of an answer, and the candidates for the last word, as whole words."""
    from gglib.cli.completion.completers import completed_root

    *before, incomplete = words or [""]
    items = ShellComplete(completed_root(), {}, "gglib", "").get_completions(before, incomplete)
    kind = next((item.type for item in items if item.type != PLAIN), PLAIN)
    option, separator, _ = incomplete.partition("=")
    prefix = f"{option}=" if separator and option.startswith("--") else ""
    values = [CompletionItem(f"{prefix}{item.value}", help=item.help) for item in items if item.type == PLAIN]
    return kind, values


def silence_stderr() -> None:
    """Discard what libraries print to stderr, such as warnings."""
    with open(os.devnull, "w", encoding="utf-8") as null:  # noqa: PTH123 - a device
        os.dup2(null.fileno(), 2)


def _bash_lines(items: Sequence[CompletionItem], line: CommandLine) -> list[str]:
    return [value for value in replies([item.value for item in items], line) if "\n" not in value]


def _one_line(text: str) -> str:
    return escape_line(" ".join(text.split()) if "\n" in text or "\t" in text else text)
