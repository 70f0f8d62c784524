"""The size of the page's files, by group, as they are served."""

import gzip
from pathlib import PurePosixPath

from gglib.proxy.web.files import Page, PageFile
from gglib.proxy.web.reading import read_page

LIBRARIES = "vendor/"


def served_bytes(file: PageFile) -> int:
    """Return the size of a file's body for a client that accepts gzip."""
    return len(file.content if file.gzipped is None else file.gzipped)


def group_of(path: str) -> str:
    """Return the group of a file: libraries, style sheets, our modules, or other files."""
    if path.startswith(LIBRARIES) and path.endswith((".js", ".css")):
        return "libraries"
    return {".css": "style sheets", ".js": "modules"}.get(PurePosixPath(path).suffix, "licences and icon")


def sizes() -> dict[str, tuple[int, int]]:
    """Return the number of files and the bytes of each group, of all files, and of all in one gzip stream."""
    page: Page = read_page()
    files = {"index.html": page.index, **page.files}
    found: dict[str, tuple[int, int]] = {}
    for path, file in files.items():
        for group in (group_of(path), "all files"):
            count, size = found.get(group, (0, 0))
            found[group] = count + 1, size + served_bytes(file)
    stream = gzip.compress(b"".join(file.content for _, file in sorted(files.items())), 9)
    return found | {"all in one gzip stream": (len(files), len(stream))}
