"""The context that verifies servers."""

import functools
import ssl


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
