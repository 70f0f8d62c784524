"""The tables of ``docs/access.md`` agree with the code (``make access-table``)."""

import subprocess
import sys
from pathlib import Path

from scripts.access_table import COLUMNS

from gglib.proxy.routes.operation_spec import Access

ROOT = Path(__file__).parents[2]


def test_tables_are_up_to_date() -> None:
    """A new route or another access is written again."""
    command = [sys.executable, "-m", "scripts.access_table", "--check"]
    done = subprocess.run(command, cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 0, "run 'make access-table'"


def test_every_access_has_its_columns() -> None:
    """``tests/integration/proxy/test_proxy_access.py`` checks these statuses for each route."""
    assert set(COLUMNS) == set(Access)
