"""What follows from the spec of an operation."""

from typing import Any

import msgspec
import pytest

from gglib.core import errors
from gglib.http.errors import BodyTooLargeError, RequestTimeoutError, TooManyBodiesError
from gglib.proxy.errors import (
    BadRequestError,
    ContentEncodingError,
    ForbiddenError,
    HostNotAllowedError,
    NoLibraryError,
    OriginNotAllowedError,
    UnauthorizedError,
)
from gglib.proxy.routes.operation_spec import EVENTS, JSON, Access, OperationSpec


class Query(msgspec.Struct):
    """A query with one parameter."""

    q: str


def a_spec(path: str = "/gglib/x", **fields: Any) -> OperationSpec:
    """Return the spec of an operation, with defaults for what does not matter."""
    return OperationSpec(**{"id": "x", "method": "GET", "path": path, "group": "g", "summary": "s", **fields})


@pytest.mark.parametrize(
    ("template", "path", "found"),
    [
        ("/x", "/x", {}),
        ("/x", "/xy", None),
        ("/x", "/y/x", None),
        ("/a.b", "/a.b", {}),
        ("/a.b", "/aXb", None),
        ("/m/{name}", "/m/tiny", {"name": "tiny"}),
        ("/m/{name}", "/m/", None),
        ("/m/{name}", "/m/a/b", None),
        ("/m/{name}/x.y", "/m/tiny/x.y", {"name": "tiny"}),
        ("/m/{name}/x.y", "/m/tiny/x-y", None),
        ("/m/{name}/x.y", "/m/tiny", None),
        ("/{a}/b/{c}", "/1/b/2", {"a": "1", "c": "2"}),
    ],
)
def test_a_path_matches_its_template(template: str, path: str, found: dict[str, str] | None) -> None:
    """A parameter matches one segment that is not empty; all other characters match themselves."""
    match = a_spec(template).pattern.fullmatch(path)
    assert (match and match.groupdict()) == found


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/m/x/tiny", {"a": "x", "name": "tiny"}),
        ("/m/x/y/tiny", {"a": "x", "name": "y/tiny"}),
        ("/m/x/tiny/", {"a": "x", "name": "tiny/"}),
        ("/m/x//tiny", None),
        ("/m/x/", None),
        ("/m/x", None),
    ],
)
def test_the_last_parameter_may_contain_slashes(path: str, found: dict[str, str] | None) -> None:
    """Names of models have slashes, but do not begin with one; the other parameters match one segment."""
    match = a_spec("/m/{a}/{name}", may_have_slashes=True).pattern.fullmatch(path)
    assert (match and match.groupdict()) == found


def test_text_after_a_parameter_with_slashes_ends_the_path() -> None:
    """The parameter takes everything before the last occurrence of the text."""
    pattern = a_spec("/m/{name}/x", may_have_slashes=True).pattern
    for path, name in (("/m/a/x", "a"), ("/m/a/b/x", "a/b"), ("/m/a/x/x", "a/x"), ("/m/x/x", "x")):
        match = pattern.fullmatch(path)
        assert match is not None
        assert match["name"] == name
    assert not [path for path in ("/m/a", "/m/x", "/m//x", "/m/a/xy", "/m/a/x/") if pattern.fullmatch(path)]


@pytest.mark.parametrize(("path", "is_template"), [("/x", False), ("/x/{name}", True)])
def test_a_path_with_parameters_is_a_template(path: str, is_template: bool) -> None:  # noqa: FBT001 - a row's value
    """Other paths are looked up, not matched."""
    assert a_spec(path).is_template is is_template


@pytest.mark.parametrize(
    ("path", "query", "is_strict"),
    [
        ("/gglib/x", None, True),
        ("/gglib/x", Query, True),
        ("/x", Query, True),
        ("/v1/models", None, False),
        ("/gglib", None, False),
    ],
)
def test_the_own_api_refuses_unknown_parameters(
    path: str,
    query: type[msgspec.Struct] | None,
    is_strict: bool,  # noqa: FBT001 - a row's value
) -> None:
    """Operations with a query of their own do too; pages and the APIs of others ignore unknown parameters."""
    assert a_spec(path, query=query).is_strict is is_strict


@pytest.mark.parametrize(
    ("media_type", "access", "expected"),
    [
        (EVENTS, Access.ADMIN, True),
        (EVENTS, Access.CLIENT, False),
        (JSON, Access.ADMIN, False),
    ],
)
def test_an_event_stream_for_admins_is_an_admin_stream(
    media_type: str,
    access: Access,
    expected: bool,  # noqa: FBT001 - a row's value
) -> None:
    """Other responses end by themselves, or are for all clients."""
    assert a_spec("/gglib/x", media_type=media_type, access=access).is_admin_stream is expected


FOR_ALL = {HostNotAllowedError, OriginNotAllowedError, BadRequestError, errors.ShuttingDownError}
FOR_BODIES = {BodyTooLargeError, ContentEncodingError, RequestTimeoutError, TooManyBodiesError}


@pytest.mark.parametrize(
    ("fields", "further"),
    [
        ({"access": Access.PUBLIC}, set()),
        ({"access": Access.CLIENT}, {UnauthorizedError}),
        ({"access": Access.ADMIN}, {UnauthorizedError, ForbiddenError}),
        ({"access": Access.ADMIN_KEY}, {UnauthorizedError, ForbiddenError}),
        ({"access": Access.PUBLIC, "needs_library": True}, {NoLibraryError}),
        ({"access": Access.PUBLIC, "method": "POST"}, FOR_BODIES),
        ({"access": Access.PUBLIC, "method": "DELETE"}, FOR_BODIES),
        ({"access": Access.PUBLIC, "errors": (errors.HubError,)}, {errors.HubError}),
    ],
)
def test_errors_follow_from_the_other_fields(fields: dict[str, Any], further: set[type]) -> None:
    """From access, method and library, in addition to those that are declared."""
    assert set(a_spec(**fields).all_errors()) == FOR_ALL | further


def test_each_error_is_listed_once_and_the_declared_ones_first() -> None:
    """An error may be declared although it follows from another field."""
    found = a_spec(errors=(errors.HubError, ForbiddenError)).all_errors()
    assert found[:2] == (errors.HubError, ForbiddenError)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(("method", "may_have_body"), [("GET", False), ("POST", True), ("DELETE", True)])
def test_only_a_get_request_has_no_body(method: str, may_have_body: bool) -> None:  # noqa: FBT001 - a row's value
    """The content of other requests is read, if only to refuse it."""
    assert a_spec(method=method).may_have_body is may_have_body
