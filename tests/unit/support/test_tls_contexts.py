"""Clients of the tests share a TLS context, unless the environment names other certificates."""

from pathlib import Path

import httpcore2
import pytest
from tests.support.certificates import write_certificate


def test_context_is_shared() -> None:
    """With the variables of the environment, and without them."""
    for trust_env in (True, False):
        first = httpcore2.default_ssl_context(_trust_env=trust_env)
        assert httpcore2.default_ssl_context(_trust_env=trust_env) is first


def test_other_certificates_have_another_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable counts at the time of the call."""
    shared = httpcore2.default_ssl_context()
    monkeypatch.setenv("SSL_CERT_FILE", str(write_certificate(tmp_path / "ca.pem")))
    other = httpcore2.default_ssl_context()
    assert other is not shared
    assert len(other.get_ca_certs()) == 1
