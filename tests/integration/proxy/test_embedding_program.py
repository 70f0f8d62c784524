"""A program that embeds the proxy, written from the names of the ports alone."""

import asyncio
import http.client
import json
import socket

import pytest
from tests.support.sockets import bound_socket

from gglib.core import errors
from gglib.core.ports import (
    CatalogError,
    ModelCatalogPort,
    ModelLaunchSpec,
    ModelRuntimeError,
    ModelRuntimePort,
    ModelSummary,
    RunningTarget,
)
from gglib.proxy import serve

from .support import CHAT, Exchange, ask, chat_body, engine_running, json_answer, proxy_running


class MockRuntime(ModelRuntimePort):
    """Always returns the same target."""

    async def ensure_model_running(
        self, model_name: str, num_ctx: int | None, default_ctx: int
    ) -> RunningTarget:
        del model_name, num_ctx, default_ctx
        return RunningTarget.local(12345, 1, "mock-model", 4096)

    async def current_model(self) -> RunningTarget | None:
        return None

    async def stop_current(self) -> None:
        return None


class MockCatalog:
    """A catalogue without models."""

    async def list_models(self) -> list[ModelSummary]:
        return []

    async def resolve_model(self, name: str) -> ModelSummary | None:
        del name
        return None

    async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
        del name
        return None


def health(port: int) -> int | None:
    """Return the status of /health; None while nothing listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


async def test_a_program_serves_with_mocks_of_both_ports() -> None:
    """The proxy is bound to port 0, polled until healthy, stopped through the event, and joined."""
    runtime_port: ModelRuntimePort = MockRuntime()
    catalog_port: ModelCatalogPort = MockCatalog()
    cancel = asyncio.Event()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        task = asyncio.create_task(serve(listener, 4096, runtime_port, catalog_port, cancel))
        async with asyncio.timeout(10):
            while await asyncio.to_thread(health, port) != 200:  # noqa: ASYNC110 - polled as a program would
                await asyncio.sleep(0.01)
            cancel.set()
            await task
    assert task.exception() is None


async def test_the_ports_can_be_named() -> None:
    """The keyword arguments have the names of the ports."""
    cancel = asyncio.Event()
    cancel.set()
    async with asyncio.timeout(10):
        await serve(
            listener=bound_socket(),
            default_ctx=4096,
            runtime_port=MockRuntime(),
            catalog_port=MockCatalog(),
            cancel=cancel,
        )


async def test_a_runtime_that_does_not_inherit_from_the_port_serves_requests() -> None:
    """A runtime with the three methods is enough, as the README says: chat, models and status return 200."""

    async def answer(exchange: Exchange) -> None:
        await exchange.write(json_answer({"ok": True}))

    async with engine_running(answer) as engine:

        class Structural:
            async def ensure_model_running(self, *_: object) -> RunningTarget:
                return engine.target

            async def current_model(self) -> RunningTarget:
                return engine.target

            async def stop_current(self) -> None:
                return None

        async with proxy_running(Structural()) as proxy:  # type: ignore[arg-type]
            assert (await ask(proxy.port, path=CHAT, body=chat_body())).status == 200
            assert (await ask(proxy.port, "GET", "/v1/models")).status == 200
            assert (await ask(proxy.port, "GET", "/gglib/status")).status == 200


@pytest.mark.parametrize("default_ctx", ["4096", 0, -1, None])
async def test_a_wrong_argument_is_raised_before_anything_is_served(default_ctx: int) -> None:
    """``serve`` raises the error at once and closes the listener."""
    listener = bound_socket()
    with pytest.raises((TypeError, ValueError), match="default_ctx"):
        await serve(listener, default_ctx, MockRuntime(), MockCatalog(), asyncio.Event())
    assert listener.fileno() == -1


async def test_swapped_ports_are_raised_before_anything_is_served() -> None:
    """The error says that they are swapped."""
    with pytest.raises(TypeError, match="swapped"):
        await serve(bound_socket(), 4096, MockCatalog(), MockRuntime(), asyncio.Event())  # type: ignore[arg-type]


async def test_an_error_of_a_foreign_runtime_is_shown_as_such() -> None:
    """A runtime's own ``ModelRuntimeError`` reaches the client with its message, and the request is not resent."""

    class Failing(MockRuntime):
        async def ensure_model_running(self, *_: object) -> RunningTarget:
            raise ModelRuntimeError("The machine in the cellar is off.")

    async with proxy_running(Failing()) as proxy:
        reply = await ask(proxy.port, path=CHAT, body=chat_body())
    error = json.loads(reply.body)["error"]
    assert (reply.status, error["code"]) == (500, "model_runtime_error")
    assert error["message"] == "The machine in the cellar is off."
    assert reply.values("x-should-retry") == ["false"]


@pytest.mark.parametrize(
    "kind",
    [
        errors.ModelNotFoundError,
        errors.ModelFileNotFoundError,
        errors.EngineNotFoundError,
        errors.ModelLoadFailedError,
        errors.ModelOutOfMemoryError,
        errors.EngineCrashLoopError,
        errors.ModelStoppedError,
        errors.ModelLoadingError,
        errors.ModelTooLargeError,
        errors.InsufficientMemoryError,
        errors.ModelsPinnedError,
        errors.QueueFullError,
        errors.BatchSlotsFullError,
        errors.UpstreamError,
        errors.EngineUnreachableError,
        errors.UpstreamStalledError,
        errors.ShuttingDownError,
    ],
)
def test_what_a_runtime_raises_has_one_base(kind: type[Exception]) -> None:
    """``except ModelRuntimeError`` around a runtime's method catches what it raises, and no error of a catalogue."""
    assert issubclass(kind, ModelRuntimeError)
    assert not issubclass(kind, CatalogError)
    assert not issubclass(CatalogError, ModelRuntimeError)
