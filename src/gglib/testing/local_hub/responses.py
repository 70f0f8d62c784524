"""Maps requests to the responses of huggingface.co and its file host. No sockets.

Sources: huggingface_hub 2.4 (``utils/_http.py`` for the error codes, ``file_download.py`` for the headers of
``resolve``), https://huggingface.co/docs/hub/api. Seen in production: the file host's ETag looks like a SHA-256 but
is not that of the content (llamaMan issue 70); small files get a relative 307 to ``/api/resolve-cache``, where the hub
itself sends them (swift-transformers pull request 209).
"""

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlencode

from gglib.testing.local_hub import payloads
from gglib.testing.local_hub.content import Content
from gglib.testing.local_hub.faults import Fault
from gglib.testing.local_hub.http1 import Headers, Request
from gglib.testing.local_hub.ranges import (
    Span,
    UnsatisfiableError,
    content_range,
    matches_if_range,
    read_range,
)
from gglib.testing.local_hub.record import Host
from gglib.testing.local_hub.store import Repository, Store

LAST_MODIFIED = "Fri, 02 Jan 2026 03:04:05 GMT"
CACHE_PATH = "/api/resolve-cache/models/"
NOTHING = Span(0, 0)
_JSON: Headers = (("Content-Type", "application/json; charset=utf-8"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The response to send: ``body``, or a range of ``content``."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    content: Content | None = None
    span: Span = NOTHING

    @property
    def length(self) -> int:
        """The length of the body in bytes."""
        return len(self.body) if self.content is None else self.span.length


@dataclass(frozen=True, slots=True, kw_only=True)
class HubState:
    """The state of the hub that a response depends on."""

    store: Store
    hub_url: str
    cdn_url: str
    tokens: frozenset[str]
    """Valid tokens."""
    granted: frozenset[tuple[str, str]]
    """Token and repository: accounts with access to gated repositories."""
    page_limit: int
    link_number: int
    """Part of the signed addresses of large files; addresses with a lower number have expired."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a path of the hub refers to."""

    kind: str
    """``models``, ``model``, ``file``, ``cached`` (the address that a small file is sent from) or ``other``."""
    repo: str = ""
    revision: str = "main"
    file: str = ""


def read_target(path: str) -> Target:
    """Parse a path; quoted slashes are part of a name or branch."""
    parts = path.split("/")[1:]
    names = [unquote(part) for part in parts]
    if path.startswith(CACHE_PATH) and len(parts) > 6:
        return Target("cached", "/".join(names[3:5]), names[5], "/".join(names[6:]))
    if parts[:2] == ["api", "models"]:
        rest = names[2:]
        if not any(rest):
            return Target("models")
        if "revision" in rest[1:]:
            at = rest.index("revision", 1)
            return Target("model", "/".join(rest[:at]), "/".join(rest[at + 1 :]))
        return Target("model", "/".join(rest))
    if "resolve" in parts[1:3]:
        at = parts.index("resolve", 1)
        if len(parts) > at + 2:
            return Target("file", "/".join(names[:at]), names[at + 1], "/".join(names[at + 2 :]))
    return Target("other")


def file_of(request: Request, host: Host) -> str:
    """Return the name of the file that a request is about."""
    if host is Host.HUB:
        return read_target(request.path).file
    if host is Host.CDN:
        return unquote(request.path.split("/", 3)[-1])
    return unquote(request.path)


def answer(request: Request, host: Host, fault: Fault, state: HubState) -> Response:
    """Return the response to a request."""
    if request.method not in ("GET", "HEAD"):
        return Response(status=405, headers=_JSON, body=payloads.error("Method not allowed"))
    if host is Host.HUB:
        return _Hub(request, fault, state).answer()
    found = _cdn_file(request, state) if host is Host.CDN else _plain_file(request, state)
    if isinstance(found, Response):
        return found
    if found is None:
        return Response(status=404, headers=(("Content-Type", "text/plain"),), body=b"Not Found")
    return send_file(request, fault, found, etag=f'"{found.storage_tag}"')


def send_file(request: Request, fault: Fault, content: Content, *, etag: str, more: Headers = ()) -> Response:
    """Return a file, or the requested range."""
    headers: Headers = (
        ("Content-Type", "application/octet-stream"),
        ("ETag", etag),
        ("Last-Modified", LAST_MODIFIED),
        ("Accept-Ranges", "bytes"),
        *more,
    )
    size = content.size_bytes
    wanted = request.headers.get("range")
    if_range = request.headers.get("if-range")
    is_in_force = matches_if_range(if_range, etag=etag, last_modified=LAST_MODIFIED)
    if fault.ignores_range or not (is_in_force or fault.ignores_if_range):
        wanted = None
    try:
        span = read_range(wanted, size)
    except UnsatisfiableError:
        return Response(status=416, headers=(*headers, ("Content-Range", f"bytes */{size}")))
    if span is None:
        return Response(status=200, headers=headers, content=content, span=Span(0, size))
    part = ("Content-Range", fault.content_range or content_range(span, size))
    return Response(status=206, headers=(*headers, part), content=content, span=span)


def _plain_file(request: Request, state: HubState) -> Content | None:
    """Return the file at a URL, which may include a query."""
    store = state.store
    return store.address(unquote(request.target)) or store.address(unquote(request.path))


def _cdn_file(request: Request, state: HubState) -> Content | Response | None:
    """Return the file at a signed address, ``/files/<sha256>/<name>?…``, or the response for an expired one."""
    if request.first("Signature") != str(state.link_number):
        body = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
        return Response(status=403, headers=(("Content-Type", "application/xml"),), body=body)
    sha256, _, name = request.path.removeprefix("/files/").partition("/")
    for repository in state.store.all():
        for _, files in reversed(repository.commits):
            found = files.get(unquote(name))
            if found is not None and found.sha256 == sha256:
                return found
    return None


class _Hub:
    def __init__(self, request: Request, fault: Fault, state: HubState) -> None:
        self._request = request
        self._fault = fault
        self._state = state
        authorization = request.headers.get("authorization", "")
        self._token = authorization.removeprefix("Bearer ") if authorization else None

    def answer(self) -> Response:
        if self._token is not None and self._token not in self._state.tokens:
            return _refused(401, "Invalid credentials in Authorization header")
        target = read_target(self._request.path)
        if target.kind == "models":
            return self._models()
        if target.kind == "other":
            return _refused(404, "Sorry, we can't find the page you are looking for.")
        return self._of_repository(target)

    def _of_repository(self, target: Target) -> Response:
        repository = self._state.store.get(target.repo)
        if repository is None or (repository.is_private and self._token is None):
            return self._missing(target)
        commit = repository.commit(target.revision)
        if commit is None:
            return _refused(404, f"Invalid rev id: {target.revision}", "RevisionNotFound")
        if target.kind == "model":
            has_blobs = self._request.first("blobs").lower() in ("true", "1")
            shown = payloads.model(repository, commit, blobs=has_blobs)
            return Response(status=200, headers=_JSON, body=payloads.dumps(shown))
        return self._file(repository, commit, target)

    def _models(self) -> Response:
        """List repositories, page by page; the Link header has the address of the next page."""
        request = self._request
        query = request.first("search").lower()
        tags = set(request.query.get("filter", []))
        found = [
            repository
            for repository in self._state.store.all()
            if query in repository.repo.lower()
            and tags <= set(repository.tags)
            and not (repository.is_private and self._token is None)
        ]
        order = request.first("sort")
        by = {"downloads": "downloads", "likes": "likes", "lastModified": "last_modified"}
        field = by.get(order, "trending")
        is_descending = request.first("direction", "-1") == "-1"
        found.sort(key=lambda repository: getattr(repository, field), reverse=is_descending)
        start = int(request.first("cursor", "0"))
        limit = min(int(request.first("limit", "1000")), self._state.page_limit)
        expand = request.query.get("expand", [])
        is_full = request.first("full").lower() in ("true", "1")
        page = found[start : start + limit]
        items = [payloads.listed(repository, expand=expand, is_full=is_full) for repository in page]
        headers = _JSON
        if start + limit < len(found):
            fields = {**request.query, "cursor": [str(start + limit)]}
            address = f"{self._state.hub_url}{request.path}?{urlencode(fields, doseq=True)}"
            headers = (*_JSON, ("Link", f'<{address}>; rel="next"'))
        return Response(status=200, headers=headers, body=payloads.dumps(items))

    def _missing(self, target: Target) -> Response:
        """Redirect to the new name; else hide whether the repository exists: 401 without a token, 404 with one."""
        new = self._state.store.new_name(target.repo)
        if new is not None:
            location = self._request.target.replace(target.repo, new, 1)
            return Response(status=307, headers=(("Location", location),))
        if self._token is None:
            return _refused(401, "Invalid username or password.", "RepoNotFound")
        return _refused(404, "Repository not found", "RepoNotFound")

    def _file(self, repository: Repository, commit: str, target: Target) -> Response:
        name = target.file
        if repository.gated is not None and (self._token, repository.repo) not in self._state.granted:
            return self._gate(repository.repo)
        content = repository.files(commit).get(name)
        if content is None:
            return _refused(404, "Entry not found", "EntryNotFound", (("X-Repo-Commit", commit),))
        if not payloads.is_large(name, content):
            return self._small_file(repository.repo, commit, target, content)
        query = urlencode({"Expires": "1767323045", "Signature": str(self._state.link_number)})
        headers = (
            ("Location", f"{self._state.cdn_url}/files/{content.sha256}/{quote(name)}?{query}"),
            ("X-Repo-Commit", commit),
            ("X-Linked-Size", str(content.size_bytes)),
            ("X-Linked-ETag", f'"{content.sha256}"'),
            ("Accept-Ranges", "bytes"),
            ("Content-Type", "text/plain; charset=utf-8"),
        )
        return Response(status=302, headers=headers, body=b"Found. Redirecting")

    def _small_file(self, repo: str, commit: str, target: Target, content: Content) -> Response:
        etag = f'"{content.blob_id}"'
        more: Headers = (("X-Repo-Commit", commit),)
        if target.kind == "cached":
            return send_file(self._request, self._fault, content, etag=etag, more=more)
        location = f"{CACHE_PATH}{repo}/{commit}/{quote(target.file)}?{urlencode({'etag': etag})}"
        linked = (("X-Linked-ETag", etag), ("X-Linked-Size", str(content.size_bytes)))
        return Response(status=307, headers=(("Location", location), *more, *linked))

    def _gate(self, repo: str) -> Response:
        if self._token is None:
            text = (
                f"Access to model {repo} is restricted. You must have access to it and be authenticated to "
                "access it. Please log in."
            )
            return _refused(401, text, "GatedRepo")
        page = f"{self._state.hub_url}/{repo}"
        text = (
            f"Access to model {repo} is restricted and you are not in the authorized list. "
            f"Visit {page} to ask for access."
        )
        return _refused(403, text, "GatedRepo")


def _refused(status: int, message: str, code: str | None = None, more: Headers = ()) -> Response:
    named: Headers = (("X-Error-Code", code),) if code else ()
    headers = (*_JSON, ("X-Error-Message", message), *named, *more)
    return Response(status=status, headers=headers, body=payloads.error(message))
