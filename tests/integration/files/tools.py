"""Shared tools of all sequences of a run: a hub, an event loop, and a fork server."""

import os
import tempfile
from pathlib import Path

from gglib.testing.local_hub import LocalHub

from .quick import Quick
from .zygote import Zygote


class Tools:
    """One hub and one fork server, for all sequences of a run."""

    def __init__(self) -> None:
        self.place = tempfile.TemporaryDirectory(prefix="gg-")
        self.zygote = Zygote(Path(self.place.name)).__enter__()
        self.local = LocalHub().__enter__()
        self.quick = Quick()
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
        self.known: dict[tuple[str, str], list[Path]] = {}

    def close(self) -> None:
        """Stop them."""
        self.quick.close()
        self.zygote.__exit__()
        self.local.__exit__()
        self.place.cleanup()


_shared: list[Tools] = []


def shared_tools() -> Tools:
    """Return the hub and the processes, started by the first call and stopped by :func:`close_shared_tools`."""
    if not _shared:
        _shared.append(Tools())
    return _shared[0]


def close_shared_tools() -> None:
    """Stop the tools that :func:`shared_tools` started, if it was called."""
    while _shared:
        _shared.pop().close()
