"""The builds of llama.cpp in a release, and which of them fits a machine. Pure.

The names are those of llama.cpp's release workflow (``.github/workflows/release.yml``), seen in b4282 to b11462:
``llama-b11462-bin-ubuntu-vulkan-x64.tar.gz``; zip archives until late 2025, on Windows still. A CUDA build needs the
libraries of CUDA, which are an archive of their own (``cudart-llama-…``) since a driver does not bring them.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from gglib.core.hub.releases import Release, ReleaseFile


class Backend(StrEnum):
    """What a build computes with, besides the processor."""

    CPU = "cpu"
    VULKAN = "vulkan"
    CUDA = "cuda"
    ROCM = "rocm"
    METAL = "metal"
    SYCL = "sycl"
    OPENVINO = "openvino"


class GpuMaker(StrEnum):
    """Makers of GPUs that a build can be chosen for."""

    NVIDIA = "nvidia"
    AMD = "amd"
    INTEL = "intel"
    APPLE = "apple"


@dataclass(frozen=True, slots=True)
class Platform:
    """The system and the processor that a program is built for."""

    system: str
    """``linux``, ``macos`` or ``windows``."""
    processor: str
    """``x64``, ``arm64`` …"""

    def __str__(self) -> str:
        return f"{self.system} {self.processor}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a build is chosen for."""

    platform: Platform
    makers: frozenset[GpuMaker] = frozenset()
    """Of the GPUs with a driver."""
    cuda: tuple[int, int] | None = None
    """The newest CUDA version that NVIDIA's driver supports; None if unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A program for one platform and one backend."""

    tag: str
    platform: Platform
    backend: Backend
    variant: str = ""
    """The version of the toolkit (``13.4``) or another distinction (``fp16``)."""
    archive: ReleaseFile
    libraries: ReleaseFile | None = None
    """The archive with the libraries of CUDA for this build; None if it needs none, or the release has none."""

    @property
    def kind(self) -> str:
        """``vulkan``, ``cuda-13.4``."""
        return f"{self.backend}-{self.variant}" if self.variant else f"{self.backend}"

    @property
    def name(self) -> str:
        """``b11462-cuda-13.4``: also the name of its directory, so it has only letters, digits, dots and hyphens."""
        return f"{self.tag}-{self.kind}"

    @property
    def archives(self) -> tuple[ReleaseFile, ...]:
        """All files to download."""
        return (self.archive,) if self.libraries is None else (self.archive, self.libraries)

    @property
    def size_bytes(self) -> int:
        """The size of the download."""
        return sum(file.size_bytes for file in self.archives)


_SYSTEMS = {"ubuntu": "linux", "macos": "macos", "win": "windows"}
_ARCHIVE = re.compile(
    r"llama-(?P<tag>b\d{1,9})-bin-(?P<system>ubuntu|macos|win)"
    r"(?:-(?P<backend>cpu|vulkan|cuda|rocm|hip|sycl|openvino)(?:-(?P<variant>[a-z0-9][a-z0-9.]{0,19}))?)?"
    r"-(?P<processor>x64|arm64|s390x|x86)(?:\.zip|\.tar\.gz)",
    re.ASCII,
)
_LIBRARIES = re.compile(
    r"cudart-llama-(?:b\d{1,9}-)?bin-(?P<system>ubuntu|win)-cuda-(?P<variant>[0-9.]{1,20})"
    r"-(?P<processor>x64|arm64)(?:\.zip|\.tar\.gz)",
    re.ASCII,
)
_PROCESSORS = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}
_KERNELS = {"darwin": "macos", "win32": "windows"}

_PREFERRED = {
    GpuMaker.NVIDIA: (Backend.CUDA, Backend.VULKAN),
    # Their ROCm and SYCL builds need the runtime of the maker; Vulkan needs the graphics driver alone.
    GpuMaker.AMD: (Backend.VULKAN, Backend.ROCM),
    GpuMaker.INTEL: (Backend.VULKAN, Backend.SYCL),
    GpuMaker.APPLE: (Backend.METAL,),
}


