"""Which members of an archive are unpacked."""

import stat
from pathlib import PurePosixPath

import pytest

from gglib.engine_store.member_rules import (
    MAX_MEMBERS,
    Member,
    MemberKind,
    RefusedArchiveError,
    UnpackBudget,
    checked_path,
    hard_link_target,
    is_executable,
    link_target,
    max_unpacked_bytes,
)

AT = PurePosixPath("llama/lib/libllama.so")


def member(name: str, kind: MemberKind = MemberKind.FILE, mode: int = 0o644) -> Member:
    """Return a member."""
    return Member(name=name, kind=kind, mode=mode)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("llama/llama-server", "llama/llama-server"),
        ("./llama/llama-server", "llama/llama-server"),
        (".//llama/x", "llama/x"),
        ("llama/bin/", "llama/bin"),
        ("libggml.so.0.20.0", "libggml.so.0.20.0"),
    ],
)
def test_names_are_relative_to_the_archive(name: str, path: str) -> None:
    """As tar and zip write them."""
    assert checked_path(member(name)) == PurePosixPath(path)


@pytest.mark.parametrize("name", [".", "./", ""])
def test_the_archive_itself_is_no_file(name: str) -> None:
    """Tar has a member for the directory that was packed."""
    assert checked_path(member(name, MemberKind.DIRECTORY)) is None


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "//etc/passwd",
        ".//../x",
        "../x",
        "llama/../../x",
        "llama/..",
        "llama//x",
        "llama/./x",
        "..",
        "/",
        "C:\\x",
        "a\\..\\x",
        "a\x00b",
        "a\nb",
        "a\u202egpj.exe",
        "con",
        "x" * 300,
        "/".join("d" * 30),
        "\udcff",
        ".hidden",
    ],
)
def test_unsafe_names_are_refused(name: str) -> None:
    """Never repaired: a repaired name may be another file's."""
    with pytest.raises(RefusedArchiveError, match="is unsafe"):
        checked_path(member(name))


def test_special_files_and_rights_are_refused() -> None:
    """A release has neither."""
    with pytest.raises(RefusedArchiveError, match="'dev' is a device or another special file"):
        checked_path(member("dev", MemberKind.OTHER))
    for bits in (stat.S_ISUID, stat.S_ISGID, stat.S_ISVTX):
        with pytest.raises(RefusedArchiveError, match="would run with the rights of another user"):
            checked_path(member("llama-server", mode=0o755 | bits))


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("libllama.so.0", "llama/lib/libllama.so.0"),
        ("./libllama.so.0", "llama/lib/libllama.so.0"),
        ("../bin/x", "llama/bin/x"),
        ("../../x", "x"),
        ("..", "llama"),
    ],
)
def test_links_within_the_archive_are_kept(target: str, path: str) -> None:
    """The libraries of a release are linked to their versions."""
    assert link_target(AT, target) == PurePosixPath(path)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../x", "a/../../../../x", "../../.."])
def test_links_out_of_the_archive_are_refused(target: str) -> None:
    """By their text alone."""
    with pytest.raises(
        RefusedArchiveError, match=r"the link 'llama/lib/libllama\.so' leads out of the archive"
    ):
        link_target(AT, target)


@pytest.mark.parametrize("target", ["", "a\0b", "x" * 5000])
def test_links_to_nothing_that_can_exist_are_refused(target: str) -> None:
    """The system would refuse them later, with an error of its own."""
    with pytest.raises(RefusedArchiveError, match="has no usable target"):
        link_target(AT, target)


def test_hard_links_name_another_member() -> None:
    """From the top of the archive."""
    assert hard_link_target(AT, "./llama/x") == PurePosixPath("llama/x")
    for target in ("../x", "/etc/shadow", "", "."):
        with pytest.raises(RefusedArchiveError):
            hard_link_target(AT, target)


def test_a_program_is_known_by_its_mode() -> None:
    """Of any of the three."""
    assert is_executable(member("x", mode=0o755))
    assert is_executable(member("x", mode=0o001))
    assert not is_executable(member("x"))


def test_the_budget_is_for_what_comes_out() -> None:
    """Twenty times the archive, and 64 MiB that even a small one may have."""
    limit = max_unpacked_bytes(1000)
    assert limit == 20_000 + 64 * 1024 * 1024
    budget = UnpackBudget(1000)
    budget.add_bytes(limit)
    with pytest.raises(RefusedArchiveError, match="unpacks to more than 67 MB, far more than its size"):
        budget.add_bytes(1)


def test_the_budget_counts_members() -> None:
    """An archive of millions of empty files has no bytes."""
    budget = UnpackBudget(1)
    for _ in range(MAX_MEMBERS):
        budget.add_member()
    with pytest.raises(RefusedArchiveError, match="more than 20,000 files"):
        budget.add_member()
