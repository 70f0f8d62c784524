"""The core stays small: each of its modules is needed by several packages."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2] / "src" / "gglib"
ABOVE = {"app", "cli", "testing", ""}
"""Packages that may import any other: what one package and these need lives in that package."""
REASONS = {
    "gglib.core.api_keys": "settings are read without loading the proxy",
    "gglib.core.authorities": "proxy hides whole behind serve(): nothing above looks into it",
    "gglib.core.history.times": "commands take the forms of the API, also without a server",
    "gglib.core.runtime.engine_choice": "settings are read without loading the runtime",
    "gglib.core.runtime.expectation": "gglib top counts its seconds on without loading the runtime",
    "gglib.core.ports.memory_peaks": "a port: app asks for it and puts the database there",
    "gglib.core.ports.releases": "a port: app asks for it, hf has the adapter",
    "gglib.core.ports.store": "a port: library asks for it, app puts the database there",
    "gglib.core.history.recording": "settings are read without loading the proxy",
    **{
        f"gglib.core.history.{name}": "app gives the redaction its keys, and the database stores what proxy captured"
        for name in (
            "embedded_data",
            "private_keys",
            "redaction",
            "secrets",
            "stream_dialects",
            "stream_parts",
            "streams",
        )
    },
}
"""Modules that one package below ``app`` needs, and why they are here all the same."""


def importers() -> dict[str, set[str]]:
    """Return the modules that import each module."""
    names = {
        ".".join(("gglib", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in ROOT.rglob("*.py")
    }
    found = defaultdict(set)
    for name, path in names.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    found[inner if inner in names else node.module].add(name)
    return found


def packages_that_need(module: str, by: dict[str, set[str]], seen: frozenset[str] = frozenset()) -> set[str]:
    """Return the top packages that import a module, directly or through other modules of the core."""
    packages = set()
    for importer in by[module] - seen:
        top = importer.split(".")[1] if "." in importer else ""
        if top == "core":
            packages |= packages_that_need(importer, by, seen | {module, importer})
        else:
            packages.add(top)
    return packages


def test_module_of_one_package_is_not_in_the_core() -> None:
    """It belongs to that package; each exception has its reason, and is still needed."""
    by = importers()
    core = sorted(module for module in by if module.startswith("gglib.core."))
    lonely = {module for module in core if len(packages_that_need(module, by) - ABOVE) < 2}
    assert lonely == set(REASONS)
