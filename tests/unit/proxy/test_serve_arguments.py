"""The arguments of ``serve`` for embedders."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest

from gglib.core.models import RunningTarget
from gglib.core.ports import ModelCatalogPort, ModelRuntimePort, RuntimeStatus, SwapStatus
from gglib.core.priority import Priority
from gglib.core.runtime.slots import SlotCopy
from gglib.proxy.serve_arguments import as_runtime, check_arguments, checked_history
from gglib.testing import FakeCatalog, FakeHistory, FakeRuntime

TARGET = RunningTarget.local(9000, 1, "mine", 4096)
COPY = SlotCopy(source=0, destination=1, shared_bytes=600, size_bytes=700)


class Structural:
    """A runtime with the port's methods that does not inherit from the port."""

    async def ensure_model_running(self, *_: object) -> RunningTarget:
        return TARGET

    async def current_model(self) -> RunningTarget:
        return TARGET

    async def stop_current(self) -> None:
        return None


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Return a bound socket."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as bound:
        yield bound


@pytest.mark.parametrize(
    ("changed", "error", "text"),
    [
        ({"default_ctx": "4096"}, TypeError, "default_ctx must be an int, a number of tokens, not 'str'."),
        ({"default_ctx": None}, TypeError, "default_ctx must be an int, a number of tokens, not None."),
        ({"default_ctx": True}, TypeError, "default_ctx must be an int, a number of tokens, not 'bool'."),
        ({"default_ctx": 4096.0}, TypeError, "default_ctx must be an int, a number of tokens, not 'float'."),
        ({"default_ctx": 0}, ValueError, "default_ctx must be from 1 to 2147483647 tokens, not 0."),
        ({"default_ctx": -1}, ValueError, "default_ctx must be from 1 to 2147483647 tokens, not -1."),
        ({"default_ctx": 2**31}, ValueError, "not 2147483648."),
        ({"runtime_port": None}, TypeError, "None has no ensure_model_running()."),
        ({"runtime_port": object()}, TypeError, "'object' has no ensure_model_running()."),
        ({"runtime_port": FakeRuntime}, TypeError, "not the class FakeRuntime: did you mean FakeRuntime()?"),
        ({"runtime_port": FakeCatalog()}, TypeError, "runtime_port and catalog_port are swapped."),
        ({"runtime_port": SimpleNamespace(ensure_model_running=print)}, TypeError, "has no current_model()."),
        ({"catalog_port": None}, TypeError, "None has no list_models()."),
        ({"catalog_port": FakeCatalog}, TypeError, "not the class FakeCatalog"),
        ({"catalog_port": FakeRuntime()}, TypeError, "runtime_port and catalog_port are swapped."),
        ({"catalog_port": SimpleNamespace(list_models=1)}, TypeError, "has no list_models()."),
        ({"cancel": None}, TypeError, "cancel must be an asyncio.Event, not None."),
        ({"cancel": threading.Event()}, TypeError, "cancel must be an asyncio.Event, not 'Event'."),
        ({"listener": 8080}, TypeError, "listener must be a bound socket, not 'int'."),
        ({"listener": None}, TypeError, "listener must be a bound socket, not None."),
    ],
)
def test_wrong_argument_is_named(
    listener: socket.socket, changed: dict[str, object], error: type[Exception], text: str
) -> None:
    """The error has the argument's name, the expected type and the actual one."""
    arguments: dict[str, Any] = {
        "listener": listener,
        "default_ctx": 4096,
        "runtime_port": FakeRuntime(),
        "catalog_port": FakeCatalog(),
        "cancel": asyncio.Event(),
    }
    check_arguments(**arguments)
    with pytest.raises(error) as refused:
        check_arguments(**(arguments | changed))
    assert text in str(refused.value)


def test_a_history_needs_the_methods_of_the_port() -> None:
    """Those that the proxy calls; None is none."""
    history = FakeHistory()
    assert checked_history(history) is history
    assert checked_history(None) is None
    with pytest.raises(TypeError, match="has no record"):
        checked_history(object())
    methods = dict.fromkeys(
        ("record", "find_requests", "find_request", "read_bodies", "usage", "recent_use"), print
    )
    with pytest.raises(TypeError, match="has no statistics"):  # which /metrics calls
        checked_history(SimpleNamespace(**methods))
    with pytest.raises(TypeError, match="not the class FakeHistory"):
        checked_history(FakeHistory)


