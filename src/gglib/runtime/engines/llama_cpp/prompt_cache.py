"""How much RAM the engine may use for the prompts that it keeps (``--cache-ram``). Pure."""

_SHARE = 8
_MIB = 1024 * 1024
MAX_MIB = 8_192
"""llama-server's own default."""
UNKNOWN_MIB = 1_024
"""Where the system does not report its memory: the share of a machine of 8 GiB."""


def prompt_cache_mib(total_bytes: int | None) -> int:
    """Return the bound in MiB: one part in eight of ``total_bytes``, which is the machine's or the container's RAM."""
    if total_bytes is None:
        return UNKNOWN_MIB
    return min(MAX_MIB, total_bytes // _SHARE // _MIB)
