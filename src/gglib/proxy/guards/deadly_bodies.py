"""Which request bodies have ended an engine while they were alone in flight. Pure: ``now`` is an argument.

A client that sends such a body again and again ends one engine after the other, and the runtime then refuses everybody
for a while (``model_load_failed``). So a body that has ended two engines alone is refused for a time that doubles, and
only that body: other requests for the model go on. Once may be an accident that has nothing to do with the request.
"""

import hashlib
from dataclasses import dataclass

from gglib.core.errors import Blame, GglibError

DEATHS = 2
"""So many engines that a body ended alone make it refused."""
FIRST_REFUSAL_S = 60.0
"""As long as the runtime remembers a death: two deaths of one body never count together with two later ones."""
LONGEST_REFUSAL_S = 3600.0
MOST_BODIES = 64
"""The oldest is forgotten for another one."""


class EngineKillerError(GglibError):
    """The request is one that ended the engine each time that it was sent; it does not reach the engine for now."""

    code = "request_ended_engine"
    blame = Blame.CLIENT

    def __init__(self, deaths: int) -> None:
        super().__init__(
            f"This very request was the only one in flight when the engine died, {deaths} times: "
            "change it before it is sent again."
        )


@dataclass(frozen=True, slots=True)
class _Record:
    deaths: int
    until: float


class DeadlyBodies:
    """Remembers bodies by model, size and hash; ``is_armed`` says whether a request has to be looked at."""

    def __init__(self) -> None:
        self.is_armed = False
        self._records: dict[tuple[str, int, bytes], _Record] = {}
        self._sizes: frozenset[tuple[str, int]] = frozenset()
        """Models and sizes of the bodies that are known: what ``check`` looks at for each request."""

    def note_death(self, model_name: str, body: bytes, now: float) -> None:
        """Take note that the engine died while this request was alone in flight."""
        key = _key(model_name, body)
        before = self._records.pop(key, None)
        deaths = 1 if before is None or now >= before.until + LONGEST_REFUSAL_S else before.deaths + 1
        refused_s = min(FIRST_REFUSAL_S * 2 ** max(0, deaths - DEATHS), LONGEST_REFUSAL_S)
        self._records[key] = _Record(deaths, now + refused_s)
        if len(self._records) > MOST_BODIES:
            del self._records[next(iter(self._records))]
        self._sizes = frozenset((model, size) for model, size, _ in self._records)
        self.is_armed = True

    def check(self, model_name: str, body: bytes, now: float) -> None:
        """Raise ``EngineKillerError`` for a body that is refused now. Hashes only what has a known body's size."""
        if (model_name, len(body)) not in self._sizes:
            return
        record = self._records.get(_key(model_name, body))
        if record is not None and record.deaths >= DEATHS and now < record.until:
            raise EngineKillerError(record.deaths)


def _key(model_name: str, body: bytes) -> tuple[str, int, bytes]:
    return model_name, len(body), hashlib.blake2b(body, digest_size=16).digest()
