"""Whether the history keeps every request: ``python -m bench.history_load [--rate 1000] [--seconds 60]``.

Three servers, each ``gglib serve`` as shipped with the scripted upstream as its engine, get requests at a constant rate
over 32 connections; each request has an id of its own, and its response is checked.

- ``stop``: the server is stopped; every request must have a row.
- ``kill``: it gets SIGKILL in the middle. Printed is the age of the oldest response that the file lacks.
- ``full``: the file of the history cannot grow any more (``RLIMIT_FSIZE``). Every request must be answered, and the log
  must say what is wrong.

Exits with 1 if one does not hold. Linux only.
"""

import argparse
import asyncio
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.proxies.machine import Cores
from bench.proxies.requests import BEARER, PATH, chat_body
from bench.proxies.sides import Side, serving, write_engine

from gglib.core.history.requests import RequestFilter
from gglib.db import SqliteHistoryReader
from gglib.testing import write_tiny_gguf

CONNECTIONS = 32
ALLOWED_LOSS_S = 1.0
FULL_BYTES = 1024 * 1024
"""More than the catalogue needs, and less than the history of a minute; the log has no line per request then."""


@dataclass(slots=True)
class Sent:
    """What clients got: the time of the response by request id (``time.time``), and failures."""

    answered_s: dict[str, float] = field(default_factory=dict)
    failed: int = 0


async def send(port: int, rate: float, seconds: float, sent: Sent) -> None:
    """Send requests at a constant rate over ``CONNECTIONS`` connections."""
    started_s = time.monotonic()
    due_times_s = [started_s + number / rate for number in range(round(rate * seconds))]
    await asyncio.gather(
        *(_client(port, number, due_times_s[number::CONNECTIONS], sent) for number in range(CONNECTIONS))
    )


async def _client(port: int, number: int, due_times_s: Sequence[float], sent: Sent) -> None:
    body = chat_body(chunks=4)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for turn, due_s in enumerate(due_times_s):
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            request_id = f"r{number}-{turn}"
            head = (
                f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {BEARER}\r\n"
                f"content-type: application/json\r\nx-request-id: {request_id}\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().partition(b"content-length:")[2].split()[0])
            await reader.readexactly(length)
            if answer.startswith(b"HTTP/1.1 200"):
                sent.answered_s[request_id] = time.time()
            else:
                sent.failed += 1
        writer.close()
    except (OSError, asyncio.IncompleteReadError):
        sent.failed += 1


async def stored_ids(home: Path) -> dict[str, int]:
    """Return how many requests each stored id stands for."""
    reader = SqliteHistoryReader(home / "history.db")
    found: dict[str, int] = {}
    before = None
    while True:
        page = await reader.find_requests(RequestFilter(), limit=1000, before=before)
        for request in page.requests:
            found[request.request_id] = found.get(request.request_id, 0) + request.count
        if page.next_before is None:
            return found
        before = page.next_before


@contextmanager
def server(directory: Path, cores: Cores, *, file_limit_bytes: int | None = None) -> Iterator[Side]:
    """Run a server; with a limit no file that it writes can be larger."""
    directory.mkdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    model = write_tiny_gguf(directory / "bench.gguf")
    if file_limit_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit_bytes, limits[1]))
    try:
        variables = {} if file_limit_bytes is None else {"GGLIB_LOG_LEVEL": "warning"}
        engine = str(write_engine(directory))
        with serving(directory, cores, model, serve=("--engine", engine), variables=variables) as side:
            yield side
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def run(directory: Path, cores: Cores, rate: float, seconds: float, case: str) -> bool:
    """Run one case, print its figures, and return whether it holds."""
    sent = Sent()
    limit = FULL_BYTES if case == "full" else None
    with server(directory, cores, file_limit_bytes=limit) as side:
        if case == "kill":
            asyncio.run(_killed(side, rate, seconds, sent))
            killed_s = time.time()
        else:
            asyncio.run(send(side.port, rate, seconds, sent))
    home = directory / "home"
    stored = asyncio.run(stored_ids(home))
    missing = [answered_s for request_id, answered_s in sent.answered_s.items() if request_id not in stored]
    print(f"{case}: {len(sent.answered_s)} answered, {sent.failed} failed, {len(missing)} not in the history")
    if case == "kill":
        oldest_s = killed_s - min(missing, default=killed_s)
        print(f"  oldest of them {oldest_s:.2f} s before the end")
        return oldest_s <= ALLOWED_LOSS_S
    if case == "full":
        log = (directory / "gglib.log").read_text() + "".join(
            path.read_text() for path in (home / "logs").glob("*.log")
        )
        warnings = [line for line in log.splitlines() if "request history" in line]
        print(*(f"  {line}" for line in warnings[:4]), sep="\n")
        return not sent.failed and bool(missing) and bool(warnings)
    return not sent.failed and not missing


async def _killed(side: Side, rate: float, seconds: float, sent: Sent) -> None:
    load = asyncio.create_task(send(side.port, rate, seconds, sent))
    await asyncio.sleep(seconds * 0.7)
    os.kill(side.pids[0], signal.SIGKILL)
    load.cancel()
    with suppress(asyncio.CancelledError):
        await load


def main() -> None:
    """Run the cases."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--case", choices=("stop", "kill", "full"), action="append")
    options = parser.parse_args()
    cores = Cores.of_this_machine()
    os.sched_setaffinity(0, cores.load)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        results = [
            run(Path(directory) / case, cores, options.rate, options.seconds, case)
            for case in options.case or ("stop", "kill", "full")
        ]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
