"""Write the tables of modules into the READMEs of the packages, and the badges of the root README.

A table has a row for each module: its lines of code, the highest cyclomatic complexity of its functions, its coverage,
and the first line of its docstring. It stands between two markers, so that the text around it is written by hand.
Coverage comes from a report (``coverage json``); without a report, the numbers in the table are kept.
"""

import argparse
import ast
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.marked_text import with_marked

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "gglib"
BADGES = ROOT / "docs" / "badges"
BEGIN, END = "<!-- modules: written by `make module-tables` -->", "<!-- end of modules -->"
_ROW = re.compile(r"^\| `([\w/.]+)` \| \d+ \| \d+ \| ([\d?]+) ?%? \|", re.MULTILINE)
_COMPLEXITY = re.compile(r"too complex \((\d+) > 0\)")
UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Module:
    """A row of a table."""

    name: str
    """Its path relative to the package."""
    lines: int
    """Without blank lines, comments and docstrings."""
    complexity: int
    coverage: str
    """In percent; ``UNKNOWN`` if no report contains the module."""
    summary: str


def packages() -> list[Path]:
    """Return the top-level packages."""
    return sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))


def modules_of(package: Path) -> list[Path]:
    """Return the modules of a package that are not empty."""
    return [path for path in sorted(package.rglob("*.py")) if code_lines(path.read_text(encoding="utf-8"))]


def code_lines(source: str) -> int:
    """Return the number of lines of code in a module."""
    tree = ast.parse(source)
    docstrings: set[int] = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            docstrings.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return sum(
        bool(line.strip()) and not line.strip().startswith("#")
        for number, line in enumerate(source.splitlines(), 1)
        if number not in docstrings
    )


def complexities() -> Mapping[Path, int]:
    """Return the highest cyclomatic complexity of a function of each module, as ruff counts it (McCabe's)."""
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        "C901",
        "--output-format",
        "json",
    ]
    options = ["--config", "lint.mccabe.max-complexity=0", "--exit-zero", str(PACKAGE)]
    found: dict[Path, int] = defaultdict(int)
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    for one in json.loads(done.stdout):
        match = _COMPLEXITY.search(one["message"])
        if match is not None:
            path = Path(one["filename"])
            found[path] = max(found[path], int(match[1]))
    return found


def coverages(report: Path | None) -> Mapping[Path, str]:
    """Return the coverage of each module in a report, branches included."""
    if report is None:
        return {}
    files = json.loads(report.read_text(encoding="utf-8"))["files"]
    return {
        (ROOT / name).resolve(): str(int(file["summary"]["percent_covered"])) for name, file in files.items()
    }


def known_coverages(readme: str) -> Mapping[str, str]:
    """Return the coverage of each module in an existing table."""
    return dict(_ROW.findall(readme))


def summary_of(source: str) -> str:
    """Return the first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def rows_of(package: Path, complexity: Mapping[Path, int], coverage: Mapping[Path, str]) -> list[Module]:
    """Return the rows of a package's table."""
    known = known_coverages((package / "README.md").read_text(encoding="utf-8"))
    rows = []
    for path in modules_of(package):
        name, source = str(path.relative_to(package)), path.read_text(encoding="utf-8")
        covered = coverage.get(path, known.get(name, UNKNOWN))
        rows.append(Module(name, code_lines(source), complexity.get(path, 0), covered, summary_of(source)))
    return rows


def table(rows: list[Module]) -> str:
    """Return a table as Markdown, in a collapsed section."""
    lines = sum(row.lines for row in rows)
    head = [
        f"<details><summary>{len(rows)} modules, {lines:,} lines of code</summary>",
        "",
        "| module | lines | complexity | coverage | |",
        "|---|---:|---:|---:|---|",
    ]
    body = [
        f"| `{row.name}` | {row.lines} | {row.complexity} | {row.coverage}{'' if row.coverage == UNKNOWN else ' %'} "
        f"| {row.summary.replace('|', chr(92) + '|')} |"
        for row in rows
    ]
    return "\n".join([*head, *body, "", "</details>"])


def badge(label: str, value: str) -> str:
    """Return a badge as SVG, generated without a badge service."""
    left, right = 10 + 7 * len(label), 10 + 7 * len(value)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="{label}: {value}"><rect rx="3" width="{left + right}" height="20" fill="#57606a"/>'
        f'<rect rx="3" x="{left}" width="{right}" height="20" fill="#0969da"/>'
        '<g fill="#fff" font-family="Verdana,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left / 2}" y="14">{label}</text><text x="{left + right / 2}" y="14">{value}</text></g></svg>\n'
    )


def main() -> None:
    """Write all tables and badges."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--coverage", type=Path, help="a report of 'coverage json'")
    options = parser.parse_args()
    complexity, coverage = complexities(), coverages(options.coverage)
    everything: list[Module] = []
    for package in packages():
        readme, rows = package / "README.md", rows_of(package, complexity, coverage)
        text = with_marked(readme.read_text(encoding="utf-8"), BEGIN, END, table(rows))
        readme.write_text(text, encoding="utf-8")
        everything += rows
    BADGES.mkdir(parents=True, exist_ok=True)
    covered = [(row.lines, int(row.coverage)) for row in everything if row.coverage != UNKNOWN]
    total = sum(lines for lines, _ in covered)
    values = {
        "modules": f"{len(everything)}",
        "lines": f"{sum(row.lines for row in everything):,}",
        "complexity": f"at most {max(row.complexity for row in everything)}",
        "coverage": f"{sum(lines * share for lines, share in covered) // total} %" if total else UNKNOWN,
    }
    for label, value in values.items():
        (BADGES / f"{label}.svg").write_text(badge(label, value), encoding="utf-8")


if __name__ == "__main__":
    main()
