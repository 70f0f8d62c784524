"""The command line of the long runs of kills: ``scripts/kill_engines.py`` and ``scripts/kill_saves.py``."""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.e2e.conftest import Gglib, make_home
from tests.integration.chaos.report import Report

Kills = Callable[[int, int, Gglib], Report]
"""Kills with a seed, so many times, a gglib with a temporary home."""


def kill_program(description: str | None, run: Kills, *, kills: int) -> int:
    """Run the kills of the command line, and print the report and all complaints; return 1 if there is a complaint.

    ``kills`` is the default number. gglib is stopped afterwards; no engine may be left.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=kills)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gglib-kills-") as directory:
        gglib = make_home(Path(directory) / "home")
        try:
            report = run(options.seed, options.kills, gglib)
        finally:
            exit_code = gglib.stop() if gglib.process is not None else 0
        report.complain(f"gglib ended with {exit_code}" if exit_code else "")
        report.complain(f"engines left: {left}" if (left := gglib.engines()) else "")
    print(f"seed {options.seed}: {report}")
    for complaint in report.complaints:
        print(f"  {complaint}")
    return 1 if report.complaints else 0
