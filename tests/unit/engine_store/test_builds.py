"""Which build of a release fits a machine."""

import pytest

from gglib.core.hub.releases import Release, ReleaseFile
from gglib.engine_store.builds import (
    Backend,
    Build,
    GpuMaker,
    Machine,
    Platform,
    best_build,
    builds_in,
    matching_builds,
    platform_of,
    preferred_backends,
    read_build,
)

LINUX, ARM = Platform("linux", "x64"), Platform("linux", "arm64")
# The names of a real release, with those that are no builds.
NAMES = (
    "cudart-llama-b11462-bin-ubuntu-cuda-12.8-x64.tar.gz",
    "cudart-llama-b11462-bin-ubuntu-cuda-13.4-x64.tar.gz",
    "cudart-llama-bin-win-cuda-12.4-x64.zip",
    "llama-b11462-bin-310p-openEuler-x86.tar.gz",
    "llama-b11462-bin-android-arm64.tar.gz",
    "llama-b11462-bin-macos-arm64.tar.gz",
    "llama-b11462-bin-macos-x64.tar.gz",
    "llama-b11462-bin-ubuntu-arm64.tar.gz",
    "llama-b11462-bin-ubuntu-cuda-12.8-x64.tar.gz",
    "llama-b11462-bin-ubuntu-cuda-13.4-x64.tar.gz",
    "llama-b11462-bin-ubuntu-openvino-2026.4.1-x64.tar.gz",
    "llama-b11462-bin-ubuntu-rocm-10.0-x64.tar.gz",
    "llama-b11462-bin-ubuntu-sycl-fp16-x64.tar.gz",
    "llama-b11462-bin-ubuntu-vulkan-arm64.tar.gz",
    "llama-b11462-bin-ubuntu-vulkan-x64.tar.gz",
    "llama-b11462-bin-ubuntu-x64.tar.gz",
    "llama-b11462-bin-win-cpu-x64.zip",
    "llama-b11462-bin-win-cuda-12.4-x64.zip",
    "llama-b11462-bin-win-hip-radeon-x64.zip",
    "llama-b11462-xcframework.zip",
)


def release(*names: str, tag: str = "b11462") -> Release:
    """Return a release with files of these names; each has another size."""
    files = (
        ReleaseFile(name=name, size_bytes=number + 1, url=f"https://host.example/{name}", sha256="a" * 64)
        for number, name in enumerate(names)
    )
    return Release(tag=tag, files=tuple(files))


RELEASE = release(*NAMES)


def kinds(platform: Platform) -> list[str]:
    """Return the kinds of the builds for a platform."""
    return [build.kind for build in builds_in(RELEASE, platform)]


def best(platform: Platform, *makers: GpuMaker, cuda: tuple[int, int] | None = None) -> Build | None:
    """Return the best build of the release for a machine."""
    machine = Machine(platform=platform, makers=frozenset(makers), cuda=cuda)
    return best_build(builds_in(RELEASE, platform), machine)


def test_a_release_has_the_builds_of_each_platform() -> None:
    """Other systems, frameworks and libraries are no builds for it."""
    assert kinds(LINUX) == [
        "cpu",
        "cuda-12.8",
        "cuda-13.4",
        "openvino-2026.4.1",
        "rocm-10.0",
        "sycl-fp16",
        "vulkan",
    ]
    assert kinds(ARM) == ["cpu", "vulkan"]
    assert kinds(Platform("macos", "arm64")) == ["metal"]
    assert kinds(Platform("macos", "x64")) == ["cpu"]
    assert kinds(Platform("windows", "x64")) == ["cpu", "cuda-12.4", "rocm-radeon"]
    assert kinds(Platform("linux", "riscv64")) == []


def test_a_cuda_build_comes_with_its_libraries() -> None:
    """Of the same version, system and processor; on Windows their name has no tag."""
    libraries = {build.kind: build.libraries for build in builds_in(RELEASE, LINUX)}
    assert libraries["vulkan"] is None
    assert str(libraries["cuda-12.8"] and libraries["cuda-12.8"].name) == NAMES[0]
    assert str(libraries["cuda-13.4"] and libraries["cuda-13.4"].name) == NAMES[1]
    (windows,) = matching_builds(builds_in(RELEASE, Platform("windows", "x64")), "cuda")
    assert [file.name for file in windows.archives] == [NAMES[17], NAMES[2]]
    assert windows.size_bytes == 18 + 3


def test_names_say_tag_backend_and_version() -> None:
    """They are also names of directories."""
    assert [build.name for build in builds_in(RELEASE, ARM)] == ["b11462-cpu", "b11462-vulkan"]
    assert (
        next(build.name for build in builds_in(RELEASE, LINUX) if build.variant == "13.4")
        == "b11462-cuda-13.4"
    )