def test_unusable_socket_is_refused() -> None:
    """A datagram socket and a closed socket are refused."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        pytest.raises(ValueError, match="stream"),
    ):
        check_arguments(datagrams, 1, FakeRuntime(), FakeCatalog(), asyncio.Event())
    with pytest.raises(ValueError, match="open"):
        check_arguments(datagrams, 1, FakeRuntime(), FakeCatalog(), asyncio.Event())


@pytest.mark.parametrize(
    ("runtime", "catalog"),
    [
        (AsyncMock(spec=ModelRuntimePort), AsyncMock(spec=ModelCatalogPort)),
        (MagicMock(), MagicMock()),
        (Structural(), FakeCatalog()),
    ],
)
def test_mocks_and_structural_ports_pass(listener: socket.socket, runtime: object, catalog: object) -> None:
    """An object with the port's methods is accepted, with any base class."""
    check_arguments(listener, 1, runtime, catalog, asyncio.Event())


async def test_structural_runtime_gets_the_defaults_of_the_port() -> None:
    """``admit`` and ``status`` are the port's defaults, over the three methods that the runtime has."""
    runtime = as_runtime(Structural())
    async with runtime.admit("mine", None, 4096, wait_s=1, request_id="req_1") as target:
        assert target is TARGET
    assert [resident.model_name for resident in (await runtime.status()).residents] == ["mine"]
    assert await runtime.current_model() is TARGET
    assert runtime.subscribe() is None
    assert runtime.swap_of("req_1") is None
    runtime.note_cached("mine", 1, 0.0)
    assert not await runtime.copy_slot(TARGET, COPY)
    assert await runtime.load("mine", None, 4096) is TARGET
    assert not await runtime.unload("other")
    assert await runtime.unload("mine")


async def test_structural_runtime_keeps_its_own_methods() -> None:
    """Its own ``admit`` and ``status`` are called, with every argument."""
    calls: list[object] = []

    class Own(Structural):
        @contextlib.asynccontextmanager
        async def admit(self, *arguments: object, **named: object) -> Any:
            calls.append((arguments, named))
            yield TARGET

        async def status(self) -> RuntimeStatus:
            return RuntimeStatus(failed=(("mine", "why"),))

        def subscribe(self) -> object:
            return calls

        async def copy_slot(self, target: RunningTarget, copy: SlotCopy) -> bool:
            calls.append((target, copy))
            return True

        def swap_of(self, request_id: str) -> SwapStatus:
            return SwapStatus(from_model=None, to_model="mine", why="", request_id=request_id)

    runtime = as_runtime(Own())
    assert id(runtime.subscribe()) == id(calls)
    assert await runtime.copy_slot(TARGET, COPY)
    assert calls.pop() == (TARGET, COPY)
    swap = runtime.swap_of("req_1")
    assert (swap and swap.request_id) == "req_1"
    async with runtime.admit("mine", 1, 2, wait_s=3, request_id="req_1") as target:
        assert target is TARGET
    named = {"wait_s": 3, "request_id": "req_1", "spec": None, "priority": Priority.INTERACTIVE}
    assert calls == [(("mine", 1, 2), named)]
    assert (await runtime.status()).failed == (("mine", "why"),)


@pytest.mark.parametrize("base", [Structural, FakeRuntime])
async def test_admit_with_fewer_options_is_called_with_those(base: type) -> None:
    """Options were added to ``admit`` over time; an older signature is called with the options that it has."""

    class Older(base):  # type: ignore[misc]
        @contextlib.asynccontextmanager
        async def admit(
            self, model_name: str, num_ctx: int | None, default_ctx: int, *, wait_s: float | None = None
        ) -> Any:
            assert (model_name, num_ctx, default_ctx, wait_s) == ("mine", 1, 2, 3)
            yield TARGET

    async with as_runtime(Older()).admit("mine", 1, 2, wait_s=3, request_id="req_1") as target:
        assert target is TARGET


def test_runtime_that_inherits_from_the_port_is_used_directly() -> None:
    """No adapter is put between the runtime and the proxy."""
    runtime = FakeRuntime()
    assert as_runtime(runtime) is runtime
