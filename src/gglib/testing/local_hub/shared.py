"""What all connections of a hub share."""

import threading
from typing import Protocol

from gglib.testing.local_hub.answers import Situation
from gglib.testing.local_hub.faults import Faults
from gglib.testing.local_hub.meters import Meters
from gglib.testing.local_hub.record import Record


class Shared(Protocol):
    """The parts of a hub that its connections use; each is safe in any thread."""

    record: Record
    meters: Meters
    faults: Faults
    ending: threading.Event
    """Set when the hub ends."""

    def situation(self) -> Situation:
        """Return what decides an answer now."""
        ...
