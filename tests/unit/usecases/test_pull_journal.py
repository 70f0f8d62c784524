"""Pulls that did not end are written down; a note is believed only as far as the files bear it out."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.errors import StorageError
from gglib.core.models import ModelSource
from gglib.core.part_names import part_path
from gglib.usecases.pull_journal import JobFile, PullJob, PullJournal, bytes_on_disk
from gglib.usecases.removal_journal import RemovalJournal


def job_in(models: Path, *, projector: bool = False) -> PullJob:
    """Return a job of two shards, of which nothing is there yet."""
    shards = tuple(
        JobFile(target=models / f"m-{number}.gguf", size_bytes=3, sha256=_hash(b"%d\n\n" % number))
        for number in (1, 2)
    )
    eye = JobFile(target=models / "mmproj.gguf", size_bytes=None, sha256=None)
    return PullJob(
        asked="owner/name:Q4_K_M",
        name="m",
        aliases=("owner/name:Q4_K_M",),
        source=ModelSource(origin="hub", repo="owner/name", revision="c0ffee", file="m-1.gguf"),
        files=shards,
        projector=eye if projector else None,
    )


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("projector", [True, False])
def test_a_job_is_read_as_it_was_written(tmp_path: Path, projector: bool) -> None:  # noqa: FBT001
    """What a killed pull wrote down is all there for who comes after it."""
    job = job_in(tmp_path, projector=projector)
    PullJournal(tmp_path).begin(job)
    assert PullJournal(tmp_path).jobs() == [job]


def test_the_same_pull_again_is_the_same_job(tmp_path: Path) -> None:
    """A pull that is begun again replaces its note, and an ended one leaves nothing, not even the directory."""
    journal = PullJournal(tmp_path)
    journal.begin(job_in(tmp_path))
    again = replace(job_in(tmp_path), name="other")
    journal.begin(again)
    assert journal.jobs() == [again]
    journal.end(again)
    journal.end(again)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"format": 99}', '{"format": 1}', '{"format": 1, "files": 3}']
)
def test_a_torn_or_strange_note_is_passed_over(tmp_path: Path, content: str) -> None:
    """A note that cannot be read hides no other one, and nothing fails for it."""
    journal = PullJournal(tmp_path)
    journal.begin(job_in(tmp_path))
    (tmp_path / ".pulls" / "0.json").write_text(content)
    assert journal.jobs() == [job_in(tmp_path)]


def test_a_note_without_files_is_none_of_ours(tmp_path: Path) -> None:
    """A job is known by its first file, so one without any is not read."""
    journal = PullJournal(tmp_path)
    journal.begin(job_in(tmp_path))
    path = next((tmp_path / ".pulls").iterdir())
    path.write_text(json.dumps(json.loads(path.read_text()) | {"files": []}))
    assert journal.jobs() == []


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """Where the directory of notes cannot be made, the pull ends before it begins."""
    (tmp_path / ".pulls").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        PullJournal(tmp_path).begin(job_in(tmp_path))


def test_files_are_verified_only_when_all_are_there(tmp_path: Path) -> None:
    """A missing shard, one of the wrong size and one with other bytes each mean that the job is not whole."""
    job = job_in(tmp_path)
    job.files[0].target.write_bytes(b"1\n\n")
    assert job.verified_hashes() is None
    job.files[1].target.write_bytes(b"2\n")
    assert job.verified_hashes() is None
    job.files[1].target.write_bytes(b"XXX")
    assert job.verified_hashes() is None
    job.files[1].target.write_bytes(b"2\n\n")
    assert job.verified_hashes() == (_hash(b"1\n\n"), _hash(b"2\n\n"))


def test_a_file_that_nobody_vouches_for_counts_when_it_is_there(tmp_path: Path) -> None:
    """It got its name only when it was whole; its hash is what it is."""
    job = job_in(tmp_path, projector=True)
    for file, content in zip(job.all_files, (b"1\n\n", b"2\n\n", b"eye"), strict=True):
        file.target.write_bytes(content)
    hashes = job.verified_hashes()
    assert hashes is not None
    assert job.with_hashes(hashes).projector == replace(job.all_files[2], sha256=_hash(b"eye"))


def test_what_is_here_counts_files_and_parts(tmp_path: Path) -> None:
    """A finished shard counts whole, a part by what it takes on the disk, a hole nothing."""
    job = job_in(tmp_path)
    job.files[0].target.write_bytes(b"1\n\n")
    part_path(job.files[1].target).write_bytes(b"2")
    assert job.here_bytes() == 4
    hole = tmp_path / "hole"
    with hole.open("wb") as file:
        file.truncate(10_000_000)
    assert bytes_on_disk(hole) < 100_000
    assert bytes_on_disk(tmp_path / "none") == 0


def test_a_file_that_cannot_be_read_is_left_to_its_pull(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The repair at every start must not fail for one file that belongs to somebody else."""
    job = job_in(tmp_path)
    for number, file in enumerate(job.files, start=1):
        file.target.write_bytes(b"%d\n\n" % number)
    assert job.verified_hashes() is not None

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert job.verified_hashes() is None


@pytest.mark.parametrize("kind", ["pull", "removal"])
def test_a_note_is_written_while_another_one_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Who forgets the last note removes the directory: also between our making it and our opening a file in it."""
    makes = Path.mkdir
    removals = iter([True, True])

    def make_and_lose(path: Path, mode: int = 0o777, *, exist_ok: bool = False) -> None:
        makes(path, mode, exist_ok=exist_ok)
        if next(removals, False):
            path.rmdir()

    monkeypatch.setattr(Path, "mkdir", make_and_lose)
    if kind == "pull":
        PullJournal(tmp_path).begin(job_in(tmp_path))
        assert PullJournal(tmp_path).jobs() == [job_in(tmp_path)]
    else:
        with RemovalJournal(tmp_path).noted([tmp_path / "m.gguf"]) as forget:
            forget()


def test_a_note_is_its_owners_alone(tmp_path: Path) -> None:
    """What was asked for may be an address with a signature in it."""
    PullJournal(tmp_path).begin(job_in(tmp_path))
    (directory,) = tmp_path.iterdir()
    assert directory.stat().st_mode & 0o077 == 0
