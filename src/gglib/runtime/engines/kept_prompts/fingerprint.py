"""What has to be the same for a launch to use a saved slot. Pure.

llama.cpp's files do not name their model. It refuses other K/V types, another layout through flash attention and too
many tokens, but takes the values of other weights, another adapter or other positions: the answers would be wrong. So
everything that changes the values is compared here, and what is unknown counts as a change.
"""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

FORMAT = 1
"""Of the notes beside the files; others are not read."""


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
    """The model's engine options by name, without those that change no value: K/V types, flash attention, window,
    positions and others."""


class SavedSlot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The note beside the file of a slot."""

    fingerprint: Fingerprint
    slot: int
    """Its number in the engine that saved it."""
    tokens: int
    size_bytes: int
    used_at_s: float
    """About the time of its last request, in Unix seconds."""
    gain_s: float
    """What its restore saves, by the rates at the save."""
    boot: str
    """Identifies the boot of the machine in which it was written; empty if the system has no such id."""
    is_durable: bool = False
    """Whether the file survives a power cut; else it is used in the same boot only."""
    format: int = FORMAT

    def may_be_lost(self, boot: str) -> bool:
        """Whether the machine was started again since the save, which the file may not have survived."""
        return not self.is_durable and (not boot or self.boot != boot)

    def as_durable(self) -> "SavedSlot":
        """Return the note of a file that survives a power cut."""
        return replace(self, is_durable=True)


_MEANINGS = {
    "files": "the model's files have changed",
    "engine": "the engine is another one, or another build",
    "projector": "the projector is another one",
    "adapters": "the adapters are others",
    "template": "the chat template is another one",
}


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
