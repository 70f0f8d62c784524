"""Prompts that were kept in files while their engine was not in memory, as values. Times in seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTransfer:
    """Prompts of an engine's slots that were saved to files at its stop, or restored from them at its start."""

    slots: int
    tokens: int
    size_bytes: int
    seconds: float

    def __add__(self, other: "KeptTransfer") -> "KeptTransfer":
        """Return the sum of both."""
        return KeptTransfer(
            slots=self.slots + other.slots,
            tokens=self.tokens + other.tokens,
            size_bytes=self.size_bytes + other.size_bytes,
            seconds=self.seconds + other.seconds,
        )


NO_TRANSFER = KeptTransfer(slots=0, tokens=0, size_bytes=0, seconds=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTotals:
    """What was saved and restored since the start of this process, and the files that are on the disk now."""

    saved: KeptTransfer
    restored: KeptTransfer
    files: int
    files_bytes: int
    limit_bytes: int
    """The setting ``kv_keep``."""


def transfer_text(verb: str, tokens: int, seconds: float) -> str:
    """Return a transfer as a phrase: "restored 2,006 tokens in 0.02 s"."""
    return f"{verb} {tokens:,} tokens in {seconds:.2f} s"


def transfer_texts(saved: KeptTransfer | None, restored: KeptTransfer | None) -> tuple[str, ...]:
    """Return the transfers of a swap as phrases, in their order."""
    transfers = (("saved", saved), ("restored", restored))
    return tuple(
        transfer_text(verb, done.tokens, done.seconds) for verb, done in transfers if done is not None
    )
