"""The page as it is served: each file with its compressed content and its headers. Pure.

The URLs of all files contain the revision of the page, so browsers may keep the files forever, and never mix those of
two versions of gglib. Only ``index.html``, at ``/``, is revalidated.
"""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath

from gglib.http.response_writer import encode_header_lines
from gglib.proxy.access.public_paths import PAGE_FILES
from gglib.proxy.web.comments import without_comments, without_indentation
from gglib.proxy.web.headers import SECURITY_HEADERS
from gglib.proxy.web.modules import imported_modules
from gglib.proxy.web.styles import join_styles

INDEX = "index.html"
MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Media types of the served files, by suffix. Other files beside them, such as type declarations, are not served."""
BASE_PLACEHOLDER = b"{{base}}"
"""In ``index.html``: the URL of the folder with all other files, without a slash at its end."""
PRELOADS_PLACEHOLDER = b"{{preloads}}"
"""In ``index.html``: a link for each module that the first view needs, so that the browser requests all of them at
once. The modules of the other views are requested when these are opened."""
ENTRIES = ("app.js", "pages/now/page.js")
"""The modules of the first view."""
VENDOR = "vendor/"
"""Libraries, which are served as they were published."""

_COMMENTED = frozenset((".css", ".js"))
_GZIP_LEVEL = 9
_DIGEST_CHARS = 16
_FOREVER = b"public, max-age=31536000, immutable"
_REVALIDATED = b"no-cache"


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file."""

    content: bytes
    gzipped: bytes | None
    """None: compressed it would not be smaller."""
    etag: bytes
    """A weak ETag, the same for both forms."""
    header_lines: bytes
    """The serialized headers of every response with this ETag, also without a body."""
    type_line: bytes
    """The serialized ``Content-Type``."""


@dataclass(frozen=True, slots=True)
class Page:
    """All files of the page."""

    revision: str
    """Changes with every change of a file."""
    index: PageFile
    files: Mapping[str, PageFile]
    """The files except ``index``, by their path below the URL of the revision."""


def build_page(sources: Mapping[str, bytes]) -> Page:
    """Return the page of files by their path in its folder. Raises KeyError without ``index.html``."""
    served = {
        path: _served_content(path, sources[path])
        for path in sorted(sources)
        if PurePosixPath(path).suffix in MEDIA_TYPES
    }
    revision = _revision(served)
    template, served = join_styles(served.pop(INDEX), served)
    base = f"{PAGE_FILES}{revision}"
    return Page(
        revision,
        _page_file(
            INDEX,
            _filled(template, base, served),
            cache_control=_REVALIDATED,
            vary=b"accept, accept-encoding",  # other clients get a text at the same path
        ),
        {
            path: _page_file(path, content, cache_control=_FOREVER, vary=b"accept-encoding")
            for path, content in served.items()
        },
    )


def _revision(served: Mapping[str, bytes]) -> str:
    digest = sha256()
    for path, content in served.items():
        digest.update(b"%b\0%d\0%b" % (path.encode(), len(content), content))
    return digest.hexdigest()[:_DIGEST_CHARS]


def _served_content(path: str, content: bytes) -> bytes:
    """Return a file without comments and indentation; libraries are served as they were published."""
    suffix = PurePosixPath(path).suffix
    if path.startswith(VENDOR) or suffix not in _COMMENTED:
        return content
    return without_indentation(without_comments(content.decode())).encode()


def _filled(template: bytes, base: str, sources: Mapping[str, bytes]) -> bytes:
    modules = imported_modules(ENTRIES, sources)
    preloads = "\n".join(f'<link rel="modulepreload" href="{base}/{path}">' for path in modules)
    filled = template.replace(PRELOADS_PLACEHOLDER, preloads.encode())
    return filled.replace(BASE_PLACEHOLDER, base.encode())


def _page_file(path: str, content: bytes, *, cache_control: bytes, vary: bytes) -> PageFile:
    etag = b'W/"%b"' % sha256(content).hexdigest()[:_DIGEST_CHARS].encode()
    gzipped = gzip.compress(content, _GZIP_LEVEL, mtime=0)
    headers = [(b"etag", etag), (b"cache-control", cache_control), (b"vary", vary), *SECURITY_HEADERS]
    media_type = MEDIA_TYPES[PurePosixPath(path).suffix].encode()
    return PageFile(
        content,
        gzipped if len(gzipped) < len(content) else None,
        etag,
        encode_header_lines(headers),
        encode_header_lines([(b"content-type", media_type)]),
    )
