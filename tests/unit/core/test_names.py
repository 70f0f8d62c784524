"""Resolution of model names."""

import pytest

from gglib.core.errors import ModelNotFoundError
from gglib.core.models import ModelSummary
from gglib.core.names import find_model, not_found, require_model
from gglib.testing import FakeCatalog

MODELS = [
    ModelSummary(id=1, name="SmolLM2-135M", aliases=("smol", "gpt-4")),
    ModelSummary(id=2, name="smollm2-135m"),
    ModelSummary(id=3, name="Gemma", aliases=("1",)),
    ModelSummary(id=44, name="Qwen2.5-Coder-7B"),
    ModelSummary(id=5, name="M\u00e9lodie"),
    ModelSummary(id=6, name="de\u0301ja\u0300"),
]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("SmolLM2-135M", 1),
        ("smollm2-135m", 2),
        ("gpt-4", 1),
        ("1", 3),
        ("2", 2),
        ("44", 44),
        ("GEMMA", 3),
        ("GPT-4", 1),
        ("Me\u0301lodie", 5),
        ("ME\u0301LODIE", 5),
        ("d\u00e9j\u00e0", 6),
        ("SMOLLM2-135M", None),
        ("gemm", None),
        ("²", None),
        ("", None),
    ],
)
def test_exact_name_then_alias_then_id_then_a_unique_match_ignoring_case(
    name: str, found: int | None
) -> None:
    """An alias precedes an id of the same spelling; two matches that differ in case only are ambiguous."""
    model = find_model(name, MODELS)
    assert (model.id if model else None) == found


TAGGED = [
    ModelSummary(id=1, name="llama3.2:latest"),
    ModelSummary(id=2, name="coder", aliases=("gpt-4",)),
    ModelSummary(id=3, name="qwen"),
    ModelSummary(id=4, name="qwen:latest"),
    ModelSummary(id=5, name="Twin"),
    ModelSummary(id=6, name="twin"),
]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("llama3.2", 1),
        ("LLAMA3.2", 1),
        ("llama3.2:latest", 1),
        ("coder:latest", 2),
        ("Coder:LATEST", 2),
        ("gpt-4:latest", 2),
        ("qwen", 3),
        ("qwen:latest", 4),
        ("QWEN:Latest", 4),
        ("twin:latest", 6),
        ("TWIN:latest", None),
        ("2:latest", None),
        (":latest", None),
        ("coder:latest:latest", None),
        ("coder:7b", None),
    ],
)
def test_tag_latest_is_optional(name: str, found: int | None) -> None:
    """``model:latest`` finds ``model`` and the other way round, after every other rule; an id has no tag."""
    model = find_model(name, TAGGED)
    assert (model.id if model else None) == found


def test_name_that_is_ambiguous_without_its_tag_has_candidates() -> None:
    """The error names both, as it does for the name without the tag."""
    assert not_found("TWIN:latest", TAGGED).candidates == ("Twin", "twin")


def test_unknown_name_lists_the_catalogue() -> None:
    """All of a small catalogue; ten of a large one, with the number of others and the command that lists them."""
    assert str(not_found("zzzz", MODELS[:3])) == (
        "Model 'zzzz' is not in the catalogue. It has SmolLM2-135M, smollm2-135m, Gemma."
    )
    many = [ModelSummary(id=n, name=f"m{n}") for n in range(1, 14)]
    assert str(not_found("zzzz", many)) == (
        "Model 'zzzz' is not in the catalogue. "
        "It has m1, m2, m3, m4, m5, m6, m7, m8, m9, m10 and 3 more ('gglib list')."
    )


def test_empty_catalogue_names_the_commands_to_add_a_model() -> None:
    """There is no model to list, so the two commands are named."""
    text = str(not_found("llama3", []))
    assert "which is empty" in text
    assert "gglib pull" in text
    assert "gglib add" in text


def test_ambiguous_name_has_its_candidates() -> None:
    """The error names both spellings."""
    error = not_found("SMOLLM2-135M", MODELS)
    assert error.is_ambiguous
    assert error.candidates == ("SmolLM2-135M", "smollm2-135m")
    assert "SmolLM2-135M, smollm2-135m" in str(error)


@pytest.mark.parametrize(
    ("name", "near"),
    [("gema", "Gemma"), ("qwen", "Qwen2.5-Coder-7B"), ("Qwen2.5-Coder-7b-Q4", "Qwen2.5-Coder-7B")],
)
def test_unknown_name_has_suggestions(name: str, near: str) -> None:
    """A typo, a part and a longer spelling all find the name."""
    assert near in not_found(name, MODELS).candidates


def test_dissimilar_name_has_no_suggestions() -> None:
    """No weak match is suggested, and a name of any length is cheap."""
    assert not_found("zzzzzz" * 10_000, MODELS).candidates == ()
    assert not_found("e", MODELS).candidates == ()


def test_number_of_suggestions_is_bounded() -> None:
    """A sentence is no list; an ambiguous name has all of its candidates."""
    models = [ModelSummary(id=n, name=f"coder-{n}b") for n in range(1, 9)]
    assert len(not_found("coder", models).candidates) == 3


async def test_a_required_model_is_the_one_that_its_name_means() -> None:
    """Otherwise the error has the similar names of the catalogue."""
    catalog = FakeCatalog(MODELS)
    assert await require_model(catalog, "gpt-4") == MODELS[0]
    with pytest.raises(ModelNotFoundError) as caught:
        await require_model(catalog, "gema")
    assert caught.value.candidates == ("Gemma",)
