"""Kills the real engine with -9 at random points of streams and checks the responses.

The long version of ``tests/e2e/test_engine_deaths.py``. Each stream must end within 2 s with an error and without
``[DONE]``, or with a 502 before its first byte, and the next request must succeed at once. The same seed kills at the
same moments. A model that died three times within a minute is backed off, so each model is killed only twice. Linux
only: it reads ``/proc`` before it kills.
"""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.e2e.conftest import Gglib
from tests.e2e.engine_deaths import EngineDeathsPlan, engine_deaths
from tests.e2e.kill_program import kill_program
from tests.integration.chaos.report import Report


def run(seed: int, kills: int, gglib: Gglib) -> Report:
    """Kill engines in mid-stream."""
    return asyncio.run(engine_deaths(EngineDeathsPlan(seed=seed, kills=kills), gglib))


if __name__ == "__main__":
    sys.exit(kill_program(__doc__, run, kills=200))
