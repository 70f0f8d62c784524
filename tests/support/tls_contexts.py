"""One TLS context for all HTTP clients of a process.

``httpx2`` reads the certificates of the machine for each client, also for one that only sees ``http`` addresses: 0.07 s
of processor time, which was most of the time of a short request. The clients of ``openai`` and of the hub's library are
such clients.
"""

import functools
import os
import ssl

import httpcore2

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""What chooses the certificates beside ``trust_env``."""

_new_context = httpcore2.default_ssl_context


def share_tls_contexts() -> None:
    """Make the clients of this process share a context, as long as it would have the same certificates."""
    httpcore2.default_ssl_context = _shared_context


def _shared_context(*, _trust_env: bool = True) -> ssl.SSLContext:
    return _context(_trust_env, tuple(map(os.environ.get, VARIABLES)))


@functools.cache
def _context(trust_env: bool, variables: tuple[str | None, ...]) -> ssl.SSLContext:  # noqa: FBT001 - a key
    del variables
    return _new_context(_trust_env=trust_env)
