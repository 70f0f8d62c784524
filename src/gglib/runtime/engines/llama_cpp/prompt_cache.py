"""Size limit of the engine's prompt cache in RAM (``--cache-ram``). Pure."""

_SHARE = 8
_MIB = 1024 * 1024
MAX_MIB = 8_192
"""llama-server's default."""
UNKNOWN_MIB = 1_024
"""For an unknown memory size: the share of a machine with 8 GiB."""


def prompt_cache_mib(total_bytes: int | None) -> int:
    """Return the limit in MiB: an eighth of ``total_bytes``, the RAM of the machine or container."""
    if total_bytes is None:
        return UNKNOWN_MIB
    return min(MAX_MIB, total_bytes // _SHARE // _MIB)
