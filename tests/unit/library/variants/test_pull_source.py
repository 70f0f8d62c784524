"""Which model a pull is a version of."""

from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.hub.repository import RemoteFile
from gglib.core.models import ModelSource, ModelSummary
from gglib.core.versions import FileIdentity, FileRole, OwnFile, PullJob, Version
from gglib.library.variants.pull_source import (
    MAX_RENAME_CHECKS,
    PullSource,
    at_same_place,
    files_with_content,
    find_known,
    is_pulled,
    names_held,
    names_job,
    possible_renames,
    with_content,
)

SHA = "a" * 64
SOURCE = PullSource(
    repos=("ada/tiny", "eve/tiny"), quantization="Q4_K_M", file="tiny-Q4_K_M.gguf", names=("ada/tiny:Q4_K_M",)
)
SIGNED = "https://h/m.gguf?Signature=hush"


def model(
    id_: int, file: str | None = "tiny-Q4_K_M.gguf", repo: str | None = "ada/tiny", **fields: object
) -> ModelSummary:
    """Return a pulled model."""
    source = ModelSource(origin="hub", repo=repo, file=file, sha256=f"{id_}" * 64)
    return replace(ModelSummary(id=id_, name=f"m{id_}", source=source, is_downloaded=True), **fields)  # type: ignore[arg-type]


def at(id_: int, url: str | None, file: str = "m.gguf") -> ModelSummary:
    """Return a model from a URL."""
    source = ModelSource(origin="url", url=url, file=file, sha256=f"{id_}" * 64)
    return ModelSummary(id=id_, name=f"m{id_}", source=source, is_downloaded=True)


class TestKnown:
    def test_file_precedes_name_precedes_quantization(self) -> None:
        """The newest model, if only the quantization matches."""
        by_file = model(1)
        by_name = model(2, file="old.gguf", aliases=("ADA/tiny:q4_k_m",))
        by_label = [model(3, file="a-Q4_K_M.gguf"), model(4, file="b.q4-k-m.gguf")]
        assert find_known(SOURCE, [*by_label, by_name, by_file]) == by_file
        assert find_known(SOURCE, [*by_label, by_name]) == by_name
        assert find_known(SOURCE, by_label) == by_label[1]
        assert find_known(replace(SOURCE, quantization=None), by_label) is None

    def test_any_name_of_the_repository_matches(self) -> None:
        """Ignoring case, as the hub does."""
        assert find_known(SOURCE, [model(1, repo="EVE/Tiny")]) is not None
        assert find_known(SOURCE, [model(1, repo="bob/tiny")]) is None

    def test_requested_revision_matches(self) -> None:
        """A pinned model is not the newest one."""
        pinned = model(1)
        pinned = replace(pinned, source=replace(pinned.source, asked_revision="v1"))
        assert find_known(SOURCE, [pinned]) is None
        assert find_known(replace(SOURCE, asked_revision="v1"), [pinned]) == pinned

    def test_path_never_matches(self) -> None:
        """A file of the user's, or of another program's, in any place."""
        paths = (Path("/home/models/ada/tiny/tiny-Q4_K_M.gguf"),)
        own = model(1, paths=paths, source=ModelSource())
        imported = replace(own, source=ModelSource(origin="ollama", repo="ada/tiny", file="tiny-Q4_K_M.gguf"))
        assert find_known(SOURCE, [own, imported]) is None
        assert [is_pulled(candidate) for candidate in (own, imported, model(2))] == [False, False, True]

    def test_url_matches_whole(self) -> None:
        """With its query."""
        source = PullSource(file="m.gguf", url=SIGNED)
        assert find_known(source, [at(1, "https://h/m.gguf"), at(2, SIGNED)]) == at(2, SIGNED)
        assert find_known(source, [at(1, "https://h/m.gguf")]) is None

    def test_same_place_needs_equal_content(self) -> None:
        """Another query, or a URL that an older gglib did not keep; not another host or path."""
        source = PullSource(file="m.gguf", url=SIGNED)
        near = [at(1, "https://h/m.gguf"), at(2, "https://h/m.gguf?Signature=old"), at(3, None)]
        others = [
            at(4, "https://g/m.gguf"),
            at(5, "https://h/x/m.gguf"),
            at(6, SIGNED),
            at(7, None, "n.gguf"),
        ]
        found = at_same_place(source, [*near, *others, model(8, file="m.gguf")])
        assert found == tuple(near)
        assert with_content(found, "2" * 64) == near[1]
        assert with_content(found, "9" * 64) is None
        assert at_same_place(SOURCE, near) == ()


