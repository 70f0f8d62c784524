"""Kills gglib, and the real engine, with -9 while conversations are saved and restored.

The long version of ``test_kills_leave_nothing_wrong`` in ``tests/e2e/test_kept_prompts.py``. After each kill the next
turn of the conversation has to be answered as without any saved one, the next load has to work, and no half of a save,
no directory of a launch and no engine may be left. A kill comes within two milliseconds of the first sight of the file
that is written or read; how many came while it was there is printed. Linux only.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.e2e.conftest import make_home
from tests.e2e.save_kills import SaveKills, SaveKillsPlan
from tests.integration.chaos.report import Report


def main() -> int:
    """Print the kills and all complaints; return 1 if there is a complaint."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gglib-saves-") as directory:
        report = run(SaveKillsPlan(seed=options.seed, kills=options.kills), Path(directory) / "home")
    print(f"seed {options.seed}: {report}")
    for complaint in report.complaints:
        print(f"  {complaint}")
    return 1 if report.complaints else 0


def run(plan: SaveKillsPlan, directory: Path) -> Report:
    """Serve from a temporary home during the kills; check that no engine is left."""
    gglib = make_home(directory)
    gglib.command("set", "tiny-a", "--keep-conversations", "on")
    gglib.command("config", "set", "kv_keep_over_restart", "true")
    kills = SaveKills(plan, gglib)
    try:
        kills.run()
    finally:
        exit_code = gglib.stop() if gglib.process is not None else 0
    kills.report.complain(f"gglib ended with {exit_code}" if exit_code else "")
    kills.report.complain(f"engines left: {left}" if (left := gglib.engines()) else "")
    return kills.report


if __name__ == "__main__":
    sys.exit(main())
