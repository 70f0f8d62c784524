"""Where this machine's user keeps the files of clients."""

import os
import sys
from pathlib import Path

from gglib.app.clients.client import Places


def places() -> Places:
    """Return the user's home and environment."""
    return Places(home=Path.home(), environ=os.environ, is_macos=sys.platform == "darwin")


def shown_path(path: str) -> str:
    """Return a path as users write it: with ``~`` for the user's home. Other texts are returned as they are."""
    home = f"{Path.home()}{os.sep}"
    return f"~/{path.removeprefix(home)}" if path.startswith(home) else path
