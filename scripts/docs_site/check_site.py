"""Fails if a page of the built site loads a script, a style, a font or a picture from another server.

python -m scripts.docs_site.check_site build/site
"""

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

_LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
    "image": "href",
}
_LOADED_RELATIONS = frozenset(
    ("stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "manifest")
)
_ELSEWHERE = re.compile(r"(?:https?:)?//")
_CSS_ADDRESS = re.compile(r"(?:url\(\s*|@import\s+)[\"']?((?:https?:)?//[^\"')\s]+)")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the address of what a browser loads for this element."""
        values = dict(attrs)
        name = _LOADED.get(tag)
        if tag == "link" and _LOADED_RELATIONS & set((values.get("rel") or "").split()):
            name = "href"
        if name is not None and (address := values.get(name)):
            self.addresses.append(address)
        self.addresses += _CSS_ADDRESS.findall(values.get("style") or "")


def foreign_addresses(name: str, text: str) -> list[str]:
    """Return the addresses on other servers that a browser loads for a page or a style sheet."""
    if name.endswith(".css"):
        return _CSS_ADDRESS.findall(text)
    page = _Page()
    page.feed(text)
    return [address for address in page.addresses if _ELSEWHERE.match(address)]


def faults(site: Path) -> Iterator[str]:
    """Yield a sentence for each address."""
    for path in sorted(site.rglob("*")):
        if path.suffix in {".html", ".css"}:
            for address in foreign_addresses(path.name, path.read_text(encoding="utf-8")):
                yield f"{path.relative_to(site)} loads {address}: the site must not need other servers."


def main() -> int:
    """Print the faults of a built site; return the exit code."""
    site = Path(sys.argv[1])
    if not (site / "index.html").is_file():
        print(f"{site} has no index.html: build the site with 'make docs'.", file=sys.stderr)
        return 1
    found = list(faults(site))
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
