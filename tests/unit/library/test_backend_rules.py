"""What describes a backend is checked before it is stored."""

import pytest

from gglib.core.backends import CommandBackend, UrlBackend
from gglib.core.errors import InvalidSettingError
from gglib.library.backend_rules import checked_command, checked_url


@pytest.mark.parametrize(
    "url",
    ["http://box:8000/v1", "https://[::1]:8000", "http://box/v1/ ", "http://box/a%20b", "http://box/a~b/v1"],
)
def test_an_address_of_a_server(url: str) -> None:
    """Without a slash at its end."""
    assert checked_url(UrlBackend(base_url=url)).base_url == url.rstrip(" /")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "box:8000",
        "ftp://box",
        "http://",
        "http://[::1",
        "http://box:0",
        "http://box:x",
        "http://box:70000",
        "http://box/v 1",
        "http://box/v1\r\nx: y",
        "http://box\t/v1",
        "http://bäx/v1",
    ],
)
def test_what_is_no_address(url: str) -> None:
    """Also what would end the line of a request: one sentence, on one line."""
    with pytest.raises(InvalidSettingError, match="is not the URL of a server") as caught:
        checked_url(UrlBackend(base_url=url))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("url", ["http://me@box", "http://box?a=b", "http://box/#a"])
def test_an_address_with_more_than_a_path(url: str) -> None:
    """The sentence says where a key belongs."""
    with pytest.raises(InvalidSettingError, match="no user, query or fragment"):
        checked_url(UrlBackend(base_url=url))


@pytest.mark.parametrize("path", ["", "health", "/he alth", "/a\r\nx: y", "/ä"])
def test_what_is_no_health_path(path: str) -> None:
    """It is part of the line of a request."""
    with pytest.raises(InvalidSettingError, match="health path"):
        checked_command(
            CommandBackend(argv=("a", "{port}"), health_path=path), has_file=False, has_unix_sockets=True
        )


def test_a_health_path() -> None:
    """It may have a query."""
    backend = CommandBackend(argv=("a", "{port}"), health_path="/v1/models?a=b")
    assert checked_command(backend, has_file=False, has_unix_sockets=True) == backend
