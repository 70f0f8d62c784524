"""The agent of a node: a detached actor of Ray, which keeps the node's gglib alive and says where it is.

The gglib is no child of the actor: Ray kills the children of a worker that ends. It goes on when the actor, the raylet
or the head ends, and the next agent adopts it.
"""

import platform
import threading
from typing import Any

import ray
from gglib.core.version import __version__
from gglib.nodes.ray.serve_keeper import ServedHome, ServeKeeper


class NodeAgent:
    """Runs in a process of Ray on its node, started again by Ray as often as needed."""

    def __init__(self, home: ServedHome) -> None:
        self._keeper = ServeKeeper(home)
        threading.Thread(target=self._keeper.run, name="keeper", daemon=True).start()

    def report(self) -> dict[str, Any]:
        """Return the fields of ``AgentReport``. A plain value: the reader may have another version of gglib."""
        return {
            "url": self._keeper.url,
            "key": self._keeper.key,
            "version": __version__,
            "ray": ray.__version__,
            "python": platform.python_version(),
            "failure": self._keeper.failure,
        }
