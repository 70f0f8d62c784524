"""The list of first models, and which of them is recommended for a machine."""

from datetime import date

import pytest

from gglib.core.memory import Fit, GpuMemory, MachineMemory
from gglib.library.starter.first_models import (
    FirstModel,
    first_models,
    offers,
    parse_first_models,
    recommended,
)
from gglib.library.variants.pull_target import read_target

GIB = 1024**3
MODELS = first_models().models


def machine(gib: float, *, free: float = 0.85, gpu_gib: int = 0) -> MachineMemory:
    """Return a machine of a size of which a share is free."""
    total = int(gib * GIB)
    gpus = (GpuMemory(name="g", total_bytes=gpu_gib * GIB, free_bytes=gpu_gib * GIB),) if gpu_gib else ()
    return MachineMemory(total_bytes=total, available_bytes=int(total * free), gpus=gpus)


def best(memory: MachineMemory, models: tuple[FirstModel, ...] = MODELS) -> str | None:
    """Return the target that is recommended with the default context and slots."""
    offer = recommended(offers(models, memory=memory, default_ctx=8192, slots=4), memory)
    return None if offer is None else offer.model.target


def test_list_is_complete() -> None:
    """Five sizes, smallest first; free licences; targets that ``gglib pull`` reads; exact estimates."""
    assert first_models().as_of >= date(2026, 11, 1)
    assert [model.machine_gb for model in MODELS] == [2, 4, 8, 16, 24]
    assert [model.size_bytes for model in MODELS] == sorted(model.size_bytes for model in MODELS)
    assert {model.licence for model in MODELS} <= {"apache-2.0", "mit"}
    for model in MODELS:
        target = read_target(model.target)
        assert (target.repo, target.quantization) == (model.repo, model.quantization)
    assert all(
        offer.slot_fit.need.is_exact for offer in offers(MODELS, memory=machine(8), default_ctx=8192, slots=4)
    )


@pytest.mark.parametrize("number", range(5))
def test_machine_gets_the_model_that_is_meant_for_it(number: int) -> None:
    """Also if firmware takes some of its memory: 0.93 of it is what the system reports."""
    model = MODELS[number]
    assert best(machine(model.machine_gb)) == model.target
    assert best(machine(model.machine_gb * 0.95)) == model.target


def test_larger_model_that_happens_to_fit_is_not_recommended() -> None:
    """16 GB that are all free hold the model for 24 GB, until another program starts."""
    memory = machine(16, free=1.0)
    (*_, largest) = offers(MODELS, memory=memory, default_ctx=8192, slots=4)
    assert largest.fit is Fit.FITS
    assert best(memory) == MODELS[3].target


def test_memory_of_a_gpu_counts() -> None:
    """A machine of 8 GB with a GPU of 24 GB."""
    assert best(machine(8, gpu_gib=24)) == MODELS[4].target


def test_nothing_is_recommended_if_nothing_fits() -> None:
    """512 MB are too little for each; a machine below the list's first size gets the smallest that fits."""
    assert best(machine(0.5)) is None
    assert best(machine(1.6, free=1.0)) == MODELS[0].target


def test_unknown_memory_recommends_the_largest_that_fits() -> None:
    """An unknown need never makes a model too large."""
    assert best(MachineMemory(total_bytes=None, available_bytes=None)) == MODELS[4].target


def test_file_without_a_shape_is_refused() -> None:
    """A wrong key, too: the list is the package's own."""
    with pytest.raises(KeyError, match="shape"):
        parse_first_models('as_of = 2026-01-01\n[[model]]\ntitle = "a"\n')
