"""How many connections a process can serve with the files that the system lets it open. Pure."""

PER_CONNECTION = 2
"""The client's socket, and the engine's that answers it."""
RESERVED = 64
"""For everything else: the catalogue, logs, pipes of engines, the event loop."""


def descriptors_for(connections: int) -> int:
    """Return how many descriptors a process needs that serves so many clients at the same time."""
    return PER_CONNECTION * connections + RESERVED


def connections_that_fit(wanted: int, descriptors: int) -> int:
    """Return how many connections, of those wanted, so many descriptors are enough for; one at least."""
    return max(1, min(wanted, (descriptors - RESERVED) // PER_CONNECTION))
