"""Rules for the context size. Pure; sizes are in tokens.

In other servers, clients that send a different ``num_ctx`` with each request cause a reload per request. Here a running
context that is large enough is reused, and a larger request is rounded up to a power of two. That bounds the number of
relaunches by log2(trained).
"""

from dataclasses import dataclass

FALLBACK_TRAINED_CONTEXT = 131_072
"""Upper limit for a model whose header has no trained context."""

UNLIMITED_CONTEXT = 2**31 - 1
"""The value of ``--ctx max``: the model's trained context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextRequest:
    """The context sizes that apply to one request; None: not set."""

    requested: int | None
    model_setting: int | None
    default: int
    trained: int | None

    @property
    def needed(self) -> int:
        """The needed context: the request's, else the model's, else the default; at most the trained context."""
        return min(self.requested or self.model_setting or self.default, self._ceiling)

    @property
    def at_launch(self) -> int:
        """The context to launch with.

        The user's settings are exact. A requested size is rounded up to a power of two, so that a next request for a
        little more fits.
        """
        if self.requested is None:
            return self.needed
        return min(1 << (self.requested - 1).bit_length(), self._ceiling)

    @property
    def _ceiling(self) -> int:
        return self.trained or FALLBACK_TRAINED_CONTEXT


def is_enough(*, running: int, needed: int) -> bool:
    """Whether a running context of ``running`` tokens serves a request that needs ``needed``."""
    return running >= needed
