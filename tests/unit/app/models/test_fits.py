"""How the models of the catalogue fit into the free memory."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from gglib.app.models import fits as catalogue
from gglib.app.models.fits import READ_LIMIT_S, catalogue_fits, list_fits
from gglib.app.settings import Settings
from gglib.core.memory import Fit, MachineMemory
from gglib.core.models import ModelSettings, ModelSummary
from gglib.testing import FakeCatalog, write_tiny_gguf

GIB = 1024**3
PLENTY = MachineMemory(total_bytes=64 * GIB, available_bytes=64 * GIB)


@pytest.fixture(name="settings")
def make_settings(tmp_path: Path) -> Settings:
    """Return settings of their own."""
    return Settings(home=tmp_path, default_ctx=4096, slots=4)


def model(path: Path, number: int = 1, **settings: object) -> ModelSummary:
    """Return a model of one file, with the facts of its header."""
    return ModelSummary(
        id=number,
        name=f"m{number}",
        paths=(path,),
        size_bytes=1_000_000,
        trained_context=32_768,
        settings=ModelSettings(**settings),  # type: ignore[arg-type]
    )


def test_a_model_is_judged_with_its_own_context_and_slots(settings: Settings, tmp_path: Path) -> None:
    """Else with the defaults, and at most the trained context."""
    path = write_tiny_gguf(tmp_path / "a.gguf")
    own = {"context": 8192, "engine_args": ("--parallel", "2")}
    default, special = catalogue_fits([model(path), model(path, 2, **own)], settings, PLENTY)
    assert (default.model_id, default.model_name, default.context, default.slots) == (1, "m1", 4096, 4)
    assert (special.context, special.slots) == (8192, 2)
    assert (default.fit, special.fit) == (Fit.FITS, Fit.FITS)
    assert default.need is not None
    assert default.need.is_exact


def test_a_large_model_does_not_fit(settings: Settings, tmp_path: Path) -> None:
    """The reason has the needed size."""
    path = write_tiny_gguf(tmp_path / "a.gguf")
    small = MachineMemory(total_bytes=1000, available_bytes=1000)
    (found,) = catalogue_fits([model(path)], settings, small)
    assert (found.fit, found.slots) == (Fit.TOO_LARGE, 1)
    assert found.reason.startswith("It needs ")


def test_what_is_not_known_is_unknown(settings: Settings, tmp_path: Path) -> None:
    """A missing file, and a system that reports no memory."""
    gone, none = catalogue_fits(
        [model(tmp_path / "none.gguf"), ModelSummary(id=2, name="m2")], settings, PLENTY
    )
    assert (gone.fit, gone.need, gone.slots) == (None, None, None)
    assert gone.reason.startswith("A file is missing: ")
    assert (none.fit, none.context) == (None, 4096)
    nothing = MachineMemory(total_bytes=None, available_bytes=None)
    (blind,) = catalogue_fits([model(write_tiny_gguf(tmp_path / "a.gguf"))], settings, nothing)
    assert blind.fit is None
    assert "does not report" in blind.reason
    assert blind.need is not None


@pytest.mark.parametrize("field", ["paths", "projector"])
def test_every_file_has_to_be_there(settings: Settings, tmp_path: Path, field: str) -> None:
    """Each shard, and the projector."""
    path, gone = write_tiny_gguf(tmp_path / "a.gguf"), tmp_path / "none.gguf"
    files = {"paths": (path, gone)} if field == "paths" else {"projector": gone}
    (found,) = catalogue_fits([replace(model(path), **files)], settings, PLENTY)
    assert (found.fit, found.need) == (None, None)
    assert found.reason.startswith("A file is missing: ")


def test_a_file_that_cannot_be_seen_hides_no_other_model(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its directory may not be searched; its own fit is unknown."""
    path, hidden = write_tiny_gguf(tmp_path / "a.gguf"), tmp_path / "hidden.gguf"
    stat = Path.stat

    def refuse(asked: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if asked == hidden:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(asked))
        return stat(asked, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", refuse)
    unseen, seen = catalogue_fits([model(hidden), model(path, 2)], settings, PLENTY)
    assert (unseen.fit, unseen.need, unseen.slots) == (None, None, None)
    assert "may not be searched" in unseen.reason
    assert seen.fit is Fit.FITS


def test_headers_are_read_for_a_limited_time(settings: Settings, tmp_path: Path) -> None:
    """Models beyond it are estimated from their sizes, and the next call reads on; cached headers cost no time."""
    models = [model(write_tiny_gguf(tmp_path / f"{number}.gguf"), number) for number in range(1, 4)]

    def exact(times: list[float]) -> list[bool]:
        found = catalogue_fits(models, settings, PLENTY, lambda: times.pop(0))
        return [fit.need is not None and fit.need.is_exact for fit in found]

    late = READ_LIMIT_S
    assert exact([0.0, 0.1, late, late]) == [True, False, False]
    assert exact([0.0, 0.1, 0.2, late]) == [True, True, False]
    assert exact([0.0, late, late, 0.3]) == [True, True, True]


async def test_all_models_of_the_catalogue(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In their order, with the memory that they were judged against."""

    async def memory(_: Settings) -> MachineMemory:
        return PLENTY

    monkeypatch.setattr(catalogue, "usable_memory", memory)
    path = write_tiny_gguf(tmp_path / "a.gguf")
    found = await list_fits(settings, FakeCatalog([model(path, 2), model(path, 1)]))
    assert found.memory == PLENTY
    assert [fit.model_id for fit in found.fits] == [2, 1]
