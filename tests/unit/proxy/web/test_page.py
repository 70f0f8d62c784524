"""The files of the page keep its rules: small, nothing inline, nothing from elsewhere, and no dangling import.

The ``Content-Security-Policy`` of the page forbids most of this, too, but only a browser would notice.
"""

import re
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from posixpath import normpath

import pytest

from gglib.proxy.web.files import BASE_PLACEHOLDER, INDEX, MEDIA_TYPES, PRELOADS_PLACEHOLDER
from gglib.proxy.web.reading import DIRECTORY, read_page

MAX_SENT_BYTES = 150 * 1024
"""Of all views together, compressed file by file, as a browser that opens every view receives them."""
MAX_FIRST_VIEW_BYTES = 48_000
"""Of the first view: the index, the style sheet and the modules that it preloads."""
VENDOR = "vendor/"
FILES = {
    path.relative_to(DIRECTORY).as_posix(): path
    for path in sorted(DIRECTORY.rglob("*"))
    if path.suffix in MEDIA_TYPES
}
MODULES = [path for path in FILES if path.endswith(".js")]
STYLES = [path for path in FILES if path.endswith(".css")]
OWN = [path for path in (*MODULES, *STYLES) if not path.startswith(VENDOR)]

_COMMENT = re.compile(r"/\*.*?\*/|^\s*//[^\n]*", re.DOTALL | re.MULTILINE)
_IMPORT = re.compile(
    r"""(?:^|[;}])\s*(?:import|export)\s*(?:[\w$*{}\s,]*\bfrom\s*)?(["'])(?P<path>[^"'\n]+)\1""", re.MULTILINE
)
_DYNAMIC_IMPORT = re.compile(r"""\bimport\(\s*(["'`])(?P<path>[^"'`\n]+)\1""")
_STYLE_URL = re.compile(r"""(?:@import\s*|url\(\s*)["']?(?P<path>(?!data:)[^"')\s;]+)""")
_INLINE = re.compile(
    r"""<style\b|<script\b|\bstyle\s*=\s*["']|\son[a-z]+\s*=\s*["']|javascript:""", re.IGNORECASE
)
_HTML_SINK = re.compile(
    r"(?:inner|outer|adjacent)HTML|DOMParser|createContextualFragment|document\.write|setHTML|trustedTypes",
    re.IGNORECASE,
)
_LOAD = re.compile(
    r"""(?:\b(?:fetch|import|Worker|EventSource|WebSocket)\(|\b(?:from|import)\b|\bsrc\s*=|url\()\s*["'`]?(?:https?:|wss?:)?//""",
    re.IGNORECASE,
)


class Elements(HTMLParser):
    """Collects the start tags of a document, and the text in scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def source(path: str) -> str:
    """Return a file without comments."""
    return _COMMENT.sub("", FILES[path].read_text(encoding="utf-8"))


def imports(path: str, text: str) -> list[str]:
    """Return what a module or a style sheet imports, as paths in the page's folder. Relative paths only."""
    patterns = (_STYLE_URL,) if path.endswith(".css") else (_IMPORT, _DYNAMIC_IMPORT)
    found = [match["path"] for pattern in patterns for match in pattern.finditer(text)]
    assert [each for each in found if not each.startswith(("./", "../"))] == []
    return [normpath(str(PurePosixPath(path).parent / each)) for each in found]


def inline_parts(text: str) -> list[str]:
    """Return what is inline in an HTML document: styles, scripts and handlers."""
    found = []
    for tag, attributes in Elements(text).tags:
        found += [f"{tag} {name}" for name in attributes if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and not attributes.get("src")):
            found.append(tag)
    return found


def loads(text: str) -> list[str]:
    """Return the URLs that an HTML document loads or links to."""
    return [
        value or ""
        for _, attributes in Elements(text).tags
        for name, value in attributes.items()
        if name in {"src", "href", "srcset", "action", "data", "poster"}
    ]


def test_the_page_is_small() -> None:
    """What a browser receives, without headers; it asks for no licences."""
    page = read_page()
    sizes = {
        path: len(file.content if file.gzipped is None else file.gzipped)
        for path, file in {INDEX: page.index, **page.files}.items()
        if not path.endswith(".md")
    }
    assert sum(sizes.values()) < MAX_SENT_BYTES, sorted(sizes.items(), key=lambda item: -item[1])[:10]
    index = page.index.content.decode()
    first = [INDEX, *(path for path in sizes if f"/{page.revision}/{path}" in index)]
    assert sum(sizes[path] for path in first) < MAX_FIRST_VIEW_BYTES, len(first)


