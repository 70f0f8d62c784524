"""The addresses of a server for other machines."""

import pytest

from gglib.cli.views.addresses import ALL_IPV4, Machine, address_lines

BOX = Machine(addresses=("192.168.1.5", "10.0.0.2", "fd00::2"), name="box")
HAS_KEYS = (
    "         Clients need a key: 'gglib key list' shows their names, 'gglib key new NAME' makes another."
)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_server_for_this_machine_shows_nothing(host: str) -> None:
    """Other machines cannot reach it."""
    assert address_lines(host, 8080, BOX, allowed_hosts=("box",), has_keys=True) == []


def test_all_ipv4_addresses_and_allowed_names_are_listed() -> None:
    """Not the IPv6 ones, on which the server does not listen."""
    assert address_lines(
        ALL_IPV4, 8080, BOX, allowed_hosts=("box.lan", "Box", "10.9.9.9"), has_keys=True
    ) == [
        "Network  http://192.168.1.5:8080",
        "         http://10.0.0.2:8080",
        "         http://box.lan:8080",
        "         http://Box:8080",
        HAS_KEYS,
    ]


def test_a_server_on_all_addresses_of_both_kinds_lists_both() -> None:
    """An IPv6 address is in brackets; the name of the machine has to be allowed for browsers."""
    assert address_lines("::", 1, BOX, allowed_hosts=("a.lan",), has_keys=True) == [
        "Network  http://192.168.1.5:1",
        "         http://10.0.0.2:1",
        "         http://[fd00::2]:1",
        "         http://a.lan:1",
        HAS_KEYS,
        "         To let browsers use the name 'box': 'gglib config set allowed_hosts a.lan,box,box.local'.",
    ]


def test_without_keys_every_client_needs_an_allowed_name() -> None:
    """And no key."""
    assert address_lines(ALL_IPV4, 1, BOX, allowed_hosts=(), has_keys=False)[-1] == (
        "         To let clients use the name 'box': 'gglib config set allowed_hosts box,box.local'."
    )


@pytest.mark.parametrize("host", ["192.168.1.5", "box.lan", "fd00::2"])
def test_a_server_on_one_address_shows_that_one(host: str) -> None:
    """A name to listen on is allowed by itself."""
    shown = f"[{host}]" if ":" in host else host
    assert address_lines(host, 80, BOX, allowed_hosts=(), has_keys=False) == [f"Network  http://{shown}:80"]


def test_a_machine_without_a_network_says_so() -> None:
    """And without a name, gives no hint."""
    assert address_lines(ALL_IPV4, 1, Machine(), allowed_hosts=(), has_keys=False) == [
        "Network  no address for other machines was found: is the network up?"
    ]


def test_with_a_certificate_only_its_names_are_listed() -> None:
    """Clients refuse it at other addresses; names for this machine alone are for no other."""
    lines = address_lines(
        ALL_IPV4,
        8443,
        BOX,
        allowed_hosts=("a.lan", "b.org"),
        has_keys=True,
        certificate_names=("*.lan", "10.0.0.2", "box.example.com", "localhost", "127.0.0.1"),
    )
    assert lines == [
        "Network  https://10.0.0.2:8443",
        "         https://a.lan:8443",
        "         https://box.example.com:8443",
        HAS_KEYS,
    ]
    none = address_lines(ALL_IPV4, 1, BOX, allowed_hosts=(), has_keys=False, certificate_names=("*.lan",))
    assert none == ["Network  none: the certificate is for *.lan"]
    nameless = address_lines(ALL_IPV4, 1, BOX, allowed_hosts=(), has_keys=False, certificate_names=())
    assert nameless == ["Network  none: the certificate is for no name"]
