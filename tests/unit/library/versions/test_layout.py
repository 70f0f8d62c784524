"""Names below ``models/`` are safe, stable, and deterministic."""

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.errors import UnsafeNameError
from gglib.core.gguf_names import shard_of
from gglib.core.hub.repository import RemoteFile
from gglib.core.versions import FileRole, IncomingFile
from gglib.library.versions.layout import (
    MAX_LABEL_BYTES,
    candidates,
    file_names,
    incoming_key,
    is_candidate,
    job_key,
    version_directory,
)

MODELS = Path("/home/models")
FOLDER = PurePosixPath("owner/name")


def incoming(name: str, **fields: object) -> IncomingFile:
    """Return a file to be fetched."""
    known = {"size_bytes": 3, "sha256": None, "validator": None, **fields}
    return IncomingFile(name=name, role=FileRole.MODEL, key="u-" + "0" * 32, **known)  # type: ignore[arg-type]


def test_each_pull_has_one_key() -> None:
    """The key is 16 hex digits of source, revision and choice together."""
    key = job_key("owner/name", asked_revision=None, choice="Q4_K_M")
    assert key == job_key("owner/name", choice="Q4_K_M") == "983cebd26ce184a3"
    others = [
        job_key("owner/name"),
        job_key("owner/name", choice="Q8_0"),
        job_key("owner/name", asked_revision="Q4_K_M"),
        job_key("owner/other", choice="Q4_K_M"),
    ]
    assert len({key, *others}) == 5


def test_equal_hash_has_one_key_in_any_pull() -> None:
    """With a hash, neither the job nor the name nor the case of its digits matters."""
    first = RemoteFile(name="a.gguf", repo="o/n", revision="1", sha256="AB" * 32)
    other = RemoteFile(name="b/c.gguf", repo="p/m", revision="2", sha256="ab" * 32)
    assert incoming_key(first, "1" * 16) == incoming_key(other, "2" * 16) == "s-" + "ab" * 16


@pytest.mark.parametrize("sha256", [None, "", "ab", "zz" * 32, "../" + "a" * 61])
def test_file_without_a_usable_hash_has_a_key_of_its_job(sha256: str | None) -> None:
    """Without a hash, the job, the name, the URL and the validator make the key."""
    file = RemoteFile(name="a.gguf", url="https://h/a.gguf?v=1", validator='"1"', sha256=sha256)
    keys = {
        incoming_key(file, "1" * 16),
        incoming_key(file, "2" * 16),
        incoming_key(RemoteFile(name="a.gguf", url="https://h/a.gguf?v=2", validator='"1"'), "1" * 16),
        incoming_key(RemoteFile(name="a.gguf", url="https://h/a.gguf?v=1", validator='"2"'), "1" * 16),
        incoming_key(RemoteFile(name="b.gguf", url="https://h/a.gguf?v=1", validator='"1"'), "1" * 16),
    }
    assert len(keys) == 5
    assert all(key.startswith("u-") and len(key) == 34 for key in keys)


def test_directory_of_a_version_is_readable_and_depends_on_the_content() -> None:
    """The label is readable, and the digits change with the name, the hash, the validator, or the size."""
    base = version_directory(MODELS, FOLDER, "Q4_K_M", [incoming("a.gguf", sha256="ab" * 32)])
    assert base.parent == MODELS / "owner" / "name"
    assert base.name.startswith("Q4_K_M-")
    assert len(base.name) == len("Q4_K_M-") + 8
    others = [
        version_directory(MODELS, FOLDER, "Q4_K_M", [incoming("a.gguf", sha256="cd" * 32)]),
        version_directory(MODELS, FOLDER, "Q4_K_M", [incoming("b.gguf", sha256="ab" * 32)]),
        version_directory(MODELS, FOLDER, "Q4_K_M", [incoming("a.gguf", validator='"1"')]),
        version_directory(MODELS, FOLDER, "Q4_K_M", [incoming("a.gguf", validator='"2"')]),
        version_directory(MODELS, FOLDER, "Q4_K_M", [incoming("a.gguf", size_bytes=4)]),
    ]
    assert len({base, *others}) == 6


