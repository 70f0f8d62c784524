"""The manager with real processes: the scripted llama-server works or fails as a test requires."""

import asyncio
import contextlib
import errno
import itertools
import json
import os
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from tests.support.waiting import until

from gglib.core.errors import (
    CatalogError,
    EngineCrashLoopError,
    EngineDiedError,
    EngineNotFoundError,
    InvalidSettingError,
    ModelFileNotFoundError,
    ModelLoadFailedError,
    ModelLoadingError,
    ModelNotFoundError,
    ModelOutOfMemoryError,
    ModelStoppedError,
    ShuttingDownError,
    UpstreamError,
    UpstreamStalledError,
)
from gglib.core.models import ModelEdit, ModelLaunchSpec, ModelSettings, RunningTarget
from gglib.http.client.connect import ServerAddress
from gglib.runtime import EngineManager
from gglib.runtime.engines import LlamaServerEngine
from gglib.runtime.local import launch
from gglib.runtime.local.readiness import is_healthy
from gglib.runtime.scheduler.state import ResidentState
from gglib.system.ram import MemoryState
from gglib.testing import Script

if TYPE_CHECKING:
    from tests.integration.runtime.conftest import World
else:
    World = object


def living_members(group: int) -> list[str]:
    """Return the pids in a process group, without zombies that init has yet to reap."""
    stats = [path.read_text().rpartition(")") for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    return [head for head, _, rest in stats if rest.split()[2] == str(group) and rest.split()[0] != "Z"]


async def answers(target: RunningTarget) -> bool:
    """Whether a target's engine responds."""
    assert target.unix_socket is not None
    return await is_healthy(ServerAddress(target.base_url, unix_socket=target.unix_socket))


async def test_a_request_launches_its_model_and_holds_it(world: World) -> None:
    """The engine responds inside the block and keeps running after it for the next request."""
    async with world.manager() as manager:
        async with manager.admit("a", None, 8192) as target:
            assert await answers(target)
            assert (target.model_name, target.model_id, target.effective_ctx) == ("a", 1, 8192)
            (resident,) = (await manager.status()).residents
            assert (resident.state, resident.in_flight) == ("ready", 1)
        assert await manager.current_model() == target
        (resident,) = (await manager.status()).residents
        assert resident.in_flight == 0
    assert len(world.events("start")) == 1


async def test_used_models_are_reported_once(world: World) -> None:
    """Reports the models used since the last call and those in use, and no others."""
    async with world.manager() as manager:
        assert manager.take_used_model_ids() == set()
        async with manager.admit("a", None, 8192):
            assert manager.take_used_model_ids() == {1}
            assert manager.take_used_model_ids() == {1}
        async with manager.admit("b", None, 8192):
            pass
        assert manager.take_used_model_ids() == {2}
        assert manager.take_used_model_ids() == set()
        async with manager.admit("b", None, 8192):  # it is ready: no request waits for it
            pass
        assert manager.take_used_model_ids() == {2}


async def test_300_requests_to_a_cold_model_cause_one_launch(world: World) -> None:
    """All requests that wait for a model are served by the same process."""
    async with world.manager(Script(load_s=0.3)) as manager:

        async def ask() -> RunningTarget:
            async with manager.admit("a", None, 8192) as target:
                return target

        targets = await asyncio.gather(*(ask() for _ in range(300)))
        assert len(set(targets)) == 1
    assert len(world.events("start")) == 1


async def test_only_one_engine_exists_at_any_time(world: World) -> None:
    """The next model is launched after the previous process has ended."""
    async with world.manager() as manager:
        for name in ("a", "b", "a", "b"):
            async with manager.admit(name, None, 8192) as target:
                assert target.model_name == name
                assert len(world.living()) == 1
    assert len(world.events("start")) == 4


async def test_a_swap_waits_until_nothing_is_in_flight(world: World) -> None:
    """A model with requests in flight is not stopped; after the last one, the other model gets its turn."""
    async with world.manager() as manager:
        async with manager.admit("a", None, 8192) as target:
            other = asyncio.create_task(manager.ensure_model_running("b", None, 8192))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(other), 0.3)
            assert await answers(target)
            (waiting,) = (await manager.status()).waiting
            assert (waiting.model_name, waiting.waiting) == ("b", 1)
        assert (await other).model_name == "b"


async def test_target_blocks_a_swap_while_others_wait_for_it_to_drain(world: World) -> None:
    """It blocks from the time a request for another model is overdue until that request is served or has left."""
    async with world.manager(swap_wait_s=0.05) as manager, manager.admit("a", None, 8192) as target:
        assert not manager.is_blocking_swap(target)
        waiting = asyncio.create_task(enter(manager, "b", "r"))
        await until(lambda: manager.is_blocking_swap(target))
        waiting.cancel()
        await until(lambda: not manager.is_blocking_swap(target))