def platform_of(system: str, processor: str) -> Platform:
    """Return the platform for ``sys.platform`` and ``platform.machine()``."""
    folded = processor.lower()
    return Platform(_KERNELS.get(system, system), _PROCESSORS.get(folded, folded))


def read_build(file: ReleaseFile) -> Build | None:
    """Return the build that a file's name describes, without its libraries; None for any other file."""
    found = _ARCHIVE.fullmatch(file.name)
    if found is None:
        return None
    platform = Platform(_SYSTEMS[found["system"]], found["processor"])
    word = found["backend"] or ""
    backend = Backend.ROCM if word == "hip" else Backend(word or _default_backend(platform))
    return Build(
        tag=found["tag"], platform=platform, backend=backend, variant=found["variant"] or "", archive=file
    )


def builds_in(release: Release, platform: Platform) -> tuple[Build, ...]:
    """Return the builds of a release for a platform, with their libraries, in alphabetical order."""
    libraries = {
        (_SYSTEMS[found["system"]], found["processor"], found["variant"]): file
        for file in release.files
        if (found := _LIBRARIES.fullmatch(file.name)) is not None
    }
    builds = []
    for file in release.files:
        build = read_build(file)
        if build is None or build.platform != platform or build.tag != release.tag:
            continue
        found_libraries = libraries.get((platform.system, platform.processor, build.variant))
        builds.append(replace(build, libraries=found_libraries if build.backend is Backend.CUDA else None))
    return tuple(sorted(builds, key=lambda build: build.kind))


def best_build(builds: Sequence[Build], machine: Machine) -> Build | None:
    """Return the build to recommend for a machine; None if there is none for it.

    A GPU's own backend comes first; without a GPU, and where nothing else fits, the build for the processor.
    """
    for backend in preferred_backends(machine.makers):
        fitting = [build for build in builds if build.backend is backend and _runs_on(build, machine)]
        if fitting:
            return max(fitting, key=lambda build: _rank(build, machine))
    return None


def preferred_backends(makers: Collection[GpuMaker]) -> tuple[Backend, ...]:
    """Return the backends for GPUs of these makers, best first; the processor is last."""
    wanted = (backend for maker in GpuMaker if maker in makers for backend in _PREFERRED[maker])
    return tuple(dict.fromkeys((*wanted, Backend.CPU, Backend.METAL)))


def matching_builds(builds: Iterable[Build], kind: str) -> tuple[Build, ...]:
    """Return the builds that a user's word names: ``vulkan``, ``cuda``, ``cuda-12.8``."""
    word = kind.strip().lower().replace("hip", "rocm")
    return tuple(build for build in builds if word in (build.kind, build.backend.value))


def _default_backend(platform: Platform) -> Backend:
    """Return the backend of an archive that names none. Metal is off in the builds for Intel's Macs."""
    return Backend.METAL if platform == Platform("macos", "arm64") else Backend.CPU


def _runs_on(build: Build, machine: Machine) -> bool:
    """Whether the driver supports the build.

    A driver runs programs of older CUDA versions, and within a major version also those of newer ones (NVIDIA's "CUDA
    Compatibility", minor version compatibility).
    """
    if build.backend is not Backend.CUDA:
        return True
    return machine.cuda is not None and _version(build)[:1] <= machine.cuda[:1]


def _rank(build: Build, machine: Machine) -> tuple[bool, bool, tuple[int, ...], str]:
    """Return the key of the better one of two builds with the same backend."""
    version = _version(build)
    is_supported = machine.cuda is None or version <= machine.cuda
    return build.libraries is not None, is_supported, version, build.variant


def _version(build: Build) -> tuple[int, ...]:
    return tuple(int(part) for part in build.variant.split(".") if part.isdecimal())
