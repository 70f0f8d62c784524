"""Which files outside ``docs/`` are part of the site, and how links between all of them are written there.

The sources link to one another by paths in the repository, so that a plain code host shows them too. The site has the
pages of ``docs/`` at its root, and beside them results of measurements, descriptions of packages, and the pages of the
repository's root. A link to any other file of the repository becomes its path. Pure.
"""

import posixpath
import re
from collections.abc import Callable

PROJECT_PAGES = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
}
"""Where the pages of the repository's root are on the site. The README is for code hosts: the site has a first page."""
FIRST_PAGE = "index.md"

_PACKAGE = re.compile(r"src/gglib/(\w+)/README\.md")
_RESULT = re.compile(r"bench/results/[\w.-]+\.(md|svg|json|png)")
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.DOTALL | re.MULTILINE)
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_FILE_NAME = re.compile(r"[\w./-]+\.md")
_ELSEWHERE = re.compile(r"[a-z]+:|#|/")


def site_path(path: str) -> str | None:
    """Return the path on the site of a file of the repository, or None if the site does not have it."""
    if path == "README.md":
        return FIRST_PAGE
    if path in PROJECT_PAGES:
        return PROJECT_PAGES[path]
    if package := _PACKAGE.fullmatch(path):
        return f"packages/{package[1]}.md"
    if _RESULT.fullmatch(path):
        return path
    return path.removeprefix("docs/") if path.startswith("docs/") else None


def repository_path(uri: str) -> str:
    """Return the path in the repository of a page of the site: the inverse of ``site_path``."""
    for source, page in PROJECT_PAGES.items():
        if page == uri:
            return source
    if uri.startswith("packages/"):
        return f"src/gglib/{uri.removeprefix('packages/').removesuffix('.md')}/README.md"
    return uri if uri.startswith("bench/") else f"docs/{uri}"


def with_site_links(markdown: str, path: str, title_of: Callable[[str], str | None]) -> str:
    """Return a page with links for the site; ``path`` is its path in the repository.

    ``title_of`` returns the title of a page of the site, an empty text for other files of the site, and None for what
    the site does not have. A link whose text is the name of a file has the page's title instead. Links in fenced code
    stay. Raises ValueError if the page itself is not on the site.
    """
    parts, end = [], 0
    rewritten = _rewriter(path, title_of)
    for fence in _FENCE.finditer(markdown):
        parts += [_LINK.sub(rewritten, markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, _LINK.sub(rewritten, markdown[end:])])


def title_of_page(markdown: str) -> str:
    """Return the first heading of a page, or an empty text."""
    found = _TITLE.search(markdown)
    return found[1].strip() if found else ""


def _rewriter(path: str, title_of: Callable[[str], str | None]) -> Callable[[re.Match[str]], str]:
    page = site_path(path)
    if page is None:
        raise ValueError(f"{path} is not a page of the site")

    def rewritten(link: re.Match[str]) -> str:
        mark, text, target = link.groups()
        if _ELSEWHERE.match(target):
            return link[0]
        name, hash_mark, anchor = target.partition("#")
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
        found = site_path(wanted)
        title = None if found is None else title_of(found)
        if found is None or (title is None and not wanted.startswith("docs/")):
            return text if wanted in text.replace("`", "") else f"{text} (`{wanted}`)"
        relative = posixpath.relpath(found, posixpath.dirname(page) or ".")
        shown = title if title and _FILE_NAME.fullmatch(text) else text
        return f"{mark}[{shown}]({relative}{hash_mark}{anchor})"

    return rewritten
