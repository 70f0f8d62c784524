"""The contexts that verify servers: what they trust, and files that cannot be used."""

import ssl
from pathlib import Path

import pytest
from tests.support.certificates import needs_openssl, write_certificate

from gglib.http.client.connect import connect_error
from gglib.http.client.tls import CaFileError, ca_context, context_for, pinned_context, tls_context
from gglib.http.errors import TlsError


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
