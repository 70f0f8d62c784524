"""Counts the sent bytes of each file, and pauses senders at gates: a test can act at an exact moment."""

import threading
from collections import Counter, defaultdict
from typing import Self

DEFAULT_WAIT_S = 20.0
"""How long a test waits for an immediate event before it fails."""

COUNT_WAIT_S = 0.5
"""Far longer than a thread takes to count; only a receiver that does not read makes it this long."""


class PauseGate:
    """Stops the senders of a file. ``release()``, or leaving it as a context, lets them continue."""

    def __init__(self, meters: "Meters", limit_bytes: int) -> None:
        self._meters = meters
        self.limit_bytes = limit_bytes
        self.is_open = False
        self.has_been_reached = False

    def release(self) -> None:
        """Let all senders continue."""
        with self._meters.changed:
            self.is_open = True
            self._meters.changed.notify_all()

    def wait_until_reached(self, timeout_s: float = DEFAULT_WAIT_S) -> None:
        """Wait until a sender stands here; ``TimeoutError`` when none comes."""
        with self._meters.changed:
            if not self._meters.changed.wait_for(lambda: self.has_been_reached, timeout_s):
                raise TimeoutError(f"No sender came to the gate at {self.limit_bytes} bytes.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Meters:
    """Bytes that were sent of each file, over all its answers, and the gates before further ones."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._sent: Counter[str] = Counter()
        self._claimed: Counter[str] = Counter()
        self._gates: dict[str, list[PauseGate]] = defaultdict(list)
        self._is_closed = False

    def add_gate(self, name: str, limit_bytes: int) -> PauseGate:
        """Put a gate into the way of a file's bytes, at so many sent in all."""
        with self.changed:
            gate = PauseGate(self, limit_bytes)
            self._gates[name].append(gate)
            return gate

    def claim(self, name: str, wanted: int) -> int:
        """Return how many bytes may be sent now: as many as wanted, or up to the next gate; wait before a closed one.

        0: the hub ends.
        """
        with self.changed:
            while not self._is_closed:
                gates = [gate for gate in self._gates[name] if not gate.is_open]
                room = min((gate.limit_bytes - self._claimed[name] for gate in gates), default=wanted)
                if room > 0:
                    granted = min(room, wanted)
                    self._claimed[name] += granted
                    return granted
                for gate in gates:
                    gate.has_been_reached |= gate.limit_bytes <= self._sent[name]
                self.changed.notify_all()
                self.changed.wait()
        return 0

    def record_sent(self, name: str, *, sent: int, claimed: int) -> None:
        """Record what was sent of what was claimed."""
        with self.changed:
            self._sent[name] += sent
            self._claimed[name] += sent - claimed
            self.changed.notify_all()

    def sent_bytes(self, name: str) -> int:
        """Return how many bytes of a file were sent so far."""
        self.wait_until_counted()
        with self.changed:
            return self._sent[name]

    def wait_until_counted(self) -> None:
        """Wait until senders have counted what they just sent: a receiver may be faster than the count.

        The wait is short: a sender whose receiver does not read is not waited for.
        """
        with self.changed:
            self.changed.wait_for(lambda: self._claimed == self._sent, COUNT_WAIT_S)

    def wait_until_sent(self, name: str, count: int, timeout_s: float) -> None:
        """Wait until ``count`` bytes of a file were sent; raises ``TimeoutError``."""
        with self.changed:
            if not self.changed.wait_for(lambda: self._sent[name] >= count, timeout_s):
                raise TimeoutError(f"{self._sent[name]} bytes of {name} were sent, not {count}.")

    def close(self) -> None:
        """Release all waiting senders."""
        with self.changed:
            self._is_closed = True
            self.changed.notify_all()
