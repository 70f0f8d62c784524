"""Refuses request bodies that crashed an engine repeatedly while alone in flight. Pure: ``now`` is an argument.

A client that retries such a body crashes one engine after another, until the runtime refuses all requests for the model
for a while (``model_load_failed``). So a body that was alone in flight at two crashes is refused, with a backoff that
doubles; other requests continue. A single crash may be unrelated to the request.
"""

import hashlib
from dataclasses import dataclass

from gglib.core.errors import ErrorSource, GglibError

CRASH_THRESHOLD = 2
"""Number of crashes after which a body is refused."""
FIRST_REFUSAL_S = 60.0
"""The window in which the runtime counts crashes: when a body is accepted again, its earlier crashes have expired."""
MAX_REFUSAL_S = 3600.0
MAX_ENTRIES = 64
"""Beyond it the oldest entry is dropped."""


class PoisonRequestError(GglibError):
    """The same request crashed the engine repeatedly; it is not forwarded for now."""

    code = "request_ended_engine"
    source = ErrorSource.CLIENT

    def __init__(self, crashes: int) -> None:
        super().__init__(
            f"The engine crashed {crashes} times while this request was the only one in flight: "
            "change it before you send it again."
        )


@dataclass(frozen=True, slots=True)
class _Entry:
    crashes: int
    refused_until: float


class PoisonRequests:
    """Records bodies by model, size and hash. ``check`` is only needed if ``has_entries``."""

    def __init__(self) -> None:
        self.has_entries = False
        self._entries: dict[tuple[str, int, bytes], _Entry] = {}
        self._sizes: frozenset[tuple[str, int]] = frozenset()
        """Models and sizes of the known bodies; ``check`` compares these first."""

    def record_crash(self, model_name: str, body: bytes, now: float) -> None:
        """Record that the engine crashed while this request was alone in flight."""
        key = _key(model_name, body)
        previous = self._entries.pop(key, None)
        crashes = (
            1 if previous is None or now >= previous.refused_until + MAX_REFUSAL_S else previous.crashes + 1
        )
        refused_s = min(FIRST_REFUSAL_S * 2 ** max(0, crashes - CRASH_THRESHOLD), MAX_REFUSAL_S)
        self._entries[key] = _Entry(crashes, now + refused_s)
        if len(self._entries) > MAX_ENTRIES:
            del self._entries[next(iter(self._entries))]
        self._sizes = frozenset((model, size) for model, size, _ in self._entries)
        self.has_entries = True

    def check(self, model_name: str, body: bytes, now: float) -> None:
        """Raise ``PoisonRequestError`` if the body is refused at ``now``. Hashes only bodies of a known size."""
        if (model_name, len(body)) not in self._sizes:
            return
        entry = self._entries.get(_key(model_name, body))
        if entry is not None and entry.crashes >= CRASH_THRESHOLD and now < entry.refused_until:
            raise PoisonRequestError(entry.crashes)


def _key(model_name: str, body: bytes) -> tuple[str, int, bytes]:
    return model_name, len(body), hashlib.blake2b(body, digest_size=16).digest()
