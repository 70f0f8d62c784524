"""Which callers may use the admin API."""

from dataclasses import replace

import pytest

from gglib.proxy.access.authorization import Caller, check_access, is_local_peer
from gglib.proxy.access.grants import NO_RIGHTS, Grant
from gglib.proxy.errors import ForbiddenError
from gglib.proxy.routes.operation_spec import Access

HERE, LAN, THERE = "127.0.0.1", "192.168.1.5", "192.168.1.9"
OWN = b"http://127.0.0.1:8080"
ADMIN = Grant("alice", is_admin=True, models=None, priority=None)
CLIENT = Grant("bob", is_admin=False, models=None, priority=None)


def caller(*, peer: str | None = HERE, grant: Grant | None = None, **fields: bytes) -> Caller:
    """Return a caller of the server at 127.0.0.1:8080."""
    named = {name.replace("_", "-").encode(): value for name, value in fields.items()}
    return Caller({b"host": b"127.0.0.1:8080"} | named, peer, "127.0.0.1", grant)


@pytest.mark.parametrize(
    ("peer", "own", "is_here"),
    [
        pytest.param(HERE, HERE, True, id="both ends loopback"),
        pytest.param("127.0.0.2", LAN, True, id="any loopback address"),
        pytest.param(LAN, LAN, True, id="one LAN address on both ends"),
        pytest.param(THERE, LAN, False, id="another address of the LAN"),
        pytest.param(THERE, HERE, False, id="a LAN address to loopback"),
        pytest.param(LAN, None, False, id="own address unknown"),
        pytest.param(None, None, False, id="both unknown: a Unix socket is no proof"),
    ],
)
def test_local_peer(peer: str | None, own: str | None, *, is_here: bool) -> None:
    """A peer is local if its address is loopback or the server's own: a server on one LAN address has no other."""
    assert is_local_peer(peer, own) is is_here


@pytest.mark.parametrize(
    "who",
    [
        caller(),
        caller(peer=THERE, grant=ADMIN),
        caller(peer=None, grant=ADMIN),
        caller(peer=THERE, grant=ADMIN, origin=b"https://chat.example.com", sec_fetch_site=b"cross-site"),
        caller(origin=b"vscode-webview://abc", grant=ADMIN),
        caller(origin=OWN, sec_fetch_site=b"same-origin"),
        caller(origin=OWN),
        caller(sec_fetch_site=b"same-origin"),
        caller(host=b"localhost:8080", origin=b"http://LOCALHOST:8080", sec_fetch_site=b"same-origin"),
        caller(host=b"[::1]:8080", origin=b"http://[::1]:8080"),
    ],
)
def test_admins(who: Caller) -> None:
    """Callers with an admin key are admins; without keys, local programs and pages of the server itself."""
    assert who.is_admin
    for access in Access:
        check_access(access, who)


def test_over_https_its_own_page_has_that_scheme() -> None:
    """A page of the same name and port without TLS is another server's."""
    own, other = (caller(origin=scheme + b"://127.0.0.1:8080") for scheme in (b"https", b"http"))
    assert replace(own, scheme="https").is_admin
    assert not replace(other, scheme="https").is_admin


@pytest.mark.parametrize(
    "who",
    [
        pytest.param(caller(peer=THERE), id="another machine"),
        pytest.param(caller(peer=None), id="unknown peer"),
        pytest.param(caller(origin=b"https://evil.example"), id="a foreign page"),
        pytest.param(caller(origin=b"null"), id="a page without an origin"),
        pytest.param(caller(origin=b"http://127.0.0.1:3000"), id="another port"),
        pytest.param(caller(origin=b"http://localhost:8080"), id="another name"),
        pytest.param(caller(origin=b"https://127.0.0.1:8080"), id="another scheme"),
        pytest.param(caller(origin=b"http://127.0.0.1"), id="no port"),
        pytest.param(caller(origin=b"vscode-webview://abc"), id="a window of an editor"),
        pytest.param(
            caller(origin=OWN, sec_fetch_site=b"cross-site"), id="the browser says it is another site"
        ),
        pytest.param(caller(sec_fetch_site=b"cross-site"), id="a picture in a foreign page"),
        pytest.param(caller(sec_fetch_site=b"same-site"), id="a picture in a page of another port"),
        pytest.param(caller(sec_fetch_site=b"none"), id="an address that was typed or followed"),
        pytest.param(
            caller(host=b"gglib.example", origin=b"http://gglib.example", sec_fetch_site=b"same-origin"),
            id="its own page under a name that something else gives away",
        ),
        pytest.param(caller(peer=THERE, origin=OWN), id="its own page from another machine"),
    ],
)
def test_other_callers_without_keys(who: Caller) -> None:
    """If no keys are set, all other callers are refused the admin API; the metrics are for all."""
    with pytest.raises(ForbiddenError, match="Only local programs"):
        check_access(Access.ADMIN, who)
    for access in (Access.PUBLIC, Access.CLIENT, Access.ADMIN_KEY):
        check_access(access, who)


@pytest.mark.parametrize("grant", [CLIENT, NO_RIGHTS])
@pytest.mark.parametrize("access", [Access.ADMIN, Access.ADMIN_KEY])
def test_local_program_without_an_admin_key(grant: Grant, access: Access) -> None:
    """Where keys are set, only the key counts: a local program or the server's own page needs an admin key, too."""
    for who in (caller(grant=grant), caller(grant=grant, origin=OWN)):
        with pytest.raises(ForbiddenError, match="'admin = true'"):
            check_access(access, who)
        check_access(Access.CLIENT, who)
