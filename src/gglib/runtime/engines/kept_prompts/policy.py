"""Which slots are saved when an engine stops, and which ones are restored when it starts. Pure.

A save costs its time now, for each request that waits, and disk; it gains the time of the prompt, less the restore, if
the conversation returns (``RETURN_CHANCE``). Sizes in bytes, times in seconds; the rates are those that were measured
on this machine for this model.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LIMIT_S = 10.0
"""For all saves of a stop, and for all restores of a start."""
REQUEST_S = 0.005
"""What a save or restore takes beside its bytes. Measured: 1 to 6 ms for an empty slot."""
RETURN_CHANCE = 0.5
"""How likely it is that a conversation returns to a saved prompt. Simulated (``bench.kept_policy``): 0.9 for agents
that alternate, 0.1 to 0.3 where conversations change. With 1, saves on a fast GPU delay more than they gain where they
change; with 0.25, agents compute prompts again that are worth a file."""
DISK_RESERVE_BYTES = 1024**3
"""Stays free on the disk."""
WRITE_BYTES_H = 20 * 10**9
"""Written in an hour at most, of models without ``keep_conversations``: disks wear out. Simulated
(``bench.kept_policy``): an agent that alternates two 8B models without a pause would write 300 GB in an hour; with 20
it avoids four fifths of the prompt seconds that it could, with 40 seven eighths."""
MIN_TOKENS = 64
"""Shorter prompts are never worth a file: an engine computes them in one batch, and they are mostly a template, which
each new conversation has, too."""
_HOUR_S = 3600.0
HALF_LIFE_S = 24 * _HOUR_S
"""After this time without use a file counts half: most conversations do not return the next day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRates:
    """What was measured for a model on this machine."""

    prompt_tokens_s: float
    bytes_token: float
    """The size of a saved token."""
    fixed_bytes: float = 0.0
    """What each file has beside its tokens: the state of recurrent layers, checkpoints of sliding windows."""
    save_bytes_s: float
    restore_bytes_s: float

    def size_bytes(self, tokens: int) -> float:
        """Return the size of a saved prompt."""
        return self.fixed_bytes + tokens * self.bytes_token

    def save_s(self, tokens: int) -> float:
        """Return the time to save a prompt."""
        return REQUEST_S + self.size_bytes(tokens) / self.save_bytes_s

    def restore_s(self, tokens: int) -> float:
        """Return the time to restore a prompt."""
        return REQUEST_S + self.size_bytes(tokens) / self.restore_bytes_s

    def gain_s(self, tokens: int) -> float:
        """Return the time that a restored prompt saves; negative if computing it is quicker."""
        return tokens / self.prompt_tokens_s - self.restore_s(tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotPrompt:
    """The prompt in a slot of an engine that stops."""

    slot: int
    tokens: int
    idle_s: float
    """Since its last request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A saved prompt, of any model."""

    name: str
    size_bytes: int
    gain_s: float
    """What its restore saves, from the rates of its model."""
    idle_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Limits of what is kept."""

    keep_bytes: int
    """The setting ``kv_keep``."""
    free_bytes: int
    """Free on the disk."""
    write_bytes: float = math.inf
    """How much may be written now."""


class WriteAllowance:
    """What may be written: ``bytes_h`` in an hour, and as much at once after an hour without saves. Pure."""

    def __init__(self, bytes_h: float = WRITE_BYTES_H) -> None:
        self._bytes_h = bytes_h
        self._left = bytes_h
        self._at_s: float | None = None

    def left(self, now_s: float) -> float:
        """Return how many bytes may be written at this time (monotonic, in seconds); negative after a larger file."""
        if self._at_s is not None:
            self._left = min(self._bytes_h, self._left + (now_s - self._at_s) * self._bytes_h / _HOUR_S)
        self._at_s = now_s
        return self._left

    def take(self, size_bytes: int, now_s: float) -> None:
        """Note a file that was written."""
        self._left = self.left(now_s) - size_bytes


@dataclass(frozen=True, slots=True)
class SavePlan:
    """What to do when an engine stops."""

    delete: tuple[str, ...]
    """Names of the files that make room; deleted first, so that a full disk stays possible to write to."""
    save: tuple[int, ...]
    """Slots, the most valuable first: if time runs out, the rest is cold."""


def plan_saves(  # noqa: PLR0913 - what the plan depends on
    prompts: Sequence[SlotPrompt],
    rates: SlotRates,
    kept: Sequence[KeptFile],
    room: Room,
    *,
    waiting: int = 0,
    limit_s: float = LIMIT_S,
) -> SavePlan:
    """Return which slots are saved and which files go. ``waiting`` requests are delayed by each save.

    All saves together take at most ``limit_s``, by the rates.

    What is worth its time (``is_worth_saving``) and the files compete for ``room`` by their value for each byte; the
    least valuable lose. Nothing is deleted for a prompt that is not saved.
    """
    worthy = [prompt for prompt in prompts if is_worth_saving(prompt.tokens, rates, waiting=waiting)]
    ranked = sorted(worthy, key=lambda prompt: _value(_as_file(prompt, rates)), reverse=True)
    rest = sorted(kept, key=_value)
    free_bytes = room.free_bytes - DISK_RESERVE_BYTES
    unused_bytes = min(room.keep_bytes - sum(file.size_bytes for file in kept), free_bytes)
    left_s, saved, deleted, write_bytes = limit_s, list[int](), list[str](), room.write_bytes
    while unused_bytes < 0 and rest:  # the setting is smaller now, or the disk fuller
        unused_bytes += rest[0].size_bytes
        deleted.append(rest.pop(0).name)
    for prompt in ranked:
        candidate, save_s = _as_file(prompt, rates), rates.save_s(prompt.tokens)
        victims = _victims(candidate, rest, unused_bytes)
        if victims is None or save_s > left_s or candidate.size_bytes > write_bytes:
            continue
        left_s -= save_s
        write_bytes -= candidate.size_bytes
        unused_bytes += sum(file.size_bytes for file in victims) - candidate.size_bytes
        rest = rest[len(victims) :]
        deleted += [file.name for file in victims]
        saved.append(prompt.slot)
    return SavePlan(tuple(deleted), tuple(saved))


def is_worth_saving(tokens: int, rates: SlotRates, *, waiting: int = 0) -> bool:
    """Whether the expected gain is more than the time of the save, also for those that wait for it."""
    if tokens < MIN_TOKENS:
        return False
    return RETURN_CHANCE * rates.gain_s(tokens) > rates.save_s(tokens) * max(1, waiting)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPrompt:
    """A saved prompt of the model that starts; its fingerprint matches."""

    name: str
    tokens: int
    idle_s: float


def plan_restores(saved: Sequence[SavedPrompt], rates: SlotRates, *, slots: int) -> tuple[str, ...]:
    """Return the names of the files to restore, one for each slot from the first on.

    Those used last come first, as many as slots and time allow. A prompt whose restore is not expected to pay is left
    out: the first request waits for all restores.
    """
    left_s, chosen = LIMIT_S, list[str]()
    for prompt in sorted(saved, key=lambda prompt: prompt.idle_s):
        restore_s = rates.restore_s(prompt.tokens)
        expected_s = RETURN_CHANCE * prompt.tokens / rates.prompt_tokens_s
        if len(chosen) < slots and restore_s <= left_s and expected_s > restore_s:
            left_s -= restore_s
            chosen.append(prompt.name)
    return tuple(chosen)


def _as_file(prompt: SlotPrompt, rates: SlotRates) -> KeptFile:
    size_bytes = round(rates.size_bytes(prompt.tokens))
    gain_s = rates.gain_s(prompt.tokens)
    return KeptFile(name="", size_bytes=size_bytes, gain_s=gain_s, idle_s=prompt.idle_s)


def _value(file: KeptFile) -> float:
    """Return the seconds that a byte saves, halved with each half-life without use."""
    freshness: float = 0.5 ** (file.idle_s / HALF_LIFE_S)
    return file.gain_s * freshness / max(1, file.size_bytes)


def _victims(candidate: KeptFile, files: Sequence[KeptFile], unused_bytes: int) -> list[KeptFile] | None:
    """Return the files, least value first, that make room for a more valuable one; None if they cannot."""
    victims: list[KeptFile] = []
    for file in files:
        if candidate.size_bytes <= unused_bytes or _value(file) >= _value(candidate):
            break
        victims.append(file)
        unused_bytes += file.size_bytes
    return victims if candidate.size_bytes <= unused_bytes else None
