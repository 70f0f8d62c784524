"""The scenarios, and the measurement of one scenario on one side."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.proxies import wrk
from bench.proxies.machine import pss_mb
from bench.proxies.sides import Side

ROOT = Path(__file__).resolve().parents[2]
STREAM_CHUNKS = 200
BODY_MB = 20
ANSWER_TOKENS = 48

Figures = dict[str, float]
"""The results of one measurement by name; the name ends with the unit."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The number of rounds, connections and seconds of a run."""

    rounds: int
    attempts: int
    """Attempts for one measurement that other programs disturb."""
    engine_rounds: int
    seconds: float
    body_seconds: float
    paced_streams: int
    paced_seconds: float
    slow_readers: int
    slow_seconds: float


FULL = Scale(
    rounds=3,
    attempts=2,
    engine_rounds=5,
    seconds=4,
    body_seconds=3,
    paced_streams=1000,
    paced_seconds=10,
    slow_readers=16,
    slow_seconds=3,
)
QUICK = Scale(
    rounds=1,
    attempts=1,
    engine_rounds=1,
    seconds=1,
    body_seconds=1,
    paced_streams=100,
    paced_seconds=3,
    slow_readers=4,
    slow_seconds=1,
)


@dataclass(frozen=True, slots=True)
class Tools:
    """The programs and scripts that measurements use."""

    scale: Scale
    lua: Path


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load."""

    name: str
    measure: Callable[[Side, Tools], Figures]
    needs_wrk: bool = False


def _json(connections: int) -> Scenario:
    return Scenario(
        f"json-{connections}",
        lambda side, tools: wrk.run(side, tools.lua, connections=connections, seconds=tools.scale.seconds),
        needs_wrk=True,
    )


def measure_streams(side: Side, tools: Tools, at_once: int) -> Figures:
    """Keep streams running at full speed."""
    return _load(side, "streams", at_once=at_once, seconds=tools.scale.seconds, chunks=STREAM_CHUNKS)


def _streams(at_once: int) -> Scenario:
    return Scenario(
        f"sse-{at_once}",
        lambda side, tools: measure_streams(side, tools, at_once),
    )


def _paced(side: Side, tools: Tools) -> Figures:
    scale = tools.scale
    return _load(
        side,
        "paced",
        look_after_s=2 + scale.paced_seconds / 2,
        at_once=scale.paced_streams,
        seconds=scale.paced_seconds,
    )


def _bodies(side: Side, tools: Tools) -> Figures:
    return _load(side, "bodies", seconds=tools.scale.body_seconds, chunks=BODY_MB)


def _slow(side: Side, tools: Tools) -> Figures:
    return _load(side, "slow", at_once=tools.scale.slow_readers, seconds=tools.scale.slow_seconds)


SCENARIOS = (
    _json(1),
    _json(32),
    _json(256),
    _streams(1),
    _streams(32),
    Scenario("paced", _paced),
    Scenario("body", _bodies),
    Scenario("slow-reader", _slow),
)


def ask_engine(side: Side) -> Figures:
    """Request one short response from a real engine behind a side."""
    return _load(side, "answers", at_once=1, chunks=ANSWER_TOKENS)


def _load(side: Side, mode: str, *, look_after_s: float | None = None, **options: float) -> Figures:
    """Run the load; with ``look_after_s``, sample the proxy's memory in the middle of it."""
    given: Mapping[str, object] = {
        "port": side.port,
        "proxy_pids": ",".join(map(str, side.pids)),
        "upstream_pids": side.upstream_pid or "",
        "upstream_socket": side.upstream_socket,
        "ca": side.ca or "",
        **options,
    }
    command = [sys.executable, "-m", "bench.proxies.load", mode]
    command += [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            memory = {}
            if look_after_s is not None:
                time.sleep(look_after_s)
                memory["memory_mb"] = pss_mb(side.pids)
            output, _ = child.communicate()
        except BaseException:
            child.kill()
            raise
    if child.returncode != 0:
        raise RuntimeError(f"the load '{mode}' failed on {side.name}; its own words are above")
    figures: Figures = json.loads(output)
    return figures | memory
