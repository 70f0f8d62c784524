"""What users type after ``gglib engine install``."""

import pytest
from tests.unit.engine_store.test_builds import ARM, LINUX, RELEASE, release

from gglib.core.errors import EngineInstallError
from gglib.engine_store.builds import GpuMaker, Machine, Platform, builds_in
from gglib.engine_store.wanted import (
    Wanted,
    choose_build,
    is_file_target,
    name_of_file,
    name_of_wheel,
    pointed_tag,
    pointer_of,
    read_wanted,
)

MACHINE = Machine(platform=LINUX)


def chosen(wanted: Wanted, machine: Machine = MACHINE) -> str:
    """Return the name of the build that is chosen from the release."""
    return choose_build(RELEASE, builds_in(RELEASE, machine.platform), wanted, machine).name


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        (None, Wanted()),
        ("b11462", Wanted(tag="b11462")),
        ("B11462-Vulkan", Wanted(tag="b11462", kind="vulkan")),
        ("b11462-cuda-12.8", Wanted(tag="b11462", kind="cuda-12.8")),
        ("v0.6.0", Wanted(tag="v0.6.0")),
        ("vulkan", Wanted(kind="vulkan")),
        ("cuda-12.8", Wanted(kind="cuda-12.8")),
        (" hip ", Wanted(kind="hip")),
    ],
)
def test_a_target_is_a_build_a_backend_or_both(target: str | None, wanted: Wanted) -> None:
    """Nothing is the best build of the latest release."""
    assert read_wanted(target) == wanted


@pytest.mark.parametrize("target", ["", "latest", "cudaa", "b1;rm", "v", "b1-../x", "x" * 5000])
def test_other_words_are_refused_with_what_can_be_typed(target: str) -> None:
    """In one sentence."""
    with pytest.raises(EngineInstallError, match=r"neither a build .* 'gglib engine list --available' shows"):
        read_wanted(target)


@pytest.mark.parametrize(
    "target",
    ["./x", "x.whl", "X.TAR.GZ", "x.zip"],
)
def test_files_are_known_by_slash_or_suffix(target: str) -> None:
    """So that a misspelt file is not taken for a backend, nor a backend for a file."""
    assert is_file_target(target)
    assert not is_file_target("vulkan")
    assert not is_file_target("b11462-cuda-13.4")


def test_what_is_asked_for_is_chosen() -> None:
    """The best one of several builds with a backend; also one that finds no GPU here."""
    assert chosen(Wanted()) == "b11462-cpu"
    assert chosen(Wanted(kind="vulkan")) == "b11462-vulkan"
    assert chosen(Wanted(kind="cuda")) == "b11462-cuda-13.4"
    assert chosen(Wanted(kind="sycl")) == "b11462-sycl-fp16"
    nvidia = Machine(platform=LINUX, makers=frozenset((GpuMaker.NVIDIA,)), cuda=(12, 9))
    assert chosen(Wanted(kind="cuda"), nvidia) == "b11462-cuda-12.8"
    assert chosen(Wanted(kind="cuda-13.4"), nvidia) == "b11462-cuda-13.4"


def test_a_missing_build_is_one_sentence_with_those_that_exist() -> None:
    """And what to do without any."""
    machine = Machine(platform=ARM)
    with pytest.raises(EngineInstallError) as caught:
        chosen(Wanted(kind="cuda"), machine)
    assert str(caught.value) == (
        "llama.cpp b11462 has no 'cuda' build for linux arm64, only cpu, vulkan: install one of these, or compile "
        "llama.cpp, and type 'gglib engine use /PATH/TO/llama-server'."
    )
    with pytest.raises(EngineInstallError, match=r"has no build for linux riscv64: compile llama\.cpp"):
        chosen(Wanted(), Machine(platform=Platform("linux", "riscv64")))


def test_an_announced_version_names_its_build() -> None:
    """Its only file has the tag; anything else in it is not followed."""
    pointer = pointer_of(release("nightly-tag.txt", tag="v0.6.0"))
    assert pointer is not None
    assert pointer_of(RELEASE) is None
    assert pointed_tag(b"b11429\n") == "b11429"
    assert [pointed_tag(content) for content in (b"", b"../x", b"b1 b2", b"\xff\xfe")] == [None] * 4


@pytest.mark.parametrize(
    ("file_name", "name", "kind"),
    [
        ("llama-b11462-bin-ubuntu-vulkan-x64.tar.gz", "b11462-vulkan", "vulkan"),
        ("llama-b11462-bin-ubuntu-x64.zip", "b11462-cpu", "cpu"),
        ("llama_server_bin-1.2.3-py3-none-manylinux_2_35_x86_64.whl", "llama-server-bin-1.2.3", None),
        ("My Build (new).zip", "My-Build-new", None),
        ("-.zip", "engine", None),
        ("llama.tgz", "llama", None),
    ],
)
def test_a_local_file_has_a_name_for_the_engine(file_name: str, name: str, kind: str | None) -> None:
    """Only what a directory's name may have."""
    assert name_of_file(file_name, LINUX) == (name, kind)


def test_a_wheel_brings_its_version() -> None:
    """Other files are no wheels."""
    assert name_of_wheel("llama_server_bin-1.2.3-py3-none-any.whl") == "llama-server-bin-1.2.3"
    assert name_of_wheel("llama-b1-bin-ubuntu-x64.zip") is None


def test_a_build_of_another_platform_is_refused() -> None:
    """Before it is unpacked."""
    with pytest.raises(EngineInstallError, match="is a build for macos arm64, and this machine is linux x64"):
        name_of_file("llama-b11462-bin-macos-arm64.tar.gz", LINUX)
