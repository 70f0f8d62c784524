"""The page as it is served."""

import gzip

import pytest

from gglib.proxy.web.files import build_page

SOURCES = {
    "index.html": b"<html>{{preloads}}<script src={{base}}/app.js></script></html>",
    "app.js": b'import "./lib/a.js";\n' + b"work();\n" * 100,
    "lib/a.js": b"1\n",
    "pages/later/page.js": b"2\n",
    "style/base.css": b"a{}",
    "icon.svg": b"<svg/>",
    "vendor/LICENCES.md": b"MIT",
    "vendor/preact.d.ts": b"export {}",
    "vendor/manifest.json": b"{}",
}


def test_index_has_the_urls_of_the_revision() -> None:
    """The modules of the first view are preloaded, each on its line; others are not."""
    page = build_page(SOURCES)
    base = f"/web/{page.revision}"
    preloads = "\n".join(
        f'<link rel="modulepreload" href="{base}/{path}">' for path in ("app.js", "lib/a.js")
    )
    assert page.index.content.decode() == f"<html>{preloads}<script src={base}/app.js></script></html>"


def test_files_that_no_browser_needs_are_not_served() -> None:
    """Type declarations and the manifest; the index has its own URL."""
    assert set(build_page(SOURCES).files) == {
        "app.js",
        "lib/a.js",
        "pages/later/page.js",
        "style/base.css",
        "icon.svg",
        "vendor/LICENCES.md",
    }


def test_style_sheets_are_joined() -> None:
    """Those that the index links; the revision of the URL is that of all files."""
    link = b'<link rel="stylesheet" href="{{base}}/style/base.css">\n'
    page = build_page(SOURCES | {"index.html": link})
    assert page.index.content.decode() == f'<link rel="stylesheet" href="/web/{page.revision}/style.css">\n'
    assert page.files["style.css"].content == b"a{}"
    assert "style/base.css" not in page.files


def test_comments_of_own_files_are_removed_and_libraries_are_kept() -> None:
    """Comments and indentation are for developers; a library is served as it was published."""
    page = build_page(
        SOURCES
        | {
            "lib/a.js": b"  // why\n  one();\n",
            "vendor/x.js": b"  /* licence */\n",
            "style/base.css": b"/* why */\na{}",
        }
    )
    assert page.files["lib/a.js"].content == b"one();\n"
    assert page.files["style/base.css"].content == b"a{}"
    assert page.files["vendor/x.js"].content == b"  /* licence */\n"


def test_revision_changes_with_each_served_file_alone() -> None:
    """The order and other files do not matter; content that moves to another name does."""
    revision = build_page(SOURCES).revision
    assert build_page(dict(reversed(SOURCES.items()))).revision == revision
    assert build_page(SOURCES | {"vendor/preact.d.ts": b""}).revision == revision
    changed = [build_page(SOURCES | {path: b"x"}).revision for path in ("index.html", "app.js", "new.css")]
    renamed = {("lib/b.js" if path == "lib/a.js" else path): content for path, content in SOURCES.items()}
    assert len({revision, *changed, build_page(renamed).revision}) == 5


def test_gzip_is_kept_where_it_is_smaller() -> None:
    """The same bytes for the same file, so that they do not depend on the time."""
    files = build_page(SOURCES).files
    gzipped = files["app.js"].gzipped
    assert gzipped is not None
    assert gzip.decompress(gzipped) == SOURCES["app.js"]
    assert gzipped == build_page(SOURCES).files["app.js"].gzipped
    assert files["lib/a.js"].gzipped is None


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("app.js", b"text/javascript; charset=utf-8"),
        ("style/base.css", b"text/css; charset=utf-8"),
        ("icon.svg", b"image/svg+xml"),
        ("vendor/LICENCES.md", b"text/plain; charset=utf-8"),
    ],
)
def test_files_have_their_type_and_are_kept(path: str, media_type: bytes) -> None:
    """Their URLs change with the revision; the index is revalidated."""
    page = build_page(SOURCES)
    file = page.files[path]
    assert file.type_line == b"content-type: %b\r\n" % media_type
    assert b"\r\ncache-control: public, max-age=31536000, immutable\r\n" in file.header_lines
    assert b"\r\nvary: accept-encoding\r\n" in file.header_lines
    assert page.index.type_line == b"content-type: text/html; charset=utf-8\r\n"
    assert b"\r\ncache-control: no-cache\r\n" in page.index.header_lines
    assert b"\r\nvary: accept, accept-encoding\r\n" in page.index.header_lines


def test_etag_is_that_of_the_content() -> None:
    """The index has another one if any file changes, because its URLs do."""
    before, after = build_page(SOURCES), build_page(SOURCES | {"lib/a.js": b"2"})
    assert before.files["app.js"].etag == after.files["app.js"].etag
    assert before.files["lib/a.js"].etag != after.files["lib/a.js"].etag
    assert before.index.etag != after.index.etag
    assert b"etag: " + before.index.etag in before.index.header_lines


def test_a_page_without_an_index_is_refused() -> None:
    """An incomplete installation."""
    with pytest.raises(KeyError):
        build_page({"app.js": b""})
