"""Which paths need neither a key nor an allowed host."""

import pytest

from gglib.proxy.access.public_paths import is_odd_path, is_public_path, needs_no_key


@pytest.mark.parametrize(
    ("path", "is_public", "is_odd"),
    [
        ("/health", True, False),
        ("/v1/health", True, False),
        ("/ready", True, False),
        ("/ready/", False, False),
        ("/favicon.ico", True, True),
        ("/.well-known/oauth-authorization-server", True, True),
        ("/.well-known/a/b", True, True),
        ("/%68ealth", False, False),
        ("/health/", False, False),
        ("/.well-known", False, False),
        ("/x/.well-known/y", False, False),
        ("/favicon.ico/x", False, False),
        ("/v1/models", False, False),
        ("/metrics", False, False),
    ],
)
def test_only_paths_that_reveal_nothing_are_open(path: str, is_public: bool, is_odd: bool) -> None:  # noqa: FBT001 - a row's values
    """Paths are compared as received, so that no other spelling of one can match."""
    assert (is_public_path(path), is_odd_path(path)) == (is_public, is_odd)


@pytest.mark.parametrize(
    ("path", "is_open"),
    [
        ("/", True),
        ("/web/0123/app.js", True),
        ("/health", True),
        ("/web", False),
        ("/website", False),
        ("//web/0123/app.js", False),
        ("/Web/0123/app.js", False),
        ("/%77eb/0123/app.js", False),
        ("/gglib/status", False),
        ("/docs", False),
        ("//", False),
    ],
)
def test_the_page_needs_no_key(path: str, *, is_open: bool) -> None:
    """It is no public path: hosts and origins are checked."""
    assert needs_no_key(path) is is_open
    assert is_public_path(path) is (path == "/health")
