"""Kills the real engine with -9 at random points of streams and checks the responses.

The long version of ``tests/e2e/test_engine_deaths.py``. Each stream must end within 2 s with an error and without
``[DONE]``, or with a 502 before its first byte, and the next request must succeed at once. The same seed kills at the
same moments. A model that died three times within a minute is backed off, so each model is killed only twice. Linux
only: it reads ``/proc`` before it kills.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.e2e.conftest import make_home
from tests.e2e.engine_deaths import EngineDeathsPlan, engine_deaths
from tests.integration.chaos.report import Report


def main() -> int:
    """Print how the requests ended, their times and all complaints; return 1 if there is a complaint."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gglib-deaths-") as directory:
        report = run(EngineDeathsPlan(seed=options.seed, kills=options.kills), Path(directory) / "home")
    print(f"seed {options.seed}: {report}")
    for complaint in report.complaints:
        print(f"  {complaint}")
    return 1 if report.complaints else 0


def run(plan: EngineDeathsPlan, directory: Path) -> Report:
    """Serve from a temporary home while the engines are killed; check that none is left."""
    gglib = make_home(directory)
    try:
        report = asyncio.run(engine_deaths(plan, gglib))
    finally:
        exit_code = gglib.stop() if gglib.process is not None else 0
    report.complain(f"gglib ended with {exit_code}" if exit_code else "")
    report.complain(f"engines left: {left}" if (left := gglib.engines()) else "")
    return report


if __name__ == "__main__":
    sys.exit(main())
