"""Which ``Host`` values are accepted: the table of good and hostile values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.access.hosts import Authority, HostRules, parse_authority
from gglib.proxy.errors import BadRequestError, HostNotAllowedError, to_error_response

RULES = HostRules(
    bound=frozenset({"192.168.1.5", "fe80::5%eth0", "::ffff:10.1.1.1"}),
    allowed=frozenset({"Box.lan", "gglib", "[2001:DB8::1]", "models.example.com"}),
)
OWN = "10.0.0.7"

FINE = [
    *(b"localhost", b"localhost:8080", b"LocalHost:1", b"127.0.0.1", b"127.0.0.1:65535", b"127.0.0.1:0"),
    *(b"127.255.254.253:8080", b"127.0.1.1", b"[::1]", b"[::1]:8080"),
    *(b"192.168.1.5:8080", b"[fe80::5]:8080", b"10.1.1.1", b"10.0.0.7:8080"),
    *(
        b"box.lan",
        b"BOX.LAN:80",
        b"gglib:8080",
        b"[2001:db8::1]:8080",
        b"[2001:DB8::1]",
        b"models.example.com:443",
    ),
]

FOREIGN = [
    # Names of others, and names that only begin or end like ours.
    *(b"evil.com", b"evil.com:8080", b"localhost.evil.com", b"127.0.0.1.evil.com", b"127.0.0.1.nip.io:8080"),
    *(
        b"127-0-0-1.nip.io",
        b"localtest.me",
        b"evil.localhost",
        b"localhost.localdomain",
        b"xlocalhost",
        b"localhost4",
    ),
    *(
        b"a.box.lan",
        b"box.lan.evil.com",
        b"xbox.lan",
        b"box",
        b"gglib.evil.com",
        b"models.example.com.evil.com",
    ),
    # Other spellings of ours.
    *(b"localhost.", b"box.lan.", b"127.0.0.1.", b"127.1", b"127.0.1", b"127.0.0.01", b"127.000.000.001"),
    *(
        b"0x7f.0.0.1",
        b"0x7f000001",
        b"0177.0.0.1",
        b"017700000001",
        b"2130706433",
        b"%6cocalhost",
        b"127.0.0.%31",
    ),
    *(b"[0:0:0:0:0:0:0:1]", b"[::0001]", b"[::ffff:127.0.0.1]", b"[::ffff:7f00:1]", b"[::127.0.0.1]"),
    *(b"[::ffff:10.0.0.7]", b"[2001:db8:0:0::1]"),
    # Addresses that are not ours, or not bound.
    *(
        b"0.0.0.0",
        b"0.0.0.0:8080",
        b"[::]",
        b"0",
        b"10.0.0.8",
        b"192.168.1.6",
        b"128.0.0.1",
        b"126.255.255.255",
    ),
    *(b"169.254.169.254", b"[fe80::6]", b"127.0.0.256", b"127.0.0.1.2"),
    # Allowed characters of a name, and still no name of ours.
    *(b"localhost,evil.com", b"localhost;x", b"*", b"~", b"-", b"_", b"$HOME"),
]

MALFORMED = [
    *(b"", b":", b":8080", b" ", b" localhost", b"localhost ", b"localhost\t", b"local host", b"localhost\n"),
    *(
        b"localhost\r\nx: y",
        b"localhost\x00",
        b"localhost\x00.evil.com",
        b"user@localhost",
        b"user:pass@localhost",
    ),
    *(
        b"localhost@evil.com",
        b"http://localhost",
        b"//localhost",
        b"localhost/",
        b"localhost/x",
        b"localhost?x",
    ),
    *(
        b"localhost#x",
        b"localhost\\x",
        b"localhost:",
        b"localhost:8080:8080",
        b"localhost:65536",
        b"localhost:99999",
    ),
    *(
        b"localhost:123456",
        b"localhost:-1",
        b"localhost:+80",
        b"localhost:8o",
        b"localhost: 80",
        b"localhost:0x50",
    ),
    *(
        b"::1",
        b"[::1",
        b"::1]",
        b"[]",
        b"[]:80",
        b"[localhost]",
        b"[127.0.0.1]",
        b"[::1]8080",
        b"[::1]:",
        b"[::1] ",
    ),
    *(
        b"x[::1]",
        b"[::1%25lo]",
        b"[fe80::1%eth0]",
        b"[v1.x]",
        b"[::1::]",
        b"[1:2:3:4:5:6:7:8:9]",
        b"[::ffff:127.1]",
    ),
    *(
        b"[::10000]",
        b"localh\xc3\xb6st",
        b"\xff",
        b"\xef\xbd\x8cocalhost",
        b"%",
        b"%zz",
        b"local%0host",
        b"<localhost>",
    ),
    *(b'"localhost"', b"localhost, localhost", b"{localhost}", b"local|host", b"x" * 256, b"x" * 100_000),
]


def verdict(value: bytes, rules: HostRules = RULES, server_host: str | None = OWN) -> str:
    """Return the result of checking a ``Host``: fine, foreign or malformed."""
    try:
        rules.check(parse_authority(value), server_host)
    except BadRequestError:
        return "malformed"
    except HostNotAllowedError:
        return "foreign"
    return "fine"


def test_table_of_hostile_hosts_is_complete() -> None:
    """The table has at least 45 hostile values, each once."""
    everything = FINE + FOREIGN + MALFORMED
    assert len(set(everything)) == len(everything)
    assert len(FOREIGN + MALFORMED) >= 45


@pytest.mark.parametrize("value", FINE)
def test_own_hosts_are_accepted(value: bytes) -> None:
    """Loopback, the bound address, the connection's address and the configured names pass, with any port."""
    assert verdict(value) == "fine"


