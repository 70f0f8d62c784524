"""Lets this process open as many files as the system allows, and asks for no more connections than that carries."""

import logging
import resource
from contextlib import suppress
from dataclasses import replace

from gglib.app.settings import Settings

logger = logging.getLogger("gglib")

PER_CONNECTION = 2
"""The client's socket, and the engine's that answers it."""
RESERVED = 64
"""For everything else: the catalogue, logs, pipes of engines, the event loop."""


def fit_to_machine(settings: Settings) -> Settings:
    """Raise the limit on open files for this process, and return settings whose ``max_connections`` it carries.

    A connection that is accepted and then cannot reach its engine is worse than one that is refused.
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
    """Return how many descriptors a process needs that serves so many clients at the same time."""
    return PER_CONNECTION * connections + RESERVED


def connections_that_fit(wanted: int, descriptors: int) -> int:
    """Return how many connections, of those wanted, so many descriptors are enough for; one at least."""
    return max(1, min(wanted, (descriptors - RESERVED) // PER_CONNECTION))


def raise_limit(*, at_least: int) -> int:
    """Raise the soft limit on open files to the hard one, and return how many files may be open.

    Where the hard one is infinite, as on macOS, whose kernel takes no such soft one: to ``at_least``.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return at_least
    wanted = max(soft, at_least) if hard == resource.RLIM_INFINITY else hard
    with suppress(OSError, ValueError):  # what the system refuses stays as it was
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
