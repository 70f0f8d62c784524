"""Names for files that are kept beside the one that replaces them."""

import os
from datetime import datetime
from pathlib import Path


def unused_path(path: Path, between: str) -> Path:
    """Return a name beside ``path``, links followed, that no file has: its own, ``between``, and the date."""
    real = path.resolve()
    first = real.with_name(f"{real.name}{between}{date_text()}")
    names = (first, *(first.with_name(f"{first.name}-{number}") for number in range(2, 100)))
    return next((name for name in names if not os.path.lexists(name)), first)


def date_text() -> str:
    """Return the local time as it is in such names."""
    return datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