async def test_context_grows_once_and_stays(world: World) -> None:
    """A larger num_ctx relaunches the engine; without one, or with a smaller one, the larger context is kept."""
    async with world.manager() as manager:
        contexts = [
            (await manager.ensure_model_running("a", num_ctx, 4096)).effective_ctx
            for num_ctx in (None, 8192, None, 2048, 5000, 100_000)
        ]
    assert contexts == [4096, 8192, 8192, 8192, 8192, 32768]
    sizes = [event["argv"][event["argv"].index("--ctx-size") + 1] for event in world.events("start")]
    assert sizes == [str(4 * context) for context in (4096, 8192, 32768)]


async def test_a_failed_load_reports_the_engines_reason_at_once(world: World) -> None:
    """All waiting requests get the engine's reason and last log lines at its exit, not after a timeout."""
    script = Script(
        load_fails_with="0.00.01 E gguf_init_from_reader: invalid magic characters: 'XXXX', expected 'GGUF'"
    )
    async with world.manager(script) as manager, asyncio.timeout(2):
        errors = await asyncio.gather(
            *(manager.ensure_model_running("broken", None, 8192) for _ in range(5)), return_exceptions=True
        )
        assert (await manager.status()).failed == (
            ("broken", "invalid magic characters: 'XXXX', expected 'GGUF'"),
        )
    for error in errors:
        assert isinstance(error, ModelLoadFailedError)
        assert error.reason == "invalid magic characters: 'XXXX', expected 'GGUF'"
        assert any("invalid magic" in line for line in error.log_tail)
    assert len(world.events("start")) == 1


async def test_a_status_counts_what_happened_since_the_start(world: World) -> None:
    """A was loaded into a free place, B replaced it, B was stopped: two loads, three swaps."""
    async with world.manager() as manager:
        assert ((await manager.status()).swaps, (await manager.status()).loads) == ((), ())
        await manager.ensure_model_running("a", None, 8192)
        await manager.ensure_model_running("b", None, 8192)
        await manager.stop_current()
        status = await manager.status()
    assert [(counted.reason, counted.count) for counted in status.swaps] == [
        ("room", 1),
        ("idle", 1),
        ("asked", 1),
    ]
    assert [(loads.model_name, loads.outcome, loads.count) for loads in status.loads] == [
        ("a", "ready", 1),
        ("b", "ready", 1),
    ]
    assert all(loads.total_s > 0 for loads in status.loads)


async def test_an_engine_killed_while_loading_is_out_of_memory_only_on_evidence(world: World) -> None:
    """SIGKILL may come from any process: the OOM counter shows whether the system sent it."""
    script = Script(die_while_loading_after_s=0.05, load_s=5)
    quiet = MemoryState(oom_kills=4, available_bytes=21 * 10**9)
    async with world.manager(script, memory_state=lambda: quiet) as manager:
        with pytest.raises(ModelLoadFailedError) as caught:
            await manager.ensure_model_running("a", None, 8192)
    assert caught.value.reason == (
        "the engine was killed by signal 9 (SIGKILL); nothing in its log says why, "
        "and nothing shows that memory was short"
    )
    assert type(caught.value) is ModelLoadFailedError
    kills = itertools.count(4)
    async with world.manager(script, memory_state=lambda: MemoryState(oom_kills=next(kills))) as manager:
        with pytest.raises(ModelLoadFailedError) as caught:
            await manager.ensure_model_running("a", None, 8192)
    assert type(caught.value) is ModelOutOfMemoryError
    assert caught.value.reason == "out of memory: the system killed the engine"


async def test_a_load_without_memory_has_an_error_of_its_own(world: World) -> None:
    """The scheduler and clients distinguish it from an invalid file."""
    said = "0.01 E alloc_tensor_range: failed to allocate CPU buffer of size 1024065536"
    async with world.manager(Script(load_fails_with=said)) as manager:
        with pytest.raises(ModelOutOfMemoryError, match="out of memory: failed to allocate") as caught:
            await manager.ensure_model_running("a", None, 8192)
    assert caught.value.code == "model_out_of_memory"


