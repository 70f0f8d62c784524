"""The size of commands and of engines without an estimate."""

from dataclasses import replace
from pathlib import Path

import pytest

from gglib.app.memory.launch_sizes import LaunchSizes
from gglib.core.backends import CommandBackend
from gglib.core.memory import RAM
from gglib.core.models import NO_FILE, ModelLaunchSpec, ModelSettings
from gglib.library.fit.launch_size import with_margin
from gglib.runtime.memory import LaunchedEngine

GIB = 1024**3
FILE_BYTES = 1000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file that is no GGUF file: a command may read any format."""
    path = tmp_path / "weights.bin"
    path.write_bytes(b"x" * FILE_BYTES)
    return path


def sizes(**values: object) -> LaunchSizes:
    """Return the sizes on a machine with 16 GiB of RAM and a GPU with 8."""
    known = LaunchSizes(
        engine_kind="embedded",
        wanted_slots=4,
        totals={RAM: 16 * GIB, "gpu0": 8 * GIB},
        budget={RAM: 16 * GIB, "gpu0": 8 * GIB},
        peaks={},
        guesses={},
    )
    return replace(known, **values)  # type: ignore[arg-type]


def spec_of(
    path: Path = NO_FILE, *, argv: tuple[str, ...] = ("serve", "{port}"), **backend: object
) -> ModelLaunchSpec:
    """Return the spec of a model that a command serves."""
    return ModelLaunchSpec(
        model_id=1,
        model_name="m",
        path=path,
        backend=CommandBackend(argv=argv, **backend),  # type: ignore[arg-type]
    )


def key_of(spec: ModelLaunchSpec, context: int = 4096) -> str:
    """Return the key of a launch's measured peak."""
    return sizes().launched(LaunchedEngine(spec=spec, context=context)).key


def test_a_stated_size_comes_first(path: Path) -> None:
    """It replaces the file's size, and no measurement replaces it."""
    spec = spec_of(path, memory=((RAM, GIB), ("gpu0", 6 * GIB)))
    measured = sizes(peaks={key_of(spec): {RAM: 3 * GIB}})
    assert measured.of(spec, 4096) == {RAM: GIB, "gpu0": 6 * GIB}


def test_a_stated_size_beyond_the_budget_is_not_cut() -> None:
    """The load is refused with both numbers, so that one of them can be changed."""
    assert sizes().of(spec_of(memory=((RAM, 99 * GIB),)), 4096) == {RAM: 99 * GIB}


def test_a_measured_peak_comes_next(path: Path) -> None:
    """Also on devices that the file's size says nothing of; at most the budget."""
    spec = spec_of(path)
    measured = sizes(peaks={key_of(spec): {RAM: 3 * GIB, "gpu0": 9 * GIB}})
    assert measured.of(spec, 4096) == {RAM: 3 * GIB, "gpu0": 8 * GIB}


def test_the_files_are_the_first_guess(path: Path) -> None:
    """A command without a file is unknown: it counts as nothing until it is measured."""
    assert sizes().of(spec_of(path), 4096) == with_margin({RAM: FILE_BYTES})
    assert sizes().of(spec_of(), 4096) == {}


def test_a_load_without_memory_raises_the_size() -> None:
    """The guess of the accounts applies to stated sizes, too."""
    spec = spec_of(memory=((RAM, GIB),))
    assert sizes(guesses={key_of(spec): {RAM: 2 * GIB}}).of(spec, 4096) == {RAM: 2 * GIB}


def test_a_peak_belongs_to_the_command_and_its_context(path: Path) -> None:
    """Another command, environment or file is another launch; the context counts only for a command that takes it."""
    spec = spec_of(path)
    assert key_of(spec) == key_of(spec, context=8192)
    others = [
        spec_of(path, argv=("serve", "--half", "{port}")),
        replace(spec, settings=ModelSettings(environment=(("A", "b"),))),
        spec_of(),
    ]
    assert len({key_of(spec), *map(key_of, others)}) == 4
    with_context = spec_of(path, argv=("serve", "{port}", "{ctx}"))
    assert key_of(with_context) != key_of(with_context, context=8192)


def test_an_engine_without_an_estimate_counts_the_files(path: Path) -> None:
    """The rules of llama.cpp say nothing of another engine."""
    spec = replace(spec_of(path), backend=None)
    assert sizes(has_estimate=False).of(spec, 4096) == with_margin({RAM: FILE_BYTES})
