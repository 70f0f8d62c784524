"""The context of the server's TLS."""

import ssl
from pathlib import Path
from typing import NoReturn


class EncryptedKeyError(Exception):
    """The private key needs a password."""


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and 1.3 that offers HTTP/1.1. Blocks: reads the files.

    ``certificate`` is a PEM file with the server's certificate, followed by those between it and the root; ``key`` is
    one with its private key. Raises OSError, ``ssl.SSLError`` (reason ``KEY_VALUES_MISMATCH`` for another
    certificate's key) and ``EncryptedKeyError``: nothing prompts for a password.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Renegotiation (TLS 1.2) costs the server more than the client, and HTTP has no use for it.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(certificate, key, password=_refuse_password)
    return context


def _refuse_password() -> NoReturn:
    raise EncryptedKeyError