class TestNames:
    def test_name_is_reused_from_pulled_models_of_the_repository_only(self) -> None:
        """Not from the pulled model itself, nor from a model that the user gave it to."""
        holder = model(1, file="old.gguf", aliases=("x", "ADA/tiny:q4_k_m"))
        others = [
            model(2, aliases=("ada/tiny:Q4_K_M",)),
            model(3, repo="bob/tiny", aliases=("ada/tiny:Q4_K_M",)),
            model(4, aliases=("ada/tiny:Q4_K_M",), source=ModelSource()),
            model(5),
        ]
        assert names_held(SOURCE, [holder, *others], but=2) == [(holder, ("ADA/tiny:q4_k_m",))]


class TestMoved:
    @pytest.mark.parametrize(
        ("candidate", "is_asked"),
        [
            (model(1, repo="bob/x", file="tiny-Q4_K_M.gguf"), True),
            (model(1, repo="bob/tiny", file="renamed-Q4_K_M.gguf"), True),
            (model(1, repo="bob/x", file="y.gguf"), False),
            (model(1, repo="bob/tiny", file="tiny-Q8_0.gguf"), False),
            (model(1, repo="eve/tiny"), False),
            (model(1, repo="bob/x", source=ModelSource(repo="bob/x", file="tiny-Q4_K_M.gguf")), False),
        ],
    )
    def test_candidates_for_a_moved_repository(self, candidate: ModelSummary, *, is_asked: bool) -> None:
        """Repositories with the same file, or of the same name with the same quantization."""
        found = possible_renames(SOURCE, [candidate], sha256=SHA)
        assert found == ((candidate.source.repo,) if is_asked else ())

    def test_equal_content_is_enough(self) -> None:
        """With any repository and file name."""
        candidate = model(1, repo="bob/x", file="y.gguf")
        assert possible_renames(SOURCE, [candidate], sha256="1" * 64) == ("bob/x",)

    def test_number_of_candidates_is_bounded(self) -> None:
        """The newest ones."""
        many = [model(number, repo=f"bob/x{number}") for number in range(9)]
        assert possible_renames(SOURCE, many, sha256=None) == tuple(
            f"bob/x{number}" for number in (8, 7, 6)[:MAX_RENAME_CHECKS]
        )


class TestContent:
    def test_match_by_hash_and_size(self) -> None:
        """Both must be known; the case of the digits does not matter."""
        version = _version(sha256=SHA)
        assert files_with_content(_remote(sha256=SHA.upper()), [version]) == list(version.files)
        assert files_with_content(_remote(sha256=SHA, size_bytes=11), [version]) == []
        assert files_with_content(_remote(sha256=SHA), [_version(sha256=None)]) == []
        assert files_with_content(_remote(), [_version(sha256=None)]) == []

    @pytest.mark.parametrize(
        ("url", "validator", "is_same"),
        [
            ("https://h/m.gguf?a", '"v"', True),
            ("https://h/m.gguf?a", "Mon, 1", True),
            ("https://h/m.gguf?b", '"v"', True),
            ("https://h/m.gguf?b", "Mon, 1", False),
            ("https://h/m.gguf?b", 'W/"v"', False),
            ("https://g/m.gguf?a", '"v"', False),
            ("https://h/m.gguf?a", None, False),
        ],
    )
    def test_match_by_validator(self, url: str, validator: str | None, *, is_same: bool) -> None:
        """At the same URL any; if only the query differs, a strong one."""
        version = _version(sha256=SHA, validator=validator, url="https://h/m.gguf?a")
        found = files_with_content(_remote(url=url, validator=validator), [version])
        assert bool(found) is is_same


class TestJobs:
    def test_a_pull_is_named_by_all_that_it_is_called(self) -> None:
        """What was asked for, with or without its query, its name, its aliases, its key."""
        job = PullJob(key="0" * 16, asked=SIGNED, name="m", aliases=("n",), source=ModelSource(), files=())
        assert all(names_job(text, job) for text in (SIGNED, "https://h/m.gguf", "M", "n", "0" * 16))
        assert not names_job("https://h/m.gguf?Signature=other", job)


def _remote(
    *, sha256: str | None = None, size_bytes: int = 10, url: str | None = None, validator: str | None = None
) -> RemoteFile:
    return RemoteFile(name="m.gguf", url=url, size_bytes=size_bytes, sha256=sha256, validator=validator)


def _version(*, sha256: str | None, validator: str | None = None, url: str | None = None) -> Version:
    identity = FileIdentity(device=1, inode=2, size_bytes=10, modified_ns=3)
    file = OwnFile(
        path=Path("/m"),
        role=FileRole.MODEL,
        name="m.gguf",
        identity=identity,
        sha256=sha256,
        validator=validator,
    )
    return Version(
        id=1, directory=None, source=ModelSource(origin="url", url=url), files=(file,), created_at=0
    )
