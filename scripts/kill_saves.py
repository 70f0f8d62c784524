"""Kills gglib, and the real engine, with -9 while conversations are saved and restored.

The long version of ``test_kills_leave_nothing_wrong`` in ``tests/e2e/test_kept_prompts.py``. After each kill the next
turn of the conversation has to be answered as without any saved one, the next load has to work, and no half of a save,
no directory of a launch and no engine may be left. A kill comes within two milliseconds of the first sight of the file
that is written or read; how many came while it was there is printed. Linux only.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.e2e.conftest import Gglib
from tests.e2e.kill_program import kill_program
from tests.e2e.save_kills import SaveKills, SaveKillsPlan
from tests.integration.chaos.report import Report


def run(seed: int, kills: int, gglib: Gglib) -> Report:
    """Kill during saves and restores of one model, whose conversations outlast gglib."""
    gglib.command("set", "tiny-a", "--keep-conversations", "on")
    gglib.command("config", "set", "kv_keep_over_restart", "true")
    return SaveKills(SaveKillsPlan(seed=seed, kills=kills), gglib).run()


if __name__ == "__main__":
    sys.exit(kill_program(__doc__, run, kills=100))
