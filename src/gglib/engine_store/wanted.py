"""What a user asks ``gglib engine install`` for, and the build that it means. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from gglib.core.errors import EngineInstallError
from gglib.core.file_names import shown
from gglib.core.hub.releases import Release, ReleaseFile
from gglib.engine_store.builds import (
    Backend,
    Build,
    Machine,
    Platform,
    best_build,
    matching_builds,
    read_build,
)

POINTER_NAME = "nightly-tag.txt"
"""The only file of llama.cpp's announced versions (``v0.6.0``): it has the tag of their build."""
_TARGET = re.compile(r"(?P<tag>b\d{1,9}|v\d[\w.]{0,30})(?:-(?P<kind>[a-z0-9][a-z0-9.-]{0,40}))?", re.ASCII)
_BUILD_TAG = re.compile(r"b\d{1,9}", re.ASCII)
_KIND = re.compile(r"[a-z]{2,20}(?:-[a-z0-9.]{1,20})?", re.ASCII)
_ARCHIVE_SUFFIXES = (".zip", ".tar.gz", ".tgz", ".whl")
_WHEEL = re.compile(r"(?P<name>[A-Za-z0-9_.]+)-(?P<version>[A-Za-z0-9_.+!]+)-[^/]+\.whl", re.ASCII)
_UNFIT = re.compile(r"[^A-Za-z0-9.+-]+")
_INSTEAD = "compile llama.cpp, and type 'gglib engine use /PATH/TO/llama-server'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A build: of a release (None: the latest), and of a kind (None: the best for this machine)."""

    tag: str | None = None
    kind: str | None = None


def is_file_target(target: str) -> bool:
    """Whether a target is a local file: it has a slash, or the suffix of an archive."""
    return "/" in target or target.lower().endswith(_ARCHIVE_SUFFIXES)


def read_wanted(target: str | None) -> Wanted:
    """Return what a target means: ``b11462``, ``cuda``, ``b11462-vulkan``. Raises ``EngineInstallError``."""
    if target is None:
        return Wanted()
    word = target.strip().lower()
    found = _TARGET.fullmatch(word)
    if found is not None:
        return Wanted(tag=found["tag"], kind=found["kind"])
    if _KIND.fullmatch(word) and word.partition("-")[0] in {*Backend, "hip"}:
        return Wanted(kind=word)
    raise EngineInstallError(
        f"'{shown(target)}' is neither a build (b11462), nor a backend ({', '.join(Backend)}), nor a file: "
        "'gglib engine list --available' shows the builds for this machine."
    )


def pointed_tag(content: bytes) -> str | None:
    """Return the tag in the file of an announced version; None if it has none."""
    text = content.decode(errors="replace").strip()
    return text if _BUILD_TAG.fullmatch(text) else None


def pointer_of(release: Release) -> ReleaseFile | None:
    """Return the file that names the build of an announced version; None for a release of builds."""
    return release.file(POINTER_NAME)


def choose_build(release: Release, builds: Sequence[Build], wanted: Wanted, machine: Machine) -> Build:
    """Return the build to install. Raises ``EngineInstallError``, which says what there is instead."""
    if not builds:
        raise EngineInstallError(f"llama.cpp {release.tag} has no build for {machine.platform}: {_INSTEAD}.")
    fitting = builds if wanted.kind is None else matching_builds(builds, wanted.kind)
    build = best_build(fitting, machine)
    if build is None and wanted.kind is not None and fitting:
        build = fitting[-1]  # asked for by name, although it may find no GPU
    if build is not None:
        return build
    kinds = ", ".join(each.kind for each in builds)
    what = f"no '{wanted.kind}' build" if wanted.kind else "no build"
    raise EngineInstallError(
        f"llama.cpp {release.tag} has {what} for {machine.platform}, only {kinds}: install one of these, or {_INSTEAD}."
    )


def name_of_file(file_name: str, platform: Platform) -> tuple[str, str | None]:
    """Return the name and the kind of the engine in a local archive; the kind is None if the name does not say.

    Raises ``EngineInstallError`` for a build of another platform.
    """
    build = read_build(ReleaseFile(name=file_name, size_bytes=0, url=""))
    if build is not None:
        if build.platform != platform:
            raise EngineInstallError(
                f"{file_name} is a build for {build.platform}, and this machine is {platform}: 'gglib engine list "
                "--available' shows the builds for it."
            )
        return build.name, build.kind
    return name_of_wheel(file_name) or _fitting(_stem(file_name)) or "engine", None


def name_of_wheel(file_name: str) -> str | None:
    """Return the name and the version of a wheel, as the name of an engine; None for another file."""
    wheel = _WHEEL.fullmatch(file_name)
    return None if wheel is None else _fitting(f"{wheel['name']}-{wheel['version']}")


def _fitting(text: str) -> str:
    return _UNFIT.sub("-", text).strip("-.+")


def _stem(file_name: str) -> str:
    name = PurePosixPath(file_name).name
    suffix = next((each for each in _ARCHIVE_SUFFIXES if name.lower().endswith(each)), "")
    return name[: len(name) - len(suffix)]
