"""Names, addresses and origins as they are written."""

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
def test_a_name_and_a_port_come_back(name: str, port: int | None) -> None:
    """What is put together is taken apart again, the name in lower case."""
    text = name if port is None else f"{name}:{port}"
    assert read_authority(text) == Authority(name.lower(), port)


@given(st.ip_addresses(v=6), PORTS)
def test_an_ipv6_address_comes_back_without_brackets(address: object, port: int | None) -> None:
    """Brackets belong to the writing, not to the address."""
    text = f"[{address}]" if port is None else f"[{address}]:{port}"
    assert read_authority(text) == Authority(str(address), port)


@given(st.text())
def test_any_text_is_read_or_is_a_value_error(text: str) -> None:
    """No text makes another error, and what is read holds nothing that separates."""
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
def test_an_origin_has_one_spelling(text: str, origin: Origin) -> None:
    """Case and the port that the scheme has anyway make no difference; another port does."""
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
def test_what_is_more_or_less_than_an_origin_is_refused(text: str) -> None:
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
def test_a_host_in_a_setting_is_read_as_people_write_it(text: str, host: str) -> None:
    """Any case, IPv6 with or without brackets and however long."""
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
def test_what_is_no_host_cannot_be_set(text: str) -> None:
    """No port, no pattern, no zone, nothing around it."""
    with pytest.raises(ValueError, match=r"."):
        read_host(text)


@pytest.mark.parametrize(
    "host", ["localhost", "::1", "127.0.0.1", "127.0.0.0", "127.255.255.255", "127.10.199.249"]
)
def test_what_plainly_means_this_machine(host: str) -> None:
    """The name, and each loopback address in its one spelling."""
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
def test_what_only_looks_like_this_machine(host: str) -> None:
    """Another spelling, another number base, a longer name."""
    assert not is_plain_loopback(host)


@pytest.mark.parametrize("text", ["*", "null", "NULL", "file://", "FILE://", "app://", "capacitor+x://"])
def test_an_origin_without_a_host_can_be_allowed(text: str) -> None:
    """Any origin, pages without one, and a scheme of desktop apps; in lower case."""
    assert read_allowed_origin(text) == text.lower()


@pytest.mark.parametrize(
    "text", ["", "http://", "HTTPS://", "://", "file:", "file:///", "1app://", "nul", "* ", "null\n"]
)
def test_what_is_no_origin_cannot_be_allowed(text: str) -> None:
    """Pages of http and https have a host, and nothing stands behind a scheme."""
    with pytest.raises(ValueError, match=r"."):
        read_allowed_origin(text)
