"""Parsing of hosts, addresses and origins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.authorities import (
    Authority,
    Origin,
    is_plain_loopback,
    read_allowed_origin,
    read_authority,
    read_host,
    read_origin,
)

NAMES = st.from_regex(r"[A-Za-z0-9._~-]{1,60}", fullmatch=True)
PORTS = st.none() | st.integers(0, 65535)


@given(NAMES, PORTS)
def test_host_and_port_round_trip(name: str, port: int | None) -> None:
    """A formatted authority is parsed back, with the host in lower case."""
    text = name if port is None else f"{name}:{port}"
    assert read_authority(text) == Authority(name.lower(), port)


@given(st.ip_addresses(v=6), PORTS)
def test_ipv6_address_is_parsed_without_brackets(address: object, port: int | None) -> None:
    """Brackets belong to the notation, not to the address."""
    text = f"[{address}]" if port is None else f"[{address}]:{port}"
    assert read_authority(text) == Authority(str(address), port)


@given(st.text())
def test_any_text_is_parsed_or_a_value_error(text: str) -> None:
    """No text raises another error, and the result contains no separator."""
    for read in (read_authority, read_origin, read_host):
        try:
            found = read(text)
        except ValueError:
            continue
        host = found if isinstance(found, str) else found.host
        assert host
        assert host.isascii()
        assert not set("@/?#\\ []\t\r\n\0") & set(host)
        assert host == host.lower()


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("http://A.example", Origin("http", "a.example", None)),
        ("HTTPS://a.example:443", Origin("https", "a.example", None)),
        ("http://a.example:80", Origin("http", "a.example", None)),
        ("http://a.example:443", Origin("http", "a.example", 443)),
        ("http://[::1]:3000", Origin("http", "::1", 3000)),
        ("vscode-webview://1abc", Origin("vscode-webview", "1abc", None)),
    ],
)
def test_origin_is_normalized(text: str, origin: Origin) -> None:
    """Case and the default port make no difference; another port does."""
    assert read_origin(text) == origin
    assert origin.is_page == text.lower().startswith("http")


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "*", "a.example", "//a.example", "://a.example", "1http://a.example", "http://"),
        *("http://a.example/", "http://a.example/x", "http://a.example?x", "http://a.example#x"),
        *(
            "http://user@a.example",
            "http://a.example:",
            "http://a.example:70000",
            "http://a b",
            "http://a http://b",
        ),
    ],
)
def test_other_urls_are_no_origins(text: str) -> None:
    """Scheme, host and port, and nothing else."""
    with pytest.raises(ValueError, match=r"."):
        read_origin(text)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Box.LAN", "box.lan"),
        ("my_box", "my_box"),
        ("10.0.0.5", "10.0.0.5"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
    ],
)
def test_configured_host_is_accepted_in_usual_notation(text: str, host: str) -> None:
    """Any case, IPv6 with or without brackets and of any length."""
    assert read_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "*",
            "*.lan",
            "box:8080",
            "http://box",
            "box/",
            "a b",
            "[box]",
            "[]",
            "fe80::1%eth0",
            "[fe80::1%eth0]",
        ),
        *("-box", "user@box", "b\u00f6x", "x" * 256, "[::1]:80"),
    ],
)
def test_invalid_configured_host_is_refused(text: str) -> None:
    """No port, no pattern, no zone, nothing around it."""
    with pytest.raises(ValueError, match=r"."):
        read_host(text)


@pytest.mark.parametrize(
    "host", ["localhost", "::1", "127.0.0.1", "127.0.0.0", "127.255.255.255", "127.10.199.249"]
)
def test_loopback_hosts(host: str) -> None:
    """The name, and each loopback address in its canonical spelling."""
    assert is_plain_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            "LOCALHOST",
            "localhost.",
            "localhost4",
            "x.localhost",
            "127.1",
            "127.0.1",
            "127.0.0.256",
            "127.0.0.01",
        ),
        *("127.0.0.1.", "127.0.0.1.2", "128.0.0.1", "0.0.0.0", "::"),  # noqa: S104 - only compared
        *("0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"),
        *("0x7f.0.0.1", "0177.0.0.1", "2130706433", "\u0661\u0662\u0667.0.0.1", "127.0.0.1\n"),
    ],
)
def test_hosts_similar_to_loopback(host: str) -> None:
    """Another spelling, another number base, a longer name."""
    assert not is_plain_loopback(host)


@pytest.mark.parametrize("text", ["*", "null", "NULL", "file://", "FILE://", "app://", "capacitor+x://"])
def test_origin_without_a_host_can_be_allowed(text: str) -> None:
    """Any origin, pages without one, and a scheme of desktop apps; in lower case."""
    assert read_allowed_origin(text) == text.lower()


@pytest.mark.parametrize(
    "text", ["", "http://", "HTTPS://", "://", "file:", "file:///", "1app://", "nul", "* ", "null\n"]
)
def test_invalid_origin_cannot_be_allowed(text: str) -> None:
    """Pages of http and https have a host, and nothing follows a scheme."""
    with pytest.raises(ValueError, match=r"."):
        read_allowed_origin(text)
