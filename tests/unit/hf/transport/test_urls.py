"""Web addresses and redirects."""

import pytest

from gglib.core.errors import HubError
from gglib.hf.transport.urls import (
    HubLocation,
    file_address,
    file_name,
    hub_location,
    parse_address,
    parse_endpoint,
    resolve_redirect,
)

HUB = "https://hub.example"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://host/m.gguf", "Only http and https"),
        ("file:///etc/passwd", "Only http and https"),
        ("m.gguf", "Only http and https"),
        ("https:///m.gguf", "names no host"),
        ("https://host:port/m.gguf", "not an address"),
        ("https://[::1/m.gguf", "not an address"),
        ("https://user:hush@host/m.gguf", "remove it"),
        ("https://user@host/m.gguf", "remove it"),
        ("https://host/a b", "blanks"),
        ("https://host/a\r\nHost: other", "blanks"),
    ],
)
def test_unsafe_url_is_refused_in_one_sentence(url: str, message: str) -> None:
    """The error does not contain the URL's password."""
    with pytest.raises(HubError, match=message) as caught:
        parse_address(url)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["huggingface.co", "http://", "http:", "http://[::1", "https://h:99999", "https://h:0", "https://h/?a=1"],
)
def test_invalid_endpoint_names_its_variable(text: str) -> None:
    """The error quotes the value, and shows a valid one."""
    with pytest.raises(HubError, match=r"HF_ENDPOINT .*https://huggingface\.co") as caught:
        parse_endpoint(text)
    assert f"'{text}'" in str(caught.value)


def test_password_of_an_endpoint_is_not_shown() -> None:
    """A password is not used either: a hub authenticates by token."""
    with pytest.raises(HubError, match="HF_ENDPOINT") as caught:
        parse_endpoint("https://me:hush@hub.example")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("HTTPS://Host:443/a%20b/m.gguf?sig=1", "https://host/a%20b/m.gguf"),
        ("http://host:8080", "http://host:8080/"),
        ("http://[::1]:8080/ä", "http://[::1]:8080/%C3%A4"),
    ],
)
def test_url_is_shown_without_its_query(url: str, shown: str) -> None:
    """The query may be a signature; host and scheme are lower case, the default port is omitted."""
    assert str(parse_address(url)) == shown


def test_fragment_is_not_sent() -> None:
    """A fragment is only for browsers."""
    assert parse_address("https://host/m.gguf?a=1#top").url == "https://host/m.gguf?a=1"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://cdn/x?s=1", "https://cdn/x?s=1"),
        ("/other", "https://hub.example/other"),
        ("c", "https://hub.example/a/c"),
        ("//cdn/x", "https://cdn/x"),
    ],
)
def test_redirect_may_be_relative(location: str, expected: str) -> None:
    """The hub sends relative redirects after a repository was renamed."""
    assert resolve_redirect(parse_address(f"{HUB}/a/b"), location).url == expected


@pytest.mark.parametrize(
    "location",
    ["http://hub.example/a", "ftp://x/a", "https://u:p@x/a", "javascript:1", "file:///x", "https://[::1/x"],
)
def test_redirect_to_plain_http_or_worse_is_refused(location: str) -> None:
    """Not even to the same host."""
    with pytest.raises(HubError):
        resolve_redirect(parse_address(f"{HUB}/a/b"), location)


def test_redirect_from_http_to_https_is_followed() -> None:
    """A redirect from http to https is safe."""
    assert resolve_redirect(parse_address("http://host/a"), "https://host/a").origin.scheme == "https"


def test_names_in_a_repository_are_quoted() -> None:
    """A slash is quoted in a branch, but not in a file's path."""
    address = file_address(f"{HUB}/base/", "ada/m", "refs/pr/1", "sub dir/m#1?ü.gguf")
    assert address.url == f"{HUB}/base/ada/m/resolve/refs%2Fpr%2F1/sub%20dir/m%231%3F%C3%BC.gguf"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"{HUB}/ada/m/resolve/main/m.gguf", HubLocation("ada/m", "main", "m.gguf")),
        (f"{HUB}/ada/m/blob/main/a/m%20b.gguf?download=true", HubLocation("ada/m", "main", "a/m b.gguf")),
        (f"{HUB}/ada/m/resolve/refs%2Fpr%2F1/m.gguf", HubLocation("ada/m", "refs/pr/1", "m.gguf")),
        (f"{HUB}/ada/m/tree/main/m.gguf", None),
        (f"{HUB}/ada/m", None),
        (f"{HUB}/datasets/ada/m/resolve/main/m.gguf", None),
        (f"{HUB}/ada/m/resolve/main/", None),
        (f"{HUB}/ada/m/resolve/main", None),
        ("https://other/ada/m/resolve/main/m.gguf", None),
        ("http://hub.example/ada/m/resolve/main/m.gguf", None),
    ],
)
def test_url_of_the_hub_is_a_file_of_its_repository(url: str, expected: HubLocation | None) -> None:
    """Only of its own scheme, host and port, and only of a model."""
    assert hub_location(parse_address(url), parse_address(HUB)) == expected


def test_file_name_is_the_decoded_last_segment() -> None:
    """The name is not validated as a local path here."""
    assert file_name(parse_address("https://h/a/b%2Fc%20d.gguf?x=/y")) == "b/c d.gguf"
    assert file_name(parse_address("https://h/a/")) == ""
