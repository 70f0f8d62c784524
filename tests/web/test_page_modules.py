"""The page's modules without a browser: their tests in Node.js, and the type checker.

A test file beside this one, ``NAME/*.test.mjs``, uses ``node:test`` and imports a module of the page that needs no DOM.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TSC = ROOT / "node_modules/.bin/tsc"
FILES = sorted(Path(__file__).parent.rglob("*.test.mjs"))
LIMIT_S = 120


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed: the page's modules")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(Path(__file__).parent).as_posix())
def test_modules(file: Path) -> None:
    """All tests of a file pass."""
    _run("node", str(file))


@pytest.mark.skipif(
    not TSC.exists(), reason="TypeScript is not installed, run 'make web-check': the page's types"
)
def test_types() -> None:
    """The page passes the type checker."""
    _run(str(TSC), "--project", str(ROOT))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert done.returncode == 0, done.stdout + done.stderr
