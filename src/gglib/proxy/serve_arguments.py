"""Checks the arguments of ``serve`` and adapts structurally typed runtimes to the port.

Without the checks, a wrong argument would only show as an internal error in the first request.
"""

import asyncio
import inspect
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.ports import EventSubscription, ModelRuntimePort, RuntimeStatus, SwapStatus
from gglib.core.ports.history import RequestHistoryPort
from gglib.core.priority import Priority
from gglib.core.runtime.slots import SlotCopy

_RUNTIME_METHODS = ("ensure_model_running", "current_model", "stop_current")
_CATALOG_METHODS = ("list_models", "resolve_model", "resolve_for_launch")
_HISTORY_METHODS = (
    *("record", "find_requests", "find_request", "read_bodies", "usage", "recent_use"),
    "statistics",
)
_ADMIT_OPTIONS = frozenset(("wait_s", "request_id", "spec", "priority"))
_MAX_CONTEXT = 2**31 - 1
"""The engine reads the context size as a signed 32-bit integer."""


def check_arguments(
    listener: object, default_ctx: object, runtime_port: object, catalog_port: object, cancel: object
) -> None:
    """Raise TypeError or ValueError, naming the argument, if an argument of ``serve`` is unusable."""
    if not isinstance(listener, socket.socket):
        raise TypeError(f"listener must be a bound socket, not {_type_name(listener)}.")
    if listener.fileno() < 0 or listener.type != socket.SOCK_STREAM:
        raise ValueError("listener must be an open stream socket.")
    if isinstance(default_ctx, bool) or not isinstance(default_ctx, int):
        raise TypeError(f"default_ctx must be an int, a number of tokens, not {_type_name(default_ctx)}.")
    if not 1 <= default_ctx <= _MAX_CONTEXT:
        raise ValueError(f"default_ctx must be from 1 to {_MAX_CONTEXT} tokens, not {default_ctx}.")
    _check_port("runtime_port", runtime_port, _RUNTIME_METHODS, unlike=_CATALOG_METHODS)
    _check_port("catalog_port", catalog_port, _CATALOG_METHODS, unlike=_RUNTIME_METHODS)
    if not isinstance(cancel, asyncio.Event):
        raise TypeError(f"cancel must be an asyncio.Event, not {_type_name(cancel)}.")


def checked_history(history: object) -> RequestHistoryPort | None:
    """Return the ``history`` of ``serve``. Raises TypeError if it is not one."""
    if history is not None:
        _check_port("history", history, _HISTORY_METHODS)
    return cast("RequestHistoryPort | None", history)


def as_runtime(runtime: object) -> ModelRuntimePort:
    """Return the runtime, wrapped if it does not inherit from the port or its ``admit`` takes fewer options."""
    if isinstance(runtime, ModelRuntimePort) and _options_of(runtime.admit) == _ADMIT_OPTIONS:
        return runtime
    return _StructuralRuntime(runtime)


class _StructuralRuntime(ModelRuntimePort):
    """Adapts a runtime that has the port's methods but does not inherit from it. Missing methods use the defaults."""

    def __init__(self, runtime: Any) -> None:  # noqa: ANN401 - anything with the methods
        self._runtime = runtime
        self._own_admit = getattr(runtime, "admit", None)
        self._options = frozenset() if self._own_admit is None else _options_of(self._own_admit)

    async def ensure_model_running(
        self, model_name: str, num_ctx: int | None, default_ctx: int
    ) -> RunningTarget:
        target: RunningTarget = await self._runtime.ensure_model_running(model_name, num_ctx, default_ctx)
        return target

    async def current_model(self) -> RunningTarget | None:
        target: RunningTarget | None = await self._runtime.current_model()
        return target

    async def stop_current(self) -> None:
        await self._runtime.stop_current()

    def admit(  # noqa: PLR0913 - the port's signature
        self,
        model_name: str,
        num_ctx: int | None,
        default_ctx: int,
        *,
        wait_s: float | None = None,
        request_id: str = "",
        spec: ModelLaunchSpec | None = None,
        priority: Priority = Priority.INTERACTIVE,
    ) -> AbstractAsyncContextManager[RunningTarget]:
        if self._own_admit is None:
            return super().admit(model_name, num_ctx, default_ctx)
        options = {"wait_s": wait_s, "request_id": request_id, "spec": spec, "priority": priority}
        admitted: AbstractAsyncContextManager[RunningTarget] = self._own_admit(
            model_name,
            num_ctx,
            default_ctx,
            **{name: value for name, value in options.items() if name in self._options},
        )
        return admitted

    async def loaded_target(self, model_name: str) -> RunningTarget | None:
        own = getattr(self._runtime, "loaded_target", None) or super().loaded_target
        target: RunningTarget | None = await own(model_name)
        return target

    async def load(self, model_name: str, num_ctx: int | None, default_ctx: int) -> RunningTarget:
        own = getattr(self._runtime, "load", None) or super().load
        target: RunningTarget = await own(model_name, num_ctx, default_ctx)
        return target

    async def unload(self, model_name: str) -> bool:
        own = getattr(self._runtime, "unload", None) or super().unload
        return bool(await own(model_name))

    async def apply_pins(self) -> None:
        await (getattr(self._runtime, "apply_pins", None) or super().apply_pins)()

    async def copy_slot(self, target: RunningTarget, copy: SlotCopy) -> bool:
        own = getattr(self._runtime, "copy_slot", None) or super().copy_slot
        return bool(await own(target, copy))

    def is_blocking_swap(self, target: RunningTarget) -> bool:
        own = getattr(self._runtime, "is_blocking_swap", None) or super().is_blocking_swap
        return bool(own(target))

    async def status(self) -> RuntimeStatus:
        own = getattr(self._runtime, "status", None) or super().status
        status: RuntimeStatus = await own()
        return status

    def swap_of(self, request_id: str) -> SwapStatus | None:
        own = getattr(self._runtime, "swap_of", None) or super().swap_of
        swap: SwapStatus | None = own(request_id)
        return swap

    def note_cached(self, model_name: str, cached_tokens: int, ended_at_s: float) -> None:
        own = getattr(self._runtime, "note_cached", None) or super().note_cached
        own(model_name, cached_tokens, ended_at_s)

    def subscribe(self) -> EventSubscription | None:
        own = getattr(self._runtime, "subscribe", None) or super().subscribe
        subscription: EventSubscription | None = own()
        return subscription


def _options_of(admit: Callable[..., object]) -> frozenset[str]:
    """Return the options of ``ModelRuntimePort.admit`` that this ``admit`` accepts."""
    parameters = inspect.signature(admit).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return _ADMIT_OPTIONS
    return _ADMIT_OPTIONS & parameters.keys()


def _check_port(name: str, port: object, methods: tuple[str, ...], *, unlike: tuple[str, ...] = ()) -> None:
    if isinstance(port, type):
        raise TypeError(
            f"{name} must be an object, not the class {port.__name__}: did you mean {port.__name__}()?"
        )
    missing = [method for method in methods if not callable(getattr(port, method, None))]
    if not missing:
        return
    if unlike and all(callable(getattr(port, method, None)) for method in unlike):
        raise TypeError(f"{name} is {_type_name(port)}: runtime_port and catalog_port are swapped.")
    raise TypeError(
        f"{name} must have the methods {', '.join(methods)}; {_type_name(port)} has no {missing[0]}()."
    )


def _type_name(value: object) -> str:
    return "None" if value is None else f"'{type(value).__name__}'"
