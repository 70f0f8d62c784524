"""Loads the certificate and the key of the server. Every failure is one sentence that says what to do."""

import errno
import re
import shlex
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gglib.app.certificates.facts import CertificateFacts, CertificateFiles, facts_of, validity_problem
from gglib.core.errors import InvalidSettingError
from gglib.core.shell_quoting import in_quotes
from gglib.http.client.tls import NO_CHECK_TIME
from gglib.http.server.tls_context import EncryptedKeyError, server_context
from gglib.system.files.small_files import read_small

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")
_FLIGHTS = 4
"""Rounds after which both ends of a handshake are done, in TLS 1.2 and 1.3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificate:
    """A loaded certificate with its key."""

    context: ssl.SSLContext = field(repr=False)
    """The context of connections that show it."""
    facts: CertificateFacts


def load_server_certificate(files: CertificateFiles | None, now_s: float) -> ServerCertificate | None:
    """Return the certificate of these files; None for HTTP. Raises as ``load_certificate``."""
    return None if files is None else load_certificate(files, now_s)


def load_certificate(files: CertificateFiles, now_s: float) -> ServerCertificate:
    """Return the certificate of these files, which is valid at ``now_s`` (Unix time). Blocks for milliseconds.

    Raises ``InvalidSettingError`` for files that cannot be used, a key of another certificate, an encrypted key, and a
    certificate that is not valid yet or has expired.
    """
    loaded = read_certificate(files)
    problem = validity_problem(loaded.facts, now_s)
    if problem is not None:
        raise InvalidSettingError(f"The certificate of tls_cert ('{files.certificate}') {problem}.")
    return loaded


def read_certificate(files: CertificateFiles) -> ServerCertificate:
    """Return the certificate of these files, which may have expired. Otherwise as ``load_certificate``."""
    found = _CERTIFICATE.search(_read("tls_cert", files.certificate))
    if found is None:
        raise InvalidSettingError(
            f"tls_cert is '{files.certificate}', which has no certificate in PEM (-----BEGIN CERTIFICATE-----): name "
            "the file with the server's certificate and those between it and the root."
        )
    if _KEY.search(_read("tls_key", files.key)) is None:
        raise InvalidSettingError(
            f"tls_key is '{files.key}', which has no private key in PEM (-----BEGIN PRIVATE KEY-----): name the file "
            "with the key of the certificate."
        )
    try:
        context = server_context(files.certificate, files.key)
        facts = _inspect(context, found[0].decode())
    except EncryptedKeyError:
        without = shlex.join(("openssl", "pkey", "-in", str(files.key), "-out", "FILE"))
        raise InvalidSettingError(
            f"tls_key is '{files.key}', which needs a password: {in_quotes(without)} writes the key without one."
        ) from None
    except OSError as error:  # ssl.SSLError is one
        raise InvalidSettingError(_unusable(files, error)) from error
    return ServerCertificate(context=context, facts=facts)


def _read(setting: str, path: Path) -> bytes:
    try:
        return read_small(path, follows_links=True)
    except OSError as error:
        if error.errno == errno.ENOENT:
            what = "which does not exist: correct the path"
        elif error.errno in {errno.EACCES, errno.EPERM}:
            what = "which this user cannot read: give it read access, with 'chmod' or 'setfacl', and run 'gglib reload'"
        else:
            what = f"which cannot be read ({error.strerror or error}): name another file"
        raise InvalidSettingError(f"{setting} is '{path}', {what}.") from error


def _unusable(files: CertificateFiles, error: OSError) -> str:
    reason = getattr(error, "reason", None)
    if reason == "KEY_VALUES_MISMATCH":
        return (
            f"The key of tls_key ('{files.key}') does not belong to the certificate of tls_cert "
            f"('{files.certificate}'): name the two files of one certificate."
        )
    detail = (reason or error.strerror or str(error)).replace("_", " ").lower()
    return (
        f"The certificate of tls_cert ('{files.certificate}') cannot be used by a server ({detail}): make another one, "
        "as docs/tls.md shows."
    )


def _inspect(server: ssl.SSLContext, pem: str) -> CertificateFacts:
    """Return the facts of the certificate that a server with this context shows.

    A handshake in memory: the standard library decodes certificates of peers alone. It also proves that a client that
    trusts the certificate accepts it from a server. Raises ``ssl.SSLError``.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(NO_CHECK_TIME)  # judged here
    client.load_verify_locations(cadata=pem)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_end = client.wrap_bio(to_client, to_server)
    server_end = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(_FLIGHTS):
        for end in (client_end, server_end):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    decoded = client_end.getpeercert() or {}
    times_s = [ssl.cert_time_to_seconds(str(decoded[name])) for name in ("notBefore", "notAfter")]
    der = client_end.getpeercert(binary_form=True) or b""
    return facts_of(decoded, (times_s[0], times_s[1]), der, pem)
