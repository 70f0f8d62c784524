"""Commands in the messages about local models can be pasted unchanged."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from gglib.cli.views import local_models
from gglib.core.errors import ModelFileNotFoundError
from gglib.core.hub.updates import Upstream, UpstreamCheck
from gglib.core.models import ModelSource, ModelSummary
from gglib.core.ports import RemovedModel
from gglib.core.verification import FileCheck, FileVerdict
from gglib.library.disk_use import DiskUse
from gglib.library.file_state import FileState
from gglib.library.variants.pull_target import read_target

MODELS = Path("/home/u/models")
REPO = "ada/coder-GGUF"


def model(file: str = "coder.gguf", *, directory: str = REPO, name: str = "coder") -> ModelSummary:
    """Return a pulled model."""
    return ModelSummary(
        id=1,
        name=name,
        paths=(MODELS / directory / file,),
        source=ModelSource(origin="hub", repo=REPO, file=file),
        is_downloaded=True,
    )


def command_in(sentence: str) -> list[str]:
    """Return the words of the command in a sentence, as a shell parses them."""
    before, _, behind = sentence.partition("gglib ")
    return ["gglib", *shlex.split(behind.partition(before[-1])[0])]


def test_a_pinned_file_is_fetched_at_its_branch() -> None:
    """The branch is typed as it was asked for, whatever its directory is called."""
    pinned = model("my coder.gguf")
    pinned = replace(pinned, source=replace(pinned.source, asked_revision="feature/x"))
    words = command_in(local_models.recovery_hint(pinned))
    assert words == ["gglib", "pull", f"{REPO}/my coder.gguf@feature/x"]
    assert read_target(words[-1]).revision == "feature/x"


def test_url_is_fetched_again_unchanged() -> None:
    """A URL with a query is not shown: it may contain a signature."""
    source = ModelSource(origin="url", url="https://example.org/a b.gguf")
    assert command_in(local_models.recovery_hint(replace(model(), source=source))) == [
        "gglib",
        "pull",
        source.url,
    ]
    signed = replace(source, url="https://example.org/a.gguf?signature=secret")
    sentence = local_models.recovery_hint(replace(model(), source=signed))
    assert sentence == "'gglib pull' with its full URL downloads it again."


@pytest.mark.parametrize("origin", ["starter", None])
def test_model_is_forgotten_by_its_name(origin: str | None) -> None:
    """With any name."""
    named = replace(model(name="-my coder"), source=ModelSource(origin=origin), is_downloaded=False)
    files = ["--files"] if origin else []
    assert command_in(local_models.recovery_hint(named)) == ["gglib", "rm", *files, "--", "-my coder"]


def test_missing_starter_is_downloaded_again_without_removing_the_model() -> None:
    """Its aliases, settings and profiles stay."""
    starter = replace(model(), source=ModelSource(origin="starter"))
    assert command_in(local_models.recovery_hint(starter, is_missing=True)) == ["gglib", "pull"]


@pytest.mark.parametrize("state", [Upstream.CHANGED, Upstream.PINNED])
def test_newest_version_is_pulled_by_its_name(state: Upstream) -> None:
    """Also a file with a space in its name."""
    check = UpstreamCheck(
        model=model("my coder.gguf"),
        repo=REPO,
        state=state,
        target=f"{REPO}/my coder.gguf",
        new_revision="f" * 40,
    )
    assert local_models.format_upstream(check).endswith(f"gglib pull '{REPO}/my coder.gguf'")


def test_newer_file_of_a_signed_url_has_no_command_without_its_query() -> None:
    """Without its query it is another file: pulled, it would become another model."""
    check = UpstreamCheck(
        model=model(), repo="https://example.org/a.gguf", state=Upstream.CHANGED, target=None
    )
    message = local_models.format_upstream(check)
    assert message.endswith("Update: gglib pull with its full URL (its query is not shown)")


def test_remaining_files_are_counted() -> None:
    """One file stays, two stay; of a model with a projector both are named."""
    plain = model()
    with_projector = replace(plain, projector=MODELS / "mmproj.gguf")
    assert "Its file stays: " in next(local_models.forgotten_lines(plain))
    assert next(local_models.forgotten_lines(with_projector)).endswith(
        f"Its files stay: {with_projector.paths[0]}, {MODELS / 'mmproj.gguf'}"
    )
    assert list(local_models.forgotten_lines(with_projector))[1].startswith("'gglib prune' deletes them now")


def test_hidden_file_has_its_remedy() -> None:
    """A file that is hidden is not reported as gone."""
    assert local_models.file_state_suffix(FileState.HERE) == ""
    assert "missing" in local_models.file_state_suffix(FileState.GONE)
    assert "search permission" in local_models.file_state_suffix(FileState.HIDDEN)


def test_model_without_its_file_is_forgotten_by_its_name() -> None:
    """The error in all clients quotes the name, too."""
    sentence = str(ModelFileNotFoundError("my coder"))
    assert command_in(sentence[sentence.index('"gglib rm') :]) == ["gglib", "rm", "my coder"]


@pytest.mark.parametrize(
    ("is_replaced", "words"),
    [
        (False, "is damaged or was changed: "),
        (True, "is no longer the file that gglib wrote (modified or "),
    ],
)
def test_state_of_a_file_is_named(is_replaced: bool, words: str) -> None:  # noqa: FBT001
    """Damage of gglib's own file, and another file in its place, are distinguished."""
    check = FileCheck(
        model=model(),
        path=model().paths[0],
        expected="a" * 64,
        verdict=FileVerdict.DIFFERS,
        is_replaced=is_replaced,
    )
    sentence = local_models.format_check(check)
    assert sentence.startswith(f"coder: coder.gguf {words}")
    assert sentence.endswith(f"'gglib pull {REPO}/coder.gguf' downloads it again.")


@pytest.mark.parametrize(
    ("removal", "state", "line"),
    [
        (
            RemovedModel(model=model(), deleted=(Path("a"),), freed_bytes=2_000_000),
            None,
            "Removed 'coder' and freed 2 MB of disk.",
        ),
        (RemovedModel(model=model()), None, "Removed 'coder'; no file was deleted."),
        (
            RemovedModel(model=model(), waiting=((Path("a"), "in use"),), waiting_bytes=2_000_000),
            "ready",
            (
                "Removed 'coder'. It is loaded by the running gglib (ready): 2 MB of disk space are freed "
                "when it is unloaded. 'gglib stop' unloads it now."
            ),
        ),
        (
            RemovedModel(model=model(), waiting=((Path("a"), "in use"),), waiting_bytes=2_000_000),
            None,
            "Removed 'coder'. Its files are in use now: 2 MB of disk are freed by the first gglib command after that.",
        ),
    ],
    ids=["freed", "nothing", "in memory", "in use"],
)
def test_removal_reports_the_freed_bytes(removal: RemovedModel, state: str | None, line: str) -> None:
    """Or the bytes to be freed, and when."""
    assert list(local_models.removal_lines(removal, state)) == [line]


def test_total_reports_shared_files() -> None:
    """A file that two models share counts once, and the message says so."""
    use = DiskUse(models=2, total_bytes=3_000_000, own_bytes=2_000_000)
    assert local_models.format_disk_use(use) == "2 models, 3 MB on disk, 2 MB of that managed by gglib."
    assert local_models.format_disk_use(replace(use, shared_bytes=1_000_000)) == (
        "2 models, 3 MB on disk, 2 MB of that managed by gglib. 1 MB are shared between models and counted once."
    )
    assert local_models.sharers_suffix(["q4", "q8"]) == "  (shared with q4, q8)"
    assert local_models.sharers_suffix([]) == ""
