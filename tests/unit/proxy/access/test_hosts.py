"""By which names a client may call this server: the table of good and hostile ``Host`` values."""

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
    """Return what comes of a ``Host``: fine, foreign or malformed."""
    try:
        rules.check(parse_authority(value), server_host)
    except BadRequestError:
        return "malformed"
    except HostNotAllowedError:
        return "foreign"
    return "fine"


def test_the_table_is_as_large_as_it_has_to_be() -> None:
    """At least 45 hostile values, each once."""
    everything = FINE + FOREIGN + MALFORMED
    assert len(set(everything)) == len(everything)
    assert len(FOREIGN + MALFORMED) >= 45


@pytest.mark.parametrize("value", FINE)
def test_a_name_of_ours_is_answered(value: bytes) -> None:
    """Loopback, the bound address, the address that was called and the configured names, with any port."""
    assert verdict(value) == "fine"


@pytest.mark.parametrize("value", FOREIGN)
def test_a_name_that_is_not_ours_is_refused(value: bytes) -> None:
    """What is well-formed and not on the list is 403, however much it looks like ours."""
    assert verdict(value) == "foreign"
    assert verdict(value, server_host=None) == "foreign"


@pytest.mark.parametrize("value", MALFORMED)
def test_what_is_no_name_is_a_bad_request(value: bytes) -> None:
    """What RFC 9110 does not allow as a ``Host`` is 400, also the second time."""
    assert [verdict(value), verdict(value)] == ["malformed", "malformed"]


@given(st.binary(max_size=40))
def test_no_value_makes_another_error(value: bytes) -> None:
    """Whatever comes is fine, foreign or malformed; of random bytes, only names of ours are fine."""
    if verdict(value) == "fine":
        host = value.lower().rpartition(b":")[0] or value.lower()
        assert host in {b"localhost", b"gglib", b"box.lan", b"[::1]"} or host.startswith(b"127.")


@given(st.text(st.characters(codec="ascii"), max_size=12), st.text(st.characters(codec="ascii"), max_size=12))
def test_nothing_may_be_added_to_a_name_of_ours(before: str, after: str) -> None:
    """Only a port makes no difference to a name."""
    value = f"{before}localhost{after}".encode()
    is_port = after.startswith(":") and after[1:].isdigit() and len(after) <= 6 and int(after[1:]) <= 65535
    assert (verdict(value) == "fine") == (not before and (not after or is_port))


def test_an_address_counts_as_ours_only_while_it_is() -> None:
    """The address that a connection came to is ours for that connection; unspecified ones are nobody's unless bound."""
    rules = HostRules(bound=frozenset({"127.0.0.1"}), allowed=frozenset())
    assert verdict(b"10.0.0.7", rules, "10.0.0.7") == "fine"
    assert verdict(b"10.0.0.7", rules, "10.0.0.8") == "foreign"
    assert verdict(b"10.0.0.7", rules, None) == "foreign"
    assert verdict(b"10.0.0.7", rules, "::ffff:10.0.0.7") == "fine", "a socket for both kinds of addresses"
    assert verdict(b"[fe80::9]:8080", rules, "fe80::9") == "fine"
    everywhere = HostRules(bound=frozenset({"0.0.0.0", "::"}), allowed=frozenset())  # noqa: S104 - only compared
    assert [verdict(value, everywhere) for value in (b"0.0.0.0:8080", b"[::]:8080")] == ["fine", "fine"]


@pytest.mark.parametrize("name", ["", "*", "http://box", "box:80", "a b"])
def test_a_rule_that_is_no_name_is_told_at_once(name: str) -> None:
    """A name that could never match is a mistake, not a rule."""
    with pytest.raises(ValueError, match=r"."):
        HostRules(bound=frozenset(), allowed=frozenset({name}))


def test_the_refusal_names_the_setting() -> None:
    """The answer says what was called, not at any length, and what to set."""
    for name in ("evil.com", "e" * 255):
        with pytest.raises(HostNotAllowedError) as refused:
            RULES.check(Authority(name, None), OWN)
        error_response = to_error_response(refused.value)
        told = json.loads(error_response.body)["error"]
        assert (error_response.status, told["code"]) == (403, "host_not_allowed")
        assert "'allowed_hosts'" in told["message"]
        assert name[:100] in told["message"]
        assert len(told["message"]) < 250
