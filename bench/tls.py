"""What TLS costs gglib and Caddy, in one run: ``python -m bench.tls``.

Each proxy serves HTTP and HTTPS in front of an upstream of its own, as in ``bench.proxies``: whole answers and streams
over kept connections, and full handshakes one after the other (``openssl s_time -new``). The sides take turns, in
another order each round. Linux only; wrk and openssl must be installed, Caddy is skipped if it is missing. ``--quick``
is a smoke run that writes nothing.
"""

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench.proxies import machine, sides, wrk
from bench.proxies.machine import Cores, UsageWindow
from bench.proxies.results import disturbance
from bench.proxies.scenarios import FULL, QUICK, ROOT, Figures, Tools, measure_streams
from bench.proxies.sides import Certificate, Side, find_program

RESULT = ROOT / "bench/results/tls.md"
LABELS = {"gglib": "gglib", "gglib-tls": "**gglib, TLS**", "caddy": "Caddy", "caddy-tls": "Caddy, TLS"}
_HANDSHAKES = re.compile(r"(\d+) connections in (\d+) real seconds")


def main() -> None:
    """Measure, print the page, and write it."""
    parser = argparse.ArgumentParser(prog="bench.tls", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run that writes nothing")
    options = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("This reads Linux's /proc and pins processes: it runs on Linux only.")
    cores = Cores.of_this_machine()
    machine.raise_descriptor_limit()
    os.sched_setaffinity(0, cores.load)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        rounds = _measure(Path(directory), cores, is_quick=options.quick)
    text = page(rounds, str(cores))
    print(text)
    if not options.quick:
        RESULT.write_text(text)


def make_certificate(directory: Path) -> Certificate:
    """Return a certificate with a key of P-256, as authorities issue them for servers."""
    made = Certificate(directory / "own.crt", directory / "own.key")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(made.key))
    names = ("-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1")
    command = ["openssl", "req", "-x509", *key, *names, "-days", "1", "-out", str(made.certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return made


def measure_handshakes(side: Side, seconds: float) -> Figures:
    """Open connections one after the other, each with a full handshake."""
    command = ["openssl", "s_time", "-connect", side.host, "-new", "-time", str(max(round(seconds), 1))]
    window = UsageWindow(side.pids, (side.upstream_pid,))
    before_s = _children_s()
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    usage = window.close(_children_s() - before_s)
    found = _HANDSHAKES.search(output)
    assert found is not None, output
    done = int(found[1])
    figures = {"per_s": done / usage.wall_s, "cpu_ms_per_1000": usage.proxy_cpu_s * 1e6 / max(done, 1)}
    return figures | usage.as_figures()


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _measure(directory: Path, cores: Cores, *, is_quick: bool) -> dict[str, dict[str, list[Figures]]]:
    scale = QUICK if is_quick else FULL
    tools = Tools(scale, wrk.write_script(directory / "post.lua"))
    scenarios: Mapping[str, Callable[[Side], Figures]] = {
        "1 connection": lambda side: _whole(side, tools, 1),
        "32 connections": lambda side: _whole(side, tools, 32),
        "32 streams": lambda side: measure_streams(side, tools, 32),
        "handshakes": lambda side: measure_handshakes(side, scale.seconds),
    }
    rounds: dict[str, dict[str, list[Figures]]] = {name: {} for name in scenarios}
    with ExitStack() as stack:
        running = _started(stack, directory, cores)
        for number in range(scale.rounds):
            for name, measure in scenarios.items():
                for turn in range(len(running)):
                    side = running[(number + turn) % len(running)]
                    if name != "handshakes" or side.ca is not None:
                        rounds[name].setdefault(side.name, []).append(measure(side))
    return rounds


def _started(stack: ExitStack, directory: Path, cores: Cores) -> list[Side]:
    certificate = make_certificate(directory)
    starters = {"gglib": sides.gglib} | ({"caddy": sides.caddy} if find_program("caddy") else {})
    running = []
    for name, start in starters.items():
        for tls in (None, certificate):
            own = directory / (name if tls is None else f"{name}-tls")
            own.mkdir(mode=0o700)
            running.append(replace(stack.enter_context(start(own, cores, tls=tls)), name=own.name))
    return running


def _whole(side: Side, tools: Tools, connections: int) -> Figures:
    return wrk.run(side, tools.lua, connections=connections, seconds=tools.scale.seconds)


def page(rounds: Mapping[str, Mapping[str, list[Figures]]], pinning: str) -> str:
    """Return the results as Markdown: medians of the rounds."""
    others = max(
        (disturbance(f) for by_side in rounds.values() for fs in by_side.values() for f in fs), default=0.0
    )
    programs = machine.versions([name for name in ("caddy", "wrk") if find_program(name)])
    versions = ", ".join(f"{name} {version}" for name, version in programs.items())
    introduction = (
        f"Measured by `python -m bench.tls` on {datetime.now(UTC):%Y-%m-%d}: {machine.kind()}; {pinning}. {versions}. "
        f"Medians; other programs took up to {others:.0%} of a core. TLS 1.3 with a key of P-256; one core for each "
        "proxy. CPU is the proxy's own."
    )
    parts = [
        "# TLS",
        introduction,
    ]
    for name, by_side in rounds.items():
        unit = "chunks" if name == "32 streams" else "handshakes" if name == "handshakes" else "requests"
        rate = "units_per_s" if name == "32 streams" else "per_s"
        lines = [f"| {name} | {unit}/s | CPU ms per 1,000 {unit} |", "|---|--:|--:|"]
        for side, label in LABELS.items():
            if found := by_side.get(side):
                per_s, cpu = (statistics.median(f[key] for f in found) for key in (rate, "cpu_ms_per_1000"))
                lines.append(f"| {label} | {per_s:,.0f} | {cpu:,.2f} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
