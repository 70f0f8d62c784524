"""What all sequences of a run share: a hub, an event loop, and a process that forks."""

import os
import tempfile
from pathlib import Path

from gglib.testing.local_hub import LocalHub

from .quick import Quick
from .zygote import Zygote


class Tools:
    """One hub and one process that forks, for all sequences of a run."""

    def __init__(self) -> None:
        self.place = tempfile.TemporaryDirectory(prefix="gg-")
        self.zygote = Zygote(Path(self.place.name)).__enter__()
        self.local = LocalHub().__enter__()
        self.quick = Quick()
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
        self.known: dict[tuple[str, str], list[Path]] = {}

    def close(self) -> None:
        """End all of it."""
        self.quick.close()
        self.zygote.__exit__()
        self.local.__exit__()
        self.place.cleanup()


_shared: list[Tools] = []


def shared_tools() -> Tools:
    """Return the hub and the processes, which begin with the first call and end with :func:`close_shared_tools`."""
    if not _shared:
        _shared.append(Tools())
    return _shared[0]


def close_shared_tools() -> None:
    """End what :func:`shared_tools` began, if it was called."""
    while _shared:
        _shared.pop().close()
