"""What follows from the names and the times of a certificate."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gglib.app.certificates.facts import (
    CertificateFacts,
    client_url,
    expiry_warning,
    facts_of,
    is_for,
    pinned_endpoint,
    validity_problem,
)
from gglib.core.addresses import Endpoint, PinnedAddress

DAY_S = 24 * 3600
BEGIN_S = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
END_S = datetime(2026, 4, 1, 12, 30, tzinfo=UTC).timestamp()
FACTS = CertificateFacts(
    names=("box.lan",), not_before_s=BEGIN_S, not_after_s=END_S, fingerprint="0123456789abcdef", pem="PEM"
)


def test_facts_have_normal_names() -> None:
    """OpenSSL writes IPv6 addresses in its own way; other kinds of names are for other uses."""
    decoded = {
        "subjectAltName": (
            ("DNS", "Box.LAN"),
            ("DNS", "box.lan"),
            ("IP Address", "0:0:0:0:0:0:0:1"),
            ("email", "a@b"),
        )
    }
    facts = facts_of(decoded, (BEGIN_S, END_S), b"der", "PEM")
    assert facts.names == ("box.lan", "::1")
    assert (facts.not_before_s, facts.not_after_s, facts.pem) == (BEGIN_S, END_S, "PEM")
    assert facts.fingerprint == hashlib.sha256(b"der").hexdigest()[:16]
    assert facts_of({}, (BEGIN_S, END_S), b"der", "PEM").names == ()


def test_facts_are_one_line() -> None:
    """Names, the end, and what distinguishes it from its successor; the certificate itself is not shown."""
    assert FACTS.text == "box.lan; until 2026-04-01; SHA-256 0123456789abcdef"
    assert replace(FACTS, names=()).text.startswith("no name; ")
    assert "PEM" not in repr(FACTS)


def test_a_certificate_is_valid_from_its_begin_to_its_end() -> None:
    """Before and after, the sentence says what to do."""
    assert validity_problem(FACTS, BEGIN_S) is None
    assert validity_problem(FACTS, END_S - 1) is None
    assert validity_problem(FACTS, BEGIN_S - 1) == (
        "is not valid before 2026-01-01 00:00 UTC: check the clock of this machine"
    )
    assert validity_problem(FACTS, END_S) == (
        "expired on 2026-04-01 12:30 UTC: renew it, or serve HTTP without tls_cert and tls_key"
    )


def test_the_end_is_announced_14_days_before() -> None:
    """And still after it: a running server keeps its certificate."""
    assert expiry_warning(FACTS, END_S - 14 * DAY_S - 1) is None
    assert "expires on 2026-04-01 12:30 UTC" in str(expiry_warning(FACTS, END_S - 14 * DAY_S))
    assert "expired on 2026-04-01 12:30 UTC" in str(expiry_warning(FACTS, END_S))


@pytest.mark.parametrize(
    ("host", "is_covered"),
    [
        ("box.lan", True),
        ("BOX.lan", True),
        ("a.example.com", True),
        ("a.b.example.com", False),
        ("example.com", False),
        ("127.0.0.1", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("lan", False),
    ],
)
def test_names_of_a_certificate(host: str, *, is_covered: bool) -> None:
    """A wildcard is for one label; an address has to be one of its addresses."""
    names = ("box.lan", "*.example.com", "127.0.0.1", "::1", "*.0.0.1")
    assert is_for(names, host) is is_covered


@pytest.mark.parametrize(
    ("local_url", "names", "url"),
    [
        ("http://127.0.0.1:8080", None, "http://127.0.0.1:8080"),
        ("https://127.0.0.1:8443", ("127.0.0.1", "localhost"), "https://127.0.0.1:8443"),
        ("https://127.0.0.1:8443", ("box.lan", "localhost"), "https://localhost:8443"),
        ("https://127.0.0.1:8443", ("*.lan", "box.lan"), "https://box.lan:8443"),
        ("https://127.0.0.1:8443", ("*.lan",), "https://127.0.0.1:8443"),
        ("https://[::1]:8443", ("::1",), "https://[::1]:8443"),
        ("https://10.0.0.5:8443", ("localhost", "10.0.0.6", "box.lan"), "https://box.lan:8443"),
    ],
)
def test_the_url_for_clients_has_a_name_of_the_certificate(
    local_url: str, names: tuple[str, ...] | None, url: str
) -> None:
    """The address itself if it is one, else localhost for a server there, else the first whole name."""
    assert client_url(local_url, names) == url


def test_own_commands_accept_one_certificate() -> None:
    """At the address on this machine; HTTP needs neither."""
    assert pinned_endpoint("http://127.0.0.1:1", "key", "http://127.0.0.1:1", None) == Endpoint(
        "http://127.0.0.1:1", "key"
    )
    assert pinned_endpoint("https://box.lan:1", None, "https://127.0.0.1:1", FACTS) == Endpoint(
        "https://box.lan:1", pinned=PinnedAddress("https://127.0.0.1:1", "PEM")
    )
