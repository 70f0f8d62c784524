"""The coverage gate: every line and branch of the pure modules, a minimum for each other package.

    python -m pytest tests/unit --cov=gglib --cov-branch --cov-report=json
    python -m scripts.check_coverage coverage.json

``make test`` does both. Reads coverage.py's JSON report of the unit tests only: all decisions are in pure modules, so
unit tests reach them all. The rest (sockets, processes, SQLite, the terminal) is tested by integration tests in
processes that coverage does not measure; its minimum keeps the unit test coverage from falling unnoticed.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scripts.pure_modules import ROOT, pure_modules

FLOORS = {
    "app": 40, "cli": 40, "core": 90, "db": 30, "gguf": 90, "hf": 40, "http": 84, "library": 60, "proxy": 80,
    "runtime": 60, "system": 60, "testing": 40,
}  # fmt: skip
"""Minimum percentage of lines and branches that unit tests reach, by package."""


def complaints(files: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each module and package below its limit; ``files`` is the report's mapping by path."""
    for path in pure_modules():
        name = path.relative_to(ROOT).as_posix()
        if name in files:
            yield from uncovered(name, files[name])
        elif path.read_text(encoding="utf-8").strip():
            yield f"{name}: no test imports it"
    for package, floor in FLOORS.items():
        percent = share(
            file["summary"] for name, file in files.items() if name.startswith(f"src/gglib/{package}/")
        )
        if percent < floor:
            yield f"src/gglib/{package}: {percent:.1f} % is covered, {floor} % is the floor"


def uncovered(name: str, file: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines and branches of a pure module that no unit test reaches."""
    for line in file["missing_lines"]:
        yield f"{name}:{line}: not covered"
    for start, end in file["missing_branches"]:
        yield f"{name}:{start}: never goes on to {'the exit' if end < 0 else f'line {end}'}"


def share(group: Iterator[Mapping[str, int]]) -> float:
    """Return the percentage of lines and branches that are covered in a group of files; 100 for an empty one."""
    covered = total = 0
    for summary in group:
        covered += summary["covered_lines"] + summary["covered_branches"]
        total += summary["num_statements"] + summary["num_branches"]
    return 100 * covered / total if total else 100.0


def main() -> None:
    """Print what is below its limit; exit with 1 when anything is."""
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    found = list(complaints(report["files"]))
    print(
        "\n".join(found)
        or f"Coverage: {len(pure_modules())} pure modules at 100 %, every package above its floor."
    )
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
