"""Raises the limit on open files, and limits ``max_connections`` to what the limit allows."""

import logging
import resource
from contextlib import suppress
from dataclasses import replace

from gglib.app.settings import Settings

logger = logging.getLogger("gglib")

PER_CONNECTION = 2
"""The client's socket and the engine's."""
RESERVED = 64
"""Descriptors for everything else: the catalogue, logs, pipes of engines, the event loop."""


def fit_to_machine(settings: Settings) -> Settings:
    """Raise the limit on open files of this process, and return settings with a ``max_connections`` within it.

    Refusing a connection is better than accepting it and failing to open a socket to the engine.
    """
    available = raise_limit(at_least=descriptors_for(settings.max_connections))
    fitting = connections_that_fit(settings.max_connections, available)
    if fitting == settings.max_connections:
        return settings
    logger.warning(
        "max_connections is %d, not %d: the limit on open files is %d (ulimit -Hn)",
        fitting,
        settings.max_connections,
        available,
    )
    return replace(settings, max_connections=fitting)


def descriptors_for(connections: int) -> int:
    """Return the number of descriptors that a server needs for this number of connections."""
    return PER_CONNECTION * connections + RESERVED


def connections_that_fit(wanted: int, descriptors: int) -> int:
    """Return ``wanted``, limited to the connections that ``descriptors`` allow; at least 1."""
    return max(1, min(wanted, (descriptors - RESERVED) // PER_CONNECTION))


def raise_limit(*, at_least: int) -> int:
    """Raise the soft limit on open files to the hard limit, and return the resulting limit.

    If the hard limit is infinite, as on macOS, whose kernel rejects an infinite soft limit: to ``at_least``.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return at_least
    wanted = max(soft, at_least) if hard == resource.RLIM_INFINITY else hard
    with suppress(OSError, ValueError):  # the limit stays unchanged if the system refuses
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
