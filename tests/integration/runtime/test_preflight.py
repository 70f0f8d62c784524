"""Checks that need no engine run before a good model is evicted; changed files are read again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gglib.core.errors import (
    EngineBrokenError,
    InvalidSettingError,
    ModelFileNotFoundError,
    ModelLoadFailedError,
    ModelRuntimeError,
)
from gglib.core.models import ModelEdit, ModelSettings, ModelSummary
from gglib.gguf import read_model
from gglib.library.model_facts import ModelFacts
from gglib.runtime import EngineManager, LaunchConfig, LocalLauncher, RuntimeConfig
from gglib.runtime.engines import find_engine
from gglib.runtime.local.model_files import read_mark
from gglib.testing import FakeCatalog, Script, install_scripted_server, read_record, write_tiny_gguf


class Home:
    """A catalogue of two real models, ``a`` and ``b``, and a manager that checks them as a server does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record = path / "record.jsonl"
        for name in "ab":
            write_tiny_gguf(path / f"{name}.gguf", name=name, context_length=8192)
        write_tiny_gguf(path / "no-projector.gguf")
        self.catalog = FakeCatalog([self.model(1, "a"), self.model(2, "b")])
        self.facts = ModelFacts(self.catalog, read_model, read_mark)

    def model(self, number: int, name: str, **values: Any) -> ModelSummary:
        """Return a model as ``gglib add`` stores it in the catalogue."""
        path = self.path / f"{name}.gguf"
        found = read_model(path)
        known = ModelSummary(
            id=number,
            name=name,
            paths=(path,),
            size_bytes=found.size_bytes,
            trained_context=found.facts.trained_context,
            architecture=found.facts.architecture,
            added_at=1,
        )
        return replace(known, **values)

    @property
    def b(self) -> Path:
        """The file of ``b``."""
        return self.path / "b.gguf"

    @asynccontextmanager
    async def manager(
        self, script: Script | None = None, *, watch_interval_s: float = 1.0
    ) -> AsyncIterator[EngineManager]:
        """Run a manager whose engine follows the script, with ``a`` in memory."""
        scripted = replace(script or Script(), record=str(self.record))
        engine = find_engine(install_scripted_server(self.path / "bin", scripted))
        config = LaunchConfig(
            engine=engine,
            engines_dir=self.path / "run" / "engines",
            log_dir=self.path / "logs",
            resolve=self.catalog.resolve_for_launch,
        )
        launcher = LocalLauncher(config, preflight=self.facts.check)
        runtime_config = RuntimeConfig(watch_interval_s=watch_interval_s)
        async with EngineManager(self.catalog, launcher, runtime_config) as manager:
            await manager.ensure_model_running("a", None, 4096)
            yield manager

    def launches(self) -> list[str]:
        """Return the models that were launched, in order."""
        starts = [event["argv"] for event in read_record(self.record) if event["event"] == "start"]
        return [argv[argv.index("--alias") + 1] for argv in starts]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home."""
    return Home(tmp_path)


def cut(path: Path) -> None:
    """Shorten a file by its last bytes, as an interrupted copy does."""
    path.write_bytes(path.read_bytes()[:-1000])


def with_garbage(path: Path) -> None:
    """Replace a file by one that is not GGUF."""
    path.write_bytes(b"<html>404</html>" * 1000)


def with_nothing(path: Path) -> None:
    """Empty a file."""
    path.write_bytes(b"")


def with_another_kind(path: Path) -> None:
    """Replace a model by a directory."""
    path.unlink()
    path.mkdir()


BROKEN = [
    pytest.param(cut, ModelLoadFailedError, "'b.gguf' cannot be used: incomplete: it has", id="truncated"),
    pytest.param(with_garbage, ModelLoadFailedError, "not a GGUF file: it is a web page", id="garbage"),
    pytest.param(with_nothing, ModelLoadFailedError, "not a GGUF file: it is empty", id="empty"),
    pytest.param(Path.unlink, ModelFileNotFoundError, "is missing", id="missing"),
    pytest.param(with_another_kind, ModelFileNotFoundError, "is missing", id="directory"),
]


@pytest.mark.parametrize(("break_it", "error", "words"), BROKEN)
async def test_a_good_model_is_not_evicted_for_a_broken_file(
    home: Home, break_it: Any, error: type[Exception], words: str
) -> None:
    """The request for the broken model is refused with the real reason, and A keeps serving."""
    async with home.manager() as manager:
        before = await manager.current_model()
        break_it(home.b)
        for _ in range(2):
            with pytest.raises(error, match=words):
                await manager.ensure_model_running("b", None, 4096)
        assert await manager.current_model() == before
        async with asyncio.timeout(2), manager.admit("a", None, 4096, wait_s=0) as target:
            assert target == before
    assert home.launches() == ["a"]


async def test_a_good_model_is_not_evicted_for_one_that_lacks_a_shard(home: Home) -> None:
    """The message names the shard, without a path."""
    shard = home.path / "b-00002-of-00002.gguf"
    home.catalog = FakeCatalog([home.model(1, "a"), home.model(2, "b", paths=(home.b, shard))])
    home.facts = ModelFacts(home.catalog, read_model, read_mark)
    async with home.manager() as manager:
        with pytest.raises(
            ModelFileNotFoundError, match=r"The file 'b-00002-of-00002\.gguf' of model 'b'"
        ) as caught:
            await manager.ensure_model_running("b", None, 4096)
    assert str(home.path) not in str(caught.value)
    assert home.launches() == ["a"]


@pytest.mark.parametrize(
    ("projector", "error", "words"),
    [
        ("gone.gguf", ModelFileNotFoundError, "The file 'gone.gguf' of model 'b'"),
        ("no-projector.gguf", ModelLoadFailedError, "'no-projector.gguf' is not a projector"),
    ],
)
async def test_a_good_model_is_not_evicted_for_one_without_its_projector(
    home: Home, projector: str, error: type[Exception], words: str
) -> None:
    """The projector is missing, or is not one."""
    b = home.model(2, "b", projector=home.path / projector)
    home.catalog = FakeCatalog([home.model(1, "a"), b])
    home.facts = ModelFacts(home.catalog, read_model, read_mark)
    async with home.manager() as manager:
        with pytest.raises(error, match=words):
            await manager.ensure_model_running("b", None, 4096)
    assert home.launches() == ["a"]


@pytest.mark.parametrize(
    "arguments", [("--flash-attn", "on"), ("--cache-type-k", "q9_9"), ("--threads", "1e9")]
)
async def test_a_good_model_is_not_evicted_for_an_argument_that_the_engine_refuses(
    home: Home, arguments: tuple[str, ...]
) -> None:
    """An unsupported option or a value that llama.cpp rejects is refused; embedders get a runtime error."""
    await home.catalog.edit_model("b", lambda _: ModelEdit(settings=ModelSettings(engine_args=arguments)))
    async with home.manager(Script(lacks_options=("--flash-attn",))) as manager:
        with pytest.raises(ModelRuntimeError, match=arguments[0]) as refused:
            await manager.ensure_model_running("b", None, 4096)
        assert isinstance(refused.value, InvalidSettingError)
        assert (await manager.status()).residents[0].model_name == "a"
    assert home.launches() == ["a"]


async def test_a_larger_context_does_not_evict_a_model_whose_file_broke(home: Home) -> None:
    """A relaunch of the running model would fail: it keeps its smaller context.

    The watch of the files would unload it at its next look.
    """
    async with home.manager(watch_interval_s=0) as manager:
        cut(home.path / "a.gguf")
        with pytest.raises(ModelLoadFailedError, match="incomplete"):
            await manager.ensure_model_running("a", 8192, 4096)
        (resident,) = (await manager.status()).residents
        assert (resident.state, resident.effective_ctx) == ("ready", 4096)


async def test_a_repaired_file_is_tried_at_once(home: Home) -> None:
    """The check before the launch detects the new file."""
    whole = home.b.read_bytes()
    async with home.manager() as manager:
        cut(home.b)
        with pytest.raises(ModelLoadFailedError):
            await manager.ensure_model_running("b", None, 4096)
        home.b.write_bytes(whole)
        assert (await manager.ensure_model_running("b", None, 4096)).model_name == "b"


async def test_the_back_off_ends_with_a_new_file(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine refused the old file; the next request with a new file does not wait for the backoff."""
    monkeypatch.setattr("gglib.runtime.scheduler.backoff.INITIAL_BACKOFF_S", 30.0)
    script = Script(scripts={"b": {"load_fails_with": "error: bad weights"}})
    async with home.manager(script) as manager:
        for _ in range(3):  # refused at once from the second time on
            with pytest.raises(ModelLoadFailedError, match="bad weights"):
                await manager.ensure_model_running("b", None, 4096)
        assert home.launches() == ["a", "b"]
        write_tiny_gguf(home.b, name="b", context_length=8192, seed=1)
        with pytest.raises(ModelLoadFailedError, match="bad weights"):
            await manager.ensure_model_running("b", None, 4096)
        assert home.launches() == ["a", "b", "b"]


