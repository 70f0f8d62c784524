"""Which modules of the page a module imports. Pure."""

import re
from collections.abc import Mapping
from posixpath import dirname, join, normpath

_IMPORT = re.compile(
    r"""^[ \t]*(?:import|export)\b[^"';]*?(["'])(?P<path>\.[^"'\n]+)\1""",
    re.MULTILINE,
)
"""A static import or a re-export. All modules of the page are relative; ``import()`` is not matched."""


def static_imports(path: str, source: str) -> list[str]:
    """Return the modules that a module imports, as paths in the page's folder."""
    return [normpath(join(dirname(path), match["path"])) for match in _IMPORT.finditer(source)]


def imported_modules(entries: tuple[str, ...], sources: Mapping[str, bytes]) -> list[str]:
    """Return the entries and all modules that they need, in the order in which they are first imported."""
    found: list[str] = []
    waiting = list(reversed(entries))
    while waiting:
        path = waiting.pop()
        if path in found or path not in sources:
            continue
        found.append(path)
        waiting += reversed(static_imports(path, sources[path].decode()))
    return found
