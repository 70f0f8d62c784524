"""How large the context must be. Pure rules; sizes are in tokens.

Clients that send another ``num_ctx`` with each request cause reload storms with other servers. Here a running
context that is large enough serves as it is, and what has to grow grows in powers of two: at most
log2(trained) relaunches, whatever the clients send.
"""

FALLBACK_TRAINED_CONTEXT = 131_072
"""Ceiling for a model whose header does not say what it was trained for."""

UNLIMITED_CONTEXT = 2**31 - 1
"""What ``--ctx max`` means: as much as the model was trained for."""


def needed_context(
    *, requested: int | None, model_setting: int | None, default: int, trained: int | None
) -> int:
    """Return the context that a request needs: its own, else the model's, else the default, at most the trained."""
    wanted = requested or model_setting or default
    return min(wanted, trained or FALLBACK_TRAINED_CONTEXT)


def launch_context(
    *, requested: int | None, model_setting: int | None, default: int, trained: int | None
) -> int:
    """Return the context to launch with.

    What the user set holds to the token. What a request asked for is rounded up to a power of two, so that the next
    request, which asks for a little more, finds room.
    """
    if requested is None:
        return needed_context(requested=None, model_setting=model_setting, default=default, trained=trained)
    rounded_up = 1 << (requested - 1).bit_length()
    return min(rounded_up, trained or FALLBACK_TRAINED_CONTEXT)


def is_enough(*, running: int, needed: int) -> bool:
    """Whether a model that runs with ``running`` tokens serves a request that needs ``needed``."""
    return running >= needed
