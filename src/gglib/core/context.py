"""How large the context must be. Pure rules; sizes are in tokens.

Clients that send another ``num_ctx`` with each request cause reload storms with other servers. Here a running
context that is large enough serves as it is, and what has to grow grows in powers of two: at most
log2(trained) relaunches, whatever the clients send.
"""

from dataclasses import dataclass

FALLBACK_TRAINED_CONTEXT = 131_072
"""Ceiling for a model whose header does not say what it was trained for."""

UNLIMITED_CONTEXT = 2**31 - 1
"""What ``--ctx max`` means: as much as the model was trained for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextRequest:
    """What everybody said of the context of one request; None where they said nothing."""

    requested: int | None
    model_setting: int | None
    default: int
    trained: int | None

    @property
    def needed(self) -> int:
        """What the request needs: its own wish, else the model's setting, else the default; at most the trained."""
        return min(self.requested or self.model_setting or self.default, self._ceiling)

    @property
    def at_launch(self) -> int:
        """What to launch with.

        What the user set holds to the token. What a request asked for is rounded up to a power of two, so that the
        next request, which asks for a little more, finds room.
        """
        if self.requested is None:
            return self.needed
        return min(1 << (self.requested - 1).bit_length(), self._ceiling)

    @property
    def _ceiling(self) -> int:
        return self.trained or FALLBACK_TRAINED_CONTEXT


def is_enough(*, running: int, needed: int) -> bool:
    """Whether a model that runs with ``running`` tokens serves a request that needs ``needed``."""
    return running >= needed
