"""What the agents of the contract suite look after: the process of ``tests.ray.node_program``."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ray.node_program import KEY

from gglib.nodes.ray.serve_keeper import ServedAddress
from gglib.runtime.local.os_processes import process_start_id


@dataclass(slots=True)
class ProgramHome:
    """A directory with a node, as ``ServedHome``. Tests use it, too; while it is held, an agent starts nothing."""

    directory: str

    def find(self) -> ServedAddress | None:
        """Return the node, if it serves."""
        record = self._record()
        if record is None:
            return None
        return ServedAddress(pid=record["pid"], url=record["url"], key=KEY)

    def start(self) -> None:
        """Start the node in a session of its own."""
        subprocess.run(
            [
                *("/bin/sh", "-c", '"$@" </dev/null >"$LOG" 2>&1 & echo $! >"$LOG.pid"', "sh"),
                *(sys.executable, "-m", "tests.ray.node_program", self.directory),
            ],
            env={**os.environ, "LOG": str(self._path("node.log"))},
            check=True,
            start_new_session=True,
        )

    def is_starting(self) -> bool:
        """Whether the node was started and has not ended."""
        if self._path("held").exists():
            return True
        with suppress(OSError, ValueError):
            return process_start_id(int(self._path("node.log.pid").read_text())) is not None
        return False

    def exit_reason(self) -> str:
        """Return nothing of interest."""
        return "It has ended."

    def set_models(self, *models: str, load_s: float = 0) -> None:
        """Set what the node has at its next start."""
        self._path("models.json").write_text(json.dumps([models, load_s]))

    def hold(self) -> None:
        """Kill the node, and keep agents from starting it."""
        self._path("held").touch()
        self.kill()

    def kill(self) -> None:
        """Kill the node."""
        record = self._record()
        if record is not None:
            with suppress(ProcessLookupError):
                os.kill(record["pid"], signal.SIGKILL)

    def release(self) -> None:
        """Start the node here, for the agent to find."""
        self._path("record.json").unlink(missing_ok=True)
        self.start()
        self._path("held").unlink(missing_ok=True)

    def _record(self) -> dict[str, Any] | None:
        try:
            record: dict[str, Any] = json.loads(self._path("record.json").read_text())
        except (OSError, ValueError):
            return None
        return record if process_start_id(record["pid"]) == record["start_id"] else None

    def _path(self, name: str) -> Path:
        return Path(self.directory) / name