def test_the_index_has_nothing_inline_and_loads_own_files_only() -> None:
    """Its files are in the folder, below the placeholder of the revision's URL."""
    text = FILES[INDEX].read_text(encoding="utf-8")
    assert inline_parts(text) == []
    base = f"{BASE_PLACEHOLDER.decode()}/"
    for url in loads(text):
        assert url.startswith((base, "/", "#", "./")), url
        assert not url.startswith("//"), url
        assert not url.startswith(base) or url.removeprefix(base) in FILES, url
    assert PRELOADS_PLACEHOLDER.decode() in text


@pytest.mark.parametrize("path", OWN)
def test_own_files_have_nothing_inline_and_load_nothing_from_elsewhere(path: str) -> None:
    """No HTML with styles, scripts or handlers in strings, and nothing that parses HTML; handlers are properties."""
    text = source(path)
    assert _INLINE.findall(text) == []
    assert _HTML_SINK.findall(text) == []
    assert _LOAD.findall(text) == []


@pytest.mark.parametrize("path", [*MODULES, *STYLES])
def test_every_import_is_relative_and_resolves(path: str) -> None:
    """Also those of vendored modules: there is no import map."""
    assert [each for each in imports(path, source(path)) if each not in FILES] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('import { a } from "./a.js";', ["pages/a.js"]),
        ('import "../b.js"', ["b.js"]),
        ("import*as x from'./c.js';import{d as e}from\"./d.js\";", ["pages/c.js", "pages/d.js"]),
        ('export { a, b } from "./e.js";\nexport * from "./f.js";', ["pages/e.js", "pages/f.js"]),
        ('const page = await import("./now/page.js");', ["pages/now/page.js"]),
        ('const text = `read from "./nothing.js"`;', []),
    ],
)
def test_imports_are_found(text: str, expected: list[str]) -> None:
    """The check of imports sees every form, also minified ones."""
    assert imports("pages/x.js", text) == expected


@pytest.mark.parametrize(
    "text", ['import { h } from "preact";', 'import "/lib/a.js";', 'import("https://x/y.js");']
)
def test_imports_that_are_not_relative_are_found(text: str) -> None:
    """A bare name needs an import map; an absolute path lacks the revision."""
    with pytest.raises(AssertionError):
        imports("x.js", text)


def test_inline_parts_are_found() -> None:
    """The check of the index sees what it should."""
    text = '<p style="x" onclick="y"></p><style></style><script>1</script><script src="a.js"></script>'
    assert inline_parts(text) == ["p style", "p onclick", "style", "script"]


@pytest.mark.parametrize(
    ("text", "is_sink"),
    [
        ("place.innerHTML = text", True),
        ("html`<p dangerouslySetInnerHTML=${{ __html: text }}>`", True),
        ("place.insertAdjacentHTML('beforeend', text)", True),
        ("trustedTypes.createPolicy('page', rules)", True),
        ("html`<p>${text}</p>`", False),
    ],
)
def test_ways_from_text_to_html_are_found(text: str, *, is_sink: bool) -> None:
    """The policy of the page blocks them in browsers that have Trusted Types; there is none in the sources, either."""
    assert bool(_HTML_SINK.search(text)) == is_sink


@pytest.mark.parametrize(
    ("text", "is_inline", "is_load"),
    [
        ("el.innerHTML = \"<b style='color:red'>\"", True, False),
        ("html`<b onclick='x()'>`", True, False),
        ("html`<b onClick=${save} style=${{ width }}>`", False, False),
        ('fetch("https://example.com")', False, True),
        ('fetch("//example.com")', False, True),
        ('fetch("/gglib/status")', False, False),
        ('@import url("https://example.com/x.css")', False, True),
        ('const SVG = "http://www.w3.org/2000/svg"', False, False),
    ],
)
def test_forbidden_parts_of_modules_are_found(text: str, *, is_inline: bool, is_load: bool) -> None:
    """Names of namespaces, and handlers that are set as properties, are no faults."""
    assert (bool(_INLINE.search(text)), bool(_LOAD.search(text))) == (is_inline, is_load)


def test_the_folder_has_no_other_kinds_of_files() -> None:
    """A file with another suffix would never reach the browser."""
    others = {
        path.suffix
        for path in Path(DIRECTORY).rglob("*")
        if path.is_file() and path.suffix not in MEDIA_TYPES
    }
    assert others <= {".ts", ".json"}
