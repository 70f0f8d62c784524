"""A model hub for tests: real sockets, huggingface.co's shapes and headers, and fault injection.

``LocalHub`` has the manual. Standard library only.
"""

from gglib.testing.local_hub.content import Content, sparse_file
from gglib.testing.local_hub.faults import Disconnect, Fault, FaultRule, failing, rate_limited
from gglib.testing.local_hub.hub import LocalHub
from gglib.testing.local_hub.meters import PauseGate
from gglib.testing.local_hub.record import Host, RecordedRequest
from gglib.testing.local_hub.store import ABSENT

__all__ = [
    "ABSENT",
    "Content",
    "Disconnect",
    "Fault",
    "FaultRule",
    "Host",
    "LocalHub",
    "PauseGate",
    "RecordedRequest",
    "failing",
    "rate_limited",
    "sparse_file",
]
