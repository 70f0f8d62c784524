"""What the commands that keep models tell to do can be typed as it stands."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from gglib.cli import keep_words
from gglib.cli.typed import command, said
from gglib.core.errors import ModelFileNotFoundError
from gglib.core.models import ModelSource, ModelSummary
from gglib.core.pull_target import read_target
from gglib.usecases.file_state import FileState
from gglib.usecases.outdated_models import Upstream, UpstreamCheck

MODELS = Path("/home/u/models")
REPO = "ada/coder-GGUF"


def model(file: str = "coder.gguf", *, directory: str = REPO, name: str = "coder") -> ModelSummary:
    """Return a model that was pulled."""
    return ModelSummary(
        id=1,
        name=name,
        paths=(MODELS / directory / file,),
        source=ModelSource(origin="hub", repo=REPO, file=file),
        is_downloaded=True,
    )


def typed_in(sentence: str) -> list[str]:
    """Return the words of the command in a sentence, as a shell reads them."""
    before, _, behind = sentence.partition("gglib ")
    return ["gglib", *shlex.split(behind.partition(before[-1])[0])]


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        (("rm", "coder"), "gglib rm coder"),
        (("rm", "my coder"), "gglib rm 'my coder'"),
        (("rm", "--files", "-x"), "gglib rm --files -- -x"),
        (("run", "a;b"), "gglib run 'a;b'"),
        (("run", "a\x1bb"), "gglib run 'a\\x1bb'"),
    ],
)
def test_a_command_is_quoted(words: tuple[str, ...], typed: str) -> None:
    """A name with a space, a dash in front or what a shell reads otherwise comes through; an escape does not."""
    assert command(*words) == typed
    assert said(*words).strip('"') == (typed if "'" in typed else f"'{typed}'")


def test_a_pinned_file_is_fetched_at_its_branch() -> None:
    """The branch is typed as git has it, not as its directory is called."""
    pinned = model("my coder.gguf", directory=f"{REPO}@feature%2Fx")
    words = typed_in(keep_words.what_next(pinned, MODELS))
    assert words == ["gglib", "pull", f"{REPO}/my coder.gguf@feature/x"]
    assert read_target(words[-1]).revision == "feature/x"


@pytest.mark.parametrize("origin", ["starter", "url", None])
def test_a_model_is_forgotten_by_its_name(origin: str | None) -> None:
    """Whatever it is called."""
    named = replace(model(name="-my coder"), source=ModelSource(origin=origin), is_downloaded=False)
    files = ["--files"] if origin else []
    assert typed_in(keep_words.what_next(named, MODELS)) == ["gglib", "rm", *files, "--", "-my coder"]


@pytest.mark.parametrize("state", [Upstream.CHANGED, Upstream.PINNED])
def test_the_newest_is_pulled_by_its_name(state: Upstream) -> None:
    """Also a file with a space in its name."""
    check = UpstreamCheck(model=model("my coder.gguf"), repo=REPO, state=state, new_revision="f" * 40)
    assert keep_words.upstream(check).endswith(f"gglib pull '{REPO}/my coder.gguf'")


def test_files_that_stay_are_counted() -> None:
    """One file stays, two stay; of a model with a projector both are named."""
    one = model()
    two = replace(one, projector=MODELS / "mmproj.gguf")
    assert "Its file stays: " in next(keep_words.forgotten(one))
    assert next(keep_words.forgotten(two)).endswith(
        f"Its files stay: {two.paths[0]}, {MODELS / 'mmproj.gguf'}"
    )
    assert list(keep_words.forgotten(two))[1].startswith("'gglib rm --files' would have deleted them, too")


def test_a_hidden_file_says_what_to_do() -> None:
    """A file that is hidden is not said to be gone."""
    assert keep_words.of_file(FileState.HERE) == ""
    assert "gone" in keep_words.of_file(FileState.GONE)
    assert "let this user search" in keep_words.of_file(FileState.HIDDEN)


def test_a_model_without_its_file_is_forgotten_by_its_name() -> None:
    """The error that everybody sees quotes the name, too."""
    sentence = str(ModelFileNotFoundError("my coder"))
    assert "'gglib rm 'my coder''" in sentence
