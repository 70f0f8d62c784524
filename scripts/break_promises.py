"""Mutation test of the scheduler's promises: inject faults and check that a test detects each one.

Every fault is one replacement in a copy of the sources; the property tests and the playbooks run against the copy. The
exit code is 1 if a fault is not detected. The list of faults and the tests that detect them is written to
``docs/promise-faults.md``.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = Path(__file__).with_name("promise_faults.toml")
RUNTIME = Path("gglib") / "runtime"
PROPERTIES = "tests/property/promises"
PLAYBOOKS = "tests/unit/runtime/scheduler"
LIMIT_S = 900

PROMISES = {
    1: "A request in flight is never killed by a swap.",
    2: "One load serves all waiters of its model; they are granted together.",
    3: "No starvation: after `swap_wait_s` the running model takes no new requests, drains, and is swapped.",
    4: "No thrash: until then, requests for the running model pass the queue.",
    5: "Never more residents than the capacity, never an eviction of a model in use, never two launches of one model.",
    6: "A cancelled waiter is dropped at once; an abandoned load is stopped if its place is needed. A started swap is "
    "finished, and a load that was requested without waiting (`Prefer: wait=0`) runs when there is a place.",
    7: "A failed launch refuses its waiters once, then the model is backed off. A load that ran out of memory is "
    "repeated once, after the idle models have stopped.",
    8: "The models never take more memory than the budget of a device. Nothing is evicted for what cannot fit, nor "
    "more than needed, and the cheapest to lose goes first.",
    9: "Interactive requests come before batch requests, until these have waited for `swap_wait_s`.",
    10: "A pinned model stays.",
}
OTHERS = "Other rules: stalls, idle time-to-live, keep-warm, stopping, removal, the queue limit"


INTRODUCTION = """# Faults that the tests of the promises detect

`scripts/break_promises.py` injects these faults into the scheduler, one at a time, and runs the tests of the
[promises](promises.md) against each: the properties with at most {examples} sequences, and the playbooks. A dash: these
tests did not detect the fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: ``old`` is replaced by ``new`` in a module of the runtime."""

    promise: int
    what: str
    module: str
    old: str
    new: str


def main() -> int:
    """Inject every fault, write the list, and return 1 if one was not detected."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--examples", type=int, default=2000, help="sequences per fault at most (default 2000)"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="only faults with this text; writes no list")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "promise-faults.md")
    options = parser.parse_args()
    faults = [Fault(**fault) for fault in tomllib.loads(LIST.read_text())["fault"]]
    faults = [fault for fault in faults if options.only in fault.what]
    with ThreadPoolExecutor(options.jobs) as pool:
        noticed = list(pool.map(lambda fault: notice(fault, options.examples), faults))
    if not options.only:
        options.output.write_text(page(list(zip(faults, noticed, strict=True)), options.examples))
    missed = [fault for fault, by in zip(faults, noticed, strict=True) if not any(by)]
    for fault in missed:
        print(f"not detected: {fault.what}")
    print(
        f"{len(faults) - len(missed)} of {len(faults)} faults detected; the list is in {options.output.name}"
    )
    return 1 if missed else 0


def notice(fault: Fault, examples: int) -> tuple[str, str]:
    """Return how the properties and the playbooks fail with a fault; an empty text if they pass."""
    with tempfile.TemporaryDirectory(prefix="gglib-fault-") as directory:
        sources = Path(directory) / "src"
        shutil.copytree(ROOT / "src", sources, ignore=shutil.ignore_patterns("__pycache__"))
        module = sources / RUNTIME / fault.module
        text = module.read_text()
        if text.count(fault.old) != 1:
            raise SystemExit(f"'{fault.what}': 'old' occurs {text.count(fault.old)} times in {fault.module}")
        broken = text.replace(fault.old, fault.new)
        compile(broken, fault.module, "exec")  # a syntax error is no fault: every test would detect it
        module.write_text(broken)
        verdict = _run(sources, PROPERTIES, examples), _run(sources, PLAYBOOKS, examples)
    print(f"{'detected' if any(verdict) else 'MISSED  '}  {fault.promise}: {fault.what}", flush=True)
    return verdict


def _run(sources: Path, tests: str, examples: int) -> str:
    """Run tests against a copy of the sources and return the first failure."""
    environment = os.environ | {
        "PYTHONPATH": str(sources),
        "PYTHONDONTWRITEBYTECODE": "1",
        "GGLIB_PROMISE_EXAMPLES": str(examples),
        "GGLIB_PROMISE_SEED": "1",
        "GGLIB_PROMISE_UNSHRUNK": "1",
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", tests]
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    if result.returncode == 0:
        return ""
    if result.returncode != 1:
        raise SystemExit(f"the tests did not run: {result.stdout[-2000:]}{result.stderr[-2000:]}")
    failed = re.search(r"^FAILED \S+::(\w+)", result.stdout, re.MULTILINE)
    if tests == PLAYBOOKS and failed:
        return f"`{failed[1]}`"
    messages = re.findall(r"AssertionError: (\d*:? ?[^\n]+)", result.stdout)
    return messages[-1] if messages else "an error of the scheduler or of the model"


def page(verdicts: list[tuple[Fault, tuple[str, str]]], examples: int) -> str:
    """Return the list as Markdown."""
    parts = [INTRODUCTION.format(examples=examples)]
    for promise, text in (*PROMISES.items(), (0, OTHERS)):
        rows = [
            f"| {fault.what} | {by[0] or '-'} | {by[1] or '-'} |"
            for fault, by in verdicts
            if fault.promise == promise
        ]
        heading = f"## {promise}. {text}" if promise else f"## {text}"
        head = [
            heading,
            "",
            "| fault | failed property | first failed playbook |",
            "|---|---|---|",
        ]
        parts.append("\n".join([*head, *rows]))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main())
