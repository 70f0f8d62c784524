"""Pulls that did not end are written down; a note is believed only as far as the files bear it out."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

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

    monkeypatch.setattr(os, "open", refuse)
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


def note_of(directory: Path) -> tuple[Path, dict[str, Any]]:
    """Write a note of a pull and return where it is, and what it says."""
    PullJournal(directory).begin(job_in(directory))
    path = next((directory / ".pulls").glob("*.json"))
    return path, json.loads(path.read_text())


BAD_NOTES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a name that is a list": lambda note: note | {"name": ["m"]},
    "aliases that are numbers": lambda note: note | {"aliases": [1]},
    "a source of another kind": lambda note: note | {"source": {"origin": {"a": 1}}},
    "a source with a field too many": lambda note: note | {"source": {"else": "x"}},
    "a source that is a word": lambda note: note | {"source": "hub"},
    "files that are words": lambda note: note | {"files": ["a", "b"]},
    "a size below nothing": lambda note: with_file(note, size_bytes=-1),
    "a size that is true": lambda note: with_file(note, size_bytes=True),
    "a size beyond any file": lambda note: with_file(note, size_bytes=1 << 63),
    "a hash that is none": lambda note: with_file(note, sha256="abc"),
    "a NUL in a path": lambda note: with_file(note, target=note["files"][0]["target"] + "\0"),
    "a relative path": lambda note: with_file(note, target="m.gguf"),
    "a file elsewhere": lambda note: with_file(note, target="/etc/passwd"),
    "a way out": lambda note: with_file(note, target=note["files"][0]["target"] + "/../../../x"),
    "a projector that is a word": lambda note: note | {"projector": "eye"},
    "a format of another kind": lambda note: note | {"format": [1]},
}


def with_file(note: dict[str, Any], **changed: object) -> dict[str, Any]:
    """Return the note with another first file."""
    first, *others = note["files"]
    return note | {"files": [first | changed, *others]}


@pytest.mark.parametrize("what", BAD_NOTES)
def test_a_note_with_a_wrong_field_is_skipped(
    what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a note says, it is a whole job or none, and none is warned of once with the name of the file."""
    path, note = note_of(tmp_path)
    path.write_text(json.dumps(BAD_NOTES[what](note)))
    assert PullJournal(tmp_path).jobs() == []
    assert PullJournal(tmp_path).jobs() == []
    (message,) = caplog.messages
    assert message.startswith(f"{path} is skipped: ")


def test_drafts_of_dead_writers_are_swept(tmp_path: Path) -> None:
    """A draft whose job nobody holds is removed, also when its pid is that of a living process; other files stay."""
    journal, job = PullJournal(tmp_path), job_in(tmp_path)
    journal.begin(job)
    directory = tmp_path / ".pulls"
    mine, dead = directory / f"{job.id}.json.{os.getpid()}", directory / f"{'0' * 16}.json.1"
    strange = directory / "mine.json.1"
    for path in (mine, dead, strange):
        path.write_text("{")
    assert journal.sweep_drafts() == sorted((mine, dead))
    assert sorted(path.name for path in directory.iterdir()) == sorted((f"{job.id}.json", strange.name))


def test_the_draft_of_a_living_writer_stays(tmp_path: Path) -> None:
    """A writer holds its job, and its draft is left alone, whatever pid it names."""
    journal, job = PullJournal(tmp_path), job_in(tmp_path)
    with journal.held(job):
        draft = tmp_path / ".pulls" / f"{job.id}.json.999999"
        draft.write_text("{")
        assert journal.sweep_drafts() == []
        assert draft.exists()


def test_a_job_whose_file_is_no_file_is_not_whole(tmp_path: Path) -> None:
    """A FIFO or a link to a device in the place of a file is not read, and not waited for."""
    journal, job = PullJournal(tmp_path), replace(job_in(tmp_path), projector=None)
    job = replace(job, files=(replace(job.files[0], size_bytes=None),))
    os.mkfifo(job.files[0].target)
    assert not job.may_be_whole()
    job.files[0].target.unlink()
    job.files[0].target.symlink_to("/dev/zero")
    assert not job.may_be_whole()
    journal.begin(job)
    assert job.verified_hashes() is None
