"""Which of several files are one model, and which is whose projector."""

from pathlib import Path

import pytest

from gglib.library.add_plan import AddPlan, PlannedModel, plan_files

M = Path("/m")


def model(name: str, *, projector: str | None = None, known_as: str | None = None) -> PlannedModel:
    """Return a planned model of a file in ``/m``."""
    return PlannedModel(
        path=M / name, projector=None if projector is None else M / projector, known_as=known_as
    )


@pytest.mark.parametrize(
    ("files", "plan"),
    [
        (("a.gguf", "b.gguf", "a.gguf"), AddPlan(models=(model("a.gguf"), model("b.gguf")))),
        (
            ("x-00002-of-00003.gguf", "x-00001-of-00003.gguf", "x-00001-of-00002.gguf"),
            AddPlan(models=(model("x-00002-of-00003.gguf"), model("x-00001-of-00002.gguf"))),
        ),
        (("a.gguf", "mmproj-b.gguf"), AddPlan(models=(model("a.gguf", projector="mmproj-b.gguf"),))),
        (
            ("mmproj-a.gguf", "a.gguf", "b.gguf"),
            AddPlan(models=(model("a.gguf"), model("b.gguf")), projectors=(M / "mmproj-a.gguf",)),
        ),
        (
            ("a.gguf", "mmproj-F16.gguf", "mmproj-BF16.gguf"),
            AddPlan(models=(model("a.gguf"),), projectors=(M / "mmproj-F16.gguf", M / "mmproj-BF16.gguf")),
        ),
        (("mmproj-a.gguf",), AddPlan(models=(model("mmproj-a.gguf"),))),
        ((), AddPlan(models=())),
    ],
)
def test_shards_are_one_model_and_projectors_none(files: tuple[str, ...], plan: AddPlan) -> None:
    """In the order of the files; the only projector is the only model's."""
    assert plan_files([M / name for name in files], {}) == plan


def test_shards_of_one_name_in_two_directories_are_two_models() -> None:
    """A model's files are together."""
    files = [Path("/a/x-00001-of-00002.gguf"), Path("/b/x-00001-of-00002.gguf")]
    assert len(plan_files(files, {}).models) == 2


def test_known_files_are_named() -> None:
    """By any of their shards."""
    plan = plan_files([M / "a.gguf", M / "b.gguf"], {M / "b.gguf": "bee"})
    assert plan.models == (model("a.gguf"), model("b.gguf", known_as="bee"))
