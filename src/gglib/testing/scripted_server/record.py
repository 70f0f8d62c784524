"""The event record of a scripted server: one JSON object per line, appended by one write each."""

import json
import os
import time
from pathlib import Path
from typing import Any


class Recorder:
    """Appends events to a file, if there is one. Several processes may append to the same file.

    Every event has ``event``, ``pid`` and ``at_s``, the monotonic time in seconds, which all processes share.
    """

    def __init__(self, path: str | None) -> None:
        self._file = (
            None if path is None else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, mode=0o600)
        )

    def add(self, event: str, **fields: Any) -> None:  # noqa: ANN401 - whatever JSON takes
        """Append one event; it is in the file when this returns."""
        if self._file is not None:
            line = {"event": event, "pid": os.getpid(), "at_s": time.monotonic(), **fields}
            os.write(self._file, json.dumps(line).encode() + b"\n")


def read_record(path: Path | str, event: str | None = None) -> list[dict[str, Any]]:
    """Return the events so far, oldest first, or those of one kind; none if there is no file yet.

    A line that is still being written is omitted.
    """
    try:
        lines = Path(path).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [entry for entry in events if event in (None, entry["event"])]
