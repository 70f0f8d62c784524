"""How much of each file was sent, and gates at which its senders stop: so a test acts at an exact moment."""

import threading
from collections import Counter, defaultdict
from typing import Self

DEFAULT_WAIT_S = 20.0
"""How long a test waits for what should happen at once, before it fails."""

SETTLE_S = 0.5
"""Far longer than a thread takes to count; only a receiver that does not read makes anybody wait for so long."""


class Gate:
    """Stops the senders of a file. ``release()`` lets them go on; leaving it as a context does that too."""

    def __init__(self, meters: "Meters", limit_bytes: int) -> None:
        self._meters = meters
        self.limit_bytes = limit_bytes
        self.is_open = False
        self.has_been_reached = False

    def release(self) -> None:
        """Let everybody pass."""
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
        self._gates: dict[str, list[Gate]] = defaultdict(list)
        self._is_over = False

    def add_gate(self, name: str, limit_bytes: int) -> Gate:
        """Put a gate into the way of a file's bytes, at so many sent in all."""
        with self.changed:
            gate = Gate(self, limit_bytes)
            self._gates[name].append(gate)
            return gate

    def claim(self, name: str, wanted: int) -> int:
        """Return how many bytes may be sent now: as many as wanted, or up to the next gate; wait before a closed one.

        0: the hub ends.
        """
        with self.changed:
            while not self._is_over:
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

    def note(self, name: str, *, sent: int, claimed: int) -> None:
        """Add what was sent of what was claimed."""
        with self.changed:
            self._sent[name] += sent
            self._claimed[name] += sent - claimed
            self.changed.notify_all()

    def sent_bytes(self, name: str) -> int:
        """Return how many bytes of a file were sent until now."""
        self.settle()
        with self.changed:
            return self._sent[name]

    def settle(self) -> None:
        """Let senders count what they have just handed over: its receiver may be faster than they are.

        A sender whose receiver does not take what it sends is not waited for.
        """
        with self.changed:
            self.changed.wait_for(lambda: self._claimed == self._sent, SETTLE_S)

    def wait_until_sent(self, name: str, count: int, timeout_s: float) -> None:
        """Wait until so many bytes of a file were sent; ``TimeoutError`` when they are not."""
        with self.changed:
            if not self.changed.wait_for(lambda: self._sent[name] >= count, timeout_s):
                raise TimeoutError(f"{self._sent[name]} bytes of {name} were sent, not {count}.")

    def end(self) -> None:
        """Let nobody wait any more."""
        with self.changed:
            self._is_over = True
            self.changed.notify_all()