@pytest.mark.parametrize("value", FOREIGN)
def test_foreign_host_is_403(value: bytes) -> None:
    """A well-formed name that is not on the list is 403, however similar to an accepted one."""
    assert verdict(value) == "foreign"
    assert verdict(value, server_host=None) == "foreign"


@pytest.mark.parametrize("value", MALFORMED)
def test_malformed_host_is_400(value: bytes) -> None:
    """A ``Host`` that RFC 9110 does not allow is 400, also the second time."""
    assert [verdict(value), verdict(value)] == ["malformed", "malformed"]


@given(st.binary(max_size=40))
def test_any_value_is_decided(value: bytes) -> None:
    """Every value is fine, foreign or malformed; of random bytes, only own names are fine."""
    if verdict(value) == "fine":
        host = value.lower().rpartition(b":")[0] or value.lower()
        assert host in {b"localhost", b"gglib", b"box.lan", b"[::1]"} or host.startswith(b"127.")


@given(st.text(st.characters(codec="ascii"), max_size=12), st.text(st.characters(codec="ascii"), max_size=12))
def test_own_host_with_additions_is_refused(before: str, after: str) -> None:
    """An accepted name with anything but a port added is refused."""
    value = f"{before}localhost{after}".encode()
    is_port = after.startswith(":") and after[1:].isdigit() and len(after) <= 6 and int(after[1:]) <= 65535
    assert (verdict(value) == "fine") == (not before and (not after or is_port))


def test_address_is_own_only_on_its_connection() -> None:
    """The local address of a connection is accepted on it; unspecified addresses only if bound."""
    rules = HostRules(bound=frozenset({"127.0.0.1"}), allowed=frozenset())
    assert verdict(b"10.0.0.7", rules, "10.0.0.7") == "fine"
    assert verdict(b"10.0.0.7", rules, "10.0.0.8") == "foreign"
    assert verdict(b"10.0.0.7", rules, None) == "foreign"
    assert verdict(b"10.0.0.7", rules, "::ffff:10.0.0.7") == "fine", "a socket for both kinds of addresses"
    assert verdict(b"[fe80::9]:8080", rules, "fe80::9") == "fine"
    everywhere = HostRules(bound=frozenset({"0.0.0.0", "::"}), allowed=frozenset())  # noqa: S104 - only compared
    assert [verdict(value, everywhere) for value in (b"0.0.0.0:8080", b"[::]:8080")] == ["fine", "fine"]


@pytest.mark.parametrize("name", ["", "*", "http://box", "box:80", "a b"])
def test_invalid_configured_host_is_rejected_at_startup(name: str) -> None:
    """A configured name that could never match is an error."""
    with pytest.raises(ValueError, match=r"."):
        HostRules(bound=frozenset(), allowed=frozenset({name}))


def test_refusal_names_the_setting() -> None:
    """The error names the host, cut to a bounded length, and the setting."""
    for name in ("evil.com", "e" * 255):
        with pytest.raises(HostNotAllowedError) as refused:
            RULES.check(Authority(name, None), OWN)
        error_response = to_error_response(refused.value)
        error = json.loads(error_response.body)["error"]
        assert (error_response.status, error["code"]) == (403, "host_not_allowed")
        assert "'allowed_hosts'" in error["message"]
        assert name[:100] in error["message"]
        assert len(error["message"]) < 250
