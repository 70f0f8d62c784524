"""A draft model has to go with its model, as far as the headers show it."""

from pathlib import Path

import pytest

from gglib.app.models import engine_settings
from gglib.app.models.engine_settings import check_engine_settings, find_draft, with_files
from gglib.app.settings import Settings
from gglib.core.errors import EngineNotFoundError, InvalidSettingError
from gglib.core.models import GgufFacts, ModelSettings, ModelSummary


def facts(vocabulary: int | None, merges: int | None = 10, parameters: int = 100) -> GgufFacts:
    """Return the facts of a model with a vocabulary."""
    return GgufFacts(
        architecture="qwen2", vocabulary_size=vocabulary, merge_count=merges, parameter_count=parameters
    )


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(configured: Path | None) -> None:
        raise EngineNotFoundError(str(configured))

    monkeypatch.setattr(engine_settings, "find_engine", missing)


@pytest.mark.parametrize(
    ("draft", "is_accepted"),
    [
        (facts(151_936), True),
        (facts(152_064), True),  # Qwen2.5's smaller models have fewer unused tokens than its larger ones
        (facts(152_065), False),
        (facts(151_936, merges=11), False),
        (facts(None), False),
        (None, False),
    ],
)
def test_vocabularies_of_a_family_differ_in_unused_tokens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, draft: GgufFacts | None, *, is_accepted: bool
) -> None:
    """By up to 128; the merges are the same. Without an engine, files are checked all the same."""
    path = tmp_path / "draft.gguf"
    path.touch()
    monkeypatch.setattr(engine_settings, "file_facts", lambda _: draft)
    own = ModelSettings(engine_args=("--model-draft", str(path)))
    if is_accepted:
        check_engine_settings(own, Settings(home=tmp_path), facts(151_936))
        return
    with pytest.raises(InvalidSettingError, match="draft model"):
        check_engine_settings(own, Settings(home=tmp_path), facts(151_936))


def test_an_automatic_draft_has_at_most_half_of_the_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest such model with the vocabulary; models without a file or a size do not count."""
    sizes = {1: 1000, 2: 600, 3: 500, 4: 200, 5: 100, 6: None}
    models = [
        ModelSummary(id=number, name=str(number), parameter_count=size, paths=(Path(f"/{number}"),))
        for number, size in sizes.items()
    ]
    models.append(ModelSummary(id=7, name="7", parameter_count=1))
    of_path = {Path("/5"): facts(99_000)}
    monkeypatch.setattr(engine_settings, "file_facts", lambda path: of_path.get(path, facts(151_936)))
    own = facts(151_936, parameters=1000)
    assert find_draft("auto", models[0], own, models) == Path("/4")
    with pytest.raises(InvalidSettingError, match="found no model"):
        find_draft("auto", models[0], own, models[:2])
    with pytest.raises(InvalidSettingError, match="found no model"):
        find_draft("auto", models[0], None, models)


def test_a_path_of_an_unknown_user_is_no_file() -> None:
    """As for a shell, it is a name like any other."""
    with pytest.raises(InvalidSettingError, match=r"--draft is '~nosuchuser/x\.gguf', but there is neither"):
        find_draft("~nosuchuser/x.gguf", None, None, [])
    own = with_files(ModelSettings(engine_args=("--lora", "~nosuchuser/a.gguf")), Path("/m"))
    with pytest.raises(InvalidSettingError, match=r"/m/~nosuchuser/a\.gguf' of '--lora' does not exist"):
        check_engine_settings(own, Settings(home=Path("/h")))
