"""The parts of a hub that its connections share."""

import threading
from typing import Protocol

from gglib.testing.local_hub.faults import Faults
from gglib.testing.local_hub.meters import Meters
from gglib.testing.local_hub.record import Record
from gglib.testing.local_hub.responses import HubState


class Shared(Protocol):
    """The parts of a hub that its connections use; each is thread-safe."""

    record: Record
    meters: Meters
    faults: Faults
    shutdown: threading.Event
    """Set when the hub ends."""

    def state(self) -> HubState:
        """Return the state that responses depend on."""
        ...
