"""Parses the INI files of llama.cpp's router. Pure.

The grammar is that of llama.cpp's ``common/preset.cpp``: sections, ``key = value`` lines, comments after ``;`` or ``#``
also at the end of a line. Keys before the first section belong to the section ``default``.
"""

import re
from collections.abc import Iterator

from gglib.core.errors import InvalidSettingError

DEFAULT_SECTION = "default"
MAX_KEYS = 20_000
_SECTION = re.compile(r"\[([^\]]*)\][ \t]*([;#].*)?")
_ENTRY = re.compile(r"([a-zA-Z_][a-zA-Z0-9_.-]*)[ \t]*=([^;#]*)([;#].*)?")
"""Blanks around a value are removed after the match: a pattern for them takes hours for a line of many blanks."""
_BLANKS = " \t"

Sections = dict[str, dict[str, str]]
"""Values by key, by section; both in the order of the file."""


def read_ini(text: str, file: str) -> Sections:
    """Return the sections of a file. Raises ``InvalidSettingError`` with the line."""
    sections: Sections = {DEFAULT_SECTION: {}}
    current = sections[DEFAULT_SECTION]
    count = 0
    for number, line in _lines(text):
        where = f"{file}, line {number}"
        if (found := _SECTION.fullmatch(line)) is not None:
            name = found[1].strip(_BLANKS)
            if not name:
                raise InvalidSettingError(f"{where}: the section has no name.")
            if sections.get(name):
                raise InvalidSettingError(f"{where}: the section [{name}] is there twice: keep one.")
            current = sections.setdefault(name, {})
        elif (found := _ENTRY.fullmatch(line)) is not None:
            if found[1] in current:
                raise InvalidSettingError(f"{where}: '{found[1]}' is there twice in its section: keep one.")
            current[found[1]] = found[2].strip(_BLANKS)
            count += 1
        else:
            raise InvalidSettingError(f"{where}: it is neither a [section] nor a line 'key = value'.")
        if count > MAX_KEYS:
            raise InvalidSettingError(f"{where}: the file has more than {MAX_KEYS} keys.")
    return sections


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are neither blank nor comments, with their numbers."""
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        stripped = line.strip(_BLANKS)
        if stripped and stripped[0] not in ";#":
            yield number, stripped
