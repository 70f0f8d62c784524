"""``gglib up`` offers an engine for a GPU that the engine in use cannot use."""

from collections.abc import Callable

import click
import pytest

from gglib.app.engines import machine as machine_module
from gglib.app.memory import gpu_use
from gglib.app.settings import Settings, load_settings
from gglib.cli.engines import offer
from gglib.core.errors import EngineInstallError
from gglib.system import present_gpus
from gglib.system.gpu_kinds import Gpu, GpuVendor

from .conftest import Home

RTX = Gpu(vendor=GpuVendor.NVIDIA, name="NVIDIA RTX 3060", memory_bytes=12_884_901_888)
Offered = Callable[..., list[str]]


@pytest.fixture
def settings(home: Home) -> Settings:
    """Return the settings of a home with the scripted engine, which has no GPU."""
    return load_settings({"home": str(home.path)}, {})


@pytest.fixture
def offered(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Offered:
    """Return a function that runs the offer with an answer, and returns what was asked and done."""

    def run(*, answer: bool, terminal: bool = True, gpus: tuple[Gpu, ...] = (RTX,)) -> list[str]:
        seen: list[str] = []

        def confirm(question: str, **_: object) -> bool:
            seen.append(question)
            return answer

        monkeypatch.setattr(offer, "is_interactive", lambda: terminal)
        monkeypatch.setattr(click, "confirm", confirm)
        for module in (present_gpus, gpu_use):
            monkeypatch.setattr(module, "read_present_gpus", lambda: gpus)
        monkeypatch.setattr(machine_module, "read_present_gpus", lambda: gpus)
        monkeypatch.setattr(
            "gglib.cli.engines.installing.install_engine", lambda *_, **__: seen.append("installed")
        )
        offer.offer_engine(settings)
        return seen

    return run


def test_it_is_asked_once(offered: Offered, capsys: pytest.CaptureFixture[str]) -> None:
    """A refusal is remembered, and the command for later is named."""
    (question,) = offered(answer=False)
    assert question.startswith("NVIDIA RTX 3060, 12.9 GB: the engine in use cannot use it.")
    assert "'gglib engine install' does it later" in capsys.readouterr().out.replace(
        "python -m gglib", "gglib"
    )
    assert offered(answer=False) == []


def test_an_answer_of_yes_installs_it(offered: Offered) -> None:
    """As the command does without an argument."""
    assert offered(answer=True)[1:] == ["installed"]


def test_without_a_terminal_nothing_is_asked(offered: Offered) -> None:
    """Nor without a GPU, or one with a driver."""
    assert offered(answer=True, terminal=False) == []
    assert offered(answer=True, gpus=()) == []
    assert offered(answer=True, gpus=(Gpu(vendor=GpuVendor.NVIDIA, name="X", has_driver=False),)) == []


def test_a_failed_installation_is_a_warning(
    offered: Offered, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The start goes on."""
    offered(answer=True)

    def fail(*_: object, **__: object) -> None:
        raise EngineInstallError("There is no network.")

    monkeypatch.setattr("gglib.cli.engines.installing.install_engine", fail)
    offer.offer_engine(settings)
    assert "There is no network. The start goes on with the engine that is there." in capsys.readouterr().err
