"""The pure modules of the project, and the test file of each.

The pure modules are those of the import contract "What decides is pure" in pyproject.toml and all of ``gglib.core``
except its ports. The own test file of ``gglib.a.b`` is ``tests/unit/a/test_b.py``.
"""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
CONTRACT = "What decides is pure"


def own_test_file(module: Path) -> Path:
    """Return the path of a module's tests, by the layout of ``tests/unit``."""
    relative = module.relative_to(SOURCE / "gglib")
    if module.name == "__init__.py":
        return ROOT / "tests/unit" / relative.parent.parent / f"test_{module.parent.name}.py"
    return ROOT / "tests/unit" / relative.parent / f"test_{module.stem}.py"


def pure_modules() -> list[Path]:
    """Return the files of the contract's modules and of ``core``, without its ports."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    names = next(contract["source_modules"] for contract in contracts if contract["name"] == CONTRACT)
    found: list[Path] = []
    for name in names:
        place = SOURCE.joinpath(*name.split("."))
        found += sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    core = SOURCE / "gglib" / "core"
    found += [path for path in sorted(core.rglob("*.py")) if "ports" not in path.relative_to(core).parts]
    return list(dict.fromkeys(found))
