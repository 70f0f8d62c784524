"""The plan of a pull: its files, its name, and the model that it updates."""

from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.errors import (
    InvalidGgufError,
    InvalidSettingError,
    ModelExistsError,
    RepositoryNotFoundError,
    VariantChoiceError,
)
from gglib.core.memory import Fit, MachineMemory
from gglib.core.models import GgufFacts
from gglib.gguf import read_partial_facts
from gglib.library.variants.pull_target import read_target

from .pull_harness import REPO, PullHarness


@pytest.fixture
def harness(tmp_path: Path) -> PullHarness:
    """Return a harness without any model."""
    return PullHarness(tmp_path)


class TestPlanning:
    async def test_named_quantization_is_planned_without_a_prompt(self, harness: PullHarness) -> None:
        """The file, its place, its name, and its source."""
        plan = await harness.plan(f"{REPO}:q8_0")
        assert (plan.name, plan.aliases, plan.was_chosen) == ("tiny-Q8_0", (f"{REPO}:Q8_0",), False)
        assert (str(plan.folder), plan.label) == ("ada/tiny-GGUF", "Q8_0")
        assert [file.remote.name for file in plan.all_files] == ["tiny-Q8_0.gguf"]
        assert plan.total_bytes == len(harness.other_file)
        assert (plan.source.origin, plan.source.repo, plan.source.file) == ("hub", REPO, "tiny-Q8_0.gguf")
        assert plan.fit is Fit.FITS
        assert harness.files() == []

    async def test_without_a_name_the_best_that_fits_is_chosen(self, harness: PullHarness) -> None:
        """Q4_K_M goes first; the plan says that gglib chose, and lists the alternatives."""
        plan = await harness.plan(REPO)
        assert (plan.quantization, plan.was_chosen) == ("Q4_K_M", True)
        assert [variant.quantization for variant, _ in plan.choices] == ["Q4_K_M", "Q8_0"]

    async def test_nothing_that_fits_is_one_sentence(self, harness: PullHarness) -> None:
        """On a machine without memory the error has the smallest need, and how to pull it anyway."""
        with pytest.raises(VariantChoiceError, match="gglib pull"):
            await harness.plan(REPO, memory=MachineMemory(total_bytes=1 << 20, available_bytes=1 << 20))
        plan = await harness.plan(
            f"{REPO}:Q8_0", memory=MachineMemory(total_bytes=1 << 20, available_bytes=1 << 20)
        )
        assert plan.fit is Fit.TOO_LARGE

    async def test_requested_revision_has_its_own_place(self, harness: PullHarness) -> None:
        """Two versions of a file can be present at the same time."""
        commit = (await harness.hub.repository(REPO)).revision
        harness.hub.add_repository(REPO, {"tiny-Q4_K_M.gguf": harness.other_file})
        plan = await harness.plan(f"{REPO}:Q4_K_M@{commit}")
        assert str(plan.folder) == f"ada/tiny-GGUF@{commit}"
        assert (plan.source.revision, plan.source.asked_revision) == (commit, commit)

    async def test_file_that_is_no_model_is_refused_before_the_fetch(self, harness: PullHarness) -> None:
        """A file whose content contradicts its name, and a projector by itself."""
        harness.hub.add_repository("ada/odd", {"odd-Q4_K_M.gguf": b"<html>" * 100})
        with pytest.raises(InvalidGgufError, match="cannot be pulled"):
            await harness.plan("ada/odd")

    async def test_invalid_name_is_refused_before_any_request(self, harness: PullHarness) -> None:
        """Not by the catalogue after the whole model has arrived."""
        unfit: list[tuple[str | None, list[str]]] = [("12", []), (" x", []), ("x", ["7"]), (None, ["\x1b"])]
        for name, aliases in unfit:
            with pytest.raises(InvalidSettingError):
                await harness.plan("ada/none", name=name, aliases=aliases)
        for aliases in (["a", "A"], ["TINY-q4_k_m"]):
            with pytest.raises(ModelExistsError, match="already"):
                await harness.plan(f"{REPO}:Q4_K_M", aliases=aliases)

    async def test_numeric_file_name_gets_a_valid_name(self, harness: PullHarness) -> None:
        """A number would be taken for an id."""
        harness.hub.add_repository("ada/odd", {"7.gguf": harness.file})
        assert (await harness.plan("ada/odd")).name == "model-7"

    async def test_adapter_is_refused_as_in_add(self, harness: PullHarness) -> None:
        """The error names its model's architecture and its kind; no engine can serve it alone."""

        def read(start: bytes) -> GgufFacts:
            return replace(read_partial_facts(start), kind="adapter")

        planner = replace(harness.planner, read_facts=read)
        with pytest.raises(InvalidGgufError, match="is an adapter"):
            await planner.plan(read_target(f"{REPO}:Q4_K_M"))

    async def test_taken_name_is_refused_before_the_fetch(self, harness: PullHarness) -> None:
        """A taken name of the user's choice is an error; a derived one is replaced with the repository's."""
        harness.hub.add_repository("bob/tiny-GGUF", {"tiny-Q4_K_M.gguf": harness.file})
        await harness.pull()
        assert (await harness.plan("bob/tiny-GGUF")).name == "bob/tiny-GGUF:Q4_K_M"
        with pytest.raises(ModelExistsError, match="--name"):
            await harness.plan("bob/tiny-GGUF", name="TINY-q4_k_m")
        with pytest.raises(ModelExistsError, match="--alias"):
            await harness.plan("bob/tiny-GGUF", aliases=("tiny-Q4_K_M",))

    async def test_missing_repository_is_the_hub_error(self, harness: PullHarness) -> None:
        """The hub adapter's error is passed on."""
        with pytest.raises(RepositoryNotFoundError):
            await harness.plan("ada/none")
