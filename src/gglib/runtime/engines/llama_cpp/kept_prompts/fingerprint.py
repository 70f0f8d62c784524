"""What has to be the same for a launch to use a saved slot. Pure.

llama.cpp's files do not name their model. It refuses other K/V types, another layout through flash attention and too
many tokens, but takes the values of other weights, another adapter or other positions: the answers would be wrong. So
everything that changes the values is compared here, and what is unknown counts as a change.
"""

from collections.abc import Mapping, Sequence

import msgspec

FORMAT = 1
"""Of the notes beside the files; others are not read."""
UNCHANGED_BY = frozenset(
    (
        *(
            "--threads",
            "--threads-batch",
            "--threads-http",
            "--prio",
            "--prio-batch",
            "--poll",
            "--poll-batch",
        ),
        *(
            "--cpu-mask",
            "--cpu-range",
            "--cpu-strict",
            "--parallel",
            "--cache-ram",
            "--slot-prompt-similarity",
        ),
        *("--temp", "--top-k", "--top-p", "--min-p", "--seed", "--presence-penalty", "--frequency-penalty"),
        *("--mmap", "--mlock", "--warmup"),
    )
)
"""Options that do not change what is in a slot. All others of a model count, also those of future builds."""


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the values in a slot depend on."""

    files: tuple[str, ...]
    """Identities of the weights, in order: with a changed file its identity changes."""
    engine: str
    """The engine's kind and build."""
    projector: str | None = None
    adapters: tuple[str, ...] = ()
    """Identities of LoRA adapters and control vectors, with their scales."""
    template: str | None = None
    """Identity of a chat template that replaces the model's own."""
    options: tuple[tuple[str, str], ...] = ()
    """The model's engine options by name, without those in ``UNCHANGED_BY``: K/V types, flash attention, window,
    positions and others."""


class SavedSlot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The note beside the file of a slot."""

    fingerprint: Fingerprint
    tokens: int
    size_bytes: int
    format: int = FORMAT


_MEANINGS = {
    "files": "the model's files have changed",
    "engine": "the engine is another one, or another build",
    "projector": "the projector is another one",
    "adapters": "the adapters are others",
    "template": "the chat template is another one",
}


def compared_options(options: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the options that count, of a model's options by name (``final_values``)."""
    return tuple(sorted(item for item in options.items() if item[0] not in UNCHANGED_BY))


def cold_reason(saved: SavedSlot, launch: Fingerprint, *, context: int, size_bytes: int) -> str | None:
    """Return why a saved slot cannot be used by a launch, as a clause; None if it can.

    ``context`` is that of each slot, in tokens; ``size_bytes`` is the size that the file has now.
    """
    own = saved.fingerprint
    for field, meaning in _MEANINGS.items():
        if getattr(own, field) != getattr(launch, field):
            return meaning
    if own.options != launch.options:
        return f"{_changed_option(own.options, launch.options)} has changed"
    if saved.tokens > context:
        return f"it has {saved.tokens} tokens, and the context {context}"
    if saved.size_bytes != size_bytes:
        return "its file is not complete"
    return None


def encode_note(saved: SavedSlot) -> bytes:
    """Return the note as JSON."""
    return msgspec.json.encode(saved)


def read_note(content: bytes) -> SavedSlot | None:
    """Return the note; None if it is damaged or of another format."""
    try:
        saved = msgspec.json.decode(content, type=SavedSlot)
    except (msgspec.DecodeError, RecursionError):
        return None
    return saved if saved.format == FORMAT else None


def _changed_option(old: Sequence[tuple[str, str]], new: Sequence[tuple[str, str]]) -> str:
    """Return the name of the first option that differs."""
    return min(set(old) ^ set(new))[0]
