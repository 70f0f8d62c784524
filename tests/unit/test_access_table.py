"""The tables of ``docs/access.md`` agree with the code (``make access-table``)."""

import subprocess
import sys
from pathlib import Path

import pytest
from scripts.access_table import COLUMNS, with_table

from gglib.proxy.routes.operation_spec import Access

SCRIPT = Path(__file__).parents[2] / "scripts" / "access_table.py"


def test_tables_are_up_to_date() -> None:
    """A new route or another access is written again."""
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], check=False, timeout=60)
    assert done.returncode == 0, "run 'make access-table'"


def test_every_access_has_its_columns() -> None:
    """``tests/integration/proxy/test_proxy_access.py`` checks these statuses for each route."""
    assert set(COLUMNS) == set(Access)


def test_document_without_markers_is_an_error() -> None:
    """Else a table would silently stay as it is."""
    with pytest.raises(ValueError, match="it has no markers"):
        with_table("text", "routes", "")
