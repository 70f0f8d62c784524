"""Whether a copy of a slot takes less time than computing what it saves, from the engine's own figures. Pure."""

from gglib.core.runtime.slots import SlotCopy
from gglib.runtime.engines.slot_files import SlotTransfer

SAFETY = 1.5
"""A copy counts this much more than save and restore take: the request that follows may have to move the rest of the
copied prompt to the host's prompt cache, which takes about as long as a save."""
RETRY_FACTOR = 1.02
"""How much less time a copy counts with each one that is not worth it. One slow copy, beside a large download for
example, would end them for this launch: only another one can show that the disk is fast again. What is twice too slow
is tried again after 36 such requests, what is ten times too slow after 117."""


class CopyRates:
    """What was measured with one launch. Rates are those of the last copy, or ``record_not_worth``."""

    def __init__(self) -> None:
        self.prompt_rate: float | None = None
        """Prompt tokens computed a second; None: unknown."""
        self._tokens_per_byte = 0.0
        """Tokens for each byte of a prompt's text."""
        self._size_per_token = 0.0
        self._save_s_per_token: float | None = None
        self._restore_s_per_token: float | None = None

    def record_save(self, copy: SlotCopy, saved: SlotTransfer) -> None:
        """Record how a copy began."""
        if saved.tokens > 0:
            self._tokens_per_byte = saved.tokens / max(1, copy.size_bytes)
            self._size_per_token = saved.size_bytes / saved.tokens
            self._save_s_per_token = saved.seconds / saved.tokens

    def record_restore(self, restored: SlotTransfer) -> None:
        """Record how a copy ended."""
        if restored.tokens > 0:
            self._restore_s_per_token = restored.seconds / restored.tokens

    def is_worth(self, copy: SlotCopy, *, is_saved: bool = False) -> bool:
        """Whether a copy, or what is left of it once the source is saved, saves time.

        True as long as nothing is known: the first one shows it. Before its restore, that counts like the save.
        """
        save_s, restore_s = self._save_s_per_token, self._restore_s_per_token
        if self.prompt_rate is None or save_s is None:
            return True
        copy_s = (0.0 if is_saved else save_s) + (save_s if restore_s is None else restore_s)
        return copy.size_bytes * copy_s * SAFETY <= copy.shared_bytes / self.prompt_rate

    def record_not_worth(self) -> None:
        """Record a request without a copy because of the rates (``RETRY_FACTOR``)."""
        if self._save_s_per_token is not None:
            self._save_s_per_token /= RETRY_FACTOR
        if self._restore_s_per_token is not None:
            self._restore_s_per_token /= RETRY_FACTOR

    def size_bytes(self, copy: SlotCopy) -> int:
        """Return the expected size of a copy's file; 0 before the first one."""
        return round(copy.size_bytes * self._tokens_per_byte * self._size_per_token)