def test_order_of_files_does_not_change_the_directory() -> None:
    """Two listings of the same files are the same version."""
    files = [incoming("a.gguf"), incoming("b.gguf")]
    assert version_directory(MODELS, FOLDER, "x", files) == version_directory(
        MODELS, FOLDER, "x", files[::-1]
    )


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("Q4_K_M", "Q4_K_M"),
        ("sub/model-name", "model-name"),
        ("..", "model"),
        ("", "model"),
        (".hidden", "model"),
        ("-rf", "model"),
        ("a\x00b", "model"),
        ("con", "model"),
        ("\ud800", "model"),
        ("a. . ", "a"),
        ("x" * 200, "x" * MAX_LABEL_BYTES),
        ("ä" * 41, "ä" * 40),
        ("x" + "ä" * 40, "x" + "ä" * 39),
    ],
)
def test_label_is_one_safe_part_of_at_most_80_bytes(label: str, shown: str) -> None:
    """For any label, the directory is one level below the repository's."""
    directory = version_directory(MODELS, FOLDER, label, [incoming("a.gguf")])
    assert directory.parent == MODELS / "owner" / "name"
    assert directory.name[:-9] == shown


def test_taken_names_get_a_number() -> None:
    """The candidates are the plain name, then -2, -3, and these are recognised."""
    directory = MODELS / "Q4-00000000"
    names = candidates(directory)
    assert [next(names).name for _ in range(3)] == ["Q4-00000000", "Q4-00000000-2", "Q4-00000000-3"]
    assert all(is_candidate(name.name, directory) for name in candidates(directory))
    assert not any(
        is_candidate(name, directory)
        for name in ("Q4-00000001", "Q4-00000000-x", "Q4-00000000-0", "xQ4-00000000")
    )


@pytest.mark.parametrize(
    ("names", "paths"),
    [
        (["m.gguf", "mmproj.gguf"], ["m.gguf", "mmproj.gguf"]),
        (["Q4/m.gguf", "mmproj.gguf"], ["m.gguf", "mmproj.gguf"]),
        (
            ["UD/m-00001-of-00002.gguf", "UD/m-00002-of-00002.gguf", "v/mmproj.gguf"],
            ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf", "mmproj.gguf"],
        ),
        (["a/m.gguf", "b/m.gguf"], ["m.gguf", "b/m.gguf"]),
        (["a/m.gguf", "b/M.GGUF"], ["m.gguf", "b/M.GGUF"]),
        (["m.gguf", "M.gguf"], ["m.gguf", "2/M.gguf"]),
        (["m.gguf", "M.gguf", "m.GGUF"], ["m.gguf", "2/M.gguf", "3/m.GGUF"]),
        (["b/x", "b", "x"], ["x", "b", "2/x"]),
        (["x", "b/x", "b"], ["x", "b/x", "2/b"]),
        (["x", f"{'d' * 200}/{'e' * 200}/x"], ["x", "2/x"]),
        (
            ["m-00001-of-00002.gguf", "x/M-00001-of-00002.gguf", "x/M-00002-of-00002.gguf"],
            ["m-00001-of-00002.gguf", "x/M-00001-of-00002.gguf", "x/M-00002-of-00002.gguf"],
        ),
    ],
)
def test_files_are_flat_unless_names_collide(names: list[str], paths: list[str]) -> None:
    """Sub-folders are left out; where names collide, ignoring case, the later file keeps its own or gets a number."""
    assert file_names(names) == tuple(paths)
    assert file_names(paths) == tuple(paths)


@pytest.mark.parametrize(
    "name", ["../m.gguf", "/m.gguf", "a//m.gguf", ".gglib-version.json", "m.gguf.part", "a\\b"]
)
def test_unsafe_names_are_refused(name: str) -> None:
    """A name that leaves the directory, or is one of gglib's own, is refused."""
    with pytest.raises(UnsafeNameError):
        file_names(["m.gguf", name])


_PART = st.sampled_from(
    ["a", "A", "b", "m.gguf", "M.gguf", "m-00001-of-00002.gguf", "m-00002-of-00002.gguf", "2"]
)
_NAMES = st.lists(st.lists(_PART, min_size=1, max_size=3).map("/".join), min_size=1, max_size=6, unique=True)


@given(_NAMES)
def test_no_two_files_collide_and_shards_stay_together(names: list[str]) -> None:
    """For any names: no path equals another's, or is inside it, in any case; shards have one folder; it is stable."""
    paths = file_names(names)
    folded = [path.casefold() for path in paths]
    assert len(set(folded)) == len(names)
    assert not any(inner.startswith(f"{outer}/") for inner in folded for outer in folded)
    assert [path.rpartition("/")[2] for path in paths] == [name.rpartition("/")[2] for name in names]
    assert file_names(paths) == paths
    folders: dict[str, set[str]] = {}
    for name, path in zip(names, paths, strict=True):
        shard = shard_of(name)
        if shard is not None:
            folders.setdefault(shard.stem, set()).add(path.rpartition("/")[0])
    assert all(len(folder) == 1 for folder in folders.values())
