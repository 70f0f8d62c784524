"""How a name finds a model."""

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
    """An alias goes before an id of the same spelling; two matches that differ in case only are none."""
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
def test_the_tag_latest_may_be_added_or_left_out(name: str, found: int | None) -> None:
    """``model:latest`` finds ``model`` and the other way round, after every other rule; an id has no tag."""
    model = find_model(name, TAGGED)
    assert (model.id if model else None) == found


def test_a_name_that_is_ambiguous_without_its_tag_has_candidates() -> None:
    """The error names both, as it does for the name without the tag."""
    assert not_found("TWIN:latest", TAGGED).candidates == ("Twin", "twin")


def test_a_name_like_no_other_lists_what_the_catalogue_has() -> None:
    """All of a small catalogue; ten of a large one, with how many more there are and the command that lists them."""
    assert str(not_found("zzzz", MODELS[:3])) == (
        "Model 'zzzz' is not in the catalogue. It has SmolLM2-135M, smollm2-135m, Gemma."
    )
    many = [ModelSummary(id=n, name=f"m{n}") for n in range(1, 14)]
    assert str(not_found("zzzz", many)) == (
        "Model 'zzzz' is not in the catalogue. "
        "It has m1, m2, m3, m4, m5, m6, m7, m8, m9, m10 and 3 more ('gglib list')."
    )


def test_an_empty_catalogue_says_how_a_model_comes_into_it() -> None:
    """Nothing can be listed, so the two commands are named."""
    text = str(not_found("llama3", []))
    assert "which is empty" in text
    assert "gglib pull" in text
    assert "gglib add" in text


def test_an_ambiguous_name_is_told_its_candidates() -> None:
    """The error names both spellings."""
    error = not_found("SMOLLM2-135M", MODELS)
    assert error.is_ambiguous
    assert error.candidates == ("SmolLM2-135M", "smollm2-135m")
    assert "SmolLM2-135M, smollm2-135m" in str(error)


@pytest.mark.parametrize(
    ("name", "near"),
    [("gema", "Gemma"), ("qwen", "Qwen2.5-Coder-7B"), ("Qwen2.5-Coder-7b-Q4", "Qwen2.5-Coder-7B")],
)
def test_a_wrong_name_is_told_what_comes_near(name: str, near: str) -> None:
    """A typo, a part and a longer spelling all find it."""
    assert near in not_found(name, MODELS).candidates


def test_a_name_like_no_other_has_no_candidates() -> None:
    """Nothing is suggested for the sake of it, and a name of any length costs little."""
    assert not_found("zzzzzz" * 10_000, MODELS).candidates == ()
    assert not_found("e", MODELS).candidates == ()


def test_only_a_few_candidates_are_named() -> None:
    """A sentence is no list; an ambiguous name has all of its own."""
    models = [ModelSummary(id=n, name=f"coder-{n}b") for n in range(1, 9)]
    assert len(not_found("coder", models).candidates) == 3


async def test_a_required_model_is_the_one_that_its_name_means() -> None:
    """Otherwise the error has the similar names of the catalogue."""
    catalog = FakeCatalog(MODELS)
    assert await require_model(catalog, "gpt-4") == MODELS[0]
    with pytest.raises(ModelNotFoundError) as caught:
        await require_model(catalog, "gema")
    assert caught.value.candidates == ("Gemma",)
