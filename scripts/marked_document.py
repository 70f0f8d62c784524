"""Writes generated parts into a document between their markers, or checks that they are up to date."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from scripts.marked_text import with_marked


def write_parts(
    document: Path,
    parts: Callable[[], Mapping[str, str]],
    *,
    markers: tuple[str, str],
    about: str,
    command: str,
) -> int:
    """Write the parts of a script; with ``--check`` on its command line, check them. Return the exit code.

    ``markers`` begin and end a part, with ``{}`` for its name. ``about`` is the script's docstring, and ``command``
    writes the parts.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a part is out of date")
    options = parser.parse_args()
    begin, end = markers
    old = new = document.read_text(encoding="utf-8")
    for name, text in parts().items():
        new = with_marked(new, begin.format(name), end.format(name), text)
    if not options.check:
        document.write_text(new, encoding="utf-8")
    elif new != old:
        print(f"{document.name} is out of date: run '{command}'", file=sys.stderr)
        return 1
    return 0
