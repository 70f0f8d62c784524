"""What one operation of the HTTP interface is: what it takes, what it answers, which callers may use it.

Pure values. The dispatch, the strict reading of requests, the OpenAPI document and its page are all made from these,
so that none of them says what another does not.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import msgspec

from gglib.core.errors import ShuttingDownError
from gglib.http.errors import BodyTooLargeError, RequestTimeoutError, TooManyBodiesError
from gglib.proxy.errors import (
    BadRequestError,
    ContentEncodingError,
    ForbiddenError,
    HostNotAllowedError,
    NoLibraryError,
    OriginNotAllowedError,
    ReportableError,
    UnauthorizedError,
)

JSON, EVENTS, HTML, TEXT = "application/json", "text/event-stream", "text/html; charset=utf-8", "text/plain"
OWN_API = "/gglib/"
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_ERRORS_OF_ALL = (HostNotAllowedError, OriginNotAllowedError, BadRequestError, ShuttingDownError)


class Access(Enum):
    """Which of the requests that the access policy admits may use an operation."""

    PUBLIC = "public"
    """Needs no key, even where keys are set."""
    CLIENT = "client"
    """Every request that the access policy admits."""
    AUTHORIZED = "authorized"
    """Programs of this machine, pages of this very server, and callers with a key: ``access/authorization.py``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSpec:
    """One operation."""

    id: str
    """Its name in generated clients."""
    method: str
    path: str
    """With ``{name}`` for what varies: a part up to the next slash."""
    group: str
    summary: str
    """One line."""
    text: str = ""
    """What else there is to know."""
    access: Access = Access.AUTHORIZED
    path_parameters: Mapping[str, str] = field(default_factory=dict)
    """What each ``{name}`` of the path is."""
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    status: int = 200
    response: type | None = None
    """None: not JSON, or the shape of another API."""
    media_type: str = JSON
    errors: tuple[type[ReportableError], ...] = ()
    """What it can fail with, beside what follows from the rest of this."""
    needs_library: bool = False
    has_path_tail: bool = False
    """Whether what varies last is all the rest of the path, slashes and all: names of models have them."""
    has_location: bool = False
    """Whether the answer says in ``Location`` where what it made is found."""
    pattern: "re.Pattern[str]" = field(init=False, repr=False, compare=False)
    """Matches the paths that are meant, as they stand in a request."""

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "pattern", re.compile(_expression(self.path, has_path_tail=self.has_path_tail))
        )

    @property
    def is_template(self) -> bool:
        """Whether it has many paths."""
        return "{" in self.path

    @property
    def is_strict(self) -> bool:
        """Whether a parameter that is not described is refused: gglib's own API, but not its pages."""
        return self.path.startswith(OWN_API) or self.query is not None

    @property
    def may_have_body(self) -> bool:
        """Whether a request has content with a meaning (RFC 9110, 9.3): it is read, also to refuse what is in it."""
        return self.method != "GET"

    def all_errors(self) -> tuple[type[ReportableError], ...]:
        """Return everything that it can fail with."""
        found: list[type[ReportableError]] = [*self.errors, *_ERRORS_OF_ALL]
        if self.access is not Access.PUBLIC:
            found.append(UnauthorizedError)
        if self.access is Access.AUTHORIZED:
            found.append(ForbiddenError)
        if self.needs_library:
            found.append(NoLibraryError)
        if self.may_have_body:
            found += [BodyTooLargeError, ContentEncodingError, RequestTimeoutError, TooManyBodiesError]
        return tuple(dict.fromkeys(found))


def _expression(path: str, *, has_path_tail: bool) -> str:
    """Return what matches a template."""
    made, position = "", 0
    for match in _PLACEHOLDER.finditer(path):
        varying = "[^/].*" if has_path_tail and match.end() == len(path) else "[^/]+"
        made += re.escape(path[position : match.start()]) + f"(?P<{match[1]}>{varying})"
        position = match.end()
    return made + re.escape(path[position:])
