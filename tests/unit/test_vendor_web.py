"""The libraries of the page are the files of their packages, with the changes of ``make vendor-web`` alone."""

import hashlib
import json
import re

import pytest
from scripts.vendor_web import (
    FILES,
    LICENCES,
    MANIFEST,
    ROOT,
    VENDOR,
    Package,
    VendorError,
    VendorFile,
    locked,
    relative_imports,
    written_text,
)

ENTRIES = json.loads((VENDOR / MANIFEST).read_text(encoding="utf-8"))
_BARE_IMPORT = re.compile(r"""\b(?:from|import)\s*\(?\s*["'](?!\./)[^"'\n]*["']""")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_each_file_is_the_one_of_the_manifest(entry: dict[str, str]) -> None:
    """An edit by hand would be lost at the next update; the lock decides which version is shipped."""
    content = (VENDOR / entry["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    assert (entry["version"], entry["integrity"]) == locked(entry["package"])


def test_the_manifest_names_every_vendored_file() -> None:
    """No script without an origin."""
    found = {path.name for path in VENDOR.iterdir() if path.suffix in {".js", ".css"}}
    assert found == {entry["file"] for entry in ENTRIES} == {file.written for file in FILES}


def test_versions_are_the_exact_ones_of_package_json() -> None:
    """A range would let the types and the shipped files be of different versions."""
    stated = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    assert {entry["package"]: entry["version"] for entry in ENTRIES}.items() <= stated.items()


def test_the_lock_has_hashes_and_no_registry() -> None:
    """Packages come from the registry that npm is configured with."""
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert all("resolved" not in entry for entry in packages.values())
    assert all("integrity" in entry for path, entry in packages.items() if path)


def test_every_package_has_its_licence() -> None:
    """The licences ask that their texts go with the files."""
    text = (VENDOR / LICENCES).read_text(encoding="utf-8")
    for entry in ENTRIES:
        assert f"## {entry['package']} {entry['version']}: {entry['licence']}\n" in text
    assert {entry["licence"] for entry in ENTRIES} == {"MIT", "Apache-2.0"}


@pytest.mark.parametrize("name", [file.written for file in FILES])
def test_a_module_imports_only_files_beside_it(name: str) -> None:
    """A browser resolves no bare imports, and a source map that is not shipped is a failed request."""
    text = (VENDOR / name).read_text(encoding="utf-8")
    assert not _BARE_IMPORT.search(text)
    assert "sourceMappingURL" not in text
    assert (VENDOR / name).with_suffix(".d.ts").exists()


def test_imports_become_relative() -> None:
    """Both forms, both quotes; another package is an error, not a broken page."""
    text = "import{h as t}from\"preact\";import 'preact/hooks';export{a}from'@preact/signals-core';"
    assert relative_imports(text) == (
        "import{h as t}from\"./preact.js\";import './hooks.js';export{a}from'./signals-core.js';"
    )
    with pytest.raises(VendorError, match="'lodash'"):
        relative_imports('import x from "lodash";')


@pytest.mark.parametrize(
    "source",
    ["a;\n//# sourceMappingURL=a.map\n", "a;//# sourceMappingURL=a.map", "a;\n/*# sourceMappingURL=a.map */"],
)
def test_source_maps_are_removed(source: str) -> None:
    """They are not shipped."""
    file = VendorFile("a.js", "a", "a.mjs", "a")
    assert written_text(file, Package("a", "1.0.0", "", {"a.mjs": source.encode()})) == "a;\n"
