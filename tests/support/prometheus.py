"""Runs a real Prometheus, where one is installed (Debian's package ``prometheus``)."""

import json
import math
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from tests.support.waiting import LIMIT_S, wait_until

PROGRAMS = ("prometheus", "promtool")
MISSING = [name for name in PROGRAMS if shutil.which(name) is None]
_direct = build_opener(ProxyHandler({}))


class Prometheus:
    """The HTTP API of a running Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def is_ready(self) -> bool:
        """Whether it answers queries."""
        try:
            with _direct.open(f"{self.url}/-/ready", timeout=LIMIT_S) as response:
                return bool(response.status == 200)
        except URLError:
            return False

    def query(self, text: str) -> list[float]:
        """Return the current values of a query, without NaN. AssertionError if Prometheus refuses it."""
        values = [float(series["value"][1]) for series in self._get("query", query=text)]
        return [value for value in values if not math.isnan(value)]

    def query_range(self, text: str, *, start_s: float, end_s: float, step_s: float) -> list[float]:
        """Return all values of a query over a time, as a graph shows them."""
        result = self._get("query_range", query=text, start=start_s, end=end_s, step=step_s)
        return [float(value) for series in result for _, value in series["values"]]

    def _get(self, path: str, **parameters: object) -> list[dict[str, Any]]:
        url = f"{self.url}/api/v1/{path}?{urlencode(parameters)}"
        try:
            with _direct.open(url, timeout=LIMIT_S) as response:
                answer = json.load(response)
        except URLError as error:
            raise AssertionError(f"{parameters}: {error}") from error
        assert answer["status"] == "success", (parameters, answer)
        found = answer["data"]["result"]
        return found if answer["data"]["resultType"] != "scalar" else [{"value": found}]


@contextmanager
def prometheus_running(config: Path, data: Path) -> Iterator[Prometheus]:
    """Run Prometheus on a free loopback port, with its data in a directory of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    with (config.parent / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    server = Prometheus(f"http://{address}")
    try:
        wait_until(lambda: process.poll() is not None or server.is_ready(), poll_s=0.05)
        assert process.poll() is None, Path(log.name).read_text()
        yield server
    finally:
        process.kill()
        process.wait(LIMIT_S)
