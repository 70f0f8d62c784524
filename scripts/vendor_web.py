"""Write the libraries of the web page from their npm packages, pinned and verified (``make vendor-web``).

Versions are the exact ones of ``package.json``, hashes those of ``package-lock.json``: a tarball with another hash is
refused. The page has no build step, so each library is one ES module: bare imports become relative ones, and references
to source maps are removed. ``manifest.json`` records both hashes of each file, ``LICENCES.md`` has the licence texts,
and a ``.d.ts`` beside each module leads the type checker to the types of the package in ``node_modules``.
"""

import base64
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
VENDOR = ROOT / "src" / "gglib" / "proxy" / "web" / "page" / "vendor"
MANIFEST = "manifest.json"
LICENCES = "LICENCES.md"

_SOURCE_MAP = re.compile(r"\n?(?://#|/\*#) sourceMappingURL=\S+(?: \*/)?\s*\Z")
_IMPORT = re.compile(r"""((?:\bfrom|\bimport)\s*)(["'])([^"'\n]+)\2""")


class VendorError(Exception):
    """A package is not what the lock says, or a file is not what this script expects of it."""


def relative_imports(text: str) -> str:
    """Return an ES module whose imports are paths of files beside it. Raises ``VendorError`` for an unknown package."""

    def path_of(match: re.Match[str]) -> str:
        if match[3] not in MODULES:
            raise VendorError(f"No vendored file for the import {match[3]!r}: add its package to FILES.")
        return f"{match[1]}{match[2]}./{MODULES[match[3]]}{match[2]}"

    return _IMPORT.sub(path_of, text)


@dataclass(frozen=True, slots=True)
class VendorFile:
    """One written file: ``specifier`` is the import that other packages and the type checker know it by."""

    written: str
    package: str
    upstream: str
    specifier: str
    has_names: bool = True
    has_default: bool = False

    @property
    def types(self) -> str:
        """The ``.d.ts`` beside the module."""
        lines = [f'export * from "{self.specifier}";'] * self.has_names
        lines += [f'export {{ default }} from "{self.specifier}";'] * self.has_default
        return "".join(f"{line}\n" for line in lines)


FILES = (
    VendorFile("preact.js", "preact", "dist/preact.mjs", specifier="preact"),
    VendorFile("hooks.js", "preact", "hooks/dist/hooks.mjs", specifier="preact/hooks"),
    VendorFile(
        "signals-core.js",
        "@preact/signals-core",
        "dist/signals-core.mjs",
        specifier="@preact/signals-core",
    ),
    VendorFile("signals.js", "@preact/signals", "dist/signals.mjs", specifier="@preact/signals"),
    VendorFile("htm.js", "htm", "dist/htm.mjs", specifier="htm", has_names=False, has_default=True),
    VendorFile("marked.js", "marked", "lib/marked.esm.js", specifier="marked"),
)
MODULES = {file.specifier: file.written for file in FILES}


@dataclass(frozen=True, slots=True)
class Package:
    """A verified tarball: file contents by their paths in the package."""

    name: str
    version: str
    integrity: str
    contents: dict[str, bytes]

    @property
    def licence(self) -> str:
        """The SPDX identifier of its licence."""
        stated: str = json.loads(self.contents["package.json"])["license"]
        return stated


def locked(name: str) -> tuple[str, str]:
    """Return version and integrity of a package in the lock."""
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    entry = lock["packages"][f"node_modules/{name}"]
    return entry["version"], entry["integrity"]


def fetch(name: str) -> Package:
    """Return the package that the lock names, from npm's configured registry. Raises ``VendorError``."""
    version, integrity = locked(name)
    with tempfile.TemporaryDirectory() as directory:
        command = ["npm", "pack", "--silent", "--ignore-scripts", f"--pack-destination={directory}"]
        subprocess.run([*command, f"{name}@{version}"], check=True, stdout=subprocess.DEVNULL)
        (tarball,) = Path(directory).glob("*.tgz")
        digest = hashlib.sha512(tarball.read_bytes()).digest()
        if integrity != f"sha512-{base64.b64encode(digest).decode()}":
            raise VendorError(f"The tarball of {name} {version} has another hash than package-lock.json.")
        with tarfile.open(tarball) as archive:
            contents = {
                member.name.partition("/")[2]: extracted.read()
                for member in archive
                if (extracted := archive.extractfile(member)) is not None
            }
    return Package(name, version, integrity, contents)


def written_text(file: VendorFile, package: Package) -> str:
    """Return what the page gets of a package's file."""
    text = package.contents[file.upstream].decode()
    changed = relative_imports(_SOURCE_MAP.sub("\n", text).rstrip() + "\n")
    return changed.rstrip() + "\n"


def manifest_entry(file: VendorFile, package: Package, text: str) -> dict[str, Any]:
    """Return the record of one file: its origin, its licence, and both hashes."""
    return {
        "file": file.written,
        "package": package.name,
        "version": package.version,
        "licence": package.licence,
        "integrity": package.integrity,
        "upstream": file.upstream,
        "upstream_sha256": hashlib.sha256(package.contents[file.upstream]).hexdigest(),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "changes": "imports relative",
    }


def licences_text(packages: list[Package]) -> str:
    """Return the document with the licence of each package."""
    head = "# Licences of the vendored libraries\n\nWritten by `make vendor-web`.\n"
    sections = [
        f"\n## {package.name} {package.version}: {package.licence}\n\n"
        f"```text\n{package.contents['LICENSE'].decode().strip()}\n```\n"
        for package in packages
    ]
    return head + "".join(sections)


def main() -> int:
    """Write all files of ``vendor/``."""
    packages = {name: fetch(name) for name in dict.fromkeys(file.package for file in FILES)}
    VENDOR.mkdir(parents=True, exist_ok=True)
    entries = []
    for file in FILES:
        package = packages[file.package]
        text = written_text(file, package)
        (VENDOR / file.written).write_text(text, encoding="utf-8")
        (VENDOR / file.written).with_suffix(".d.ts").write_text(file.types, encoding="utf-8")
        entries.append(manifest_entry(file, package, text))
    (VENDOR / MANIFEST).write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    (VENDOR / LICENCES).write_text(licences_text(list(packages.values())), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
