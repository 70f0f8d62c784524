"""Write Grafana's dashboard of gglib into the package: ``python -m scripts.grafana_dashboard``."""

import argparse
import sys
from pathlib import Path

from scripts.grafana_dashboard.dashboard import text

FILE = Path(__file__).resolve().parents[2] / "src" / "gglib" / "app" / "monitoring" / "grafana" / "gglib.json"


def main() -> int:
    """Write the file, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is out of date")
    options = parser.parse_args()
    if options.check:
        return int(FILE.read_text(encoding="utf-8") != text())
    FILE.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
