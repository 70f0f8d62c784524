"""Which request bodies have ended an engine while they were alone in flight. Pure: ``now`` is an argument.

A client that sends such a body again and again ends one engine after the other, and the runtime then refuses everybody
for a while (``model_load_failed``). So a body that has ended two engines alone is refused for a time that doubles, and
only that body: other requests for the model go on. Once may be an accident that has nothing to do with the request.
"""

import hashlib
from dataclasses import dataclass

from gglib.core.errors import ErrorSource, GglibError

CRASH_THRESHOLD = 2
"""So many engines that a body ended alone make it refused."""
FIRST_REFUSAL_S = 60.0
"""As long as the runtime remembers a death: two crashes of one body never count together with two later ones."""
MAX_REFUSAL_S = 3600.0
MAX_ENTRIES = 64
"""The oldest is forgotten for another one."""


class PoisonRequestError(GglibError):
    """The request is one that ended the engine each time that it was sent; it does not reach the engine for now."""

    code = "request_ended_engine"
    source = ErrorSource.CLIENT

    def __init__(self, crashes: int) -> None:
        super().__init__(
            f"This very request was the only one in flight when the engine died, {crashes} times: "
            "change it before it is sent again."
        )


@dataclass(frozen=True, slots=True)
class _Entry:
    crashes: int
    until: float


class PoisonRequests:
    """Remembers bodies by model, size and hash; ``has_entries`` says whether a request has to be looked at."""

    def __init__(self) -> None:
        self.has_entries = False
        self._entries: dict[tuple[str, int, bytes], _Entry] = {}
        self._sizes: frozenset[tuple[str, int]] = frozenset()
        """Models and sizes of the bodies that are known: what ``check`` looks at for each request."""

    def record_crash(self, model_name: str, body: bytes, now: float) -> None:
        """Take note that the engine died while this request was alone in flight."""
        key = _key(model_name, body)
        before = self._entries.pop(key, None)
        crashes = 1 if before is None or now >= before.until + MAX_REFUSAL_S else before.crashes + 1
        refused_s = min(FIRST_REFUSAL_S * 2 ** max(0, crashes - CRASH_THRESHOLD), MAX_REFUSAL_S)
        self._entries[key] = _Entry(crashes, now + refused_s)
        if len(self._entries) > MAX_ENTRIES:
            del self._entries[next(iter(self._entries))]
        self._sizes = frozenset((model, size) for model, size, _ in self._entries)
        self.has_entries = True

    def check(self, model_name: str, body: bytes, now: float) -> None:
        """Raise ``PoisonRequestError`` for a body that is refused now. Hashes only what has a known body's size."""
        if (model_name, len(body)) not in self._sizes:
            return
        entry = self._entries.get(_key(model_name, body))
        if entry is not None and entry.crashes >= CRASH_THRESHOLD and now < entry.until:
            raise PoisonRequestError(entry.crashes)


def _key(model_name: str, body: bytes) -> tuple[str, int, bytes]:
    return model_name, len(body), hashlib.blake2b(body, digest_size=16).digest()
