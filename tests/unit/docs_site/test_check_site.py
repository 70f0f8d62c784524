"""The built documentation site needs no other server."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from scripts.docs_site.check_site import faults, foreign_addresses
from scripts.docs_site.fetch_mermaid import FetchError, script_in


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<script src="//cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="https://fonts.example/x.css">',
        '<link rel="preconnect" href="https://fonts.example">',
        '<img src="http://img.example/x.png" alt="">',
        '<p style="background: url(https://img.example/x.png)"></p>',
    ],
)
def test_what_a_browser_loads_is_found(html: str) -> None:
    """With and without a scheme."""
    assert len(foreign_addresses("x.html", html)) == 1


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://example.com">a page</a>',
        '<link rel="next" href="https://example.com">',
        '<script src="assets/x.js"></script><img src="data:image/png;base64,AA==">',
        "<code>https://example.com/x.js</code>",
    ],
)
def test_links_are_no_requests(html: str) -> None:
    """A reader follows them, or not."""
    assert foreign_addresses("x.html", html) == []


def test_style_sheets_are_read(tmp_path: Path) -> None:
    """Imports and fonts; each fault names its file."""
    (tmp_path / "x.css").write_text(
        '@import "https://a.example/b.css"; b { src: url(https://c.example/d.woff) }'
    )
    (tmp_path / "x.js").write_text('"https://a.example"')
    assert [fault.split(":")[0] for fault in faults(tmp_path)] == ["x.css loads https"] * 2


def test_another_package_than_the_pinned_one_is_not_used(tmp_path: Path) -> None:
    """The hash decides before anything is unpacked."""
    package = tmp_path / "mermaid.tgz"
    with tarfile.open(package, "w:gz") as archive:
        member = tarfile.TarInfo("package/dist/mermaid.min.js")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"hello"))
    with pytest.raises(FetchError, match="another hash"):
        script_in(package)
    assert script_in(package, hashlib.sha512(package.read_bytes()).hexdigest()) == b"hello"
