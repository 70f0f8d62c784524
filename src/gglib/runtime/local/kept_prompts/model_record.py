"""What was learned about saving the slots of one model: its rates, and whether its engine can. Pure."""

import math

import msgspec
from msgspec.structs import replace

from gglib.runtime.engines.kept_prompts.policy import SlotRates

MAX_MISSES = 3
"""After this many restores in a row without reuse, the prompts of a model are not kept with this build."""
FIRST_BYTES_TOKEN = 128 * 1024.0
"""Before the first save of a model whose size is unknown: that of a common one with 8 billion parameters."""
FIRST_SAVE_BYTES_S = 0.5e9
FIRST_RESTORE_BYTES_S = 1e9
"""Before the first save and restore of a model: those of a SATA disk; from the page cache they are faster."""
RATE_MEMORY_TOKENS = 2048
"""A lower speed of prompts counts for as much as the former one after this many tokens. A launch whose prompts were
restored has computed a few tokens for each request, which take longer each than those of a long prompt."""
RETRY_FACTOR = 1.1
"""How much faster transfers count after each stop that saved nothing because of their rates. One slow transfer, beside
a large download for example, would end the saves of a model for good: only another one can show that the disk is fast
again. Rates that are ten times too low are tried again after 24 such stops. A try costs no more than a save may."""
MAX_RETRY_BYTES_S = 2e9
"""How fast transfers count at most without a measurement: those of the page cache of a common machine."""
_MIN_BYTES = 1024 * 1024
"""Smaller transfers take as long as their request, and say nothing about the disk."""


class ModelRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of one model. Its transfers' rates are the last ones; they may age. Times in seconds."""

    engine: str = ""
    """The engine and build that ``misses`` and ``refusal`` are of."""
    misses: int = 0
    """Restores in a row that the first response after them did not reuse."""
    refusal: str | None = None
    """Why the engine cannot save this model's slots, as a clause."""
    bytes_token: float | None = None
    fixed_bytes: float = 0.0
    """What a file has beside its tokens."""
    prompt_tokens_s: float | None = None
    save_bytes_s: float | None = None
    restore_bytes_s: float | None = None

    def of_engine(self, engine: str) -> "ModelRecord":
        """Return the record for an engine and build: what another one could not do is forgotten."""
        return self if engine == self.engine else replace(self, engine=engine, misses=0, refusal=None)

    @property
    def off_reason(self) -> str | None:
        """Why this build does not keep the prompts, as a clause; None if it does."""
        if self.misses >= MAX_MISSES:
            return "three restores in a row were not reused by this build"
        return self.refusal

    def with_reuse(self, *, is_reused: bool) -> "ModelRecord":
        """Return the record after the first response that followed a restore."""
        return replace(self, misses=0 if is_reused else self.misses + 1)

    def rates(self, *, bytes_token: float | None) -> SlotRates | None:
        """Return the rates; None while the speed of prompts is unknown. ``bytes_token`` is an estimate."""
        if not self.prompt_tokens_s:
            return None
        return SlotRates(
            prompt_tokens_s=self.prompt_tokens_s,
            bytes_token=self.bytes_token or bytes_token or FIRST_BYTES_TOKEN,
            fixed_bytes=self.fixed_bytes,
            save_bytes_s=self.save_bytes_s or FIRST_SAVE_BYTES_S,
            restore_bytes_s=self.restore_bytes_s or FIRST_RESTORE_BYTES_S,
        )

    def with_prompts(self, *, tokens: float, tokens_s: float) -> "ModelRecord":
        """Return the record after a launch that has computed ``tokens`` of prompts."""
        former = self.prompt_tokens_s
        if former is not None and tokens_s < former:
            tokens_s = former + (tokens_s - former) * tokens / (tokens + RATE_MEMORY_TOKENS)
        return replace(self, prompt_tokens_s=tokens_s)

    def with_save(
        self, *, tokens: int, size_bytes: int, seconds: float, bytes_token: float | None = None
    ) -> "ModelRecord":
        """Return the record after a save. ``bytes_token`` is an estimate.

        What a file has more than its tokens is not theirs: of a model with recurrent layers, a short prompt has a file
        nearly as large as a long one.
        """
        each_bytes = min(self.bytes_token or bytes_token or math.inf, size_bytes / tokens)
        speed = size_bytes / seconds if size_bytes >= _MIN_BYTES and seconds > 0 else self.save_bytes_s
        fixed_bytes = size_bytes - each_bytes * tokens
        return replace(self, bytes_token=each_bytes, fixed_bytes=fixed_bytes, save_bytes_s=speed)

    def with_unfinished_save(self, *, size_bytes: float, seconds: float) -> "ModelRecord":
        """Return the record after a save that was given up: it is slower than this, at least."""
        former = self.save_bytes_s or FIRST_SAVE_BYTES_S
        speed = size_bytes / seconds if seconds > 0 else former
        return replace(self, save_bytes_s=min(former, speed))

    def with_nothing_saved(self) -> "ModelRecord":
        """Return the record after a stop whose prompts were too slow to save, by these rates (``RETRY_FACTOR``)."""
        return replace(
            self,
            save_bytes_s=_faster(self.save_bytes_s or FIRST_SAVE_BYTES_S),
            restore_bytes_s=_faster(self.restore_bytes_s or FIRST_RESTORE_BYTES_S),
        )

    def with_restore(self, *, size_bytes: int, seconds: float) -> "ModelRecord":
        """Return the record after a restore."""
        if size_bytes < _MIN_BYTES or seconds <= 0:
            return self
        return replace(self, restore_bytes_s=size_bytes / seconds)


def _faster(bytes_s: float) -> float:
    return max(bytes_s, min(bytes_s * RETRY_FACTOR, MAX_RETRY_BYTES_S))


def encode_record(record: ModelRecord) -> bytes:
    """Return the record as JSON."""
    return msgspec.json.encode(record)


def read_record(content: bytes) -> ModelRecord:
    """Return the record; an empty one if it is damaged."""
    try:
        return msgspec.json.decode(content, type=ModelRecord)
    except (msgspec.DecodeError, RecursionError):
        return ModelRecord()
