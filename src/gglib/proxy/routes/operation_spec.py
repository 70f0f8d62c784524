"""The spec of an operation of the HTTP API: request and response types, errors and access.

Pure values. Dispatch, parsing of requests, the OpenAPI document and its page are all derived from them, so they cannot
disagree.
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
    RateLimitError,
    ReportableError,
    UnauthorizedError,
)

JSON, EVENTS, HTML, TEXT = "application/json", "text/event-stream", "text/html; charset=utf-8", "text/plain"
LINES = "application/x-ndjson"
"""A stream of JSON objects, one a line."""
OWN_API = "/gglib/"
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_ERRORS_OF_ALL = (HostNotAllowedError, OriginNotAllowedError, BadRequestError, ShuttingDownError)


class Access(Enum):
    """Which callers may use an operation."""

    PUBLIC = "public"
    """All callers: no key is needed even if keys are set."""
    CLIENT = "client"
    """All callers that the access policy accepts."""
    ADMIN_KEY = "admin key"
    """Where keys are set: callers with an admin key. Where no key is set: all that the access policy accepts."""
    ADMIN = "admin"
    """Where keys are set: callers with an admin key. Where no key is set: local programs and pages of this server."""


class Metering(Enum):
    """What of a request counts against the limits of its key, and whether its bodies can be recorded."""

    NONE = "none"
    REQUEST = "request"
    """The request, not the tokens that it counts or converts. Its bodies are not recorded: they may have a text in
    pieces, in which a secret cannot be found."""
    PROMPT = "prompt"
    """The request and its tokens, of which none are generated: embeddings, rerankings. Its bodies can be recorded."""
    TOKENS = "tokens"
    """The request, and the tokens that an engine computes for it. Its bodies can be recorded: prompt and answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSpec:
    """One method of one path, as in OpenAPI. The handler is in ``dispatch.Operation``."""

    id: str
    """``operationId``: its name in generated clients."""
    method: str
    path: str
    """Path template; ``{name}`` is a parameter without slashes, unless ``may_have_slashes``."""
    group: str
    summary: str
    """One line."""
    text: str = ""
    """Further description."""
    access: Access = Access.ADMIN
    path_parameters: Mapping[str, str] = field(default_factory=dict)
    """Description of each ``{name}`` of the path."""
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    status: int = 200
    response: type | None = None
    """The response type; None: not JSON, or the schema of another API."""
    other_statuses: tuple[int, ...] = ()
    """Further statuses with the response type."""
    media_type: str = JSON
    errors: tuple[type[ReportableError], ...] = ()
    """Errors, in addition to those that follow from the other fields."""
    needs_library: bool = False
    metering: Metering = Metering.NONE
    may_have_slashes: bool = False
    """Whether the last parameter may contain slashes, as model names do."""
    has_location: bool = False
    """Whether the response has a ``Location`` header with the URL of the created resource."""
    pattern: "re.Pattern[str]" = field(init=False, repr=False, compare=False)
    """Matches the raw paths of the template; derived from ``path``."""

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "pattern", re.compile(_expression(self.path, may_have_slashes=self.may_have_slashes))
        )

    @property
    def is_template(self) -> bool:
        """Whether the path has parameters."""
        return "{" in self.path

    @property
    def is_strict(self) -> bool:
        """Whether unknown query parameters are refused: in gglib's own API, but not on its pages."""
        return self.path.startswith(OWN_API) or self.query is not None

    @property
    def is_admin_stream(self) -> bool:
        """Whether its response is an event stream for admins."""
        return self.media_type == EVENTS and self.access is Access.ADMIN

    @property
    def may_have_body(self) -> bool:
        """Whether request content has a meaning (RFC 9110, 9.3). If so, the body is read, if only to refuse it."""
        return self.method != "GET"

    @property
    def is_body_optional(self) -> bool:
        """Whether an empty body is accepted: gglib parses it, and no field is required."""
        return (
            self.is_strict
            and self.body is not None
            and not any(field.required for field in msgspec.structs.fields(self.body))
        )

    def all_errors(self) -> tuple[type[ReportableError], ...]:
        """Return all errors of the operation."""
        found: list[type[ReportableError]] = [*self.errors, *_ERRORS_OF_ALL]
        if self.access is not Access.PUBLIC:
            found.append(UnauthorizedError)
        if self.access in {Access.ADMIN_KEY, Access.ADMIN}:
            found.append(ForbiddenError)
        if self.needs_library:
            found.append(NoLibraryError)
        if self.metering is not Metering.NONE:
            found.append(RateLimitError)
        if self.may_have_body:
            found += [BodyTooLargeError, ContentEncodingError, RequestTimeoutError, TooManyBodiesError]
        return tuple(dict.fromkeys(found))


def _expression(path: str, *, may_have_slashes: bool) -> str:
    """Return the regular expression of a path template."""
    made, position = "", 0
    last = path.rfind("{")
    for match in _PLACEHOLDER.finditer(path):
        varying = "[^/].*" if may_have_slashes and match.start() == last else "[^/]+"
        made += re.escape(path[position : match.start()]) + f"(?P<{match[1]}>{varying})"
        position = match.end()
    return made + re.escape(path[position:])