async def test_clients_see_file_names_and_the_operators_log_has_the_paths(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error, its last lines, the status and the last swap leak no path of the model, socket or log."""
    home = world.home
    monkeypatch.setenv("HOME", "/home/ada")  # the real path of the engine may be beside the model's directory
    said = (
        f"0.01 I srv load_model: loading model '{home}/broken.gguf'\n"
        f"0.02 I srv start: {quote(str(home))}/run/engines/{os.getpid()}-1/key and {home}/logs/x.log\n"
        f"0.03 E gguf_init_from_reader: cannot read {home}/broken.gguf or {Path.home()}/m.gguf"
    )
    async with world.manager(Script(load_fails_with=said)) as manager:
        with pytest.raises(ModelLoadFailedError) as caught:
            await manager.ensure_model_running("broken", None, 8192)
        status = await manager.status()
    reason = "cannot read broken.gguf or ~/m.gguf"
    assert caught.value.reason == reason
    assert caught.value.log_tail == (
        "0.01 I srv load_model: loading model 'broken.gguf'",
        "0.02 I srv start: key and x.log",
        f"0.03 E gguf_init_from_reader: {reason}",
    )
    assert status.failed == (("broken", reason),)
    assert status.last_swap is not None
    assert status.last_swap.error == reason
    assert f"cannot read {home}/broken.gguf or {Path.home()}/m.gguf" in caplog.text
    assert f"loading model '{home}/broken.gguf'" in (home / "logs" / "engines" / "broken.log").read_text()


async def test_unknown_models_and_missing_files_evict_nothing(world: World) -> None:
    """Neither case affects the running model."""
    (world.home / "b.gguf").unlink()
    async with world.manager() as manager:
        await manager.ensure_model_running("a", None, 8192)
        with pytest.raises(ModelNotFoundError):
            await manager.ensure_model_running("nope", None, 8192)
        with pytest.raises(ModelFileNotFoundError):
            await manager.ensure_model_running("b", None, 8192)
        current = await manager.current_model()
        assert current is not None
        assert current.model_name == "a"
    assert len(world.events("start")) == 1


async def test_a_wait_of_zero_says_loading_while_the_load_goes_on(world: World) -> None:
    """The timed-out request gets Retry-After; the next one finds the model ready."""
    async with world.manager(Script(load_s=0.4)) as manager:
        with pytest.raises(ModelLoadingError) as caught:
            async with manager.admit("a", None, 8192, wait_s=0):
                pass
        assert caught.value.retry_after_s >= 1
        async with manager.admit("a", None, 8192), manager.admit("a", None, 8192, wait_s=0) as target:
            assert target.model_name == "a"
    assert len(world.events("start")) == 1


async def test_a_client_that_leaves_during_the_load_does_not_break_it(world: World) -> None:
    """The launch is detached from the request that caused it."""
    async with world.manager(Script(load_s=0.4)) as manager:
        first = asyncio.create_task(manager.ensure_model_running("a", None, 8192))
        second = asyncio.create_task(manager.ensure_model_running("a", None, 8192))
        await until(lambda: len(world.events("start")) == 1)
        first.cancel()
        assert (await second).model_name == "a"
        assert first.cancelled()
    assert len(world.events("start")) == 1


async def test_an_engine_that_dies_is_replaced_by_the_next_request(world: World) -> None:
    """The next request gets a new process."""
    async with world.manager() as manager:
        await manager.ensure_model_running("a", None, 8192)
        (dead,) = world.living()
        os.kill(dead, signal.SIGKILL)
        await until(lambda: manager._scheduler.residents == ())
        assert await answers(await manager.ensure_model_running("a", None, 8192))
    assert len(world.events("start")) == 2


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(Script(ignore_term=True), id="ignores-term"),
        pytest.param(Script(fork_child=True), id="leaves-a-child"),
        pytest.param(Script(stderr_noise_bytes=30_000_000), id="prints-30-MB"),
        pytest.param(
            Script(stderr_noise_bytes=100_000_000, noise_line_bytes=100_000_000), id="prints-a-100-MB-line"
        ),
    ],
)
async def test_bad_engines_are_stopped_within_7_seconds(world: World, script: Script) -> None:
    """Whatever the engine does, no process is left, and its log is bounded."""
    async with world.manager(script) as manager:
        await manager.ensure_model_running("a", None, 8192)
        groups = [event["pid"] for event in world.events("start")]
        async with asyncio.timeout(7):
            await manager.stop_current()
    await until(lambda: not any(living_members(group) for group in groups))
    assert sum(path.stat().st_size for path in (world.home / "logs").rglob("*.log*")) < 11 * 1024 * 1024


async def test_a_frozen_engine_is_stopped_within_7_seconds(world: World) -> None:
    """A process under SIGSTOP ignores TERM; KILL ends it."""
    async with world.manager() as manager:
        await manager.ensure_model_running("a", None, 8192)
        os.kill(world.living()[0], signal.SIGSTOP)
        async with asyncio.timeout(7):
            await manager.stop_current()


async def kill(world: World, manager: EngineManager) -> None:
    """Kill the engine and return when the manager has detected it."""
    os.kill(world.living()[0], signal.SIGKILL)
    await until(lambda: manager._scheduler.residents == ())


async def test_the_third_death_within_a_minute_is_backed_off(world: World) -> None:
    """Twice the next request gets a new process; then it fails at once, as the model keeps dying."""
    async with world.manager() as manager:
        for _ in range(3):
            await manager.ensure_model_running("a", None, 8192)
            await kill(world, manager)
        with pytest.raises(EngineCrashLoopError, match=r"died 3 times within 60 s.*killed") as caught:
            await manager.ensure_model_running("a", None, 8192)
        assert caught.value.retry_after_s is not None
        assert caught.value.retry_after_s <= 0.5
        ((name, reason),) = (await manager.status()).failed
        assert name == "a"
        assert "killed" in reason
    assert len(world.events("start")) == 3


async def be_cut_off(manager: EngineManager, happen: Callable[[], object] = lambda: None) -> None:
    """Hold a model, trigger an event, and observe a broken connection to the engine."""
    async with manager.admit("a", None, 8192):
        happen()
        raise UpstreamError("The connection broke.")


async def test_a_request_disconnected_by_a_death_gets_its_reason(world: World) -> None:
    """The proxy sees a broken connection some milliseconds before the process exit is known."""
    async with world.manager() as manager:
        with pytest.raises(
            UpstreamError, match=r"model 'a' died: the engine was killed by signal 9 \(SIGKILL\)"
        ):
            await be_cut_off(manager, lambda: os.kill(world.living()[0], signal.SIGKILL))


@pytest.mark.skipif(sys.platform != "linux", reason="writes to the engine's stderr by /proc")
async def test_an_abort_while_serving_reports_its_last_lines(world: World) -> None:
    """The reason is the assertion with its source location, and the last log lines are included."""

    def abort() -> None:
        (pid,) = world.living()
        words = f"reading {world.home}/a.gguf\n/build/src/llama-context.cpp:7: GGML_ASSERT(n > 0) failed\n"
        Path(f"/proc/{pid}/fd/2").write_text(words)
        os.kill(pid, signal.SIGABRT)

    async with world.manager() as manager:
        with pytest.raises(EngineDiedError) as caught:
            await be_cut_off(manager, abort)
    assert caught.value.reason == "the engine aborted: llama-context.cpp:7: GGML_ASSERT(n > 0) failed"
    assert caught.value.log_tail[-2:] == (
        "reading a.gguf",
        "/build/src/llama-context.cpp:7: GGML_ASSERT(n > 0) failed",
    )
    assert str(caught.value).startswith(f"The engine of model 'a' died: {caught.value.reason}")


async def test_what_is_not_known_is_not_made_up(world: World) -> None:
    """If an engine aborts a response but stays alive, the proxy's own error is kept."""
    async with world.manager() as manager:
        with pytest.raises(UpstreamError, match="broke"):
            await be_cut_off(manager)
        assert len(world.living()) == 1


async def test_a_request_disconnected_by_a_stop_gets_that_reason(world: World) -> None:
    """After the drain limit the response ends with ``model_stopped``, not as an engine failure."""
    async with world.manager(drain_s=0.2) as manager:
        await manager.ensure_model_running("a", None, 8192)
        stopping: list[asyncio.Task[None]] = []
        with pytest.raises(ModelStoppedError, match="while it was answering"):
            await be_cut_off(manager, lambda: stopping.append(asyncio.create_task(manager.stop_current())))
        await stopping[0]


async def test_a_silent_engine_is_replaced(world: World) -> None:
    """The stalled request ends with that error; the process is stopped, and the next request gets a new one."""
    async with world.manager() as manager:
        with pytest.raises(UpstreamStalledError):
            async with manager.admit("a", None, 8192):
                raise UpstreamStalledError("Nothing for 600 s.")
        assert await answers(await manager.ensure_model_running("a", None, 8192))
        swap = (await manager.status()).last_swap
        assert swap is not None
        assert swap.to_model == "a"
    assert len(world.events("start")) == 2


async def test_an_idle_model_leaves_after_its_time_to_live(world: World) -> None:
    """The process ends and its memory is free; the next request loads it again."""
    world.set_idle_ttl("a", 0.2)
    async with world.manager() as manager:
        await manager.ensure_model_running("a", None, 8192)
        await until(lambda: world.living() == [])
        await until(lambda: manager._scheduler.residents == ())
        swap = (await manager.status()).last_swap
        assert swap is not None
        assert (swap.from_model, swap.to_model) == ("a", None)
        assert "time-to-live" in swap.why
        assert await answers(await manager.ensure_model_running("a", None, 8192))


async def test_no_request_loses_a_race_against_the_time_to_live(world: World) -> None:
    """Requests that arrive at the time of the unload are all served, by this process or the next one."""
    world.set_idle_ttl("a", 0.05)
    async with world.manager() as manager:
        for number in range(40):
            async with manager.admit("a", None, 8192) as target:
                assert await answers(target)
            await asyncio.sleep(0.045 + 0.0005 * (number % 20))
    assert len(world.events("start")) > 1


async def test_a_swap_is_one_line_of_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The line has both models, the request id and the durations; the status has the same."""
    caplog.set_level("INFO", "gglib.runtime")
    async with world.manager(swap_wait_s=0.1) as manager:
        async with manager.admit("a", None, 8192, request_id="req-1"):
            other = asyncio.create_task(enter(manager, "b", "req-2"))
            await until(lambda: manager._scheduler.residents[0].state.value == "draining")
        await other
        swap = (await manager.status()).last_swap
    assert swap is not None
    assert (swap.from_model, swap.to_model, swap.request_id) == ("a", "b", "req-2")
    assert swap.waited_s >= 0.1
    assert swap.total_s == pytest.approx(swap.waited_s + swap.drain_s + swap.stop_s + swap.load_s)
    assert min(swap.stop_s, swap.load_s) > 0
    assert f"'b' had waited {swap.waited_s:.1f} s while 'a' was busy" in swap.why
    (line,) = [record.getMessage() for record in caplog.records if "to 'b'" in record.getMessage()]
    assert line.startswith(f"swap from 'a' to 'b', requested by req-2: waited {swap.waited_s:.2f} s")


async def enter(manager: EngineManager, name: str, request_id: str) -> None:
    """Send a request through admission."""
    async with manager.admit(name, None, 8192, request_id=request_id):
        pass


async def test_the_status_reports_the_progress_of_a_load(world: World) -> None:
    """It reports the start and the expected duration: from the file size the first time, as measured later."""
    async with world.manager(Script(load_s=0.2)) as manager:
        waiter = asyncio.create_task(enter(manager, "a", "req-1"))
        await until(lambda: len(world.events("start")) == 1)
        (resident,) = (await manager.status()).residents
        assert resident.loading_for_s is not None
        assert resident.expected_load_s == pytest.approx(2.0, abs=0.01)
        await waiter
        (resident,) = (await manager.status()).residents
        assert (resident.loading_for_s, resident.expected_load_s) == (None, None)
        await manager.stop_current()
        waiter = asyncio.create_task(enter(manager, "a", "req-2"))
        await until(lambda: len(world.events("start")) == 2)
        (loading,) = (await manager.status()).residents
        assert loading.expected_load_s == resident.load_time_s
        await waiter


async def test_a_drain_waits_for_requests_in_flight_only(world: World) -> None:
    """It refuses new and waiting requests, and ends with the last request in flight."""
    async with world.manager(drain_s=60) as manager:
        async with manager.admit("a", None, 8192):
            waiter = asyncio.create_task(manager.ensure_model_running("b", None, 8192))
            await until(lambda: len(manager._scheduler.waiters) == 1)
            drain = asyncio.create_task(manager.drain())
            with pytest.raises(ShuttingDownError):
                await waiter
            with pytest.raises(ShuttingDownError):
                await manager.ensure_model_running("a", None, 8192)
            assert not drain.done()
        async with asyncio.timeout(2):
            await drain


async def test_a_drain_is_bounded(world: World) -> None:
    """A request that does not end is awaited up to the limit; without requests there is no wait."""
    async with world.manager(drain_s=0.2) as manager:
        async with manager.admit("a", None, 8192), asyncio.timeout(2):
            await manager.drain()
        async with asyncio.timeout(0.1):
            await manager.drain()


async def test_stop_drains_up_to_its_limit(world: World) -> None:
    """A request in flight may end; after the limit its engine is stopped."""
    async with world.manager(drain_s=0.3) as manager:
        async with manager.admit("a", None, 8192):
            async with asyncio.timeout(3):
                await manager.stop_current()
        assert world.living() == []


async def test_closing_refuses_waiting_and_new_requests(world: World) -> None:
    """A waiting request gets the shutdown error; the load is stopped."""
    async with world.manager(Script(load_s=30)) as manager:
        waiter = asyncio.create_task(manager.ensure_model_running("a", None, 8192))
        await until(lambda: len(world.events("start")) == 1)
        await manager.close()
        with pytest.raises(ShuttingDownError):
            await waiter
        with pytest.raises(ShuttingDownError):
            await manager.ensure_model_running("a", None, 8192)


async def test_only_gglib_can_connect_to_the_engine(world: World) -> None:
    """The socket's directory is private, the key is in a private file, and not on the command line."""
    async with world.manager() as manager:
        target = await manager.ensure_model_running("a", None, 8192)
        assert target.unix_socket is not None
        directory = Path(target.unix_socket).parent
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        (key,) = (world.home / "run" / "engines").glob("*/key")  # a long path moves the socket elsewhere
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert target.bearer_key
        assert target.bearer_key not in json.dumps(world.events("start"))
        assert target.bearer_key not in repr(target)
    assert not directory.exists()


async def test_the_environment_cannot_configure_the_engine(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Environment variables that set engine options, and secrets, do not reach the engine; all others do."""
    for name in ("LLAMA_ARG_CTX_SIZE", "LLAMA_API_KEY", "HF_TOKEN", "OPENAI_API_KEY", "GGLIB_API_KEY"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    async with world.manager() as manager:
        await manager.ensure_model_running("a", None, 8192)
    environment = world.events("start")[0]["env"]
    assert environment["CUDA_VISIBLE_DEVICES"] == "0"
    assert not {"LLAMA_ARG_CTX_SIZE", "LLAMA_API_KEY", "HF_TOKEN", "OPENAI_API_KEY", "GGLIB_API_KEY"} & set(
        environment
    )


async def test_a_loopback_port_serves_where_unix_sockets_are_not_wanted(world: World) -> None:
    """The kernel chooses the port, and the engine logs it."""
    async with world.manager(use_unix_socket=False) as manager:
        target = await manager.ensure_model_running("a", None, 8192)
        assert target.unix_socket is None
        assert await is_healthy(ServerAddress(target.base_url))


async def test_twenty_swaps_leak_nothing(world: World, open_descriptors: Callable[[], int]) -> None:
    """Descriptors and tasks return to their initial numbers."""
    async with world.manager() as manager:
        await manager.ensure_model_running("a", None, 8192)
        await manager.stop_current()
        descriptors, tasks = open_descriptors(), len(asyncio.all_tasks())
        for _ in range(10):
            await manager.ensure_model_running("a", None, 8192)
            await manager.ensure_model_running("b", None, 8192)
        await manager.stop_current()
        assert open_descriptors() == descriptors
        assert len(asyncio.all_tasks()) == tasks
        assert list((world.home / "run" / "engines").iterdir()) == []


async def test_a_broken_model_does_not_evict_a_good_one_again_and_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request during its backoff is refused at once, with the reason, and the good model stays loaded."""
    monkeypatch.setattr(
        "gglib.runtime.scheduler.backoff.INITIAL_BACKOFF_S", 30.0
    )  # on a busy machine a launch takes seconds
    scripts = {"broken": {"load_fails_with": "error: bad weights"}}
    async with world.manager(Script(scripts=scripts)) as manager:
        for _ in range(3):
            with pytest.raises(ModelLoadFailedError, match="bad weights"):
                await manager.ensure_model_running("broken", None, 8192)
            await manager.ensure_model_running("a", None, 8192)
        started = [event["argv"][event["argv"].index("--alias") + 1] for event in world.events("start")]
        assert started.count("a") <= 2
        assert started.count("broken") <= 2


async def test_an_engine_argument_that_is_not_allowed_evicts_nothing(world: World) -> None:
    """The request is refused before any model is stopped for it."""
    broken = await world.catalog.edit_model(
        "b",
        lambda _: ModelEdit(settings=ModelSettings(engine_args=("--host", "0.0.0.0"))),  # noqa: S104
    )
    assert broken is not None
    async with world.manager() as manager:
        target = await manager.ensure_model_running("a", None, 8192)
        with pytest.raises(InvalidSettingError, match="--host"):
            await manager.ensure_model_running("b", None, 8192)
        assert await manager.current_model() == target


async def test_what_the_user_stops_while_it_loads_does_not_come_back(world: World) -> None:
    """Its waiting requests get that error."""
    async with world.manager(Script(load_s=30)) as manager:
        waiter = asyncio.create_task(manager.ensure_model_running("a", None, 8192))
        await until(lambda: len(world.events("start")) == 1)
        await manager.stop_current()
        with pytest.raises(ModelStoppedError):
            await waiter
        assert (await manager.status()).residents == ()
    assert len(world.events("start")) == 1


async def test_no_engine_outlives_close_however_its_waiters_are_woken(world: World) -> None:
    """A request for the next model is still queued when the previous process ends: no engine is launched for it."""
    async with world.manager() as manager:
        await manager.ensure_model_running("a", None, 8192)
        waiters = [asyncio.create_task(manager.ensure_model_running(name, None, 8192)) for name in "bab"]
        await asyncio.sleep(0)
        await manager.close()
        assert world.living() == []
        assert await asyncio.gather(*waiters, return_exceptions=True)
    assert list((world.home / "run" / "engines").iterdir()) == []


async def test_a_slow_binary_delays_no_other_request(world: World) -> None:
    """Reading its options takes seconds if it probes GPUs: the event loop is not blocked meanwhile."""
    async with world.manager() as manager:
        engine = world.engine
        assert isinstance(engine, LlamaServerEngine)
        slow = world.home / "slow-server"
        slow.write_text(f'#!/bin/sh\n[ "$1" = --help ] && sleep 0.5\nexec {engine.path} "$@"\n')
        slow.chmod(0o755)
        engine.path = slow
        launch = asyncio.create_task(manager.ensure_model_running("a", None, 8192))
        longest_s = 0.0
        while not launch.done():
            before = asyncio.get_running_loop().time()
            await asyncio.sleep(0.01)
            longest_s = max(longest_s, asyncio.get_running_loop().time() - before)
        await launch
        assert longest_s < 0.4


@pytest.mark.parametrize(
    ("engine_args", "asked", "granted"), [((), 3, 2), (("-np", "6"), 6, 5), (("--parallel=1",), 1, 1)]
)
async def test_the_slots_of_a_launch_are_decided_for_it(
    world: World, engine_args: tuple[str, ...], asked: int, granted: int
) -> None:
    """The memory estimate gets the requested slots; its result is launched, and each slot has the whole context."""
    world.set_engine_args("a", *engine_args)
    seen: list[tuple[str, int, int]] = []

    def fit_slots(spec: ModelLaunchSpec, context: int, wanted: int) -> int:
        seen.append((spec.model_name, context, wanted))
        return max(1, wanted - 1)

    async with (
        world.manager(slots=3, fit_slots=fit_slots) as manager,
        manager.admit("a", None, 4096) as target,
    ):
        (resident,) = (await manager.status()).residents
        argv = world.events("start")[0]["argv"]
    assert seen == [("a", 4096, asked)]
    assert (resident.slots, resident.effective_ctx, target.effective_ctx) == (granted, 4096, 4096)
    assert argv[argv.index("--parallel") + 1] == str(granted)
    assert argv[argv.index("--ctx-size") + 1] == str(granted * 4096)
    assert argv.count("--parallel") == 1
    assert "-np" not in argv


async def test_an_invalid_help_page_is_rejected(world: World) -> None:
    """A binary that fails briefly while it is replaced is not cached as one without options."""
    async with world.manager() as manager:
        engine = world.engine
        assert isinstance(engine, LlamaServerEngine)
        whole = engine.path.read_text()
        engine.path.write_text("#!/bin/sh\nexit 127\n")
        with pytest.raises(EngineNotFoundError):
            await manager.ensure_model_running("a", None, 8192)
        engine.path.write_text(whole)
        await manager.stop_current()
        await manager.ensure_model_running("a", None, 8192)
    assert "--no-kv-unified" in world.events("start")[0]["argv"]


# --- loads without waiting requests ----------------------------------------------------------------------------------


async def test_a_wait_of_zero_swaps_an_idle_model(world: World) -> None:
    """The first such request replaces A by B without waiting requests: a model stays in memory, and B serves."""
    async with world.manager() as manager:
        await manager.ensure_model_running("a", None, 8192)
        with pytest.raises(ModelLoadingError):
            async with manager.admit("b", None, 8192, wait_s=0):
                pass
        await until(lambda: [r.spec.model_name for r in manager._scheduler.residents] == ["b"])
        await until(lambda: manager._scheduler.residents[0].state is ResidentState.READY)
        async with manager.admit("b", None, 8192, wait_s=0) as target:
            assert await answers(target)
    assert len(world.events("start")) == 2


async def test_a_wait_that_ends_while_another_model_is_busy_leaves_its_load_pending(world: World) -> None:
    """B is loaded as soon as A is idle, although the client of B got its 503."""
    async with world.manager() as manager:
        async with manager.admit("a", None, 8192):
            for wait_s in (0, 0.05):
                with pytest.raises(ModelLoadingError):
                    async with manager.admit("b", None, 8192, wait_s=wait_s):
                        pass
        await until(lambda: [r.spec.model_name for r in manager._scheduler.residents] == ["b"])
        await until(lambda: manager._scheduler.residents[0].state is ResidentState.READY)


async def test_a_client_that_leaves_during_a_swap_does_not_leave_memory_empty(world: World) -> None:
    """A was stopped for the other model, which is loaded all the same."""
    async with world.manager(Script(ignore_term=True)) as manager:
        await manager.ensure_model_running("a", None, 8192)
        waiter = asyncio.create_task(manager.ensure_model_running("b", None, 8192))
        await until(lambda: manager._scheduler.residents[0].state is ResidentState.STOPPING)
        waiter.cancel()
        await asyncio.wait([waiter])
        await until(lambda: [r.spec.model_name for r in manager._scheduler.residents] == ["b"], within_s=10)
        await until(lambda: manager._scheduler.residents[0].state is ResidentState.READY)


# --- models that are removed or overwritten while they are in memory -----------------------------------------------


async def test_a_model_that_is_removed_leaves_memory_after_its_answers(world: World) -> None:
    """After removal by another process it gets no new requests, and its engine stops after the last one."""
    async with world.manager(watch_interval_s=0.02) as manager:
        async with manager.admit("a", None, 8192) as target:
            await world.catalog.remove_model("a")
            await until(lambda: manager._scheduler.residents[0].state is ResidentState.DRAINING)
            assert await answers(target)
        await until(lambda: world.living() == [])
        await until(lambda: manager._scheduler.residents == ())
        swap = (await manager.status()).last_swap
        assert swap is not None
        assert swap.why == "'a' was removed from the catalogue"


async def test_a_renamed_model_ends_its_answers_and_loads_again_under_its_new_name(world: World) -> None:
    """Its running requests are unaffected, and its next one gets a new engine."""
    async with world.manager(watch_interval_s=0.02) as manager:
        async with manager.admit("a", None, 8192) as target:
            await world.catalog.edit_model("a", lambda _: ModelEdit(name="new"))
            await until(lambda: manager._scheduler.residents[0].state is ResidentState.DRAINING)
            assert await answers(target)
        async with manager.admit("new", None, 8192) as target:
            assert (target.model_name, await answers(target)) == ("new", True)
        assert [r.spec.model_name for r in manager._scheduler.residents] == ["new"]


async def test_a_model_that_is_removed_while_it_loads_is_not_loaded(world: World) -> None:
    """Its waiting requests get the error that it is not in the catalogue."""
    async with world.manager(Script(load_s=30), watch_interval_s=0.02) as manager:
        waiter = asyncio.create_task(manager.ensure_model_running("a", None, 8192))
        await until(lambda: len(world.events("start")) == 1)
        await world.catalog.remove_model("a")
        with pytest.raises(ModelNotFoundError):
            await waiter
        await until(lambda: world.living() == [])


async def test_a_launch_on_a_full_disk_says_what_to_do(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the error and in one line of the log: a traceback would hide the other lines."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(launch, "open_workspace", full)
    async with world.manager() as manager:
        with pytest.raises(ModelLoadFailedError) as failed:
            await manager.ensure_model_running("a", None, 8192)
    assert failed.value.reason == "the disk is full: free some space on it"
    assert "'a' could not be launched: the disk is full" in caplog.text
    assert "Traceback" not in caplog.text


async def test_a_catalogue_that_fails_unloads_nothing(world: World) -> None:
    """An unreadable catalogue says nothing about which models it contains."""
    async with world.manager(watch_interval_s=0.01) as manager:
        await manager.ensure_model_running("a", None, 8192)
        world.catalog.fails_with = CatalogError("The disk is gone.")
        await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(watch_cycles(manager, 3))), 5)
        world.catalog.fails_with = None
        assert (await manager.status()).residents[0].state == "ready"


@pytest.mark.parametrize("error", [CatalogError("The disk is gone."), RuntimeError("The disk is gone.")])
async def test_a_catalogue_that_fails_for_long_is_logged_once(
    world: World, error: Exception, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checks continue, whatever error an embedder's catalogue raises, and the log does not grow with each."""
    async with world.manager(watch_interval_s=0.001) as manager:
        await manager.ensure_model_running("a", None, 8192)
        calls = 0

        async def fail(_: str) -> None:
            nonlocal calls
            calls += 1
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(world.catalog, "resolve_for_launch", fail)
            await until(lambda: calls >= 5)
        warnings = [record for record in caplog.records if "could not be compared" in record.message]
        assert [record.getMessage().rpartition(": ")[2] for record in warnings] == ["The disk is gone."]
        await world.catalog.remove_model("a")
        await until(lambda: world.living() == [])


async def test_a_change_during_an_answer_is_logged_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """An overwritten file is reported at the first check only."""
    async with world.manager(watch_interval_s=0) as manager, manager.admit("a", None, 8192):
        (world.home / "a.gguf").write_bytes(b"GGUF, another one")
        await watch_cycles(manager, 3)
    assert sum("changed while it was loaded" in record.message for record in caplog.records) == 1


async def test_a_removed_model_is_no_failed_one(world: World) -> None:
    """The status no longer lists a model that is not in the catalogue."""
    async with world.manager(Script(load_fails_with="invalid magic"), watch_interval_s=0) as manager:
        with pytest.raises(ModelLoadFailedError):
            await manager.ensure_model_running("a", None, 8192)
        await world.catalog.remove_model("a")
        await watch_cycles(manager, 1)
        assert (await manager.status()).failed == ()


async def watch_cycles(manager: EngineManager, times: int) -> None:
    """Return when the manager has compared the catalogue with its memory ``times`` times."""
    for _ in range(times):
        with contextlib.suppress(CatalogError):
            await manager._model_watch.poll()


async def test_a_model_in_memory_is_not_checked_when_another_one_is_waited_for(world: World) -> None:
    """Its file is gone, but the engine has it loaded: requests are served, also while others wait."""
    async with world.manager() as manager, manager.admit("a", None, 8192) as target:
        waiter = asyncio.create_task(manager.ensure_model_running("b", None, 8192))
        await until(lambda: len(manager._scheduler.waiters) == 1)
        (world.home / "a.gguf").unlink()
        async with manager.admit("a", None, 8192) as second:
            assert second == target
        waiter.cancel()


async def test_a_model_whose_file_is_overwritten_is_loaded_again(world: World) -> None:
    """Its mapped pages would be those of another file: it gets no new requests, and the next one a new process."""
    async with world.manager(watch_interval_s=0.02) as manager:
        await manager.ensure_model_running("a", None, 8192)
        (world.home / "a.gguf").write_bytes(b"GGUF, another one")
        await until(lambda: world.living() == [])
        await manager.ensure_model_running("a", None, 8192)
    assert len(world.events("start")) == 2


async def test_a_model_whose_file_is_replaced_by_another_one_stays(world: World) -> None:
    """The engine still has the old file mapped: it stays until it is unloaded for another reason."""
    async with world.manager() as manager:
        await manager.ensure_model_running("a", None, 8192)
        new = world.home / "new"
        new.write_bytes(b"GGUF, another one")
        new.replace(world.home / "a.gguf")
        await watch_cycles(manager, 1)
        assert (await manager.status()).residents[0].state == "ready"


@pytest.mark.parametrize("number", [signal.SIGBUS, signal.SIGSEGV])
async def test_a_death_after_the_file_changed_says_so(world: World, number: int) -> None:
    """A truncated file causes SIGBUS; whatever the signal, the error names the file as the cause."""

    def happen() -> None:
        (world.home / "a.gguf").write_bytes(b"G")
        os.kill(world.living()[0], number)

    async with world.manager(watch_interval_s=0) as manager:
        with pytest.raises(EngineDiedError, match="died: its file changed while it was loaded") as caught:
            await be_cut_off(manager, happen)
        assert caught.value.is_retryable


async def test_a_request_that_was_alone_at_a_death_is_not_to_be_sent_again(world: World) -> None:
    """It may be the cause; with several requests in flight, the cause is unknown."""
    async with world.manager() as manager:
        with pytest.raises(EngineDiedError, match="the only request in flight") as caught:
            await be_cut_off(manager, lambda: os.kill(world.living()[0], signal.SIGABRT))
        assert not caught.value.is_retryable
        await until(lambda: manager._scheduler.residents == ())
        async with manager.admit("a", None, 8192):
            with pytest.raises(EngineDiedError) as caught:
                await be_cut_off(manager, lambda: os.kill(world.living()[0], signal.SIGABRT))
        assert caught.value.is_retryable
        assert "only request" not in str(caught.value)