async def test_a_replaced_file_is_launched_with_its_own_context(home: Home) -> None:
    """8,192 in the catalogue, 2,048 in the new file: the catalogue and the launch use 2,048."""
    async with home.manager() as manager:
        write_tiny_gguf(home.b, name="b", context_length=2048)
        target = await manager.ensure_model_running("b", None, 8192)
        assert target.effective_ctx == 2048
    model = await home.catalog.resolve_model("b")
    assert model is not None
    assert (model.trained_context, model.id, model.name) == (2048, 2, "b")


async def test_a_file_is_read_once_for_all_requests_of_a_burst(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty requests for a broken model cost one read, and further requests none."""
    read: list[Path] = []

    def counted(path: Path) -> Any:
        read.append(path)
        return read_model(path)

    home.facts = ModelFacts(home.catalog, counted, read_mark)
    async with home.manager() as manager:
        cut(home.b)
        read.clear()
        errors = await asyncio.gather(
            *(manager.ensure_model_running("b", None, 4096) for _ in range(50)), return_exceptions=True
        )
        assert {type(error) for error in errors} == {ModelLoadFailedError}
        with pytest.raises(ModelLoadFailedError):
            await manager.ensure_model_running("b", None, 4096)
    assert read == [home.b]


@pytest.mark.parametrize("engine_args", [(), ("--threads", "1")])
async def test_an_engine_that_broke_is_named_without_its_directory(
    home: Home, engine_args: tuple[str, ...]
) -> None:
    """Clients get the same error from the check before the launch and from the launch."""
    await home.catalog.edit_model("b", lambda _: ModelEdit(settings=ModelSettings(engine_args=engine_args)))
    async with home.manager() as manager:
        program = next((home.path / "bin").rglob("llama-server"))
        program.unlink()
        program.write_text("#!/bin/sh\necho no help\n")
        program.chmod(0o755)
        with pytest.raises(
            EngineBrokenError, match=r"^The engine llama-server cannot be used: it is not"
        ) as refused:
            await manager.ensure_model_running("b", None, 4096)
        assert str(home.path) not in str(refused.value)
