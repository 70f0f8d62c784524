"""Reads what the nodes report, again and again, and complains about what they should not have at that moment."""

import http.client
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tests.integration.cluster.kills.promises import Run
from tests.support.network.host import HostGoneError
from tests.support.network.server import HostServer

INTERVAL_S = 0.5
_ENGINE = "llama-server --model"
_PAGE = 1000


class Observer:
    """Reads in a thread of its own from ``start`` to ``stop``."""

    def __init__(self, nodes: Mapping[str, HostServer], *, max_models: int, swap_wait_s: float) -> None:
        self.runs: dict[tuple[str, str], Run] = {}
        """By node and by the id of its server's run."""
        self.complaints: list[str] = []
        self._nodes = nodes
        self._max_models = max_models
        self._swap_wait_s = swap_wait_s
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._read_until_stopped)

    def start(self) -> None:
        """Start reading."""
        self._thread.start()

    def stop(self) -> None:
        """Read a last time, and stop."""
        self._is_over.set()
        self._thread.join()
        self._read_all()

    def _read_until_stopped(self) -> None:
        while not self._is_over.wait(INTERVAL_S):
            try:
                self._read_all()
            except Exception as error:  # noqa: BLE001 - one that is not observed must fail the run
                self.complaints.append(f"the nodes were not observed: {error!r}")
                return

    def _read_all(self) -> None:
        for name, node in self._nodes.items():
            with suppress(OSError, http.client.HTTPException, HostGoneError):  # it is dead, or starts
                self._read(name, node)

    def _read(self, name: str, node: HostServer) -> None:
        status = node.status()
        run = self.runs.setdefault(
            (name, status["instance"]), Run(max_models=self._max_models, swap_wait_s=self._swap_wait_s)
        )
        run.residents.append(status["residents"])
        run.add_swaps(node.get("/gglib/swaps?limit=200")[1]["swaps"])
        engines = _engines(node)
        if len(engines) > self._max_models and len(both := engines & _engines(node)) > self._max_models:
            self.complaints.append(f"promise 5: {name} has {len(both)} engines")


def _engines(node: HostServer) -> set[int]:
    return {pid for pid, command in node.host.processes().items() if _ENGINE in command}


def stored_requests(node: HostServer) -> list[dict[str, Any]]:
    """Return all requests that a node has stored."""
    rows: list[dict[str, Any]] = []
    before = ""
    while True:
        _, page = node.get(f"/gglib/requests?state=finished&limit={_PAGE}{before}")
        rows += page["requests"]
        if page["next_before"] is None:
            return rows
        before = f"&before={page['next_before']}"
