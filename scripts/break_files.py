"""Inject faults into the code that keeps files apart, one at a time, and check that a test detects each one.

Every fault of ``file_faults.toml`` is one replacement in a copy of the sources. The known sequences and the random ones
(``test_known_sequences.py``, ``test_model_of_files.py``) run against the copy. If they pass, the contract of the
catalogue (``test_version_store.py``) runs: it covers concurrent changes by another process, which no sequence of whole
commands contains. An undetected fault is printed, and the exit code is 1.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = Path(__file__).with_name("file_faults.toml")
SEQUENCES = tuple(
    f"tests/integration/files/{name}" for name in ("test_known_sequences.py", "test_model_of_files.py")
)
CONTRACT = ("tests/contract/test_version_store.py",)
LIMIT_S = 1800


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: ``old`` is replaced by ``new`` in a module."""

    what: str
    module: str
    old: str
    new: str


def faults_with(text: str) -> list[Fault]:
    """Return the faults whose description contains a text."""
    faults = [Fault(**fault) for fault in tomllib.loads(LIST.read_text())["fault"]]
    return [fault for fault in faults if text in fault.what]


def notice(fault: Fault, examples: int) -> str | None:
    """Return which test detected a fault, or None."""
    with tempfile.TemporaryDirectory(prefix="gglib-fault-") as directory:
        source = Path(directory) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        module = source / "gglib" / fault.module
        text = module.read_text()
        if text.count(fault.old) != 1:
            return f"NOT APPLIED: {text.count(fault.old)} places in {fault.module}"
        module.write_text(text.replace(fault.old, fault.new))
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(source), str(ROOT)]),
            "GGLIB_FILES_EXAMPLES": str(examples),
            "GGLIB_FILES_SEED": "7",
            "GGLIB_FILES_UNSHRUNK": "1",
        }
        by = _run(SEQUENCES, environment)
        if by is None and (by := _run(CONTRACT, environment)) is not None:
            by = f"by the contract alone: {by}"
    return by


def _run(tests: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """Run tests against a copy of the sources, and return the first failure."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=short", *tests]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    if ended.returncode == 0:
        return None
    found = re.findall(r"^E +(?:\w*Error: )?(.*)$", ended.stdout, re.MULTILINE)
    return str(found[0])[:160] if found else ended.stdout[-300:]


def main() -> int:
    """Inject every fault, print which test detected it, and return 1 if one was not detected."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--examples", type=int, default=300, help="sequences per fault at most (default 300)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="only faults with this text")
    options = parser.parse_args()
    faults = faults_with(options.only)
    missed = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        results = pool.map(lambda fault: (fault, notice(fault, options.examples)), faults)
        for fault, by in results:
            is_missed = by is None or by.startswith("NOT APPLIED")
            missed += is_missed
            print(f"{'MISSED ' if is_missed else 'noticed'} {fault.what}: {by}", flush=True)
    print(f"{len(faults) - missed} of {len(faults)} faults noticed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
