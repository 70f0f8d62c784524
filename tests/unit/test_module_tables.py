"""Every package has a README whose table has every module, and no other (``make module-tables``)."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "gglib"
PACKAGES = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
ROW = re.compile(r"^\| `([\w/.]+)` \| \d+ \| \d+ \| [\d?]+(?: %)? \| (.*) \|$", re.MULTILINE)


def modules(package: Path) -> dict[str, str]:
    """Return the first line of the docstring of each module that is more than a docstring."""
    found = {}
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstring = ast.get_docstring(tree)
        if tree.body[1 if docstring is not None else 0 :]:
            found[str(path.relative_to(package))] = (docstring or "").partition("\n")[0]
    return found


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_table_of_a_package_is_up_to_date(package: Path) -> None:
    """Names and summaries are those of the modules; the numbers are of the last time that the tables were written."""
    readme = (package / "README.md").read_text(encoding="utf-8")
    rows = {name: summary.replace(r"\|", "|") for name, summary in ROW.findall(readme)}
    assert rows == modules(package), "run 'make module-tables'"


def test_every_package_is_checked() -> None:
    """There are as many as the layers have."""
    assert {package.name for package in PACKAGES} >= {
        "core",
        "http",
        "proxy",
        "runtime",
        "library",
        "db",
        "hf",
        "app",
        "cli",
    }
