"""Reads what llama-server's ``--help`` says of each option: its names, value and allowed values. Pure.

An option begins in the first column: ``-ctk,  --cache-type-k TYPE  text``; its text goes on in indented lines.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_ENTRY = re.compile(
    r"(?P<names>--?[a-zA-Z][\w.-]*(,\s+--?[a-zA-Z][\w.-]*)*)(?P<value>( \S+)*)(\s{2,}(?P<text>.*))?"
)
_BRACES = re.compile(r"[\[{<](?P<choices>\w[\w.+-]*([,|]\w[\w.+-]*)+)[\]}>]")
_ALLOWED = re.compile(r"allowed values: (?P<choices>[\w-]+(, [\w-]+)*)")
_DEFAULT = re.compile(r"\(default: (?P<default>[^()]*)\)")
_REMOVED = "the argument has been removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpEntry:
    """An option of one build."""

    names: tuple[str, ...]
    value: str
    """The placeholder of its value; empty for a switch."""
    choices: tuple[str, ...]
    """The allowed values, where the page lists them; empty: it does not."""
    default: str
    """Its default in the page's words; empty if it has none."""
    is_removed: bool
    """Whether the page only names it to say what replaces it."""
    takes_lists: bool
    """Whether the page says that several values are separated by commas."""


def parse_entries(help_page: str) -> Mapping[str, HelpEntry]:
    """Return the options of a help page by each of their names."""
    return {name: entry for entry in _entries(help_page) for name in entry.names}


def _entries(help_page: str) -> Iterator[HelpEntry]:
    match, text = None, ""
    for line in help_page.splitlines():
        if line.startswith("-") and not line.startswith("-----"):
            if match is not None:
                yield _entry(match, text)
            match = _ENTRY.fullmatch(line.rstrip())
            text = (match["text"] or "") if match is not None else ""
        elif match is not None:
            text = f"{text} {line.strip()}"
    if match is not None:
        yield _entry(match, text)


def _entry(match: re.Match[str], text: str) -> HelpEntry:
    value = match["value"].strip()
    default = _DEFAULT.search(text)
    return HelpEntry(
        names=tuple(re.split(r",\s+", match["names"])),
        value=value,
        choices=_choices(value, text),
        default="" if default is None else default["default"].strip(),
        is_removed=_REMOVED in text,
        takes_lists="comma-separated" in text or ",..." in value,
    )


def _choices(value: str, text: str) -> tuple[str, ...]:
    found = _BRACES.fullmatch(value) or _ALLOWED.search(text)
    return tuple(re.split(r"[,|]\s*", found["choices"])) if found is not None else ()
