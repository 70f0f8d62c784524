"""An engine holds its version from before its files are checked until it has ended."""

import asyncio
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.waiting import until

from gglib.core.errors import ModelFileNotFoundError, ModelLoadFailedError, ModelStoppedError
from gglib.core.models import GgufFacts, ModelLaunchSpec, ModelSource, NewModel
from gglib.core.versions import FileIdentity, FileRole, NewVersion, OwnFile
from gglib.runtime.local import version_lock
from gglib.runtime.local.version_lock import lock_version
from gglib.testing import Script

if TYPE_CHECKING:
    from tests.integration.runtime.conftest import World
else:
    World = object


def spec_of(directory: Path) -> ModelLaunchSpec:
    """Return the spec of a model with one file in a version's directory."""
    directory.mkdir(exist_ok=True)
    path = directory / "a.gguf"
    path.write_bytes(b"GGUF")
    return ModelLaunchSpec(model_id=1, model_name="a", path=path, hold_path=directory)


def is_free(path: Path) -> bool:
    """Whether a gglib that deletes versions could lock this one now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


@contextmanager
def being_deleted(path: Path) -> Iterator[None]:
    """Lock a version as its deletion does."""
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


class TestHolding:
    @pytest.mark.parametrize("is_legacy", [False, True])
    async def test_it_is_held_for_the_block(self, tmp_path: Path, *, is_legacy: bool) -> None:
        """Holds a directory, or the first file in an older home; the lock ends with the block, also after an error."""
        spec = spec_of(tmp_path / "v1")
        if is_legacy:
            spec = replace(spec, hold_path=spec.path)
        assert spec.hold_path is not None
        async with lock_version(spec) as held:
            assert not is_free(spec.hold_path)
            assert len(held.marks) == 1
        assert is_free(spec.hold_path)
        with pytest.raises(RuntimeError):
            async with lock_version(spec):
                raise RuntimeError
        assert is_free(spec.hold_path)

    async def test_a_file_that_is_missing_leaves_no_lock(self, tmp_path: Path) -> None:
        """A missing file releases the lock."""
        spec = spec_of(tmp_path / "v1")
        spec.path.unlink()
        with pytest.raises(ModelFileNotFoundError):
            async with lock_version(spec):
                pass
        assert is_free(tmp_path / "v1")

    @pytest.mark.parametrize("what", ["directory", "file"])
    async def test_a_version_that_is_gone_is_resolved_again_once(self, tmp_path: Path, what: str) -> None:
        """If the model moved to a newer version between its resolution and the lock, the newer one is held."""
        old, new = spec_of(tmp_path / "v1"), spec_of(tmp_path / "v2")
        asked = []

        async def resolve(name: str) -> ModelLaunchSpec:
            asked.append(name)
            return new

        if what == "directory":
            shutil.rmtree(tmp_path / "v1")
        else:
            old.path.unlink()
        async with lock_version(old, resolve) as held:
            assert held.path == new.path
            assert not is_free(tmp_path / "v2")
        shutil.rmtree(tmp_path / "v2")
        with pytest.raises(ModelFileNotFoundError):
            async with lock_version(old, resolve):
                pass
        assert asked == ["a", "a"]

    @pytest.mark.parametrize("newer", ["none", "same", "other model"])
    async def test_a_model_without_a_newer_version_is_not_found(self, tmp_path: Path, newer: str) -> None:
        """The model's files are gone, and the error says so."""
        old = spec_of(tmp_path / "v1")
        shutil.rmtree(tmp_path / "v1")
        found = {"none": None, "same": old, "other model": replace(spec_of(tmp_path / "v2"), model_id=2)}

        async def resolve(_: str) -> ModelLaunchSpec | None:
            return found[newer]

        with pytest.raises(ModelFileNotFoundError):
            async with lock_version(old, resolve):
                pass

    async def test_a_deletion_that_is_under_way_is_waited_for(self, tmp_path: Path) -> None:
        """The launch waits for a deletion in progress and then checks the files: here, all of them exist."""
        spec = spec_of(tmp_path / "v1")
        with being_deleted(tmp_path / "v1"):
            launch = asyncio.ensure_future(_hold_once(spec))
            await asyncio.wait([launch], timeout=0.1)
            assert not launch.done()
        assert (await launch).path == spec.path

    async def test_a_deletion_that_does_not_end_is_one_sentence(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process that is stopped during a deletion does not block a request forever."""
        monkeypatch.setattr(version_lock, "LOCK_TIMEOUT_S", 0)
        spec = spec_of(tmp_path / "v1")
        with (
            being_deleted(tmp_path / "v1"),
            pytest.raises(ModelLoadFailedError, match="another gglib process has locked its files"),
        ):
            await _hold_once(spec)

    async def test_a_cancelled_wait_leaves_no_lock(self, tmp_path: Path) -> None:
        """A cancelled wait and the thread that takes the lock both leave no lock."""
        spec = spec_of(tmp_path / "v1")
        with being_deleted(tmp_path / "v1"):
            launch = asyncio.ensure_future(_hold_once(spec))
            await asyncio.wait([launch], timeout=0.05)
            launch.cancel()
            await asyncio.wait([launch])
        for turns in range(6):
            launch = asyncio.ensure_future(_hold_once(spec))
            for _ in range(turns):
                await asyncio.sleep(0)
            launch.cancel()
            await asyncio.wait([launch])
        async with asyncio.timeout(5):
            while not is_free(tmp_path / "v1"):  # noqa: ASYNC110 - a thread whose caller was cancelled releases it
                await asyncio.sleep(0.01)

    async def test_a_process_that_is_forked_meanwhile_does_not_keep_it(self, tmp_path: Path) -> None:
        """The lock is released explicitly, not only closed: a forked child before its exec shares the descriptor."""
        spec = spec_of(tmp_path / "v1")
        async with lock_version(spec):
            reads, writes = os.pipe()
            child = os.fork()
            if not child:  # pragma: no cover - the child
                os.close(writes)
                os.read(reads, 1)
                os._exit(0)
            os.close(reads)
        try:
            assert is_free(tmp_path / "v1")
        finally:
            os.close(writes)
            os.waitpid(child, 0)  # noqa: ASYNC222 - it ends at once

    async def test_a_program_that_is_started_meanwhile_does_not_inherit_it(self, tmp_path: Path) -> None:
        """The descriptor is closed at exec."""
        spec = spec_of(tmp_path / "v1")
        async with lock_version(spec):
            child = subprocess.Popen(  # noqa: ASYNC220 - it waits for this test
                [sys.executable, "-c", "import sys; print('here', flush=True); sys.stdin.read()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                close_fds=False,
            )
            assert child.stdout is not None
            child.stdout.readline()
            opened = opened_by(child.pid)
        child.communicate(b"")
        assert str(tmp_path / "v1") not in opened


def opened_by(pid: int) -> list[str]:
    """Return the paths that a process has open."""
    return [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]


async def _hold_once(spec: ModelLaunchSpec) -> ModelLaunchSpec:
    async with lock_version(spec) as held:
        return held


# --- engines ---


def version_in(home: Path, name: str) -> tuple[NewVersion, NewModel]:
    """Return a version in a new directory, and the model to add with it."""
    directory = home / "models" / name
    directory.mkdir(parents=True)
    path = directory / "a.gguf"
    path.write_bytes(b"GGUF")
    file = OwnFile(
        path=path,
        role=FileRole.MODEL,
        name=path.name,
        identity=FileIdentity(device=1, inode=1, size_bytes=4, modified_ns=1),
        sha256=None,
    )
    version = NewVersion(directory=directory, source=ModelSource(), files=(file,))
    return version, NewModel(name="v", paths=(path,), size_bytes=4, facts=GgufFacts(architecture="llama"))


async def move(world: World, name: str, *, updates: int | None = None) -> tuple[int, Path]:
    """Move model ``v`` to a version, as a pull does; return its id and the version's directory."""
    version, model = version_in(world.home, name)
    entered = await world.catalog.install_version(version, model, updates=updates)
    assert version.directory is not None
    return entered.model.id, version.directory


class TestEngines:
    async def test_an_engine_holds_its_version_until_it_has_ended(self, world: World) -> None:
        """The lock lasts from the launch to the end of the process; the callback runs after its release."""
        _, directory = await move(world, "v1")
        free_at_exit = []
        async with world.manager(
            watch_interval_s=0, on_engine_exit=lambda: free_at_exit.append(is_free(directory))
        ) as manager:
            await manager.ensure_model_running("v", None, 8192)
            assert not is_free(directory)
            await manager.stop_current()
            assert is_free(directory)
        assert free_at_exit == [True]

    async def test_a_failed_launch_lets_go(self, world: World) -> None:
        """A failed engine and a cancelled request both release the lock."""
        _, directory = await move(world, "v1")
        async with world.manager(Script(load_fails_with="invalid magic"), watch_interval_s=0) as manager:
            with pytest.raises(ModelLoadFailedError):
                await manager.ensure_model_running("v", None, 8192)
            await until(lambda: is_free(directory))

    async def test_a_load_that_is_stopped_lets_go(self, world: World) -> None:
        """A stopped load releases its lock."""
        _, directory = await move(world, "v1")
        async with world.manager(Script(load_s=30), watch_interval_s=0) as manager:
            waiter = asyncio.create_task(manager.ensure_model_running("v", None, 8192))
            await until(lambda: len(world.events("start")) == 1)
            assert not is_free(directory)
            await manager.stop_current()
            with pytest.raises(ModelStoppedError):
                await waiter
            assert is_free(directory)

    async def test_the_next_request_gets_the_newer_version(self, world: World) -> None:
        """Requests in flight end on the old version, which is held until the last of them."""
        model_id, old = await move(world, "v1")
        async with world.manager(watch_interval_s=0) as manager:
            async with manager.admit("v", None, 8192) as target:
                _, new = await move(world, "v2", updates=model_id)
                waiter = asyncio.create_task(manager.ensure_model_running("v", None, 8192))
                await until(lambda: len(manager._scheduler.waiters) == 1)
                assert not is_free(old)
                assert is_free(new)
            assert await waiter != target
            assert is_free(old)
            assert not is_free(new)
            swap = (await manager.status()).last_swap
            assert swap is not None
            assert "'v' was updated" in swap.why
        assert [Path(event["model"]).parent for event in starts(world)] == [old, new]

    async def test_an_idle_engine_of_an_older_version_is_unloaded(self, world: World) -> None:
        """It is unloaded without a request, so that its files can be deleted."""
        model_id, old = await move(world, "v1")
        async with world.manager(watch_interval_s=0.02) as manager:
            await manager.ensure_model_running("v", None, 8192)
            await move(world, "v2", updates=model_id)
            await until(lambda: is_free(old))
            await until(lambda: manager._scheduler.residents == ())

    async def test_a_version_that_went_before_its_launch_is_not_missed(self, world: World) -> None:
        """The launch resolves the model again and starts the version that the next request would get."""
        model_id, old = await move(world, "v1")
        async with world.manager(watch_interval_s=0) as manager:
            async with manager.admit("a", None, 8192):
                waiter = asyncio.create_task(manager.ensure_model_running("v", None, 8192))
                await until(lambda: len(manager._scheduler.waiters) == 1)
                await move(world, "v2", updates=model_id)
                shutil.rmtree(old)
            target = await waiter
            assert await manager.ensure_model_running("v", None, 8192) == target
        assert len(world.events("start")) == 2


def starts(world: World) -> list[dict[str, str]]:
    """Return the model with which each engine was started."""
    return [{"model": event["argv"][event["argv"].index("--model") + 1]} for event in world.events("start")]
