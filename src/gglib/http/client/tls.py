"""The contexts that verify servers."""

import functools
import os
import ssl

NO_CHECK_TIME = 0x200000
"""``X509_V_FLAG_NO_CHECK_TIME`` of OpenSSL, which the ``ssl`` module does not name."""


class CaFileError(OSError):
    """A file with trusted certificates cannot be used; the message says why."""


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return the context, which trusts the system's certificates if ``truststore`` is installed, else OpenSSL's.

    Blocks for 10 to 50 ms the first time.
    """
    try:
        import truststore  # noqa: PLC0415 - only loaded when the first address is https
    except ImportError:
        return ssl.create_default_context()
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def ca_context(ca_file: str) -> ssl.SSLContext:
    """Return a context that trusts the certificates of a PEM file, and no others.

    They are those of authorities, or of the servers themselves. One context for a file, until it changes. Blocks: reads
    the file. Raises ``CaFileError``.
    """
    try:
        status = os.stat(ca_file)  # noqa: PTH116 - as cheap as it gets: done for each connection
    except OSError as error:
        raise CaFileError(f"{ca_file} cannot be read ({error.strerror or error})") from None
    return _ca_context(ca_file, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))


@functools.lru_cache(maxsize=32)
def _ca_context(ca_file: str, _revision: tuple[int, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate of a server is enough
    try:
        context.load_verify_locations(cafile=ca_file)
    except ssl.SSLError:
        raise CaFileError(f"{ca_file} has no certificate in PEM") from None
    except OSError as error:
        raise CaFileError(f"{ca_file} cannot be read ({error.strerror or error})") from None
    return context


def context_for(ca_file: str | None) -> ssl.SSLContext:
    """Return the context for the servers of ``ca_file``; None: of the system's authorities. Raises ``CaFileError``."""
    return tls_context() if ca_file is None else ca_context(ca_file)


def pinned_context(certificate: str) -> ssl.SSLContext:
    """Return a context that trusts one certificate alone, in PEM, whatever name the server is reached by, and when."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the certificate is known: its names and its end add nothing
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(NO_CHECK_TIME)
    context.load_verify_locations(cadata=certificate)
    return context
