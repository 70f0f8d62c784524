"""The contexts that verify servers: what they trust, and files that cannot be used."""

import ssl
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.certificates import Authority, needs_openssl, write_certificate

from gglib.http.client.connect import connect_error
from gglib.http.client.tls import CaFileError, ca_context, context_for, pinned_context, tls_context
from gglib.http.errors import TlsError, TlsFault
from gglib.http.server.tls_context import server_context


@needs_openssl
def test_only_the_file_is_trusted(tmp_path: Path) -> None:
    """Names are checked; those of a pinned certificate are not, as it is known."""
    public = write_certificate(tmp_path / "own.pem")
    context = context_for(str(public))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1
    pinned = pinned_context(public.read_text())
    assert pinned.verify_mode is ssl.CERT_REQUIRED
    assert not pinned.check_hostname
    assert len(pinned.get_ca_certs()) == 1


@needs_openssl
def test_a_pinned_certificate_may_have_expired(tmp_path: Path) -> None:
    """A running server goes on with one, and its own commands have to reach it."""
    issued = Authority(tmp_path / "ca").issue("own", ends=timedelta(minutes=-1))
    server = server_context(issued.certificate, issued.key)
    own = issued.certificate.read_text().partition("-----END CERTIFICATE-----")
    shake_hands(pinned_context("".join(own[:2])), server)
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        shake_hands(ca_context(str(tmp_path / "ca" / "ca.crt")), server)


def verify_error(message: str, code: int) -> ssl.SSLCertVerificationError:
    """Return OpenSSL's error for a certificate."""
    error = ssl.SSLCertVerificationError("failed")
    error.verify_message, error.verify_code = message, code
    return error


def handshake_error(reason: str) -> ssl.SSLError:
    """Return OpenSSL's error for a handshake."""
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Complete a handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(3):
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    assert ends[0].version() is not None


def test_the_system_is_trusted_by_default() -> None:
    """With one context for all servers."""
    assert context_for(None) is tls_context()


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    """The reason completes a sentence about the server."""
    empty = tmp_path / "empty.pem"
    empty.touch()
    with pytest.raises(CaFileError, match=r"empty\.pem has no certificate in PEM"):
        ca_context(str(empty))
    with pytest.raises(CaFileError, match=r"missing\.pem cannot be read \(No such file"):
        ca_context(str(tmp_path / "missing.pem"))
    error = connect_error(CaFileError("x cannot be read"))
    assert isinstance(error, TlsError)
    assert str(error) == "The server cannot be verified: x cannot be read."


@needs_openssl
def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    """Connections to the servers of one file share a context, until it changes."""
    first, second = (write_certificate(tmp_path / name).read_bytes() for name in ("one.pem", "two.pem"))
    file = tmp_path / "ca.pem"
    file.write_bytes(first)
    before = ca_context(str(file))
    assert ca_context(str(file)) is before
    file.write_bytes(second + b"\n")
    after = ca_context(str(file))
    assert [entry["serialNumber"] for entry in after.get_ca_certs()] != [
        entry["serialNumber"] for entry in before.get_ca_certs()
    ]


@pytest.mark.parametrize(
    ("error", "fault", "reason"),
    [
        (
            verify_error("self-signed certificate", 18),
            TlsFault.UNTRUSTED,
            "not trusted (self-signed certificate)",
        ),
        (verify_error("Hostname mismatch", 62), TlsFault.WRONG_NAME, "not trusted (Hostname mismatch)"),
        (verify_error("IP address mismatch", 64), TlsFault.WRONG_NAME, "not trusted (IP address mismatch)"),
        (verify_error("expired", 10), TlsFault.EXPIRED, "not trusted (expired)"),
        (verify_error("not yet", 9), TlsFault.NOT_YET_VALID, "not trusted (not yet)"),
        (
            handshake_error("WRONG_VERSION_NUMBER"),
            TlsFault.NOT_TLS,
            "does not speak TLS (wrong version number)",
        ),
        (handshake_error("UNSUPPORTED_PROTOCOL"), TlsFault.OTHER, "TLS failed (unsupported protocol)"),
    ],
)
def test_each_failed_handshake_has_its_fault(error: ssl.SSLError, fault: TlsFault, reason: str) -> None:
    """The fault decides what is advised."""
    found = connect_error(error)
    assert isinstance(found, TlsError)
    assert found.fault is fault
    assert reason in found.reason