@pytest.mark.parametrize(
    "name",
    [
        "llama-b11462-bin-ubuntu-vulkan-x64.zip",  # until late 2025
        "llama-b11462-bin-ubuntu-vulkan-x64.tar.gz",
    ],
)
def test_both_formats_of_archives_are_read(name: str) -> None:
    """The releases changed from zip to tar.gz."""
    build = read_build(ReleaseFile(name=name, size_bytes=1, url=""))
    assert build is not None
    assert (build.tag, build.platform, build.backend) == ("b11462", LINUX, Backend.VULKAN)


@pytest.mark.parametrize(
    "name",
    [
        "llama-b1-bin-ubuntu-vulkan-x64.tar.xz",
        "llama-b1-bin-ubuntu-vulkan-x64.tar.gz.asc",
        "llama-b1-bin-ubuntu-../../x-x64.zip",
        "llama-bx-bin-ubuntu-x64.zip",
        "llama-b1-bin-ubuntu-avx512-x64.zip",
        "nightly-tag.txt",
        "",
    ],
)
def test_other_names_are_no_builds(name: str) -> None:
    """A name is data from a server."""
    assert read_build(ReleaseFile(name=name, size_bytes=1, url="")) is None


def test_a_file_of_another_tag_is_no_build_of_a_release() -> None:
    """The name of the engine would be wrong."""
    assert builds_in(release("llama-b1-bin-ubuntu-x64.zip", tag="b2"), LINUX) == ()


@pytest.mark.parametrize(
    ("makers", "cuda", "kind"),
    [
        ((), None, "cpu"),
        ((GpuMaker.NVIDIA,), (13, 4), "cuda-13.4"),
        ((GpuMaker.NVIDIA,), (14, 0), "cuda-13.4"),
        ((GpuMaker.NVIDIA,), (12, 9), "cuda-12.8"),
        ((GpuMaker.NVIDIA,), (12, 2), "cuda-12.8"),  # minor version compatibility
        ((GpuMaker.NVIDIA,), (13, 0), "cuda-12.8"),  # an older one is better than a newer one within 13
        ((GpuMaker.NVIDIA,), (11, 8), "vulkan"),
        ((GpuMaker.NVIDIA,), None, "vulkan"),
        ((GpuMaker.AMD,), None, "vulkan"),
        ((GpuMaker.INTEL,), None, "vulkan"),
        ((GpuMaker.INTEL, GpuMaker.NVIDIA), (13, 4), "cuda-13.4"),
    ],
)
def test_the_build_follows_the_gpu_and_its_driver(
    makers: tuple[GpuMaker, ...], cuda: tuple[int, int] | None, kind: str
) -> None:
    """CUDA as the driver supports it; what needs only the graphics driver for the others."""
    found = best(LINUX, *makers, cuda=cuda)
    assert found is not None
    assert found.kind == kind


def test_a_platform_with_few_builds_gets_what_there_is() -> None:
    """Metal on Apple's processors, without a GPU that is known too; nothing where there is none."""
    apple = Platform("macos", "arm64")
    for makers in ((), (GpuMaker.APPLE,)):
        found = best(apple, *makers)
        assert found is not None
        assert found.kind == "metal"
    arm = best(ARM, GpuMaker.NVIDIA, cuda=(13, 4))
    assert arm is not None
    assert arm.kind == "vulkan"
    assert best(Platform("linux", "riscv64")) is None


def test_a_cuda_build_without_libraries_comes_after_one_with_them() -> None:
    """A driver does not bring them."""
    files = release(*NAMES[:1], *NAMES[8:10])
    machine = Machine(platform=LINUX, makers=frozenset((GpuMaker.NVIDIA,)), cuda=(13, 4))
    found = best_build(builds_in(files, LINUX), machine)
    assert found is not None
    assert found.kind == "cuda-12.8"


def test_a_word_names_a_backend_or_one_of_its_builds() -> None:
    """As it is typed."""
    builds = builds_in(RELEASE, LINUX)
    assert [build.kind for build in matching_builds(builds, "cuda")] == ["cuda-12.8", "cuda-13.4"]
    assert [build.kind for build in matching_builds(builds, "CUDA-12.8 ")] == ["cuda-12.8"]
    assert [build.kind for build in matching_builds(builds, "hip")] == ["rocm-10.0"]
    assert matching_builds(builds, "cuda-1") == ()


def test_the_processor_is_always_an_option() -> None:
    """Whatever the GPUs."""
    assert preferred_backends([GpuMaker.AMD, GpuMaker.NVIDIA]) == (
        Backend.CUDA,
        Backend.VULKAN,
        Backend.ROCM,
        Backend.CPU,
        Backend.METAL,
    )


@pytest.mark.parametrize(
    ("system", "processor", "platform"),
    [
        ("linux", "x86_64", LINUX),
        ("linux", "aarch64", ARM),
        ("darwin", "arm64", Platform("macos", "arm64")),
        ("win32", "AMD64", Platform("windows", "x64")),
        ("freebsd14", "riscv64", Platform("freebsd14", "riscv64")),
    ],
)
def test_platforms_have_the_names_of_the_releases(system: str, processor: str, platform: Platform) -> None:
    """Python has others."""
    assert platform_of(system, processor) == platform
