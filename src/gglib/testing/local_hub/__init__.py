"""A hub of models for tests: real sockets, huggingface.co's shapes and headers, and whatever accident is asked for.

``LocalHub`` has the manual. Standard library only.
"""

from gglib.testing.local_hub.content import Content, hollow
from gglib.testing.local_hub.faults import Cut, Fault, Rule, failing, rate_limited
from gglib.testing.local_hub.hub import LocalHub
from gglib.testing.local_hub.meters import Gate
from gglib.testing.local_hub.record import Place, Seen
from gglib.testing.local_hub.store import ABSENT

__all__ = [
    "ABSENT",
    "Content",
    "Cut",
    "Fault",
    "Gate",
    "LocalHub",
    "Place",
    "Rule",
    "Seen",
    "failing",
    "hollow",
    "rate_limited",
]
