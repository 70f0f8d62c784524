"""Runs ``gglib`` with a thread that records what the process holds: ``python -m bench.soak.watched_server FILE ARG…``.

One JSON object a line: ``s`` (``time.time``), ``rss_bytes``, ``descriptors``, ``tasks`` (asyncio tasks that are not
done), ``threads``. Linux only.
"""

import asyncio
import gc
import json
import os
import sys
import threading
import time
from pathlib import Path

from gglib.cli import main

INTERVAL_S = 5.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def record(path: Path) -> None:
    """Append a sample every ``INTERVAL_S`` seconds."""
    with path.open("a", encoding="utf-8", buffering=1) as file:
        while True:
            file.write(json.dumps(sample()) + "\n")
            time.sleep(INTERVAL_S)


def sample() -> dict[str, float]:
    """Return what the process holds now."""
    rss_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    tasks = [found for found in gc.get_objects() if isinstance(found, asyncio.Task)]
    return {
        "s": time.time(),
        "rss_bytes": rss_pages * _PAGE_BYTES,
        "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()) - 1,  # without the listing's own
        "tasks": sum(not task.done() for task in tasks),
        "threads": threading.active_count(),
    }


if __name__ == "__main__":
    threading.Thread(target=record, args=(Path(sys.argv[1]),), name="soak", daemon=True).start()
    sys.argv = ["gglib", *sys.argv[2:]]
    main()
