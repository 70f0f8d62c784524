"""The state of one node by its probes: a state machine, and when the next probe is due.

Pure: time is an argument, in seconds of any monotonic clock.

- Two failed probes in a row make a node ``DOWN``. A probe fails after ``PROBE_TIMEOUT_S``, so a node that stops
  answering is ``DOWN`` within 2.8 s, and one whose port is closed within 1.5 s.
- The next success makes it ``READY`` again. While it is ``DOWN`` it is still probed every second: a probe is one small
  request, and a node that returns is used within 2 s.
- A node that fails again and again is damped: from the third fall within a minute on, it must answer for a while before
  it is ``READY``.
- A node that refuses this gglib is probed less and less often: a wrong key is corrected by the user, not by time.
"""

from gglib.core.nodes import NodeState

PROBE_INTERVAL_S = 1.0
"""From the start of one probe to the start of the next."""
PROBE_TIMEOUT_S = 0.9
RETRY_S = 0.5
"""From the start of the first failed probe to the start of the second."""
MIN_GAP_S = 0.1
"""From the start of one probe to the start of the next, however many reasons there are for it."""
FAILURES_UNTIL_DOWN = 2
MAX_REFUSED_INTERVAL_S = 30.0

FLAP_WINDOW_S = 60.0
FREE_FALLS = 2
"""So many falls within ``FLAP_WINDOW_S`` have no consequence."""
FIRST_HOLD_S = 2.0
MAX_HOLD_S = 30.0


class PeerProbing:
    """The state of one node. ``begin`` starts a probe, and one of the other methods ends it."""

    def __init__(self, now_s: float, *, is_drained: bool = False) -> None:
        self.is_drained = is_drained
        """Whether the user wants it to get no new requests."""
        self.failure = ""
        """Why the last probe failed, or why the node gets no requests, as a sentence."""
        self.next_probe_s = now_s
        """When the next probe is due."""
        self._state = NodeState.UNKNOWN
        self._started_s = now_s - PROBE_INTERVAL_S
        self._is_hurried = False
        """Whether the next probe was asked for since the last one started."""
        self._failures = 0
        """Failed probes in a row."""
        self._refusals = 0
        self._falls_s: list[float] = []
        """When it stopped being ready, within ``FLAP_WINDOW_S``."""
        self._answers_since_s: float | None = None
        """Since when it answers while it is damped."""

    @property
    def state(self) -> NodeState:
        """The state of the node."""
        if self._state is NodeState.READY and self.is_drained:
            return NodeState.DRAINING
        return self._state

    @property
    def is_answering(self) -> bool:
        """Whether it serves requests, new ones or those that it has."""
        return self._state in {NodeState.READY, NodeState.DRAINING}

    def begin(self, now_s: float) -> None:
        """Note that a probe starts."""
        self._started_s, self._is_hurried = now_s, False
        self.next_probe_s = now_s + PROBE_INTERVAL_S

    def ready(self, now_s: float) -> None:
        """Note that the node answered, and takes requests."""
        self._answered()
        self._falls_s = [fall_s for fall_s in self._falls_s if now_s - fall_s < FLAP_WINDOW_S]
        hold_s = self._hold_s()
        if not self.is_answering and hold_s > 0:
            if self._answers_since_s is None:
                self._answers_since_s = now_s
            if now_s - self._answers_since_s < hold_s:
                self._state = NodeState.DOWN
                self.failure = (
                    f"It failed {len(self._falls_s)} times within a minute: it gets requests again after {hold_s:g} s "
                    "without a failure."
                )
                return
        self._state, self.failure = NodeState.READY, ""

    def draining(self) -> None:
        """Note that the node answered, and shuts down."""
        self._answered()
        self._state, self.failure = NodeState.DRAINING, ""

    def starting(self, reason: str) -> None:
        """Note that the node answered, and takes no requests yet; ``reason`` is a sentence."""
        self._answered()
        self._state, self.failure = NodeState.DOWN, reason

    def failed(self, now_s: float, reason: str) -> None:
        """Note that the probe failed; ``reason`` is a sentence."""
        self._failures += 1
        self._answers_since_s = None
        self.failure = reason
        interval_s = RETRY_S if self._failures < FAILURES_UNTIL_DOWN else PROBE_INTERVAL_S
        self.next_probe_s = max(now_s, self._started_s + interval_s)
        if self._failures >= FAILURES_UNTIL_DOWN:
            self._fall(now_s, NodeState.DOWN)

    def refused(self, now_s: float, reason: str) -> None:
        """Note that the node answered, but not to this gglib; ``reason`` is a sentence."""
        self._failures = 0
        self._answers_since_s = None
        self.failure = reason
        self.next_probe_s = now_s + min(PROBE_INTERVAL_S * 2**self._refusals, MAX_REFUSED_INTERVAL_S)
        self._refusals = min(self._refusals + 1, 10)
        self._fall(now_s, NodeState.REFUSED)

    def hurry(self, now_s: float) -> None:
        """Make the next probe due now, at most every ``MIN_GAP_S``: something may have changed there.

        A probe that is in progress may have been too early for it. A node that refuses this gglib is not asked more
        often because of it.
        """
        if self._state is not NodeState.REFUSED:
            self._is_hurried = True
            self.next_probe_s = min(self.next_probe_s, max(now_s, self._started_s + MIN_GAP_S))

    def _answered(self) -> None:
        self._failures = self._refusals = 0
        self.next_probe_s = self._started_s + (MIN_GAP_S if self._is_hurried else PROBE_INTERVAL_S)

    def _fall(self, now_s: float, state: NodeState) -> None:
        if self._state is NodeState.READY:
            self._falls_s.append(now_s)
        self._state = state

    def _hold_s(self) -> float:
        """Return how long it must answer before it is ready."""
        excess = len(self._falls_s) - FREE_FALLS
        return 0.0 if excess <= 0 else min(FIRST_HOLD_S * 2.0 ** min(excess - 1, 10), MAX_HOLD_S)
