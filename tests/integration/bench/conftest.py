"""The bench is no part of the package: it is found from the project's root, however the tests are started."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[3])

if ROOT not in sys.path:
    sys.path.append(ROOT)
