"""The tables of ``docs/import.md`` agree with the code (``make import-tables``)."""

import subprocess
import sys
from pathlib import Path

from scripts.import_tables import ROLE_TEXTS

from gglib.library.importers.configurations.server_options import Role

ROOT = Path(__file__).parents[2]


def test_tables_are_up_to_date() -> None:
    """A new rule is written again."""
    command = [sys.executable, "-m", "scripts.import_tables", "--check"]
    done = subprocess.run(command, cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 0, "run 'make import-tables'"


def test_every_role_of_an_option_is_described() -> None:
    """Options without a counterpart have their reasons instead."""
    assert set(ROLE_TEXTS) == set(Role) - {Role.LISTED}
